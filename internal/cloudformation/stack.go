package cloudformation

import (
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
)

// Tag is a tag of a stack.
type Tag struct {
	Key   string
	Value string
}

// state is how a stack or a resource is, since when and why.
type state struct {
	Status string    `json:"status"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"`
}

// Parts of the statuses of stacks and resources.
const (
	inProgress = "_IN_PROGRESS"
	complete   = "_COMPLETE"
	failed     = "_FAILED"

	creating, updating, deleting = "CREATE", "UPDATE", "DELETE"

	reviewInProgress = "REVIEW_IN_PROGRESS"
	deleteComplete   = "DELETE_COMPLETE"
	deleteSkipped    = "DELETE_SKIPPED"
	updateCleanup    = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
	rollbackCleanup  = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"

	stackType = "AWS::CloudFormation::Stack"
)

// stack is what is kept of a stack. One that has been stored never changes: a
// change makes another.
type stack struct {
	Name      string          `json:"name"`
	ID        string          `json:"id"` // ARN
	State     state           `json:"state"`
	Created   time.Time       `json:"created"`
	Updated   time.Time       `json:"updated,omitzero"`
	Deleted   time.Time       `json:"deleted,omitzero"`
	Order     order           `json:"order"` // what it was last made of
	Resources []resource      `json:"resources,omitempty"`
	Outputs   []deploy.Output `json:"outputs,omitempty"`
	Imports   []string        `json:"imports,omitempty"`
	ChangeSet string          `json:"changeSet,omitempty"` // by which it was last changed
	Protected bool            `json:"protected,omitempty"` // from deletion
	Policy    string          `json:"policy,omitempty"`
	Chunks    int             `json:"chunks"` // how many lots of events there are
	Work      *work           `json:"work,omitempty"`

	revision uint64 // of the record
}

// order is what somebody asks a stack to be.
type order struct {
	Template     string            `json:"template"`
	Description  string            `json:"description,omitempty"`
	Arguments    map[string]string `json:"arguments,omitempty"`
	Resolved     map[string]string `json:"resolved,omitempty"` // what those that name stored parameters stood for
	Hidden       []string          `json:"hidden,omitempty"`   // parameters with NoEcho
	Tags         []Tag             `json:"tags,omitempty"`
	Capabilities []string          `json:"capabilities,omitempty"`
	Topics       []string          `json:"topics,omitempty"` // NotificationARNs
	Role         string            `json:"role,omitempty"`
	OnFailure    string            `json:"onFailure,omitempty"`
	Timeout      int               `json:"timeout,omitempty"` // minutes, of a creation
}

// work is a change of a stack that is under way. It is written before each step
// that lasts, so that a platform that was killed knows what there is to undo.
type work struct {
	Action string            `json:"action"`           // CREATE, UPDATE, DELETE
	Token  string            `json:"token,omitempty"`  // ClientRequestToken
	Mark   string            `json:"mark"`             // Source of the revisions that it makes
	Before string            `json:"before,omitempty"` // the revision that was active
	Order  order             `json:"order"`
	Set    string            `json:"set,omitempty"` // change set
	Made   []string          `json:"made,omitempty"`
	Called []called          `json:"called,omitempty"` // custom resources that were called to create or update
	Final  bool              `json:"final,omitempty"`  // the revision of what follows is activated next
	Result []resource        `json:"result,omitempty"`
	Output []deploy.Output   `json:"output,omitempty"`
	Import []string          `json:"import,omitempty"`
	Warned map[string]string `json:"warned,omitempty"` // what has no effect here, by logical id
	Gone   []resource        `json:"gone,omitempty"`   // what is to be deleted once the rest is done
	Retain []string          `json:"retain,omitempty"` // logical ids, of a deletion
	// Kept are functions, and roles, that stay until they have deleted custom
	// resources that are not in the template any more.
	Kept      []string `json:"kept,omitempty"`
	KeptRoles []string `json:"keptRoles,omitempty"`
}

// called is a request to the function of a custom resource. One without an answer is
// made again, with the same id, by a platform that was killed meanwhile.
type called struct {
	resource
	Action  string         `json:"action"`
	Request string         `json:"request"` // id
	Old     map[string]any `json:"old,omitempty"`
	Done    bool           `json:"done,omitempty"`
}

// uuid is the last part of a stack's ARN.
func (s *stack) uuid() string { return s.ID[strings.LastIndexByte(s.ID, '/')+1:] }

// busy reports whether a change is under way.
func (s *stack) busy() bool {
	return strings.HasSuffix(s.State.Status, inProgress) && s.State.Status != reviewInProgress
}

// settled reports whether the stack can be updated.
func (s *stack) settled() bool {
	switch s.State.Status {
	case creating + complete, updating + complete, "UPDATE_ROLLBACK_COMPLETE":
		return true
	}
	return false
}

// here reports whether there is anything of the stack, or will be.
func (s *stack) here() bool { return s.State.Status != deleteComplete }

// outlasting are the types of which something can stay when a revision goes.
var outlasting = []string{bucketType, "AWS::Lambda::Version", "AWS::Lambda::LayerVersion", logGroupType}

// kept reports whether a resource is to stay when it is not in the stack any more,
// and can.
func (r *resource) kept() bool {
	return r.retains() && (slices.Contains(outlasting, r.Type) || custom(r.Type))
}

func (r *resource) retains() bool {
	return r.Deletion == policyRetain || r.Deletion == policyRetainExceptOnCreate
}

// regret is what to say of a resource that goes although it was to stay.
func (r *resource) regret() string {
	if !r.retains() || r.kept() {
		return ""
	}
	return "DeletionPolicy " + r.Deletion + " has no effect here: the resource is a part of the stack's revision"
}

// copy is a stack that may be changed until it is stored.
func (s *stack) copy() *stack {
	next := *s
	next.Resources = append([]resource(nil), s.Resources...)
	if s.Work != nil {
		w := *s.Work
		next.Work = &w
	}
	return &next
}

// StackARN is the ARN of a stack.
func StackARN(region, name, uuid string) string {
	return arn.ARN{Partition: "aws", Service: "cloudformation", Region: region, Account: arn.Account, Resource: "stack/" + name + "/" + uuid}.String()
}

// noStack is what AWS says, and clients look for.
func noStack(name string) error {
	return invalid("Stack with id %s does not exist", name)
}

func noStackBracketed(name string) error {
	return fault.Coded(fault.Invalid, "ValidationError", "Stack [%s] does not exist", name)
}

// nameOf is the name in what names a stack: its name or its ARN.
func nameOf(text string) string {
	a, err := arn.Parse(text)
	if err != nil {
		return text
	}
	parts := strings.Split(a.Resource, "/")
	if len(parts) > 1 {
		return parts[1]
	}
	return text
}
