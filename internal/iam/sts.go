package iam

import (
	"context"
	"encoding/base32"
	"regexp"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/dropstack/dropstack/internal/wire"
)

// SessionCredentials are temporary credentials as STS's answers have them.
type SessionCredentials struct {
	AccessKeyId     string
	SecretAccessKey string    `audit:"hidden"`
	SessionToken    string    `audit:"hidden"`
	Expiration      wire.Time `json:",omitzero"`
}

// AssumedRoleUser is a session of a role.
type AssumedRoleUser struct{ AssumedRoleId, Arn string }

// PolicyDescriptorType names a managed policy, in lower case as STS has it.
type PolicyDescriptorType struct {
	Arn string `json:"arn"`
}

// The inputs and outputs of STS.
type (
	AssumeRoleInput struct {
		RoleArn, RoleSessionName string
		DurationSeconds          *int
		Policy                   string
		PolicyArns               []PolicyDescriptorType
		Tags                     []Tag
		ExternalId               string
	}
	AssumeRoleOutput struct {
		Credentials      SessionCredentials
		AssumedRoleUser  AssumedRoleUser
		PackedPolicySize int `json:",omitempty"`
	}
	GetCallerIdentityInput  struct{}
	GetCallerIdentityOutput struct{ UserId, Account, Arn string }
	GetSessionTokenInput    struct{ DurationSeconds *int }
	GetSessionTokenOutput   struct{ Credentials SessionCredentials }
	GetAccessKeyInfoInput   struct{ AccessKeyId string }
	GetAccessKeyInfoOutput  struct{ Account string }
)

const (
	maxSessionPolicy  = 2048
	maxChained        = 3600   // seconds of a session that another session assumes
	defaultToken      = 43200  // seconds, of GetSessionToken
	maxToken          = 129600 // seconds
	maxPolicyArns     = 10
	roleSessionLength = 64
)

var sessionNameForm = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

// AssumeRole gives the caller a session of a role whose trust policy lets them. A
// root caller is let in when the trust policy names the account: AWS refuses root,
// but here root is the only key that a new installation has.
func (a *Authority) AssumeRole(ctx context.Context, in AssumeRoleInput) (out AssumeRoleOutput, err error) {
	who, ok := Caller(ctx)
	if !ok {
		return out, errUnsigned
	}
	s := session{Role: in.RoleArn, Name: in.RoleSessionName, Policy: in.Policy, Issued: time.Now().UTC()}
	if err := a.checkSession(&s, in); err != nil {
		return out, err
	}
	r := a.now.Load().roleByARN(in.RoleArn)
	if r == nil { // without telling that there is none
		return out, refusal(&who, "sts:AssumeRole", in.RoleArn, policy.Decision{Side: policy.OfIdentity})
	}
	if err := a.trusts(ctx, r, in); err != nil {
		return out, err
	}
	lasts, err := r.duration(in.DurationSeconds, who.Type == TypeAssumedRole)
	if err != nil {
		return out, err
	}
	s.Owner, s.Expires = r.ID, s.Issued.Add(lasts)
	c, err := a.grant(s)
	if err != nil {
		return out, err
	}
	p := r.principal(in.RoleSessionName)
	return AssumeRoleOutput{
		Credentials: c.shape(s.Expires), AssumedRoleUser: AssumedRoleUser{p.UserID, p.ARN},
		PackedPolicySize: 100 * len(in.Policy) / maxSessionPolicy,
	}, nil
}

// checkSession checks what AssumeRole is given for the session.
func (a *Authority) checkSession(s *session, in AssumeRoleInput) (err error) {
	if !sessionNameForm.MatchString(in.RoleSessionName) {
		return invalid("RoleSessionName %q: it has 2 to %d letters, digits and the characters +=,.@_-", in.RoleSessionName, roleSessionLength)
	}
	if in.Policy != "" {
		if _, err := policy.Parse(policy.Identity, in.Policy); err != nil {
			return err
		}
	}
	if len(in.Policy) > maxSessionPolicy {
		return fault.Coded(fault.Invalid, "PackedPolicyTooLarge", "Policy has %d characters; %d are the most", len(in.Policy), maxSessionPolicy)
	}
	if len(in.PolicyArns) > maxPolicyArns {
		return invalid("PolicyArns has %d policies; %d are the most", len(in.PolicyArns), maxPolicyArns)
	}
	for _, p := range in.PolicyArns {
		if _, err := a.managed(p.Arn); err != nil {
			return fault.Coded(fault.Invalid, "MalformedPolicyDocument", "PolicyArns: %w", err)
		}
		s.Policies = append(s.Policies, p.Arn)
	}
	s.Tags, err = addTags(nil, in.Tags)
	return err
}

