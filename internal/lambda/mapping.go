package lambda

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/queue"
	"github.com/dropstack/dropstack/internal/wire"
)

// MappingInput makes or changes an event source mapping; nil is not given.
type MappingInput struct {
	UUID                           string `json:",omitempty"`
	EventSourceArn                 string `json:",omitempty"`
	FunctionName                   string `json:",omitempty"`
	Enabled                        *bool  `json:",omitempty"`
	BatchSize                      *int   `json:",omitempty"`
	MaximumBatchingWindowInSeconds *int   `json:",omitempty"`
	FilterCriteria                 *FilterCriteria
	FunctionResponseTypes          *[]string `json:",omitempty"`
	ScalingConfig                  *ScalingConfig
	StartingPosition               string `json:",omitempty"`
}

// FilterCriteria are patterns, any of which lets a message through.
type FilterCriteria struct {
	Filters []Filter
}

// Filter is one of them.
type Filter struct {
	Pattern string
}

// ScalingConfig bounds how many batches a function handles at once.
type ScalingConfig struct {
	MaximumConcurrency *int `json:",omitempty"`
}

// MappingConfiguration describes an event source mapping.
type MappingConfiguration struct {
	UUID                           string
	EventSourceMappingArn          string
	EventSourceArn                 string
	FunctionArn                    string
	BatchSize                      int
	MaximumBatchingWindowInSeconds int
	State                          string
	StateTransitionReason          string
	LastModified                   wire.Time
	FilterCriteria                 *FilterCriteria `json:",omitempty"`
	FunctionResponseTypes          []string
	ScalingConfig                  *ScalingConfig `json:",omitempty"`
	StartingPosition               string         `json:",omitempty"`
}

// MappingsInput asks for mappings of a source or a function.
type MappingsInput struct {
	EventSourceArn string `json:",omitempty"`
	FunctionName   string `json:",omitempty"`
	Marker         string `json:",omitempty"`
	MaxItems       *int   `json:",omitempty"`
}

// MappingsOutput is a page of mappings.
type MappingsOutput struct {
	EventSourceMappings []MappingConfiguration
	NextMarker          string `json:",omitempty"`
}

// States of a mapping. Changes of it take effect before they are answered.
const (
	mappingEnabled  = "Enabled"
	mappingDisabled = "Disabled"
	mappingDeleting = "Deleting"
)

// DescribeMapping is a mapping as Lambda's API has it.
func (l *Functions) DescribeMapping(m queue.Mapping) MappingConfiguration {
	out := MappingConfiguration{
		UUID: m.ID, EventSourceArn: m.Source, FunctionArn: arn.Function(l.Region, m.Function), BatchSize: cmp.Or(m.BatchSize, 10),
		EventSourceMappingArn:          l.mappingARN(m.ID),
		MaximumBatchingWindowInSeconds: m.Window, State: mappingEnabled, StateTransitionReason: "USER_INITIATED", LastModified: wire.At(m.Modified),
		FunctionResponseTypes: []string{},
	}
	if m.Disabled {
		out.State = mappingDisabled
	}
	if len(m.Filters) > 0 {
		out.FilterCriteria = &FilterCriteria{}
		for _, f := range m.Filters {
			out.FilterCriteria.Filters = append(out.FilterCriteria.Filters, Filter{f})
		}
	}
	if m.ReportFailures {
		out.FunctionResponseTypes = append(out.FunctionResponseTypes, "ReportBatchItemFailures")
	}
	if m.MaxConcurrency > 0 {
		out.ScalingConfig = &ScalingConfig{&m.MaxConcurrency}
	}
	return out
}

func (l *Functions) mappingARN(id string) string {
	return arn.ARN{Partition: "aws", Service: "lambda", Region: l.Region, Account: arn.Account, Resource: "event-source-mapping:" + id}.String()
}

// mappings are those of all stacks, by id.
func (l *Functions) mappings() (all []queue.Mapping) {
	for stack, r := range l.Deployer.List() {
		for _, m := range r.Mappings {
			m.Stack = stack
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b queue.Mapping) int { return strings.Compare(a.ID, b.ID) })
	return all
}

func (l *Functions) mapping(id string) (queue.Mapping, error) {
	all := l.mappings()
	if i := slices.IndexFunc(all, func(m queue.Mapping) bool { return m.ID == id }); i >= 0 {
		return all[i], nil
	}
	return queue.Mapping{}, notFound("The resource you requested does not exist: event source mapping %s", id)
}

// apply changes a mapping as an input says.
func (in *MappingInput) apply(m *queue.Mapping) error {
	give(in.BatchSize, &m.BatchSize)
	give(in.MaximumBatchingWindowInSeconds, &m.Window)
	if in.Enabled != nil {
		m.Disabled = !*in.Enabled
	}
	if in.FilterCriteria != nil {
		m.Filters = nil
		for _, f := range in.FilterCriteria.Filters {
			m.Filters = append(m.Filters, f.Pattern)
		}
	}
	if in.FunctionResponseTypes != nil {
		m.ReportFailures = slices.Contains(*in.FunctionResponseTypes, "ReportBatchItemFailures")
	}
	if in.ScalingConfig != nil {
		m.MaxConcurrency = 0
		give(in.ScalingConfig.MaximumConcurrency, &m.MaxConcurrency)
	}
	if in.StartingPosition != "" {
		return invalid("StartingPosition is for streams; a queue has none")
	}
	m.Modified = time.Now().UTC()
	return m.Check()
}

// target is the function that a mapping calls, by name and qualifier.
func (l *Functions) target(name string) (string, error) {
	fn, err := l.Invoker.Get(name)
	if err != nil {
		return "", err
	}
	if i := strings.LastIndex(name, ":function:"); i >= 0 {
		return name[i+len(":function:"):], nil
	}
	if _, qualifier, ok := strings.Cut(name, ":"); ok {
		return fn.Name + ":" + qualifier, nil
	}
	return fn.Name, nil
}

