package api

import (
	"context"
	"encoding/base64"
	"sort"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/cloudfront"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge/certificate"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/monitor"
	"github.com/dropstack/dropstack/internal/monitor/comparison"
	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/secret/root"
)

func decodeBase64(s string) ([]byte, error) { return base64.StdEncoding.DecodeString(s) }

// Control is the control plane's rooms.
type Control struct {
	Deployer  *deploy.Deployer
	Letters   Letters
	Topics    TopicState
	Flows     Flows
	Schedules Schedules
	RootKey   interface {
		Rotate(ctx context.Context) (root.Report, error)
	}
	Endpoints Endpoints
	URL       func(host string) string // where the edge answers for a host
	Isolation string                   // level at which functions run
	Records   Records
	Edge      *cloudfront.Distributions
	Bans      Bans

	Certificates Certificates
	Alerts       Alerts
	Alarms       Ringing
	Receivers    Receivers
	Traces       Traces
	Metrics      Metrics
	Imports      Imports
	Errors       Errors
	Exports      Exports
	LogFields    LogFields
	Console      Links // nil: there is none
	Monitors     Monitors
	Comparisons  Comparisons
}

// Letters is what the control plane needs of dead letters.
type Letters interface {
	DeadLetters(ctx context.Context, function string, limit int) ([]function.DeadLetter, error)
	Redrive(ctx context.Context, function, id string) (int, error)
}

// Flows is what the control plane needs of flow records.
type Flows interface {
	List(network.FlowFilter) []network.FlowRecord
}

// LettersInput names dead letters of a function: the newest Limit, or the one of
// a request.
type LettersInput struct {
	Function string `json:"function"`
	ID       string `json:"id,omitempty"`
	Limit    int    `json:"limit,omitempty"` // 1-10,000; 0: 100
}

// Redriven is how many dead letters went back into a queue.
type Redriven struct {
	Count int `json:"count"`
}

// Endpoints are the platform's own URLs.
type Endpoints struct {
	HTTP    string `json:"http"`
	HTTPS   string `json:"https,omitempty"` // "": off
	AWS     string `json:"aws"`
	Console string `json:"console"`
}

// StackInput names a stack.
type StackInput struct {
	Stack string `json:"stack"`
}

// Info is a deployed stack and where it answers.
type Info struct {
	Revision  *deploy.Revision `json:"revision"`
	Endpoints Endpoints        `json:"endpoints"`
	Isolation string           `json:"isolation"`       // level at which its functions run: full, userns, process or none
	Shift     *deploy.Shift    `json:"shift,omitempty"` // the last move of callers to new versions
	// Comparison is of the revision with the one before, once its callers have moved.
	Comparison *comparison.Comparison `json:"comparison,omitempty"`
}

// StackSummary is one line of a list of stacks.
type StackSummary struct {
	Stack    string `json:"stack"`
	Revision string `json:"revision"`
	Created  string `json:"created"`
	Contents string `json:"contents"`
}

