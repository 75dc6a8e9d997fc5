package kms

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/wire"
)

// grantable are the operations that a grant on a key may allow. CreateGrant is not
// among them: nobody can hand a grant on.
func (r *record) grantable() []string {
	return append([]string{"DescribeKey", "RetireGrant"}, r.kind().operations...)
}

// grant allows a principal some operations with a key, beside the key's policy.
type grant struct {
	ID          string            `json:"id"`
	Name        string            `json:"name,omitempty"`
	Token       string            `json:"token"` // SHA-256, in hex
	Grantee     string            `json:"grantee"`
	Retiring    string            `json:"retiring,omitempty"`
	Operations  []string          `json:"operations"`
	Constraints *GrantConstraints `json:"constraints,omitempty"`
	Issuer      string            `json:"issuer"`
	Created     time.Time         `json:"created"`
}

// allows reports whether the grant covers what the caller asks.
func (g grant) allows(q ask, callers []string) bool {
	return slices.Contains(callers, g.Grantee) && slices.Contains(g.Operations, q.action) &&
		(q.usage != encrypts || g.Constraints.hold(q.context))
}

// GrantConstraints restricts a grant to requests with this encryption context, or
// with one that includes it.
type GrantConstraints struct {
	EncryptionContextEquals map[string]string `json:",omitempty"`
	EncryptionContextSubset map[string]string `json:",omitempty"`
	SourceArn               string            `json:",omitempty"` // refused
}

func (c *GrantConstraints) hold(context map[string]string) bool {
	if c == nil {
		return true
	}
	if c.EncryptionContextEquals != nil && !maps.Equal(c.EncryptionContextEquals, context) {
		return false
	}
	for name, value := range c.EncryptionContextSubset {
		if got, ok := context[name]; !ok || got != value {
			return false
		}
	}
	return true
}

// CreateGrantInput is a new grant.
type CreateGrantInput struct {
	KeyId                    string
	GranteePrincipal         string            // an ARN
	RetiringPrincipal        string            `json:",omitempty"`
	Operations               []string          `json:",omitempty"`
	Constraints              *GrantConstraints `json:",omitempty"`
	Name                     string            `json:",omitempty"` // the same grant is made once per name
	GrantTokens              []string          `json:",omitempty"`
	DryRun                   bool              `json:",omitempty"`
	GranteeServicePrincipal  string            `json:",omitempty"` // refused
	RetiringServicePrincipal string            `json:",omitempty"` // refused
}

// CreateGrantOutput names the grant. The token is needed by nobody to use it: a
// grant is in force at once.
type CreateGrantOutput struct {
	GrantId    string
	GrantToken string `audit:"hidden"`
}

// CreateGrant allows a principal some operations with a key.
func (k *Keys) CreateGrant(ctx context.Context, in CreateGrantInput) (CreateGrantOutput, error) {
	if err := in.check(); err != nil {
		return CreateGrantOutput{}, err
	}
	found, err := k.find(in.KeyId)
	if err != nil {
		return CreateGrantOutput{}, err
	}
	err = k.authorize(ctx, found, ask{action: "CreateGrant", tokens: in.GrantTokens, condition: map[string][]string{
		"kms:GrantOperations": in.Operations, "kms:GranteePrincipal": {in.GranteePrincipal},
	}})
	if err != nil {
		return CreateGrantOutput{}, err
	}
	if err := found.usable("CreateGrant"); err != nil {
		return CreateGrantOutput{}, err
	}
	if err := found.grants(in); err != nil {
		return CreateGrantOutput{}, err
	}
	if err := dryRun(in.DryRun); err != nil {
		return CreateGrantOutput{}, err
	}
	token := newToken()
	g := grant{
		ID: newGrantID(), Name: in.Name, Token: hashed(token), Grantee: in.GranteePrincipal, Retiring: in.RetiringPrincipal,
		Operations: in.Operations, Constraints: in.Constraints, Issuer: "arn:aws:iam::" + arn.Account + ":root", Created: time.Now().UTC(),
	}
	err = k.update(ctx, found.ID, func(r *record) error {
		if err := (&key{record: *r}).usable("CreateGrant"); err != nil {
			return err
		}
		if i := slices.IndexFunc(r.Grants, g.again); i >= 0 {
			g.ID, r.Grants[i].Token = r.Grants[i].ID, g.Token
			return nil
		}
		if len(r.Grants) >= maxGrants {
			return limit("%s has %d grants already, which is the most", r.ARN, maxGrants)
		}
		r.Grants = append(r.Grants, g)
		return nil
	})
	if err != nil {
		return CreateGrantOutput{}, err
	}
	return CreateGrantOutput{g.ID, token}, nil
}

