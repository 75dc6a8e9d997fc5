package apigateway

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/wire"
)

// Stage is where an API answers. An API has one.
type Stage struct {
	StageName           string                   `json:"stageName"`
	DeploymentID        string                   `json:"deploymentId"`
	Description         string                   `json:"description,omitempty"`
	CreatedDate         wire.Time                `json:"createdDate"`
	LastUpdatedDate     wire.Time                `json:"lastUpdatedDate"`
	CacheClusterEnabled bool                     `json:"cacheClusterEnabled"`
	CacheClusterStatus  string                   `json:"cacheClusterStatus"`
	MethodSettings      map[string]MethodSetting `json:"methodSettings"`
	Variables           map[string]string        `json:"variables,omitempty"`
	AccessLogSettings   *AccessLogSettings       `json:"accessLogSettings,omitempty"`
	TracingEnabled      bool                     `json:"tracingEnabled"`
	Tags                map[string]string        `json:"tags,omitempty"`
}

// AccessLogSettings is where access logs go, and what a line has.
type AccessLogSettings struct {
	Format         string `json:"format,omitempty"`
	DestinationArn string `json:"destinationArn,omitempty"`
}

// MethodSetting is what is set of methods.
type MethodSetting struct {
	MetricsEnabled       bool    `json:"metricsEnabled"`
	LoggingLevel         string  `json:"loggingLevel,omitempty"`
	DataTraceEnabled     bool    `json:"dataTraceEnabled"`
	ThrottlingBurstLimit int     `json:"throttlingBurstLimit,omitempty"`
	ThrottlingRateLimit  float64 `json:"throttlingRateLimit,omitempty"`
	CachingEnabled       bool    `json:"cachingEnabled"`
}

// all methods, in settings.
const every = "*/*"

func (a *APIs) describeStage(d deployed) Stage {
	s := Stage{
		StageName: d.Stage, DeploymentID: deploymentOf(d).ID, CreatedDate: at(d.created()), LastUpdatedDate: at(d.revision.Created),
		CacheClusterStatus: "NOT_AVAILABLE", Variables: d.Variables, MethodSettings: map[string]MethodSetting{},
	}
	if log := d.AccessLog; log != nil {
		s.AccessLogSettings = &AccessLogSettings{Format: log.Format, DestinationArn: a.group(log.Group)}
	}
	if set := d.Settings; set != nil {
		s.Description, s.TracingEnabled, s.Tags = set.Description, set.Tracing, set.Tags
		for path, m := range set.Methods {
			s.MethodSettings[path] = MethodSetting{MetricsEnabled: m.Metrics, LoggingLevel: m.LogLevel, DataTraceEnabled: m.DataTrace}
		}
	}
	if limit := d.Throttle; limit != nil {
		m := s.MethodSettings[every]
		m.ThrottlingRateLimit, m.ThrottlingBurstLimit = limit.Rate, limit.Burst
		s.MethodSettings[every] = m
	}
	return s
}

const logGroup = "log-group:"

func (a *APIs) group(name string) string {
	return arn.ARN{Partition: "aws", Service: "logs", Region: a.Region, Account: arn.Account, Resource: logGroup + name}.String()
}

// StagesInput names an API, and a deployment that its stages must show.
type StagesInput struct {
	RestApiId    string `json:"restApiId,omitempty"`
	DeploymentId string `json:"deploymentId,omitempty"`
}

// Stages is a list of stages, which has no pages.
type Stages struct {
	Item []Stage `json:"item"`
}

// GetStages lists the stage of an API.
func (a *APIs) GetStages(_ context.Context, in StagesInput) (Stages, error) {
	d, err := a.find(gateway.REST, in.RestApiId)
	if err != nil {
		return Stages{}, err
	}
	s := a.describeStage(d)
	if in.DeploymentId != "" && in.DeploymentId != s.DeploymentID {
		return Stages{[]Stage{}}, nil
	}
	return Stages{[]Stage{s}}, nil
}

// StageInput names a stage.
type StageInput struct {
	RestApiId string `json:"restApiId,omitempty"`
	StageName string `json:"stageName,omitempty"`
}

