package iam

import (
	"context"
	"time"

	"github.com/dropstack/dropstack/internal/iam/policy"
)

// Type is what a principal is, in the words of CloudTrail's userIdentity.
type Type string

// The types of principal.
const (
	TypeRoot        Type = "Root"        // the administrator's key of DIR/credentials
	TypeUser        Type = "IAMUser"     // a user's access key, or a session of it
	TypeAssumedRole Type = "AssumedRole" // a session of a role: AssumeRole, or a function's instance
	TypeService     Type = "AWSService"  // a part of the platform, acting for an event source
)

// Principal is who made a call.
type Principal struct {
	// ARN is arn:aws:iam::ACCOUNT:root, …:user/NAME, or for a session
	// arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION; a service has none.
	ARN       string
	AccountID string
	// UserID is the account for root, AIDA… for a user, AROA…:SESSION for a
	// session of a role.
	UserID string
	Type   Type
	// Name is the user's, the role's, or the service's, such as
	// "sns.amazonaws.com".
	Name        string
	SessionName string            // of an assumed role
	RoleARN     string            // of an assumed role
	FunctionARN string            // when the caller is an instance of a function
	AccessKeyID string            // what the call was signed with
	Tags        map[string]string // of the user or role, and of the session
	Issued      time.Time         // of a session's credentials

	session []policy.Source // narrow a session
}

// Anonymous is whoever signs nothing: only the policy of a resource can allow them
// anything.
var Anonymous = Principal{Type: "AWSAccount", AccountID: "ANONYMOUS_PRINCIPAL", UserID: "ANONYMOUS_PRINCIPAL", Name: "anonymous"}

// Root is the account itself, which may do everything.
func (p Principal) Root() bool { return p.Type == TypeRoot }

// Request is what conditions ask about the request that a caller made.
type Request struct {
	ID              string
	SourceIP        string
	UserAgent       string
	Referer         string
	Region          string
	SecureTransport bool
	Time            time.Time // zero is now
	// ViaService is the service that makes the call for the caller, such as
	// "ssm.us-east-1.amazonaws.com"; empty for a call of their own.
	ViaService string
	// SourceARN and SourceAccount are what a service acts for.
	SourceARN, SourceAccount string
}

type contextKey struct{}

type caller struct {
	principal Principal
	request   Request
}

// With says in a context who calls, and by what request.
func With(ctx context.Context, who Principal, r Request) context.Context {
	return context.WithValue(ctx, contextKey{}, &caller{who, r})
}

// Caller is who calls; false when nobody has been authenticated.
func Caller(ctx context.Context) (Principal, bool) {
	c, ok := ctx.Value(contextKey{}).(*caller)
	if !ok {
		return Principal{}, false
	}
	return c.principal, true
}

// RequestOf is the request by which the caller calls.
func RequestOf(ctx context.Context) Request {
	c, ok := ctx.Value(contextKey{}).(*caller)
	if !ok {
		return Request{}
	}
	return c.request
}
