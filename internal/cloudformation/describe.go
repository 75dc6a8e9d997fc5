package cloudformation

import (
	"cmp"
	"context"
	"slices"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/wire"
)

// Stack is a stack as clients see it.
type Stack struct {
	StackId                     string
	StackName                   string
	ChangeSetId                 string      `json:",omitempty"`
	Description                 string      `json:",omitempty"`
	Parameters                  []Parameter `json:",omitempty"`
	CreationTime                wire.Time
	DeletionTime                wire.Time `json:",omitzero"`
	LastUpdatedTime             wire.Time `json:",omitzero"`
	RollbackConfiguration       struct{}
	StackStatus                 string
	StackStatusReason           string `json:",omitempty"`
	DisableRollback             bool
	NotificationARNs            []string
	Capabilities                []string `json:",omitempty"`
	Outputs                     []Output `json:",omitempty"`
	RoleARN                     string   `json:",omitempty"`
	Tags                        []Tag
	EnableTerminationProtection bool
	DriftInformation            Drift
}

// Drift says that nobody has looked whether resources are as the template has them.
type Drift struct{ StackDriftStatus string }

var notChecked = Drift{"NOT_CHECKED"}

// Output is a value that a stack shows.
type Output struct {
	OutputKey   string
	OutputValue string
	Description string `json:",omitempty"`
	ExportName  string `json:",omitempty"`
}

// DescribeStacksInput names a stack; none: all that are there.
type DescribeStacksInput struct {
	StackName string `json:",omitempty"`
	NextToken string `json:",omitempty"`
}

// DescribeStacksOutput is a page of stacks.
type DescribeStacksOutput struct {
	Stacks    []Stack
	NextToken string `json:",omitempty"`
}

// DescribeStacks describes a stack, or all.
func (s *Stacks) DescribeStacks(_ context.Context, in DescribeStacksInput) (DescribeStacksOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.StackName != "" {
		if st := s.find(in.StackName); st != nil {
			return DescribeStacksOutput{Stacks: []Stack{s.seen(st)}}, nil
		}
		if _, native := s.native(in.StackName); native {
			return DescribeStacksOutput{Stacks: []Stack{s.nativeStack(nameOf(in.StackName))}}, nil
		}
		return DescribeStacksOutput{}, noStack(in.StackName)
	}
	var all []Stack
	for _, st := range s.stacks {
		if st.here() {
			all = append(all, s.seen(st))
		}
	}
	for name := range s.Deployer.List() {
		if _, native := s.native(name); native && s.find(name) == nil {
			all = append(all, s.nativeStack(name))
		}
	}
	slices.SortFunc(all, func(a, b Stack) int { return cmp.Compare(a.StackName, b.StackName) })
	list, next, err := page(all, in.NextToken, 100)
	return DescribeStacksOutput{list, next}, err
}

// seen is a stack as clients see it, with outputs that answer.
func (s *Stacks) seen(st *stack) Stack {
	out := Stack{
		StackId: st.ID, StackName: st.Name, ChangeSetId: st.ChangeSet, Description: st.Order.Description, Parameters: st.Order.shown(),
		CreationTime: wire.At(st.Created), DeletionTime: wire.At(st.Deleted), LastUpdatedTime: wire.At(st.Updated),
		StackStatus: st.State.Status, StackStatusReason: st.State.Reason, DisableRollback: st.Order.OnFailure == onFailureNothing,
		NotificationARNs: st.Order.Topics, Capabilities: st.Order.Capabilities, RoleARN: st.Order.Role, Tags: st.Order.Tags,
		EnableTerminationProtection: st.Protected, DriftInformation: notChecked,
	}
	told := deploy.Revision{Outputs: st.Outputs}
	if active, there := s.Deployer.Active(st.Name); there {
		told.APIs, told.Region = active.APIs, active.Region
	}
	out.Outputs = shownOutputs(told.Answering(s.URL))
	return out
}

func shownOutputs(outputs []deploy.Output) []Output {
	var list []Output
	for _, o := range outputs {
		list = append(list, Output{OutputKey: o.Key, OutputValue: o.Value, Description: o.Description, ExportName: o.Export})
	}
	return list
}

// hiddenValue is shown of parameters with NoEcho.
const hiddenValue = "****"

// shown are the parameters of a stack as clients see them.
func (o *order) shown() []Parameter {
	var list []Parameter
	for _, name := range names(o.Arguments) {
		p := Parameter{ParameterKey: name, ParameterValue: o.Arguments[name], ResolvedValue: o.Resolved[name]}
		if slices.Contains(o.Hidden, name) {
			p.ParameterValue, p.ResolvedValue = hiddenValue, ""
		}
		list = append(list, p)
	}
	return list
}

// ListStacksInput narrows a list of stacks.
type ListStacksInput struct {
	StackStatusFilter []string `json:",omitempty"`
	NextToken         string   `json:",omitempty"`
}

// StackSummary is a line of a list of stacks.
type StackSummary struct {
	StackId             string
	StackName           string
	TemplateDescription string `json:",omitempty"`
	CreationTime        wire.Time
	LastUpdatedTime     wire.Time `json:",omitzero"`
	DeletionTime        wire.Time `json:",omitzero"`
	StackStatus         string
	StackStatusReason   string `json:",omitempty"`
	DriftInformation    Drift
}

// ListStacksOutput is a page of a list of stacks.
type ListStacksOutput struct {
	StackSummaries []StackSummary
	NextToken      string `json:",omitempty"`
}

// ListStacks lists stacks, deleted ones too.
func (s *Stacks) ListStacks(_ context.Context, in ListStacksInput) (ListStacksOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Stack
	for _, st := range s.stacks {
		all = append(all, s.seen(st))
	}
	for name := range s.Deployer.List() {
		if _, native := s.native(name); native && s.find(name) == nil {
			all = append(all, s.nativeStack(name))
		}
	}
	slices.SortFunc(all, func(a, b Stack) int {
		return cmp.Or(b.CreationTime.Compare(a.CreationTime.Time), cmp.Compare(a.StackId, b.StackId))
	})
	var lines []StackSummary
	for _, st := range all {
		if len(in.StackStatusFilter) > 0 && !slices.Contains(in.StackStatusFilter, st.StackStatus) {
			continue
		}
		lines = append(lines, StackSummary{
			StackId: st.StackId, StackName: st.StackName, TemplateDescription: st.Description, CreationTime: st.CreationTime,
			LastUpdatedTime: st.LastUpdatedTime, DeletionTime: st.DeletionTime, StackStatus: st.StackStatus, StackStatusReason: st.StackStatusReason,
			DriftInformation: notChecked,
		})
	}
	list, next, err := page(lines, in.NextToken, 100)
	return ListStacksOutput{list, next}, err
}