// Service is the service "dropstack".
func (c *Control) Service() *Service {
	stack := func(in StackInput) []Need { return on(stackARN(in.Stack)) }
	letters := func(in LettersInput) []Need { return on(functionARN(arn.Region, in.Function)) }
	return &Service{Scope: "dropstack", Prefix: "Dropstack.", Strict: true, Operations: map[string]Operation{
		"Deploy": op(c.deploy, func(in DeployInput) []Need { return on(stackARN(in.Stack)) }),
		"Info":   op(c.info, stack),
		"List":   op(c.list, nil),
		"Export": op(c.export, nil),
		"Remove": op(c.remove, stack),

		"DescribeChanges":  op(c.changes, func(in DeployInput) []Need { return on(stackARN(in.Stack)) }),
		"ListRevisions":    op(c.revisions, stack),
		"DescribeRevision": op(c.describeRevision, func(in RevisionInput) []Need { return on(stackARN(in.Stack)) }),
		"DeployFunction":   op(c.deployFunction, func(in DeployFunctionInput) []Need { return on(stackARN(in.Stack)) }),
		"Rollback":         op(c.rollback, func(in RollbackInput) []Need { return on(stackARN(in.Stack)) }),

		"DeadLetters": op(c.deadLetters, letters),
		"Redrive":     op(c.redrive, letters),
		"Flows":       op(c.flows, nil),

		"TopicStatus":  op(c.topicStatus, nil),
		"TopicLetters": op(c.topicLetters, func(in TopicLettersInput) []Need { return on(in.Subscription) }),
		"TopicRedrive": op(c.topicRedrive, func(in TopicLettersInput) []Need { return on(in.Subscription) }),

		"ListSchedules":  op(c.schedules, nil),
		"SwitchSchedule": op(c.switchSchedule, func(in SwitchInput) []Need { return on(in.ARN) }),
		"RunSchedule":    op(c.runSchedule, func(in ScheduleInput) []Need { return on(in.ARN) }),

		"ListDistributions":  op(c.distributions, nil),
		"PutDistribution":    op(c.putDistribution, func(in DistributionInput) []Need { return on(cloudfront.ARN(in.Distribution.ID)) }),
		"RemoveDistribution": op(c.removeDistribution, func(in DistributionID) []Need { return on(cloudfront.ARN(in.ID)) }),
		"Invalidate":         op(c.invalidate, func(in InvalidateInput) []Need { return on(cloudfront.ARN(in.ID)) }),
		"PutBan":             op(c.putBan, nil),
		"DeleteBan":          op(c.deleteBan, nil),
		"ListBans":           op(c.listBans, nil),
		"PutAllowed":         op(c.putAllowed, nil),
		"DeleteAllowed":      op(c.deleteAllowed, nil),
		"ListAllowed":        op(c.listAllowed, nil),

		"ListCertificates":     op(c.certificates, nil),
		"DescribeCertificates": op(c.certificateStatus, nil),
		"ImportCertificate":    op(c.importCertificate, func(in certificate.ImportInput) []Need { return certificateNeed(in.ARN) }),
		"RemoveCertificate":    op(c.removeCertificate, func(in CertificateID) []Need { return certificateNeed(in.ID) }),
		"RenewCertificate":     op(c.renewCertificate, nil),

		"QueryMetrics": op(c.queryMetrics, func(QueryMetricsInput) []Need { return []Need{{Action: "dropstack:ReadMetrics"}} }),

		"CreateConsoleLink":   op(c.consoleLink, nil),
		"ListMonitors":        op(c.monitors, nil),
		"DescribeMonitor":     op(c.monitor, func(in monitor.NameInput) []Need { return monitorNeed(in.Name) }),
		"PutMonitor":          op(c.putMonitor, func(in monitor.Monitor) []Need { return monitorNeed(in.Name) }),
		"DeleteMonitor":       op(c.deleteMonitor, func(in monitor.NameInput) []Need { return monitorNeed(in.Name) }),
		"PauseMonitor":        op(c.pauseMonitor, func(in monitor.PauseInput) []Need { return monitorNeed(in.Name) }),
		"TestMonitor":         op(c.testMonitor, func(in monitor.TestInput) []Need { return monitorNeed(in.Monitor.Name) }),
		"ListIncidents":       op(c.incidents, nil),
		"AcknowledgeIncident": op(c.acknowledge, func(in monitor.AcknowledgeInput) []Need { return monitorNeed(in.Monitor) }),
		"PutMaintenance":      op(c.putWindow, nil),
		"DeleteMaintenance":   op(c.deleteWindow, nil),
		"ListMaintenance":     op(c.windows, nil),
		"PutLocation":         op(c.putLocation, nil),
		"DeleteLocation":      op(c.deleteLocation, nil),
		"ListLocations":       op(c.locations, nil),
		"ListComparisons":     op(c.comparisons, nil),
		"PutReceivers":        op(c.putReceivers, nil),
		"GetReceivers":        op(c.getReceivers, nil),
		"TestReceiver":        op(c.testReceiver, nil),

		"PutSilence":    op(c.putSilence, nil),
		"ExpireSilence": op(c.expireSilence, nil),
		"ListSilences":  op(c.listSilences, nil),

		"ListAlerts":   op(c.listAlerts, nil),
		"ListRules":    op(c.listRules, nil),
		"TestRule":     op(c.testRule, nil),
		"ExplainAlert": op(c.explainAlert, nil),

		"RotateRootKey": op(c.rotateRoot, nil),

		"ListAuditRecords":   op(c.Records.List, nil),
		"VerifyAuditRecords": op(c.verifyRecords, nil),

		"GetTrace":   op(c.getTrace, nil),
		"ListTraces": op(c.listTraces, nil),
		"LogFields":  opBy(c.logFields, c.logFieldsNeeds).aboutData(),

		"ImportLogs":    op(c.importLogs, importNeeds),
		"ExportLogs":    op(c.exportLogs, exportNeeds),
		"ListErrors":    op(c.listErrors, nil),
		"GetError":      op(c.getError, nil),
		"UpdateError":   op(c.updateError, nil),
		"RebuildErrors": op(c.rebuildErrors, nil),
	}}
}

