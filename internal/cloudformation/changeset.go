package cloudformation

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
)

// changeSet is a change of a stack that can be looked at before it is made.
type changeSet struct {
	ID          string           `json:"id"` // ARN
	Name        string           `json:"name"`
	Stack       string           `json:"stack"` // its ARN
	StackName   string           `json:"stackName"`
	Description string           `json:"description,omitempty"`
	Created     time.Time        `json:"created"`
	Order       order            `json:"order"`
	New         bool             `json:"new,omitempty"` // of type CREATE
	Status      string           `json:"status"`
	Reason      string           `json:"reason,omitempty"`
	Execution   string           `json:"execution"`
	Changes     []ResourceChange `json:"changes,omitempty"`

	revision uint64
}

const (
	available      = "AVAILABLE"
	unavailable    = "UNAVAILABLE"
	executing      = "EXECUTE_IN_PROGRESS"
	executed       = "EXECUTE_COMPLETE"
	executedFailed = "EXECUTE_FAILED"

	noChanges = "The submitted information didn't contain changes. Submit different information to create a change set."
)

func (c *changeSet) uuid() string      { return c.ID[strings.LastIndexByte(c.ID, '/')+1:] }
func (c *changeSet) stackUUID() string { return c.Stack[strings.LastIndexByte(c.Stack, '/')+1:] }

// done reports whether the change set has been executed.
func (c *changeSet) done() bool { return strings.HasPrefix(c.Execution, "EXECUTE_") }

// ResourceChange is what would become of a resource.
type ResourceChange struct {
	Action             string
	LogicalResourceId  string
	PhysicalResourceId string `json:",omitempty"`
	ResourceType       string
	Replacement        string                 `json:",omitempty"`
	PolicyAction       string                 `json:",omitempty"`
	Scope              []string               `json:",omitempty"`
	Details            []ResourceChangeDetail `json:",omitempty"`
}

// ResourceChangeDetail is a property that changes.
type ResourceChangeDetail struct {
	Target       ResourceTarget
	Evaluation   string
	ChangeSource string
}

// ResourceTarget names a property.
type ResourceTarget struct {
	Attribute          string
	Name               string `json:",omitempty"`
	RequiresRecreation string
}

// CreateChangeSetInput describes a change of a stack, or a new one.
type CreateChangeSetInput struct {
	Request
	ChangeSetName           string
	ChangeSetType           string `json:",omitempty"`
	Description             string `json:",omitempty"`
	ClientToken             string `json:",omitempty"`
	OnStackFailure          string `json:",omitempty"`
	IncludeNestedStacks     bool   `json:",omitempty"`
	ImportExistingResources bool   `json:",omitempty"`
}

// CreateChangeSetOutput is the change set and its stack.
type CreateChangeSetOutput struct {
	Id      string
	StackId string
}

func (in *CreateChangeSetInput) check() error {
	switch {
	case !stackName.MatchString(in.ChangeSetName):
		return invalid("1 validation error detected: Value '%s' at 'changeSetName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", in.ChangeSetName)
	case in.ChangeSetType != "" && in.ChangeSetType != creating && in.ChangeSetType != updating:
		return invalid("ChangeSetType %q is not supported here: there are CREATE and UPDATE; what exists cannot be imported into a stack", in.ChangeSetType)
	case in.ImportExistingResources:
		return invalid("ImportExistingResources is not supported here: what exists cannot be imported into a stack")
	case in.OnStackFailure != "" && !slices.Contains([]string{onFailureDelete, onFailureNothing, onFailureRollback}, in.OnStackFailure):
		return invalid("OnStackFailure must be DO_NOTHING, ROLLBACK or DELETE")
	}
	return in.Request.check()
}

