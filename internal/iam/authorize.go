package iam

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam/policy"
)

// Authorizer is what asks for permission; an Authority is one.
type Authorizer interface {
	// Authorize returns nil when the caller of ctx may do action (such as
	// "ssm:GetParameter") to resource (an ARN, or "*"), or a fault.Denied that
	// names the caller, the action, the resource and why. conditions are the
	// values of condition keys that the request or the resource has, such as
	// "ssm:Overwrite" and "aws:ResourceTag/team"; those of the caller and of
	// aws:SourceIp and the like are known from ctx.
	Authorize(ctx context.Context, action, resource string, conditions map[string][]string) error
	// AuthorizeWith also asks the policies of the resource: they add to the
	// caller's. Those of a key must allow, or leave it to the account.
	AuthorizeWith(ctx context.Context, action, resource string, conditions map[string][]string, resourcePolicies ...policy.Document) error
}

var _ Authorizer = (*Authority)(nil)

// Authorize asks the caller's own policies. See Authorizer.
func (a *Authority) Authorize(ctx context.Context, action, resource string, conditions map[string][]string) error {
	return a.AuthorizeWith(ctx, action, resource, conditions)
}

// AuthorizeWith asks the resource's policies as well. See Authorizer.
func (a *Authority) AuthorizeWith(ctx context.Context, action, resource string, conditions map[string][]string, resourcePolicies ...policy.Document) error {
	who, ok := Caller(ctx)
	if !ok {
		return denied("Nobody is authenticated, so nobody is authorized to perform: %s on resource: %s", action, resource)
	}
	d := a.Decide(ctx, action, resource, conditions, resourcePolicies...)
	if d.Outcome == policy.Allow {
		return nil
	}
	return refusal(&who, action, resource, d)
}

// refusal is AWS's words for a decision.
func refusal(who *Principal, action, resource string, d policy.Decision) error {
	why := "because no " + string(d.Side) + " allows the " + action + " action"
	if d.Outcome == policy.ExplicitDeny {
		article := "a "
		if d.Side == policy.OfIdentity {
			article = "an "
		}
		why = "with an explicit deny in " + article + string(d.Side)
	}
	return denied("User: %s is not authorized to perform: %s on resource: %s %s", who, action, resource, why)
}

func denied(format string, args ...any) error {
	return fault.Coded(fault.Denied, "AccessDeniedException", format, args...)
}

// String is the principal as messages name it.
func (p Principal) String() string {
	if p.ARN == "" {
		return p.Name
	}
	return p.ARN
}

// Decide is what Authorize decides, with its reason. Without a caller it denies.
func (a *Authority) Decide(ctx context.Context, action, resource string, conditions map[string][]string, resourcePolicies ...policy.Document) policy.Decision {
	who, ok := Caller(ctx)
	if !ok {
		return policy.Decision{Side: policy.OfIdentity}
	}
	r, p := a.ask(ctx, &who, action, resource, conditions, resourcePolicies)
	return policy.Decide(r, p)
}

// Explain goes through every statement that has a say in the decision.
func (a *Authority) Explain(ctx context.Context, action, resource string, conditions map[string][]string, resourcePolicies ...policy.Document) []policy.Reason {
	who, ok := Caller(ctx)
	if !ok {
		return nil
	}
	r, p := a.ask(ctx, &who, action, resource, conditions, resourcePolicies)
	return policy.Explain(r, p)
}

// ask puts a question in the words of the policy package.
func (a *Authority) ask(ctx context.Context, who *Principal, action, resource string, conditions map[string][]string, resourcePolicies []policy.Document) (policy.Request, policy.Policies) {
	r := policy.Request{
		Action: action, Resource: resource, Caller: who.caller(),
		Keys: &values{who: who, request: RequestOf(ctx), conditions: conditions},
	}
	p := a.now.Load().policiesOf(who)
	for i := range resourcePolicies {
		p.Resource = append(p.Resource, policy.Source{ID: resource, Type: "resource", Document: &resourcePolicies[i]})
	}
	// The rule for keys and roles; elsewhere a resource's policies only add.
	p.Required = len(resourcePolicies) > 0 && (strings.HasPrefix(action, "kms:") || strings.HasPrefix(action, "sts:"))
	return r, p
}