// CreateEventSourceMapping has a queue polled for a function, or the stream of access
// records read.
func (l *Functions) CreateEventSourceMapping(ctx context.Context, in MappingInput) (MappingConfiguration, error) {
	if in.EventSourceArn == accesslog.StreamARN(l.Region) {
		return l.createReader(ctx, in)
	}
	m := queue.Mapping{ID: uuid.NewString(), Source: in.EventSourceArn}
	var err error
	if m.Function, err = l.target(in.FunctionName); err != nil {
		return MappingConfiguration{}, err
	}
	if err := in.apply(&m); err != nil {
		return MappingConfiguration{}, err
	}
	there := false
	for _, r := range l.Deployer.List() {
		there = there || slices.ContainsFunc(r.Queues, func(q queue.Queue) bool { return q.ARN == m.Source })
	}
	if !there {
		return MappingConfiguration{}, invalid("Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue: there is no queue %s", m.Source)
	}
	for _, other := range l.mappings() {
		if other.Source == m.Source && other.Function == m.Function {
			return MappingConfiguration{}, conflict("An event source mapping with SQS arn (%q) and function (%q) already exists. Please update or delete the existing mapping with UUID %s", m.Source, m.Function, other.ID)
		}
	}
	_, err = l.Deployer.Edit(context.WithoutCancel(ctx), deploy.APIStack, func(r *deploy.Revision) error {
		r.Mappings = append(r.Mappings, m)
		return nil
	})
	return l.DescribeMapping(m), err
}

// editMapping changes a mapping in the revision that it is part of.
func (l *Functions) editMapping(ctx context.Context, id string, change func(*deploy.Revision, int) error) error {
	m, err := l.mapping(id)
	if err != nil {
		return err
	}
	_, err = l.Deployer.Edit(context.WithoutCancel(ctx), m.Stack, func(r *deploy.Revision) error {
		i := slices.IndexFunc(r.Mappings, func(other queue.Mapping) bool { return other.ID == id })
		if i < 0 {
			return notFound("The resource you requested does not exist: event source mapping %s", id)
		}
		return change(r, i)
	})
	return err
}

// UpdateEventSourceMapping changes a mapping.
func (l *Functions) UpdateEventSourceMapping(ctx context.Context, in MappingInput) (out MappingConfiguration, err error) {
	if in.FunctionName != "" {
		if in.FunctionName, err = l.target(in.FunctionName); err != nil {
			return out, err
		}
	}
	if r, ok := l.reader(in.UUID); ok {
		return l.updateReader(ctx, r, in)
	}
	err = l.editMapping(ctx, in.UUID, func(r *deploy.Revision, i int) error {
		m := &r.Mappings[i]
		m.Function = cmp.Or(in.FunctionName, m.Function)
		if err := in.apply(m); err != nil {
			return err
		}
		out = l.DescribeMapping(*m)
		return nil
	})
	return out, err
}

// MappingID names a mapping.
type MappingID struct{ UUID string }

// DeleteEventSourceMapping ends the polling.
func (l *Functions) DeleteEventSourceMapping(ctx context.Context, in MappingID) (out MappingConfiguration, err error) {
	if r, ok := l.reader(in.UUID); ok {
		return l.deleteReader(ctx, r)
	}
	err = l.editMapping(ctx, in.UUID, func(r *deploy.Revision, i int) error {
		out = l.DescribeMapping(r.Mappings[i])
		out.State = mappingDeleting
		r.Mappings = slices.Delete(r.Mappings, i, i+1)
		return nil
	})
	return out, err
}

// GetEventSourceMapping describes a mapping.
func (l *Functions) GetEventSourceMapping(_ context.Context, in MappingID) (MappingConfiguration, error) {
	if r, ok := l.reader(in.UUID); ok {
		return l.describeReader(r), nil
	}
	m, err := l.mapping(in.UUID)
	return l.DescribeMapping(m), err
}

// ListEventSourceMappings lists mappings, by id.
func (l *Functions) ListEventSourceMappings(_ context.Context, in MappingsInput) (MappingsOutput, error) {
	out := MappingsOutput{EventSourceMappings: []MappingConfiguration{}}
	most := 100
	give(in.MaxItems, &most)
	if most < 1 {
		return out, fault.Coded(fault.Invalid, "InvalidParameterValueException", "MaxItems %d must be at least 1", most)
	}
	for _, m := range l.everyMapping() {
		if in.EventSourceArn != "" && in.EventSourceArn != m.EventSourceArn || m.UUID <= in.Marker {
			continue
		}
		if want := arn.Function(l.Region, strings.TrimPrefix(in.FunctionName, arn.Function(l.Region, ""))); in.FunctionName != "" && want != m.FunctionArn {
			continue
		}
		if len(out.EventSourceMappings) == most {
			out.NextMarker = out.EventSourceMappings[most-1].UUID
			break
		}
		out.EventSourceMappings = append(out.EventSourceMappings, m)
	}
	return out, nil
}

// everyMapping describes the mappings of queues and of the stream, by id.
func (l *Functions) everyMapping() (all []MappingConfiguration) {
	for _, m := range l.mappings() {
		all = append(all, l.DescribeMapping(m))
	}
	for _, revision := range l.Deployer.List() {
		for _, r := range revision.AccessReaders {
			all = append(all, l.DescribeReader(r, revision.Created))
		}
	}
	slices.SortFunc(all, func(a, b MappingConfiguration) int { return strings.Compare(a.UUID, b.UUID) })
	return all
}
