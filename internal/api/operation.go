package api

import (
	"context"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam/policy"
)

// Service is what is served for one scope of signatures, in every protocol that
// its clients have had: JSON, Query and CBOR carry the same operations.
type Service struct {
	Scope     string // of signatures: "ssm", "monitoring"
	Prefix    string // of X-Amz-Target: "AmazonSSM."
	Action    string // of the policies' actions: "cloudwatch"; "": Scope
	Source    string // of audit records: "ssm.amazonaws.com"; "": Scope.amazonaws.com
	Namespace string // of XML answers
	// Codes are the service's own names for errors that every service has, such as
	// AccessDeniedException: AuthorizationError. Optional.
	Codes map[string]string
	// QueryCodes are the names that errors have in Query, of a service whose clients
	// moved on to other protocols and are told both. Optional.
	QueryCodes map[string]string
	Strict     bool // an input with a member that is not known is refused
	Operations map[string]Operation

	// Of REST: where the operations are instead, and what a request needs whichever
	// it is. need is optional.
	routes []route
	xml    bool // bodies are XML, not JSON
	need   func(method, path string) Need
}

// Operation is one call: what it takes, what its caller must be allowed, and the
// room's method that answers it.
type Operation struct {
	new  func() any // an empty input
	do   func(ctx context.Context, in any) (any, error)
	need func(ctx context.Context, in any) []Need

	data bool // about data, not control: recorded only when it is denied
	open bool // answered without a signature too: what a token of ours proves
}

// Need is something that the caller must be allowed. What the operation itself
// needs has no Action: it is SERVICE:OPERATION.
type Need struct {
	Action     string              // "kms:Decrypt"
	Resource   string              // ARN; "": *
	Conditions map[string][]string // the keys of this request only
	// Policies are those of the resource, which may allow what the caller's do not.
	Policies []policy.Document
}

// op is the operation that a room's method answers. need tells what a caller must
// be allowed for an input; nil asks for SERVICE:OPERATION on everything.
func op[In, Out any](method func(context.Context, In) (Out, error), need func(In) []Need) Operation {
	o := Operation{
		new: func() any { return new(In) },
		do:  func(ctx context.Context, in any) (any, error) { return method(ctx, *in.(*In)) },
	}
	if need != nil {
		o.need = func(_ context.Context, in any) []Need { return need(*in.(*In)) }
	}
	return o
}

// opBy is op where what a caller must be allowed depends on who calls.
func opBy[In, Out any](method func(context.Context, In) (Out, error), need func(context.Context, In) []Need) Operation {
	o := op(method, nil)
	o.need = func(ctx context.Context, in any) []Need { return need(ctx, *in.(*In)) }
	return o
}

// aboutData marks an operation of the data plane.
func (o Operation) aboutData() Operation {
	o.data = true
	return o
}

// unsigned marks an operation that needs no signature. One that has a signature
// is authenticated and authorised as others are.
func (o Operation) unsigned() Operation {
	o.open = true
	return o
}

// on needs the operation itself on these resources.
func on(resources ...string) []Need {
	list := make([]Need, len(resources))
	for i, r := range resources {
		list[i].Resource = r
	}
	return list
}

// actionPrefix is what the service's actions begin with in policies.
func (s *Service) actionPrefix() string {
	if s.Action != "" {
		return s.Action
	}
	return s.Scope
}

// source names the service in audit records.
func (s *Service) source() string {
	if s.Source != "" {
		return s.Source
	}
	return s.Scope + ".amazonaws.com"
}

// find returns the named operation, and an error that says what there is instead.
func (s *Service) find(name string) (Operation, error) {
	o, ok := s.Operations[name]
	if name == "" {
		return o, fault.Coded(fault.Invalid, "MissingAction", "The request names no operation of %s.", s.Scope)
	}
	if !ok {
		return o, fault.Coded(fault.Invalid, "NotImplemented", "%s: the operation %q is not available here.", s.Scope, name)
	}
	return o, nil
}

// readOnly reports whether an operation only reads, which AWS shows by its name.
func readOnly(name string) bool {
	for _, verb := range []string{"Get", "List", "Describe", "Lookup", "Filter", "Simulate", "Decode", "Info", "BatchGet"} {
		if strings.HasPrefix(name, verb) {
			return true
		}
	}
	return false
}
