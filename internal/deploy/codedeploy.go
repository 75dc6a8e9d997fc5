package deploy

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/wire"
)

// The part of CodeDeploy that hooks and those who watch a shift call. Each move of a
// shift is a deployment: of the application STACK and the deployment group FUNCTION.

// PutLifecycleEventHookExecutionStatusInput is what a hook reports.
type PutLifecycleEventHookExecutionStatusInput struct {
	DeploymentId                  string `json:"deploymentId"`
	LifecycleEventHookExecutionId string `json:"lifecycleEventHookExecutionId"`
	Status                        string `json:"status"`
}

// PutLifecycleEventHookExecutionStatusOutput confirms a report.
type PutLifecycleEventHookExecutionStatusOutput struct {
	LifecycleEventHookExecutionId string `json:"lifecycleEventHookExecutionId"`
}

// DeploymentInput names a deployment.
type DeploymentInput struct {
	DeploymentId        string `json:"deploymentId"`
	AutoRollbackEnabled *bool  `json:"autoRollbackEnabled,omitempty"` // of StopDeployment: callers always go back
}

// GetDeploymentOutput is a deployment.
type GetDeploymentOutput struct {
	DeploymentInfo DeploymentInfo `json:"deploymentInfo"`
}

// DeploymentInfo is CodeDeploy's view of a move.
type DeploymentInfo struct {
	ApplicationName      string            `json:"applicationName"`
	DeploymentGroupName  string            `json:"deploymentGroupName"`
	DeploymentConfigName string            `json:"deploymentConfigName"`
	DeploymentId         string            `json:"deploymentId"`
	ComputePlatform      string            `json:"computePlatform"`
	Status               string            `json:"status"`
	ErrorInformation     *ErrorInformation `json:"errorInformation,omitempty"`
	RollbackInfo         *RollbackInfo     `json:"rollbackInfo,omitempty"`
	CreateTime           wire.Time         `json:"createTime"`
	StartTime            wire.Time         `json:"startTime"`
	CompleteTime         *wire.Time        `json:"completeTime,omitempty"`
	Creator              string            `json:"creator"`
	DeploymentStyle      DeploymentStyle   `json:"deploymentStyle"`
}

// ErrorInformation is why a deployment did not succeed.
type ErrorInformation struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// RollbackInfo is how a rollback went.
type RollbackInfo struct {
	RollbackMessage string `json:"rollbackMessage"`
}

// DeploymentStyle is how callers are moved.
type DeploymentStyle struct {
	DeploymentType   string `json:"deploymentType"`
	DeploymentOption string `json:"deploymentOption"`
}

// StopDeploymentOutput says how stopping goes.
type StopDeploymentOutput struct {
	Status        string `json:"status"`
	StatusMessage string `json:"statusMessage"`
}

// ListDeploymentsInput chooses deployments; what is empty chooses all.
type ListDeploymentsInput struct {
	ApplicationName     string     `json:"applicationName,omitempty"`
	DeploymentGroupName string     `json:"deploymentGroupName,omitempty"`
	IncludeOnlyStatuses []string   `json:"includeOnlyStatuses,omitempty"`
	CreateTimeRange     *TimeRange `json:"createTimeRange,omitempty"`
	NextToken           string     `json:"nextToken,omitempty"`
}

// TimeRange is open where it has no end.
type TimeRange struct {
	Start *wire.Time `json:"start,omitempty"`
	End   *wire.Time `json:"end,omitempty"`
}

// ListDeploymentsOutput has the ids of deployments, the newest first: all of them, as
// there are never many.
type ListDeploymentsOutput struct {
	Deployments []string `json:"deployments"`
}

var deploymentID = regexp.MustCompile(`^d-[A-Z0-9]{9}$`)

// deployment finds a move and its shift.
func (d *Deployer) deployment(id string) (*Shift, *Move, error) {
	if id == "" {
		return nil, nil, fault.Coded(fault.Invalid, "DeploymentIdRequiredException", "The deployment ID is required.")
	}
	if !deploymentID.MatchString(id) {
		return nil, nil, fault.Coded(fault.Invalid, "InvalidDeploymentIdException", "The deployment ID %s is not valid.", id)
	}
	for _, s := range d.allShifts() {
		for i := range s.Moves {
			if s.Moves[i].ID == id {
				return s, &s.Moves[i], nil
			}
		}
	}
	return nil, nil, fault.Coded(fault.NotFound, "DeploymentDoesNotExistException", "The deployment %s could not be found", id)
}

// allShifts are those that are remembered, the newest first.
func (d *Deployer) allShifts() (list []*Shift) {
	all := d.ledgers.Load()
	if all == nil {
		return nil
	}
	for _, l := range *all {
		if l.Current != nil {
			list = append(list, l.Current)
		}
		for i := range l.Past {
			list = append(list, &l.Past[i])
		}
	}
	slices.SortFunc(list, func(a, b *Shift) int {
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.Stack, b.Stack))
	})
	return list
}

// DeploymentGroupARN names the deployment group of a deployment in policies; "*" if
// there is none.
func (d *Deployer) DeploymentGroupARN(id string) string {
	s, m, err := d.deployment(id)
	if err != nil {
		return "*"
	}
	return GroupARN(d.Region, s.Stack, m.Function)
}

// GroupARN names a deployment group.
func GroupARN(region, application, group string) string {
	return arn.ARN{Partition: "aws", Service: "codedeploy", Region: region, Account: arn.Account, Resource: "deploymentgroup:" + application + "/" + group}.String()
}

