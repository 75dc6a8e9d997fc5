package cloudformation

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/wire"
)

// ChangeSetInput names a change set: by its ARN, or by its name and its stack.
type ChangeSetInput struct {
	ChangeSetName         string
	StackName             string `json:",omitempty"`
	NextToken             string `json:",omitempty"`
	IncludePropertyValues bool   `json:",omitempty"`
}

// Change is a change of one resource.
type Change struct {
	Type           string
	ResourceChange ResourceChange
}

// DescribeChangeSetOutput is a change set.
type DescribeChangeSetOutput struct {
	ChangeSetName       string
	ChangeSetId         string
	StackId             string
	StackName           string
	Description         string `json:",omitempty"`
	Parameters          []Parameter
	CreationTime        wire.Time
	ExecutionStatus     string
	Status              string
	StatusReason        string `json:",omitempty"`
	NotificationARNs    []string
	Capabilities        []string
	Tags                []Tag
	Changes             []Change
	NextToken           string `json:",omitempty"`
	OnStackFailure      string `json:",omitempty"`
	IncludeNestedStacks bool
}

// DescribeChangeSet says what a change set would change.
func (s *Stacks) DescribeChangeSet(_ context.Context, in ChangeSetInput) (DescribeChangeSetOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set, err := s.named(in.ChangeSetName, in.StackName)
	if err != nil {
		return DescribeChangeSetOutput{}, err
	}
	out := DescribeChangeSetOutput{
		ChangeSetName: set.Name, ChangeSetId: set.ID, StackId: set.Stack, StackName: set.StackName, Description: set.Description,
		Parameters: set.Order.shown(), CreationTime: wire.At(set.Created), ExecutionStatus: set.Execution, Status: set.Status, StatusReason: set.Reason,
		NotificationARNs: set.Order.Topics, Capabilities: set.Order.Capabilities, Tags: set.Order.Tags,
	}
	if set.New {
		out.OnStackFailure = set.Order.OnFailure
	}
	list, next, err := page(set.Changes, in.NextToken, 100)
	for _, c := range list {
		out.Changes = append(out.Changes, Change{"Resource", c})
	}
	out.NextToken = next
	return out, err
}

// named is a change set. The lock is held.
func (s *Stacks) named(name, stackName string) (*changeSet, error) {
	missing := fault.Coded(fault.NotFound, "ChangeSetNotFound", "ChangeSet [%s] does not exist", name)
	if strings.HasPrefix(name, "arn:") {
		if set := s.sets[name]; set != nil {
			return set, nil
		}
		return nil, missing
	}
	if stackName == "" {
		return nil, invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
	}
	st := s.find(stackName)
	if st == nil {
		return nil, noStackBracketed(stackName)
	}
	if set := s.set(name, st.ID); set != nil {
		return set, nil
	}
	return nil, missing
}

// StackOf is the stack of a change set, by the change set's name and what it is
// said to be of.
func (s *Stacks) StackOf(name, stackName string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if set := s.sets[name]; set != nil {
		return set.Stack
	}
	return stackName
}

// DeleteChangeSet deletes a change set. One that is not there is no error.
func (s *Stacks) DeleteChangeSet(ctx context.Context, in ChangeSetInput) (None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set, err := s.named(in.ChangeSetName, in.StackName)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return None{}, nil
	case err != nil:
		return None{}, err
	case set.Execution == executing:
		return None{}, fault.Coded(fault.Invalid, "InvalidChangeSetStatus", "An operation on ChangeSet %s is currently in progress.", set.ID)
	}
	return None{}, s.dropSet(ctx, set)
}

// None is the answer of operations that only say that they are done.
type None struct{}

// ListChangeSetsInput names a stack and a page.
type ListChangeSetsInput struct {
	StackName string
	NextToken string `json:",omitempty"`
}