// GetStage describes a stage.
func (a *APIs) GetStage(_ context.Context, in StageInput) (Stage, error) {
	d, err := a.stage(in)
	if err != nil {
		return Stage{}, err
	}
	return a.describeStage(d), nil
}

func (a *APIs) stage(in StageInput) (deployed, error) {
	d, err := a.find(gateway.REST, in.RestApiId)
	if err == nil && d.Stage != in.StageName {
		err = notFound("Invalid stage identifier specified")
	}
	return d, err
}

// CreateStageInput describes a stage that is to be.
type CreateStageInput struct {
	RestApiId    string `json:"restApiId,omitempty"`
	StageName    string `json:"stageName"`
	DeploymentId string `json:"deploymentId"`
}

// CreateStage refuses: a deployment makes an API with its one stage.
func (a *APIs) CreateStage(_ context.Context, in CreateStageInput) (Stage, error) {
	d, err := a.find(gateway.REST, in.RestApiId)
	switch {
	case err != nil:
		return Stage{}, err
	case in.StageName == d.Stage:
		return Stage{}, conflict("Stage already exists")
	}
	return Stage{}, invalid("An API has one stage here, and that of %s is %q; deploy the stack with another stage", d.ID, d.Stage)
}

// UpdateStageInput changes a stage.
type UpdateStageInput struct {
	RestApiId       string           `json:"restApiId,omitempty"`
	StageName       string           `json:"stageName,omitempty"`
	PatchOperations []PatchOperation `json:"patchOperations"`
}

// UpdateStage sets what belongs to a stage: all of it, or nothing.
func (a *APIs) UpdateStage(ctx context.Context, in UpdateStageInput) (Stage, error) {
	return a.changeStage(ctx, StageInput{in.RestApiId, in.StageName}, func(s *settings) error {
		for _, p := range in.PatchOperations {
			if err := s.patch(p); err != nil {
				return err
			}
		}
		return s.check()
	})
}

// settings is a stage's, on their way to others.
type settings struct {
	gateway.StageSettings
	log AccessLogSettings
}

// changeStage changes the settings of a stage in the revision that it is part of.
func (a *APIs) changeStage(ctx context.Context, in StageInput, change func(*settings) error) (Stage, error) {
	d, err := a.stage(in)
	if err != nil {
		return Stage{}, err
	}
	err = a.edit(ctx, d.API.Stack, func(r *deploy.Revision) error {
		i := slices.IndexFunc(r.APIs, func(api gateway.API) bool { return api.ID == d.ID })
		if i < 0 {
			return notFound("Invalid stage identifier specified")
		}
		next, err := a.changed(r.APIs[i], change)
		r.APIs[i] = next
		return err
	})
	if err != nil {
		return Stage{}, err
	}
	return a.GetStage(ctx, in)
}

func (a *APIs) changed(api gateway.API, change func(*settings) error) (gateway.API, error) {
	s := settings{}
	if api.Settings != nil {
		s.StageSettings = *api.Settings
	}
	before := s.StageSettings
	s.Variables, s.Tags, s.Methods = maps.Clone(api.Variables), maps.Clone(s.Tags), maps.Clone(s.Methods)
	if api.Throttle != nil {
		s.Throttle = new(*api.Throttle)
	}
	if l := api.AccessLog; l != nil {
		s.log = AccessLogSettings{l.Format, a.group(l.Group)}
	}
	if err := change(&s); err != nil {
		return api, err
	}
	s.AccessLog = s.destination()
	if maps.Equal(s.Variables, api.Variables) { // still what they were
		s.Variables = before.Variables
	}
	api.AccessLog, api.Throttle = s.AccessLog, s.Throttle
	return api.Set(&s.StageSettings), nil
}

