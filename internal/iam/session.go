package iam

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam/policy"
)

// InstanceLifetime is how long the credentials of a function's instance are valid:
// whoever keeps instances must not hand one work that could outlast it.
const InstanceLifetime = 24 * time.Hour

// session is what a session token holds, sealed for its access key id.
type session struct {
	// Owner is the id of the user or role, or the account for root's own.
	Owner    string
	Role     string    `json:",omitempty"` // its ARN
	User     string    `json:",omitempty"` // its name
	Name     string    `json:",omitempty"` // of the session of a role
	Function string    `json:",omitempty"` // ARN
	Instance string    `json:",omitempty"`
	Secret   string    `json:",omitempty"`
	Policy   string    `json:",omitempty"` // narrows the session
	Policies []string  `json:",omitempty"` // so do these, by ARN
	Tags     []Tag     `json:",omitempty"`
	Issued   time.Time // of a session that is assumed by another one too
	Expires  time.Time
}

// errToken are the ways in which a key and its token can be wrong, with the codes
// of AWS's Query services.
var (
	errUnknownKey   = fault.Coded(fault.Unauthenticated, "InvalidClientTokenId", "The security token included in the request is invalid.")
	errExpiredToken = fault.Coded(fault.Unauthenticated, "ExpiredToken", "The security token included in the request is expired.")
)

// grant makes the credentials of a session.
func (a *Authority) grant(s session) (Credentials, error) {
	c := newCredentials("ASIA")
	s.Secret = c.SecretAccessKey
	doc, err := json.Marshal(s)
	if err != nil {
		return Credentials{}, err
	}
	sealed, err := a.Sealer.Seal(doc, tokenContext(c.AccessKeyID))
	if err != nil {
		return Credentials{}, err
	}
	c.SessionToken = base64.StdEncoding.EncodeToString(sealed)
	return c, nil
}

func tokenContext(keyID string) []byte { return []byte("session token\x00" + keyID) }

// Instance gives an instance of a function its credentials: a session of roleARN,
// or of the role that the function is deployed with if that is empty. They are valid
// for InstanceLifetime, and no longer than the function is deployed.
func (a *Authority) Instance(functionARN, roleARN, instanceID string) (Credentials, error) {
	now := a.now.Load()
	r := now.functions[functionARN]
	if roleARN != "" {
		r = now.roleByARN(roleARN)
	}
	if r == nil {
		return Credentials{}, fault.Errorf(fault.NotFound, "function %s runs as role %q, which does not exist", functionARN, roleARN)
	}
	at := time.Now()
	return a.grant(session{
		Owner: r.ID, Role: r.arn(), Name: functionName(functionARN), Function: functionARN, Instance: instanceID,
		Issued: at, Expires: at.Add(InstanceLifetime),
	})
}

// RunsAs is who a function is when the platform acts for it, with the role that
// Instance would give it.
func (a *Authority) RunsAs(functionARN, roleARN string) (Principal, error) {
	now := a.now.Load()
	r := now.functions[functionARN]
	if roleARN != "" {
		r = now.roleByARN(roleARN)
	}
	if r == nil {
		return Principal{}, fault.Errorf(fault.NotFound, "function %s runs as role %q, which does not exist", functionARN, roleARN)
	}
	p, ok := a.principal(now, &session{Owner: r.ID, Role: r.arn(), Name: functionName(functionARN), Function: functionARN, Issued: time.Now()})
	if !ok {
		return Principal{}, fault.Errorf(fault.NotFound, "function %s is not deployed", functionARN)
	}
	return p, nil
}