// RootRotation is what a rotation of the root key did.
type RootRotation struct {
	ID        string `json:"id"`        // fingerprint of the new key
	Rewrapped int    `json:"rewrapped"` // secrets that were sealed anew
}

func (c *Control) rotateRoot(ctx context.Context, _ struct{}) (RootRotation, error) {
	report, err := c.RootKey.Rotate(context.WithoutCancel(ctx)) // a client that leaves must not cut it short
	return RootRotation{report.ID, report.Rewrapped}, err
}

// stackARN names a stack in policies.
func stackARN(stack string) string {
	return arn.ARN{Partition: "aws", Service: "dropstack", Region: arn.Region, Account: arn.Account, Resource: "stack/" + stack}.String()
}

func (c *Control) info(ctx context.Context, in StackInput) (Info, error) {
	rev, ok := c.Deployer.Active(in.Stack)
	if !ok {
		return Info{}, fault.Errorf(fault.NotFound, "stack %q is not deployed; `dropstack info` lists what is", in.Stack)
	}
	info := c.about(rev)
	if c.Comparisons == nil {
		return info, nil
	}
	out, err := c.Comparisons.List(ctx, comparison.ListInput{Stack: in.Stack})
	for i, one := range out.Comparisons {
		if one.Revision == rev.ID {
			info.Comparison = &out.Comparisons[i]
		}
	}
	return info, err
}

func (c *Control) list(context.Context, struct{}) ([]StackSummary, error) {
	list := []StackSummary{}
	for stack, r := range c.Deployer.List() {
		list = append(list, StackSummary{stack, r.ID, r.Created.Format("2006-01-02 15:04:05Z"), r.Describe()})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Stack < list[j].Stack })
	return list, nil
}

func (c *Control) deadLetters(ctx context.Context, in LettersInput) ([]function.DeadLetter, error) {
	if in.Limit == 0 {
		in.Limit = 100
	}
	return c.Letters.DeadLetters(ctx, in.Function, in.Limit)
}

func (c *Control) redrive(ctx context.Context, in LettersInput) (Redriven, error) {
	n, err := c.Letters.Redrive(context.WithoutCancel(ctx), in.Function, in.ID)
	return Redriven{n}, err
}

func (c *Control) flows(_ context.Context, in network.FlowFilter) ([]network.FlowRecord, error) {
	if in.Limit < 0 {
		return nil, fault.Errorf(fault.Invalid, "limit %d: at least 1, or 0 for all", in.Limit)
	}
	return append([]network.FlowRecord{}, c.Flows.List(in)...), nil
}