// ChangeSetSummary is a line of a list of change sets.
type ChangeSetSummary struct {
	StackId             string
	StackName           string
	ChangeSetId         string
	ChangeSetName       string
	ExecutionStatus     string
	Status              string
	StatusReason        string `json:",omitempty"`
	CreationTime        wire.Time
	Description         string `json:",omitempty"`
	IncludeNestedStacks bool
}

// ListChangeSetsOutput is a page of change sets.
type ListChangeSetsOutput struct {
	Summaries []ChangeSetSummary
	NextToken string `json:",omitempty"`
}

// ListChangeSets lists the change sets of a stack that are still to be executed.
func (s *Stacks) ListChangeSets(_ context.Context, in ListChangeSetsInput) (ListChangeSetsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := ListChangeSetsOutput{Summaries: []ChangeSetSummary{}}
	st := s.find(in.StackName)
	if st == nil {
		return out, noStackBracketed(in.StackName)
	}
	for _, set := range s.sets {
		if set.Stack == st.ID && !set.done() {
			out.Summaries = append(out.Summaries, ChangeSetSummary{
				StackId: set.Stack, StackName: set.StackName, ChangeSetId: set.ID, ChangeSetName: set.Name, ExecutionStatus: set.Execution,
				Status: set.Status, StatusReason: set.Reason, CreationTime: wire.At(set.Created), Description: set.Description,
			})
		}
	}
	slices.SortFunc(out.Summaries, func(a, b ChangeSetSummary) int { return cmp.Compare(a.ChangeSetName, b.ChangeSetName) })
	var err error
	out.Summaries, out.NextToken, err = page(out.Summaries, in.NextToken, 100)
	return out, err
}

// ExecuteChangeSetInput names a change set.
type ExecuteChangeSetInput struct {
	ChangeSetName        string
	StackName            string `json:",omitempty"`
	ClientRequestToken   string `json:",omitempty"`
	DisableRollback      *bool  `json:",omitempty"`
	RetainExceptOnCreate bool   `json:",omitempty"`
}

// ExecuteChangeSet has a change set's change made, and answers before it is.
func (s *Stacks) ExecuteChangeSet(ctx context.Context, in ExecuteChangeSetInput) (None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set, err := s.named(in.ChangeSetName, in.StackName)
	if err != nil {
		return None{}, err
	}
	st := s.find(set.Stack)
	switch {
	case st == nil:
		return None{}, noStackBracketed(set.StackName)
	case set.Execution != available:
		return None{}, fault.Coded(fault.Invalid, "InvalidChangeSetStatus", "ChangeSet [%s] cannot be executed in its current status of [%s]", set.ID, set.Status)
	case st.State.Status != reviewInProgress && !st.settled():
		return None{}, invalid("Stack:%s is in %s state and can not be updated.", st.ID, st.State.Status)
	}
	w := &work{Action: updating, Token: in.ClientRequestToken, Order: set.Order, Set: set.ID}
	if set.New {
		w.Action = creating
	}
	if in.DisableRollback != nil && *in.DisableRollback {
		w.Order.OnFailure = onFailureNothing
	}
	next := *set
	next.Execution = executing
	if err := s.putSet(ctx, &next); err != nil {
		return None{}, err
	}
	for _, other := range s.sets { // which were made for the stack as it is
		if other.Stack == set.Stack && other.ID != set.ID {
			if err := s.dropSet(ctx, other); err != nil {
				return None{}, err
			}
		}
	}
	return None{}, s.begin(ctx, st, w)
}

// page is a part of a list, from where the last one ended.
func page[T any](list []T, token string, most int) ([]T, string, error) {
	from := 0
	if token != "" {
		n, err := strconv.Atoi(token)
		if err != nil || n < 0 || n > len(list) {
			return nil, "", invalid("NextToken is none that an answer gave")
		}
		from = n
	}
	if len(list)-from <= most {
		return list[from:], "", nil
	}
	return list[from : from+most], strconv.Itoa(from + most), nil
}