// CreateChangeSet works out what a template would change, and keeps it.
func (s *Stacks) CreateChangeSet(ctx context.Context, in CreateChangeSetInput) (CreateChangeSetOutput, error) {
	if err := in.check(); err != nil {
		return CreateChangeSetOutput{}, err
	}
	isNew := in.ChangeSetType == creating
	st, err := s.changing(in.StackName, isNew)
	if err != nil {
		return CreateChangeSetOutput{}, err
	}
	o, t, err := s.order(ctx, &in.Request, st)
	if err != nil {
		return CreateChangeSetOutput{}, err
	}
	if in.OnStackFailure != "" {
		o.OnFailure = in.OnStackFailure
	}
	fresh := st == nil
	if fresh {
		st = s.fresh(in.StackName)
	}
	set := &changeSet{
		ID: arn.ARN{
			Partition: "aws", Service: "cloudformation", Region: s.Region, Account: arn.Account,
			Resource: "changeSet/" + in.ChangeSetName + "/" + newUUID(),
		}.String(),
		Name: in.ChangeSetName, Stack: st.ID, StackName: st.Name, Description: in.Description, Created: now(), New: isNew,
		Status: creating + complete, Execution: available,
	}
	p, err := s.plan(ctx, st, &o, t, nil)
	if err == nil {
		err = s.spares(st, p.outputs)
	}
	if set.Order = o; err != nil {
		if kind := fault.KindOf(err); kind == fault.Internal || kind == fault.Unavailable || kind == fault.Denied {
			return CreateChangeSetOutput{}, err
		}
		set.Status, set.Execution, set.Reason = failedStatus, unavailable, err.Error()
	} else if set.Changes = changes(st, p); !isNew && !differs(st, p, o) {
		set.Status, set.Execution, set.Reason = failedStatus, unavailable, noChanges
	}
	return CreateChangeSetOutput{set.ID, set.Stack}, s.keep(ctx, st, fresh, set)
}

const failedStatus = "FAILED"

// changing is the stack that a change is for; nil when it is to be made.
func (s *Stacks) changing(name string, isNew bool) (*stack, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(name)
	if id, native := s.native(name); native && st == nil {
		return nil, invalid("Stack [%s] was deployed by `dropstack deploy` and is changed by it alone; remove it with `dropstack remove`, or give the new stack another name", nameOf(id))
	}
	switch {
	case st == nil && !isNew:
		return nil, noStackBracketed(name)
	case st == nil || st.State.Status == reviewInProgress:
		return st, nil
	case isNew:
		return nil, fault.Coded(fault.Conflict, "AlreadyExistsException", "Stack [%s] already exists and cannot be created again with the changeSet [CREATE].", st.Name)
	case !st.settled():
		return nil, invalid("Stack:%s is in %s state and can not be updated.", st.ID, st.State.Status)
	}
	return st, nil
}

// fresh is a stack that nothing has been made of.
func (s *Stacks) fresh(name string) *stack {
	at := now()
	return &stack{Name: name, ID: StackARN(s.Region, name, newUUID()), Created: at, State: state{Status: reviewInProgress, Since: at}}
}

// keep stores a change set, and its stack if that is new.
func (s *Stacks) keep(ctx context.Context, st *stack, fresh bool, set *changeSet) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.set(set.Name, st.ID); old != nil {
		if !old.done() {
			return fault.Coded(fault.Conflict, "AlreadyExistsException", "ChangeSet %s already exists", set.Name)
		}
		if err := s.dropSet(ctx, old); err != nil {
			return err
		}
	}
	if fresh {
		if s.find(st.Name) != nil {
			return fault.Coded(fault.Conflict, "AlreadyExistsException", "Stack [%s] already exists", st.Name)
		}
		t := st.story()
		t.told(reviewInProgress, "User Initiated")
		if err := s.put(ctx, t.stack, t.events); err != nil {
			return err
		}
	}
	return s.putSet(ctx, set)
}

// set is a change set by its ARN, or by its name and the stack's. The lock is held.
func (s *Stacks) set(name, stackID string) *changeSet {
	for _, set := range s.sets {
		if set.ID == name || set.Name == name && set.Stack == stackID {
			return set
		}
	}
	return nil
}

