package cloudformation

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/dropstack/dropstack/internal/fault"
)

// CreateStackInput describes a stack.
type CreateStackInput struct {
	Request
	OnFailure                   string `json:",omitempty"`
	ClientRequestToken          string `json:",omitempty"`
	EnableTerminationProtection bool   `json:",omitempty"`
	StackPolicyBody             string `json:",omitempty"`
	StackPolicyURL              string `json:",omitempty"`
	TimeoutInMinutes            int    `json:",omitempty"`
}

// StackOutput is the ARN of a stack.
type StackOutput struct{ StackId string }

// CreateStack has a stack made, and answers before it is.
func (s *Stacks) CreateStack(ctx context.Context, in CreateStackInput) (StackOutput, error) {
	if err := in.check(); err != nil {
		return StackOutput{}, err
	}
	switch {
	case in.OnFailure != "" && in.DisableRollback:
		return StackOutput{}, invalid("You can specify either OnFailure or DisableRollback, but not both")
	case in.OnFailure != "" && !slices.Contains([]string{onFailureDelete, onFailureNothing, onFailureRollback}, in.OnFailure):
		return StackOutput{}, invalid("OnFailure must be DO_NOTHING, ROLLBACK or DELETE")
	case in.StackPolicyURL != "":
		return StackOutput{}, invalid("StackPolicyURL is not supported here; use StackPolicyBody")
	}
	if err := checkStackPolicy(in.StackPolicyBody); err != nil {
		return StackOutput{}, err
	}
	st, err := s.changing(in.StackName, true)
	if err != nil {
		return StackOutput{}, fault.Coded(fault.Conflict, "AlreadyExistsException", "Stack [%s] already exists", in.StackName)
	}
	if st != nil { // under review: its change sets are void
		return StackOutput{}, fault.Coded(fault.Conflict, "AlreadyExistsException", "Stack [%s] already exists: it is under review; execute its change set, or delete it", in.StackName)
	}
	o, t, err := s.order(ctx, &in.Request, nil)
	if err != nil {
		return StackOutput{}, err
	}
	if in.OnFailure != "" {
		o.OnFailure = in.OnFailure
	}
	o.Timeout = in.TimeoutInMinutes
	st = s.fresh(in.StackName)
	st.Protected, st.Policy = in.EnableTerminationProtection, in.StackPolicyBody
	if _, err := s.plan(ctx, st, &o, t, nil); err != nil {
		return StackOutput{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(st.Name) != nil {
		return StackOutput{}, fault.Coded(fault.Conflict, "AlreadyExistsException", "Stack [%s] already exists", in.StackName)
	}
	return StackOutput{st.ID}, s.begin(ctx, st, &work{Action: creating, Token: in.ClientRequestToken, Order: o})
}

// UpdateStackInput describes what a stack is to be.
type UpdateStackInput struct {
	Request
	ClientRequestToken          string `json:",omitempty"`
	StackPolicyBody             string `json:",omitempty"`
	StackPolicyURL              string `json:",omitempty"`
	StackPolicyDuringUpdateBody string `json:",omitempty"`
	StackPolicyDuringUpdateURL  string `json:",omitempty"`
}

// UpdateStack has a stack changed, and answers before it is.
func (s *Stacks) UpdateStack(ctx context.Context, in UpdateStackInput) (StackOutput, error) {
	if err := in.check(); err != nil {
		return StackOutput{}, err
	}
	if in.StackPolicyURL+in.StackPolicyDuringUpdateBody+in.StackPolicyDuringUpdateURL != "" {
		return StackOutput{}, invalid("StackPolicyURL, StackPolicyDuringUpdateBody and StackPolicyDuringUpdateURL are not supported here; set the policy with SetStackPolicy")
	}
	st, err := s.changing(in.StackName, false)
	if err != nil {
		return StackOutput{}, err
	}
	if st.State.Status == reviewInProgress {
		return StackOutput{}, invalid("Stack:%s is in %s state and can not be updated.", st.ID, st.State.Status)
	}
	o, t, err := s.order(ctx, &in.Request, st)
	if err != nil {
		return StackOutput{}, err
	}
	p, err := s.plan(ctx, st, &o, t, nil)
	if err == nil {
		err = s.spares(st, p.outputs)
	}
	if err != nil {
		return StackOutput{}, err
	}
	if !differs(st, p, o) {
		return StackOutput{}, invalid("No updates are to be performed.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st = s.find(st.ID); !st.settled() {
		return StackOutput{}, invalid("Stack:%s is in %s state and can not be updated.", st.ID, st.State.Status)
	}
	for _, set := range s.sets { // which were made for the stack as it was
		if set.Stack == st.ID {
			if err := s.dropSet(ctx, set); err != nil {
				return StackOutput{}, err
			}
		}
	}
	return StackOutput{st.ID}, s.begin(ctx, st, &work{Action: updating, Token: in.ClientRequestToken, Order: o})
}

// StackInput names a stack.
type StackInput struct {
	StackName          string
	ClientRequestToken string `json:",omitempty"`
}

// CancelUpdateStack is refused: an update is activated in one step, and what goes
// on before that ends soon.
func (s *Stacks) CancelUpdateStack(_ context.Context, in StackInput) (None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(in.StackName)
	switch {
	case st == nil:
		return None{}, noStackBracketed(in.StackName)
	case st.State.Status != updating+inProgress:
		return None{}, invalid("CancelUpdateStack cannot be called from current stack status")
	}
	return None{}, invalid("an update cannot be cancelled here: it is activated in one step; wait until it is done, and update the stack back")
}

// ContinueUpdateRollback goes on with an update that could not be taken back.
func (s *Stacks) ContinueUpdateRollback(ctx context.Context, in ContinueUpdateRollbackInput) (None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(in.StackName)
	switch {
	case st == nil:
		return None{}, noStackBracketed(in.StackName)
	case st.State.Status != "UPDATE_ROLLBACK_FAILED" || st.Work == nil:
		return None{}, invalid("Stack:%s is in %s state and can not continue update rollback.", st.ID, st.State.Status)
	case len(in.ResourcesToSkip) > 0:
		return None{}, invalid("ResourcesToSkip is not supported here: a stack goes back as a whole; mend what its events name and try again")
	}
	t := st.story()
	t.stack.Work.Token = in.ClientRequestToken
	t.told("UPDATE_ROLLBACK"+inProgress, "User Initiated")
	if err := s.put(ctx, t.stack, t.events); err != nil {
		return None{}, err
	}
	s.start(ctx, func(ctx context.Context) { (&change{Stacks: s, stack: t.stack, before: t.stack.Resources}).back(ctx) })
	return None{}, nil
}

// ContinueUpdateRollbackInput names a stack.
type ContinueUpdateRollbackInput struct {
	StackName          string
	ClientRequestToken string   `json:",omitempty"`
	ResourcesToSkip    []string `json:",omitempty"`
	RoleARN            string   `json:",omitempty"`
}

// UpdateTerminationProtectionInput says whether a stack may be deleted.
type UpdateTerminationProtectionInput struct {
	StackName                   string
	EnableTerminationProtection bool
}

// UpdateTerminationProtection protects a stack from being deleted, or not.
func (s *Stacks) UpdateTerminationProtection(ctx context.Context, in UpdateTerminationProtectionInput) (StackOutput, error) {
	return s.note(ctx, in.StackName, func(st *stack) { st.Protected = in.EnableTerminationProtection })
}

// SetStackPolicyInput is the policy of a stack.
type SetStackPolicyInput struct {
	StackName       string
	StackPolicyBody string `json:",omitempty"`
	StackPolicyURL  string `json:",omitempty"`
}

// checkStackPolicy refuses a policy that denies something: nobody would ask it.
func checkStackPolicy(text string) error {
	var policy struct {
		Statement []struct{ Effect string }
	}
	switch err := json.Unmarshal([]byte(text), &policy); {
	case text == "":
		return nil
	case err != nil:
		return invalid("the stack policy is not JSON with a list of statements: %v", err)
	case slices.ContainsFunc(policy.Statement, func(s struct{ Effect string }) bool { return s.Effect != "Allow" }):
		return invalid("a stack policy that denies updates is not supported here: an update is activated in one step; protect the stack by policies of those who may call UpdateStack and ExecuteChangeSet")
	}
	return nil
}

// SetStackPolicy keeps a policy that allows updates. One that denies some is
// refused: nobody would ask it.
func (s *Stacks) SetStackPolicy(ctx context.Context, in SetStackPolicyInput) (None, error) {
	if in.StackPolicyURL != "" || in.StackPolicyBody == "" {
		return None{}, invalid("StackPolicyBody is missing; a StackPolicyURL is not supported here")
	}
	if err := checkStackPolicy(in.StackPolicyBody); err != nil {
		return None{}, err
	}
	_, err := s.note(ctx, in.StackName, func(st *stack) { st.Policy = in.StackPolicyBody })
	return None{}, err
}

// GetStackPolicyOutput is the policy of a stack.
type GetStackPolicyOutput struct {
	StackPolicyBody string `json:",omitempty"`
}

// GetStackPolicy returns the policy of a stack.
func (s *Stacks) GetStackPolicy(_ context.Context, in StackInput) (GetStackPolicyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(in.StackName)
	if st == nil {
		return GetStackPolicyOutput{}, noStackBracketed(in.StackName)
	}
	return GetStackPolicyOutput{st.Policy}, nil
}

// note changes what is kept of a stack beside what it is made of.
func (s *Stacks) note(ctx context.Context, name string, change func(*stack)) (StackOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(name)
	if st == nil {
		return StackOutput{}, noStackBracketed(name)
	}
	next := st.copy()
	change(next)
	return StackOutput{next.ID}, s.put(ctx, next, nil)
}