// functionName is the name in a function's ARN.
func functionName(arn string) string {
	_, name, _ := strings.Cut(arn, ":function:")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// find returns the credentials and the principal of an access key id with its
// session token.
func (a *Authority) find(keyID, token string) (Credentials, Principal, error) {
	now := a.now.Load()
	if token != "" {
		return a.findSession(now, keyID, token)
	}
	if subtle.ConstantTimeCompare([]byte(keyID), []byte(a.admin.AccessKeyID)) == 1 {
		return a.admin, a.administrator(keyID), nil
	}
	k, ok := now.keys[keyID]
	if !ok || k.disabled {
		return Credentials{}, Principal{}, errUnknownKey
	}
	p := k.owner.principal()
	p.AccessKeyID = keyID
	return k.Credentials, p, nil
}

func (u *user) principal() Principal {
	return Principal{Type: TypeUser, ARN: u.arn(), AccountID: arn.Account, UserID: u.ID, Name: u.Name, Tags: tagMap(u.Tags, nil)}
}

func (a *Authority) findSession(now *snapshot, keyID, token string) (Credentials, Principal, error) {
	sealed, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return Credentials{}, Principal{}, errUnknownKey
	}
	doc, err := a.Sealer.Open(sealed, tokenContext(keyID))
	if err != nil {
		return Credentials{}, Principal{}, errUnknownKey
	}
	var s session
	if err := json.Unmarshal(doc, &s); err != nil {
		return Credentials{}, Principal{}, errUnknownKey
	}
	if !time.Now().Before(s.Expires) {
		return Credentials{}, Principal{}, errExpiredToken
	}
	p, ok := a.principal(now, &s)
	if !ok {
		return Credentials{}, Principal{}, errUnknownKey
	}
	p.AccessKeyID, p.Issued = keyID, s.Issued
	return Credentials{keyID, s.Secret, token}, p, nil
}

// principal is who a session is of; not ok when they are gone.
func (a *Authority) principal(now *snapshot, s *session) (p Principal, ok bool) {
	switch {
	case s.User != "":
		u := now.users[strings.ToLower(s.User)]
		if u == nil || u.ID != s.Owner {
			return p, false
		}
		p = u.principal()
	case s.Role == "":
		return a.administrator(""), s.Owner == arn.Account
	default:
		r := now.roleByARN(s.Role)
		if r == nil || r.ID != s.Owner {
			return p, false
		}
		if _, deployed := now.functions[s.Function]; s.Function != "" && !deployed {
			return p, false
		}
		p = r.principal(s.Name)
		p.FunctionARN, p.Tags = s.Function, tagMap(r.Tags, s.Tags)
	}
	p.session, ok = now.narrowing(s)
	return p, ok
}

// principal is a session of a role.
func (r *role) principal(session string) Principal {
	return Principal{
		Type: TypeAssumedRole, ARN: arnOf("sts", "assumed-role/"+r.Name+"/"+session), AccountID: arn.Account,
		UserID: r.ID + ":" + session, Name: r.Name, SessionName: session, RoleARN: r.arn(),
	}
}

// narrowing are the policies that narrow a session.
func (now *snapshot) narrowing(s *session) ([]policy.Source, bool) {
	var list []policy.Source
	if s.Policy != "" {
		d, err := policy.Parse(policy.Identity, s.Policy)
		if err != nil {
			return nil, false
		}
		list = append(list, policy.Source{ID: "session", Type: "session", Document: &d})
	}
	for _, arn := range s.Policies {
		document := &policy.Document{} // of one that is gone: it allows nothing
		if m := now.policy(arn); m != nil {
			document = &m.document
		}
		list = append(list, policy.Source{ID: arn, Type: "session", Document: document})
	}
	return list, true
}

// tagMap is tags by key, those of a session over those of its role.
func tagMap(of, session []Tag) map[string]string {
	if len(of)+len(session) == 0 {
		return nil
	}
	m := make(map[string]string, len(of)+len(session))
	for _, list := range [][]Tag{of, session} {
		for _, t := range list {
			m[t.Key] = t.Value
		}
	}
	return m
}

// Secret returns the secret of a valid access key with the session token that
// came with it, for those who check signatures themselves. The error says whether
// the key is unknown (InvalidClientTokenId) or its session over (ExpiredToken).
func (a *Authority) Secret(accessKeyID, token string) (string, error) {
	c, _, err := a.find(accessKeyID, token)
	return c.SecretAccessKey, err
}