// PutLifecycleEventHookExecutionStatus takes a hook's answer.
func (d *Deployer) PutLifecycleEventHookExecutionStatus(ctx context.Context, in PutLifecycleEventHookExecutionStatusInput) (out PutLifecycleEventHookExecutionStatusOutput, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, m, err := d.deployment(in.DeploymentId)
	switch {
	case err != nil:
		return out, err
	case in.Status != Succeeded && in.Status != Failed:
		return out, fault.Coded(fault.Invalid, "InvalidLifecycleEventHookExecutionStatusException", "The status %q is not valid: hooks report Succeeded or Failed.", in.Status)
	case in.LifecycleEventHookExecutionId == "":
		return out, fault.Coded(fault.Invalid, "InvalidLifecycleEventHookExecutionIdException", "The lifecycle event hook execution ID is required.")
	case s.Status != InProgress || m.Hook != in.LifecycleEventHookExecutionId && (m.Phase == phaseDone || m.Hook == ""):
		return out, fault.Coded(fault.Conflict, "LifecycleEventAlreadyCompletedException", "The lifecycle event is completed already.")
	case m.Hook != in.LifecycleEventHookExecutionId:
		return out, fault.Coded(fault.Invalid, "InvalidLifecycleEventHookExecutionIdException", "The execution %s is not under way.", in.LifecycleEventHookExecutionId)
	case m.Answer != "" && m.Answer != in.Status:
		return out, fault.Coded(fault.Conflict, "LifecycleEventAlreadyCompletedException", "The hook has reported %s already.", m.Answer)
	}
	l := d.ledger(s.Stack).copy()
	for i := range l.Current.Moves {
		if l.Current.Moves[i].ID == m.ID {
			l.Current.Moves[i].Answer = in.Status
		}
	}
	if err := d.keep(ctx, s.Stack, l); err != nil {
		return out, err
	}
	d.kick()
	out.LifecycleEventHookExecutionId = in.LifecycleEventHookExecutionId
	return out, nil
}

// GetDeployment describes a deployment.
func (d *Deployer) GetDeployment(_ context.Context, in DeploymentInput) (out GetDeploymentOutput, err error) {
	s, m, err := d.deployment(in.DeploymentId)
	if err != nil {
		return out, err
	}
	info := DeploymentInfo{
		ApplicationName: s.Stack, DeploymentGroupName: m.Function, DeploymentId: m.ID, ComputePlatform: "Lambda", Status: s.Status,
		DeploymentConfigName: m.Type, CreateTime: wire.At(s.Created), StartTime: wire.At(s.Created), Creator: "user",
		DeploymentStyle: DeploymentStyle{"BLUE_GREEN", "WITH_TRAFFIC_CONTROL"},
	}
	if !strings.HasPrefix(m.Type, "CodeDeployDefault.") {
		info.DeploymentConfigName = "CodeDeployDefault.Lambda" + m.Type
	}
	if s.Reason != "" {
		info.ErrorInformation = &ErrorInformation{s.Code, s.Reason}
		info.RollbackInfo = &RollbackInfo{"callers have the version that they had before"}
		if s.Undo {
			info.RollbackInfo.RollbackMessage = "callers go back to the version that they had before"
		}
	}
	if !s.Ended.IsZero() {
		at := wire.At(s.Ended)
		info.CompleteTime = &at
	}
	out.DeploymentInfo = info
	return out, nil
}

// StopDeployment sends callers back to what they had; those of other functions of
// the same revision too.
func (d *Deployer) StopDeployment(ctx context.Context, in DeploymentInput) (out StopDeploymentOutput, err error) {
	s, _, err := d.deployment(in.DeploymentId)
	if err != nil {
		return out, err
	}
	if s.Status == InProgress {
		stopped, err := d.stop(context.WithoutCancel(ctx), s.Stack, "stopped by a call of StopDeployment")
		if stopped || err != nil {
			return StopDeploymentOutput{"Succeeded", "Callers have the version that they had before."}, err
		}
	}
	return out, fault.Coded(fault.Conflict, "DeploymentAlreadyCompletedException", "The deployment %s is completed already.", in.DeploymentId)
}

// ListDeployments lists deployments.
func (d *Deployer) ListDeployments(_ context.Context, in ListDeploymentsInput) (ListDeploymentsOutput, error) {
	out := ListDeploymentsOutput{Deployments: []string{}}
	if in.ApplicationName != "" && in.DeploymentGroupName == "" {
		return out, fault.Coded(fault.Invalid, "DeploymentGroupNameRequiredException", "The deployment group name is required with an application name.")
	}
	if in.DeploymentGroupName != "" && in.ApplicationName == "" {
		return out, fault.Coded(fault.Invalid, "ApplicationNameRequiredException", "The application name is required with a deployment group name.")
	}
	if in.ApplicationName != "" {
		if _, ok := d.Active(in.ApplicationName); !ok {
			return out, fault.Coded(fault.NotFound, "ApplicationDoesNotExistException", "No application found for name: %s", in.ApplicationName)
		}
	}
	within := func(at time.Time) bool {
		r := in.CreateTimeRange
		return r == nil || (r.Start == nil || !at.Before(r.Start.Time)) && (r.End == nil || !at.After(r.End.Time))
	}
	for _, s := range d.allShifts() {
		if in.ApplicationName != "" && s.Stack != in.ApplicationName || !within(s.Created) ||
			len(in.IncludeOnlyStatuses) > 0 && !slices.Contains(in.IncludeOnlyStatuses, s.Status) {
			continue
		}
		for _, m := range s.Moves {
			if in.DeploymentGroupName == "" || m.Function == in.DeploymentGroupName {
				out.Deployments = append(out.Deployments, m.ID)
			}
		}
	}
	return out, nil
}