// trusts asks the role's trust policy and the caller's own.
func (a *Authority) trusts(ctx context.Context, r *role, in AssumeRoleInput) error {
	conditions := map[string][]string{"sts:RoleSessionName": {in.RoleSessionName}}
	if in.ExternalId != "" {
		conditions["sts:ExternalId"] = []string{in.ExternalId}
	}
	for _, t := range r.Tags {
		conditions["aws:ResourceTag/"+t.Key] = []string{t.Value}
	}
	for _, t := range in.Tags {
		conditions["aws:RequestTag/"+t.Key] = []string{t.Value}
		conditions["aws:TagKeys"] = append(conditions["aws:TagKeys"], t.Key)
	}
	if err := a.AuthorizeWith(ctx, "sts:AssumeRole", r.arn(), conditions, r.trust); err != nil || len(in.Tags) == 0 {
		return err
	}
	return a.AuthorizeWith(ctx, "sts:TagSession", r.arn(), conditions, r.trust)
}

// Trusts tells whether a service, such as lambda.amazonaws.com, may assume a role:
// an error says why it may not. Whoever makes a function run as a role asks first.
func (a *Authority) Trusts(ctx context.Context, roleARN, service string) error {
	r := a.now.Load().roleByARN(roleARN)
	if r == nil {
		return fault.Coded(fault.Invalid, "InvalidParameterValueException", "The role %s does not exist.", roleARN)
	}
	who := Principal{Type: TypeService, Name: service, AccountID: arn.Account}
	if err := a.AuthorizeWith(With(ctx, who, RequestOf(ctx)), "sts:AssumeRole", roleARN, nil, r.trust); err != nil {
		return fault.Coded(fault.Invalid, "InvalidParameterValueException", "The role %s cannot be assumed by %s: its trust policy does not allow it.", roleARN, service)
	}
	return nil
}

// duration is how long a session lasts.
func (r *role) duration(asked *int, chained bool) (time.Duration, error) {
	seconds := defaultSession
	if asked != nil {
		seconds = *asked
	}
	switch {
	case seconds < minSession || seconds > maxSession:
		return 0, invalid("DurationSeconds must be from %d to %d, not %d", minSession, maxSession, seconds)
	case chained && seconds > maxChained:
		return 0, invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	case seconds > r.MaxSession:
		return 0, invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return time.Duration(seconds) * time.Second, nil
}

func (c Credentials) shape(expires time.Time) SessionCredentials {
	return SessionCredentials{c.AccessKeyID, c.SecretAccessKey, c.SessionToken, wire.At(expires)}
}

// GetCallerIdentity tells who calls. Nobody needs a permission for it.
func (a *Authority) GetCallerIdentity(ctx context.Context, _ GetCallerIdentityInput) (GetCallerIdentityOutput, error) {
	who, ok := Caller(ctx)
	if !ok {
		return GetCallerIdentityOutput{}, errUnsigned
	}
	return GetCallerIdentityOutput{who.UserID, who.AccountID, who.ARN}, nil
}

// GetSessionToken gives a user, or root, temporary credentials of their own.
func (a *Authority) GetSessionToken(ctx context.Context, in GetSessionTokenInput) (out GetSessionTokenOutput, err error) {
	who, ok := Caller(ctx)
	if !ok {
		return out, errUnsigned
	}
	s := session{Owner: who.UserID, User: who.Name, Issued: time.Now().UTC()}
	seconds, most := defaultToken, maxToken
	switch {
	case !who.Issued.IsZero() || who.Type != TypeUser && who.Type != TypeRoot:
		return out, denied("Cannot call GetSessionToken with session credentials")
	case who.Root():
		seconds, most = defaultSession, defaultSession
	}
	if in.DurationSeconds != nil {
		seconds = *in.DurationSeconds
	}
	if seconds < minSession || seconds > maxToken {
		return out, invalid("DurationSeconds must be from %d to %d, not %d", minSession, maxToken, seconds)
	}
	s.Expires = s.Issued.Add(time.Duration(min(seconds, most)) * time.Second)
	c, err := a.grant(s)
	if err != nil {
		return out, err
	}
	return GetSessionTokenOutput{c.shape(s.Expires)}, nil
}

// GetAccessKeyInfo tells which account a key is of: there is one.
func (a *Authority) GetAccessKeyInfo(_ context.Context, in GetAccessKeyInfoInput) (GetAccessKeyInfoOutput, error) {
	id := in.AccessKeyId
	_, err := base32.StdEncoding.DecodeString(id[min(4, len(id)):])
	if len(id) != 20 || err != nil || !strings.HasPrefix(id, "AKIA") && !strings.HasPrefix(id, "ASIA") {
		return GetAccessKeyInfoOutput{}, invalid("AccessKeyId %q is not of the form AKIA or ASIA and 16 letters and digits", id)
	}
	return GetAccessKeyInfoOutput{arn.Account}, nil
}