// again reports whether old is the grant that is asked for once more.
func (g grant) again(old grant) bool {
	return g.Name != "" && g.Name == old.Name && g.Grantee == old.Grantee && g.Retiring == old.Retiring &&
		slices.Equal(g.Operations, old.Operations) && g.Constraints.equal(old.Constraints)
}

func (c *GrantConstraints) equal(d *GrantConstraints) bool {
	if c == nil || d == nil {
		return c == d
	}
	return maps.Equal(c.EncryptionContextEquals, d.EncryptionContextEquals) && maps.Equal(c.EncryptionContextSubset, d.EncryptionContextSubset)
}

func (in CreateGrantInput) check() error {
	if in.GranteeServicePrincipal != "" || in.RetiringServicePrincipal != "" {
		return unsupported("grants for services of AWS are not supported: name a principal of this account")
	}
	for _, principal := range []string{in.GranteePrincipal, in.RetiringPrincipal} {
		if _, err := arn.Parse(principal); err != nil && (principal != "" || in.GranteePrincipal == "") {
			return fault.Coded(fault.Invalid, "InvalidArnException", "a grant is for a principal: %w", err)
		}
	}
	c := in.Constraints
	switch {
	case len(in.Name) > 256:
		return invalid("Name has %d characters; at most 256 are possible", len(in.Name))
	case c == nil:
		return nil
	case c.SourceArn != "":
		return unsupported("Constraints: SourceArn is not supported; constrain the encryption context")
	case c.EncryptionContextEquals != nil && c.EncryptionContextSubset != nil:
		return invalid("Constraints: give either EncryptionContextEquals or EncryptionContextSubset")
	case len(c.EncryptionContextEquals) > maxConstraints || len(c.EncryptionContextSubset) > maxConstraints:
		return invalid("Constraints: at most %d pairs are possible", maxConstraints)
	}
	return nil
}

// grants says what is wrong with a grant on this key.
func (k *key) grants(in CreateGrantInput) error {
	if len(in.Operations) == 0 {
		return invalid("Operations is required: some of %v", k.grantable())
	}
	for _, op := range in.Operations {
		if !slices.Contains(k.grantable(), op) {
			return invalid("Operations: %q is none of %v", op, k.grantable())
		}
	}
	if in.Constraints != nil && k.spec() != symmetric {
		return invalid("Constraints are for symmetric keys: others have no encryption context")
	}
	return nil
}

// ListGrantsInput asks for a page of a key's grants.
type ListGrantsInput struct {
	KeyId            string
	GrantId          string `json:",omitempty"`
	GranteePrincipal string `json:",omitempty"`
	Limit            *int   `json:",omitempty"` // 1 to 100; 50
	Marker           string `json:",omitempty"`
}