// policiesOf is what speaks for a principal.
func (s *snapshot) policiesOf(who *Principal) (p policy.Policies) {
	p.Session = who.session
	switch who.Type {
	case TypeRoot:
		p.All = true
	case TypeUser:
		if u := s.users[strings.ToLower(who.Name)]; u != nil && u.ID == who.UserID {
			p.Identity = s.ofUser[u]
		}
	case TypeAssumedRole:
		if r := s.arns[who.RoleARN]; r != nil {
			p.Identity = s.ofRole[r]
		}
	}
	return p
}

func (p *Principal) caller() policy.Caller {
	c := policy.Caller{ARN: p.ARN, Account: p.AccountID, RoleARN: p.RoleARN, UserID: p.UserID}
	if p.Type == TypeService {
		c.Service = p.Name
	}
	return c
}

// values are the condition keys of one request.
type values struct {
	who        *Principal
	request    Request
	conditions map[string][]string
}

// Values returns the values of a key, given in lower case.
func (v *values) Values(key string) []string {
	if tag, ok := strings.CutPrefix(key, "aws:principaltag/"); ok {
		for name, value := range v.who.Tags {
			if strings.EqualFold(name, tag) {
				return []string{value}
			}
		}
		return nil
	}
	if own, known := v.own(key); known {
		if own == "" {
			return nil
		}
		return []string{own}
	}
	given := v.condition(key)
	if tag, ok := strings.CutPrefix(key, "ssm:resourcetag/"); ok && len(given) == 0 {
		return v.condition("aws:resourcetag/" + tag) // a parameter's tags go by both names
	}
	return given
}

func (v *values) condition(key string) []string {
	if given, ok := v.conditions[key]; ok {
		return given
	}
	for name, given := range v.conditions {
		if strings.EqualFold(name, key) {
			return given
		}
	}
	return nil
}

// own are the keys that are known of the caller and the request; conditions cannot
// give them another value.
func (v *values) own(key string) (value string, known bool) {
	who, r := v.who, &v.request
	service := who.Type == TypeService
	switch key {
	case "aws:principalarn":
		if who.RoleARN != "" {
			return who.RoleARN, true
		}
		return who.ARN, true
	case "aws:principalaccount", "kms:calleraccount":
		return who.AccountID, true
	case "aws:principaltype":
		return map[Type]string{TypeRoot: "Account", TypeUser: "User", TypeAssumedRole: "AssumedRole"}[who.Type], true
	case "aws:principalisawsservice":
		return strconv.FormatBool(service), true
	case "aws:principalservicename":
		if service {
			return who.Name, true
		}
		return "", true
	case "aws:userid":
		return who.UserID, true
	case "aws:username":
		if who.Type == TypeUser {
			return who.Name, true
		}
		return "", true
	case "aws:tokenissuetime":
		return stamp(who.Issued), true
	case "aws:viaawsservice":
		return strconv.FormatBool(r.ViaService != "" || len(v.conditions["kms:ViaService"]) > 0), true
	case "aws:resourceaccount":
		return arn.Account, true
	case "lambda:sourcefunctionarn":
		return who.FunctionARN, true
	}
	return r.value(key)
}

func (r *Request) value(key string) (value string, known bool) {
	switch key {
	case "aws:sourceip":
		return r.SourceIP, true
	case "aws:useragent":
		return r.UserAgent, true
	case "aws:referer":
		return r.Referer, true
	case "aws:requestedregion":
		return r.Region, true
	case "aws:securetransport":
		return strconv.FormatBool(r.SecureTransport), true
	case "aws:currenttime":
		return stamp(r.at()), true
	case "aws:epochtime":
		return strconv.FormatInt(r.at().Unix(), 10), true
	// A room that acts for a caller may say so in the conditions instead.
	case "kms:viaservice":
		return r.ViaService, r.ViaService != ""
	case "aws:sourcearn":
		return r.SourceARN, r.SourceARN != ""
	case "aws:sourceaccount":
		return r.SourceAccount, r.SourceAccount != ""
	}
	return "", false
}

func (r *Request) at() time.Time {
	if r.Time.IsZero() {
		return time.Now()
	}
	return r.Time
}

// stamp is a time as conditions have it; none for the zero time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