// plan makes a pass over a template.
func (s *Stacks) plan(ctx context.Context, st *stack, o *order, t *Template, answered map[string]Identity) (*pass, error) {
	values, err := t.referred(ctx, o.Arguments, s.Parameter)
	if err != nil {
		return nil, err
	}
	o.Resolved = nil
	for name, p := range t.Parameters {
		if p.stored() {
			if o.Resolved == nil {
				o.Resolved = map[string]string{}
			}
			o.Resolved[name] = text(values[name])
		}
	}
	exports, owners := s.exports(st)
	p := &pass{
		evaluation: evaluation{
			template: t, parameters: values, region: s.Region, stack: st.Name, id: st.ID, topics: o.Topics, stored: s.Parameter,
			imported: func(name string) (string, error) {
				v, ok := exports[name]
				if !ok {
					return "", invalid("No export named %s found. Rollback requested by user.", name)
				}
				return v, nil
			},
		},
		plan: plan{
			revision: &deploy.Revision{Stack: st.Name, Service: st.Name, Region: s.Region, Owner: deploy.OwnerCloudFormation},
			stack:    st.Name, stackID: st.ID, region: s.Region, platform: s.Platform, endpoint: s.Endpoint, url: s.URL,
		},
		kinds: s.kinds, before: byID(st.Resources), answered: answered, exported: owners,
	}
	if p.kinds == nil {
		p.kinds = kinds
	}
	if active, ok := s.Deployer.Active(st.Name); ok {
		p.plan.revision.LastLayers = active.LastLayers
	}
	if err := p.run(ctx); err != nil {
		return p, err
	}
	if len(p.ready)+len(p.waiting) == 0 {
		if _, err := s.Deployer.Preview(ctx, p.plan.revision); err != nil {
			return p, refused(p, err)
		}
	}
	return p, nil
}

// refused is what the deployer says of a revision, told of the resource that it
// names.
func refused(p *pass, err error) error {
	f, ok := errors.AsType[*failure](blame(p.resources, err))
	if !ok {
		return err
	}
	for id, why := range f.of {
		p.wrong.of(p.template.Resources[id], errors.New(why))
	}
	return p.wrong.err()
}

// differs reports whether a pass makes anything else of a stack than it is.
func differs(st *stack, p *pass, o order) bool {
	if len(changes(st, p)) > 0 || len(p.ready)+len(p.waiting) > 0 {
		return true
	}
	return !reflect.DeepEqual(st.Outputs, p.outputs) || !slices.Equal(st.Order.Tags, o.Tags)
}

// changes is what a pass makes of the resources of a stack.
func changes(st *stack, p *pass) []ResourceChange {
	var list []ResourceChange
	before, after := byID(st.Resources), byID(p.resources)
	for _, r := range p.ready {
		after[r.ID] = r
	}
	for _, id := range p.waiting {
		if _, stays := after[id]; !stays {
			after[id] = resource{ID: id, Type: p.template.Resources[id].Type}
		}
	}
	for _, id := range names(after) {
		r := after[id]
		was, there := before[id]
		switch {
		case !there:
			list = append(list, ResourceChange{Action: "Add", LogicalResourceId: id, ResourceType: r.Type})
		case !r.same(&was) || slices.Contains(p.waiting, id):
			list = append(list, modified(was, r))
		}
	}
	for _, id := range names(before) {
		if was := before[id]; after[id].ID == "" {
			c := ResourceChange{Action: "Remove", LogicalResourceId: id, ResourceType: was.Type, PhysicalResourceId: was.Physical, PolicyAction: "Delete"}
			if was.Deletion == policyRetain {
				c.PolicyAction = "Retain"
			}
			list = append(list, c)
		}
	}
	return list
}

func modified(was, r resource) ResourceChange {
	c := ResourceChange{Action: "Modify", LogicalResourceId: r.ID, ResourceType: r.Type, PhysicalResourceId: was.Physical, Replacement: "False", Scope: []string{"Properties"}}
	recreated := "Never"
	if replaced(was, r) {
		c.Replacement, recreated = "True", "Always"
	}
	both := map[string]bool{}
	for key := range was.Properties {
		both[key] = true
	}
	for key := range r.Properties {
		both[key] = true
	}
	for _, key := range names(both) {
		if !reflect.DeepEqual(was.Properties[key], r.Properties[key]) {
			c.Details = append(c.Details, ResourceChangeDetail{ResourceTarget{"Properties", key, recreated}, "Static", "DirectModification"})
		}
	}
	return c
}

// replaced reports whether another thing takes the place of a resource.
func replaced(was, r resource) bool {
	return was.Type != r.Type || r.Physical != "" && was.Physical != r.Physical
}