// ListGrantsOutput is a page.
type ListGrantsOutput struct {
	Grants     []GrantListEntry
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

// GrantListEntry is a grant.
type GrantListEntry struct {
	KeyId             string
	GrantId           string
	Name              string `json:",omitempty"`
	CreationDate      wire.Time
	GranteePrincipal  string
	RetiringPrincipal string `json:",omitempty"`
	IssuingAccount    string
	Operations        []string
	Constraints       *GrantConstraints `json:",omitempty"`
}

// ListGrants lists the grants of a key by id.
func (k *Keys) ListGrants(ctx context.Context, in ListGrantsInput) (ListGrantsOutput, error) {
	found, err := k.find(in.KeyId)
	if err != nil {
		return ListGrantsOutput{}, err
	}
	if err := k.authorize(ctx, found, ask{action: "ListGrants"}); err != nil {
		return ListGrantsOutput{}, err
	}
	byID := map[string]grant{}
	for _, g := range found.Grants {
		if (in.GrantId == "" || g.ID == in.GrantId) && (in.GranteePrincipal == "" || g.Grantee == in.GranteePrincipal) {
			byID[g.ID] = g
		}
	}
	if in.GrantId != "" && len(byID) == 0 {
		return ListGrantsOutput{}, noGrant(found, in.GrantId)
	}
	p, err := pageOf(slices.Sorted(maps.Keys(byID)), in.Limit, in.Marker, 50, 100)
	if err != nil {
		return ListGrantsOutput{}, err
	}
	out := ListGrantsOutput{Grants: []GrantListEntry{}, NextMarker: p.next, Truncated: p.next != ""}
	for _, id := range p.ids {
		g := byID[id]
		out.Grants = append(out.Grants, GrantListEntry{
			KeyId: found.ARN, GrantId: g.ID, Name: g.Name, CreationDate: wire.At(g.Created), GranteePrincipal: g.Grantee,
			RetiringPrincipal: g.Retiring, IssuingAccount: g.Issuer, Operations: g.Operations, Constraints: g.Constraints,
		})
	}
	return out, nil
}

// RevokeGrantInput names a grant.
type RevokeGrantInput struct {
	KeyId   string
	GrantId string
	DryRun  bool `json:",omitempty"`
}

// RevokeGrant ends a grant; those who manage the key do this.
func (k *Keys) RevokeGrant(ctx context.Context, in RevokeGrantInput) (None, error) {
	found, err := k.find(in.KeyId)
	if err != nil {
		return None{}, err
	}
	if err := k.authorize(ctx, found, ask{action: "RevokeGrant"}); err != nil {
		return None{}, err
	}
	if !slices.ContainsFunc(found.Grants, func(g grant) bool { return g.ID == in.GrantId }) {
		return None{}, noGrant(found, in.GrantId)
	}
	if err := dryRun(in.DryRun); err != nil {
		return None{}, err
	}
	return None{}, k.endGrant(ctx, found, in.GrantId)
}

// RetireGrantInput names a grant by its token, or by its key and id.
type RetireGrantInput struct {
	GrantToken string `json:",omitempty" audit:"hidden"`
	KeyId      string `json:",omitempty"`
	GrantId    string `json:",omitempty"`
	DryRun     bool   `json:",omitempty"`
}

// RetireGrant ends a grant; its retiring principal does this when the work is
// done, or its grantee, if it allows RetireGrant.
func (k *Keys) RetireGrant(ctx context.Context, in RetireGrantInput) (None, error) {
	found, g, err := k.findGrant(in)
	if err != nil {
		return None{}, err
	}
	callers := k.Authority.Callers(ctx)
	mine := g.Retiring != "" && slices.Contains(callers, g.Retiring)
	if !mine {
		if err := k.authorize(ctx, found, ask{action: "RetireGrant"}); err != nil {
			return None{}, err
		}
	}
	if err := dryRun(in.DryRun); err != nil {
		return None{}, err
	}
	return None{}, k.endGrant(ctx, found, g.ID)
}

func (k *Keys) findGrant(in RetireGrantInput) (*key, grant, error) {
	if (in.GrantToken == "") == (in.KeyId == "" || in.GrantId == "") {
		return nil, grant{}, invalid("give either GrantToken, or KeyId and GrantId")
	}
	if in.GrantToken != "" {
		return k.current.Load().grantOf(in.GrantToken)
	}
	key, err := k.find(in.KeyId)
	if err != nil {
		return nil, grant{}, err
	}
	i := slices.IndexFunc(key.Grants, func(g grant) bool { return g.ID == in.GrantId })
	if i < 0 {
		return nil, grant{}, noGrant(key, in.GrantId)
	}
	return key, key.Grants[i], nil
}

func (k *Keys) endGrant(ctx context.Context, key *key, id string) error {
	return k.update(ctx, key.ID, func(r *record) error {
		r.Grants = slices.DeleteFunc(r.Grants, func(g grant) bool { return g.ID == id })
		return nil
	})
}

// grantOf finds the grant of a token.
func (s *snapshot) grantOf(token string) (*key, grant, error) {
	sum := hashed(token)
	for _, key := range s.keys {
		if i := slices.IndexFunc(key.Grants, func(g grant) bool { return g.Token == sum }); i >= 0 {
			return key, key.Grants[i], nil
		}
	}
	return nil, grant{}, errToken
}

// checkTokens refuses tokens of grants that are not in force. A grant needs none.
func (s *snapshot) checkTokens(tokens []string) error {
	for _, token := range tokens {
		if _, _, err := s.grantOf(token); err != nil {
			return err
		}
	}
	return nil
}

var errToken = fault.Coded(fault.Invalid, "InvalidGrantTokenException", "the grant token is not one of a grant that is in force")

func noGrant(k *key, id string) error { return notFound("grant %q of %s is not found", id, k.ARN) }

func newGrantID() string {
	id := make([]byte, 32)
	_, _ = rand.Read(id) // never fails
	return hex.EncodeToString(id)
}

func newToken() string {
	token := make([]byte, 48)
	_, _ = rand.Read(token) // never fails
	return base64.RawURLEncoding.EncodeToString(token)
}

func hashed(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