var groupName = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]{1,512}$`)

// destination is the log that is set, if one is.
func (s *settings) destination() *gateway.AccessLog {
	if s.log.DestinationArn == "" {
		return nil
	}
	_, name, _ := strings.Cut(s.log.DestinationArn, ":"+logGroup)
	return &gateway.AccessLog{Group: strings.TrimSuffix(name, ":*"), Format: s.log.Format}
}

// check looks at what several operations set together.
func (s *settings) check() error {
	if s.log == (AccessLogSettings{}) {
		return nil
	}
	if s.log.Format == "" || s.log.DestinationArn == "" {
		return invalid("Access logs need both: /accessLogSettings/destinationArn and /accessLogSettings/format")
	}
	a, err := arn.Parse(s.log.DestinationArn)
	if err != nil || a.Service != "logs" || !groupName.MatchString(s.destination().Group) {
		return invalid("Invalid ARN %q of access logs: here they go to a log group, arn:aws:logs:REGION:%s:%sNAME", s.log.DestinationArn, arn.Account, logGroup)
	}
	return nil
}

var variableName = regexp.MustCompile(`^\w+$`)

// patch applies one operation.
func (s *settings) patch(p PatchOperation) error {
	parts, err := p.parts()
	if err != nil {
		return err
	}
	switch {
	case len(parts) == 1 && parts[0] == "description":
		return p.text(&s.Description)
	case len(parts) == 1 && parts[0] == "tracingEnabled":
		return p.on(&s.Tracing)
	case len(parts) == 1 && parts[0] == "accessLogSettings" && p.Op == remove:
		s.log = AccessLogSettings{}
		return nil
	case len(parts) == 2 && parts[0] == "accessLogSettings" && parts[1] == "format":
		return p.text(&s.log.Format)
	case len(parts) == 2 && parts[0] == "accessLogSettings" && parts[1] == "destinationArn":
		return p.text(&s.log.DestinationArn)
	case len(parts) == 2 && parts[0] == "variables":
		return s.variable(p, parts[1])
	case len(parts) == 4:
		return s.method(p, parts[0]+"/"+parts[1], parts[2]+"/"+parts[3])
	case parts[0] == "cacheClusterEnabled" && p.Value == "false":
		return nil
	}
	return p.unknown()
}

func (s *settings) variable(p PatchOperation, name string) error {
	if !variableName.MatchString(name) {
		return invalid("Invalid stage variable name %q: it may have letters, digits and _", name)
	}
	if s.Variables == nil {
		s.Variables = map[string]string{}
	}
	if s.Variables[name] = p.Value; p.Op == remove {
		delete(s.Variables, name)
	}
	return nil
}

// method applies an operation on what is set of methods.
func (s *settings) method(p PatchOperation, path, what string) error {
	if strings.HasPrefix(what, "throttling/") {
		return s.throttle(p, path, what)
	}
	if what == "caching/enabled" && p.Value == "false" {
		return nil
	}
	m := s.Methods[path]
	var err error
	switch what {
	case "logging/loglevel":
		if !slices.Contains([]string{"OFF", "ERROR", "INFO"}, p.Value) && p.Op != remove {
			return invalid("Invalid value %q for %s: it must be OFF, ERROR or INFO", p.Value, p.Path)
		}
		err = p.text(&m.LogLevel)
	case "logging/dataTrace":
		err = p.on(&m.DataTrace)
	case "metrics/enabled":
		err = p.on(&m.Metrics)
	default:
		return p.unknown()
	}
	if s.Methods == nil {
		s.Methods = map[string]gateway.MethodSettings{}
	}
	s.Methods[path] = m
	return err
}

func (s *settings) throttle(p PatchOperation, path, what string) error {
	if path != every {
		return invalid("Invalid patch path %q: requests are bounded for all methods of a stage together here; use /*/*/%s", p.Path, what)
	}
	if p.Op == remove {
		s.Throttle = nil
		return nil
	}
	if s.Throttle == nil {
		s.Throttle = &gateway.Throttle{Rate: defaultRate, Burst: defaultBurst}
	}
	switch what {
	case "throttling/rateLimit":
		return p.number(&s.Throttle.Rate)
	case "throttling/burstLimit":
		return p.whole(&s.Throttle.Burst)
	}
	return p.unknown()
}

// What AWS bounds an account's requests by.
const (
	defaultRate  = 10_000
	defaultBurst = 5_000
)
