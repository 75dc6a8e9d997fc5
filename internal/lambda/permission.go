package lambda

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/iam/policy"
)

// maxPolicy is how many bytes a function's policy may have.
const maxPolicy = 20 << 10

var statementID = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,100}$`)

// AddPermissionInput lets somebody call a function.
type AddPermissionInput struct {
	FunctionName          string
	StatementId           string
	Action                string
	Principal             string
	Qualifier             string `json:",omitempty"`
	SourceArn             string `json:",omitempty"`
	SourceAccount         string `json:",omitempty"`
	FunctionUrlAuthType   string `json:",omitempty"`
	RevisionId            string `json:",omitempty"`
	EventSourceToken      string `json:",omitempty" audit:"hidden"`
	PrincipalOrgID        string `json:",omitempty"`
	InvokedViaFunctionUrl *bool  `json:",omitempty"`
}

// statement is one of a resource policy.
type statement struct {
	Sid       string
	Effect    string
	Principal any
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

// resourcePolicy is a function's, of one qualifier.
type resourcePolicy struct {
	Version   string
	Id        string
	Statement []json.RawMessage
}

// AddPermissionOutput is the statement that was added.
type AddPermissionOutput struct{ Statement string }

// AddPermission adds a statement to the policy of a function, or of a version or
// alias of it.
func (l *Functions) AddPermission(ctx context.Context, in AddPermissionInput) (out AddPermissionOutput, err error) {
	fn, err := l.Invoker.Get(in.FunctionName)
	if err != nil {
		return out, err
	}
	if _, err := l.Invoker.Get(qualified(fn.Name, in.Qualifier)); err != nil {
		return out, err
	}
	s, err := in.statement(fn.ARN)
	if err != nil {
		return out, err
	}
	doc, err := json.Marshal(s)
	if err != nil {
		return out, err
	}
	out.Statement = string(doc)
	_, err = l.edit(ctx, fn.Name, in.RevisionId, func(_ *deploy.Revision, f *function.Function) error {
		p, err := policyOf(*f, in.Qualifier)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(p.Statement, named(in.StatementId)) {
			return conflict("The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", in.StatementId)
		}
		p.Statement = append(p.Statement, doc)
		return p.put(f, in.Qualifier)
	})
	return out, err
}

func (in *AddPermissionInput) statement(function string) (s statement, err error) {
	switch {
	case !statementID.MatchString(in.StatementId):
		return s, invalid("StatementId %q must be 1 to 100 letters, digits, - and _", in.StatementId)
	case !strings.HasPrefix(in.Action, "lambda:"):
		return s, invalid("Action %q must begin with lambda:", in.Action)
	case in.EventSourceToken != "":
		return s, unsupported("EventSourceToken", "nothing would check it")
	case in.PrincipalOrgID != "":
		return s, unsupported("PrincipalOrgID", "there are no organisations")
	case in.InvokedViaFunctionUrl != nil:
		return s, unsupported("InvokedViaFunctionUrl", "nothing would check it")
	}
	s = statement{Sid: in.StatementId, Effect: "Allow", Action: in.Action, Resource: qualified(function, in.Qualifier)}
	switch {
	case in.Principal == "*":
		s.Principal = "*"
	case strings.HasPrefix(in.Principal, "arn:"):
		s.Principal = map[string]string{"AWS": in.Principal}
	case len(in.Principal) == 12 && strings.Trim(in.Principal, "0123456789") == "":
		s.Principal = map[string]string{"AWS": arn.ARN{Partition: "aws", Service: "iam", Account: in.Principal, Resource: "root"}.String()}
	default:
		s.Principal = map[string]string{"Service": in.Principal}
	}
	add := func(operator, key, value string) {
		if value == "" {
			return
		}
		if s.Condition == nil {
			s.Condition = map[string]map[string]string{}
		}
		if s.Condition[operator] == nil {
			s.Condition[operator] = map[string]string{}
		}
		s.Condition[operator][key] = value
	}
	add("StringEquals", "AWS:SourceAccount", in.SourceAccount)
	add("StringEquals", "lambda:FunctionUrlAuthType", in.FunctionUrlAuthType)
	add("ArnLike", "AWS:SourceArn", in.SourceArn)
	return s, nil
}

func policyOf(f function.Function, qualifier string) (p resourcePolicy, err error) {
	p = resourcePolicy{Version: "2012-10-17", Id: "default"}
	if doc := f.Policies[place(qualifier)]; doc != "" {
		err = json.Unmarshal([]byte(doc), &p)
	}
	return p, err
}

// place is where the policy of a qualifier is kept.
func place(qualifier string) string {
	if qualifier == function.Latest {
		return ""
	}
	return qualifier
}

// put keeps a policy, as far as it means something.
func (p *resourcePolicy) put(f *function.Function, qualifier string) error {
	next := map[string]string{}
	for k, v := range f.Policies {
		next[k] = v
	}
	delete(next, place(qualifier))
	if len(p.Statement) > 0 {
		doc, err := json.Marshal(p)
		if err != nil {
			return err
		}
		if len(doc) > maxPolicy {
			return fault.Coded(fault.Invalid, "PolicyLengthExceededException", "The final policy size (%d) is bigger than the limit (%d).", len(doc), maxPolicy)
		}
		if _, err := policy.Parse(policy.Resource, string(doc)); err != nil {
			return invalid("%w", err)
		}
		next[place(qualifier)] = string(doc)
	}
	f.Policies = next
	if len(next) == 0 {
		f.Policies = nil
	}
	return nil
}

func named(id string) func(json.RawMessage) bool {
	return func(doc json.RawMessage) bool {
		var s struct{ Sid string }
		return json.Unmarshal(doc, &s) == nil && s.Sid == id
	}
}

// RemovePermissionInput names a statement.
type RemovePermissionInput struct {
	FunctionName, StatementId, Qualifier, RevisionId string
}

// RemovePermission takes a statement away again.
func (l *Functions) RemovePermission(ctx context.Context, in RemovePermissionInput) (struct{}, error) {
	_, err := l.edit(ctx, in.FunctionName, in.RevisionId, func(_ *deploy.Revision, f *function.Function) error {
		p, err := policyOf(*f, in.Qualifier)
		if err != nil {
			return err
		}
		before := len(p.Statement)
		if p.Statement = slices.DeleteFunc(p.Statement, named(in.StatementId)); len(p.Statement) == before {
			return notFound("Statement %s is not found in resource policy.", in.StatementId)
		}
		return p.put(f, in.Qualifier)
	})
	return struct{}{}, err
}

// GetPolicyOutput is a resource policy.
type GetPolicyOutput struct{ Policy, RevisionId string }

// GetPolicy returns the policy of a function, or of a version or alias of it.
func (l *Functions) GetPolicy(_ context.Context, in FunctionInput) (out GetPolicyOutput, err error) {
	fn, err := l.latest(in.FunctionName)
	if err != nil {
		return out, err
	}
	doc := fn.Policies[place(in.Qualifier)]
	if doc == "" {
		return out, notFound("No policy is associated with the given resource.")
	}
	return GetPolicyOutput{doc, RevisionID(fn)}, nil
}

// Policies are the resource policies that speak for a function as it is called.
func (l *Functions) Policies(name, qualifier string) ([]policy.Document, error) {
	if i := strings.LastIndex(name, ":function:"); i >= 0 {
		name = name[i+len(":function:"):]
	}
	bare, within, _ := strings.Cut(name, ":")
	if qualifier == "" {
		qualifier = within
	}
	fn, err := l.Invoker.Get(bare)
	if err != nil || fn.Policies[place(qualifier)] == "" {
		return nil, nil // permission is refused before it is told what there is
	}
	d, err := policy.Parse(policy.Resource, fn.Policies[place(qualifier)])
	if err != nil {
		return nil, err
	}
	return []policy.Document{d}, nil
}
