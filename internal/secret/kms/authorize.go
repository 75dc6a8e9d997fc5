package kms

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

// ask is a question for permission to use a key.
type ask struct {
	action    string // such as Encrypt
	alias     string // that the key was named by
	context   map[string]string
	usage     string // of the key that is to be used; empty: it is not used
	algorithm string
	tokens    []string
	condition map[string][]string // more of them
}

// authorize asks whether the caller may do an action with a key: its policy, the
// caller's policies and the grants that the caller has on it decide.
func (k *Keys) authorize(ctx context.Context, key *key, q ask) error {
	callers := k.Authority.Callers(ctx)
	if err := k.current.Load().checkTokens(q.tokens); err != nil {
		return err
	}
	policy := key.Policy
	for _, g := range key.Grants {
		if g.allows(q, callers) {
			policy = withGrant(policy, "kms:"+q.action, g.Grantee)
			break
		}
	}
	conditions := k.conditions(ctx, key)
	if q.alias != "" {
		conditions["kms:RequestAlias"] = []string{q.alias}
	}
	if q.usage == encrypts {
		conditions["kms:EncryptionAlgorithm"] = []string{symmetric}
		names := slices.Sorted(maps.Keys(q.context))
		if len(names) > 0 {
			conditions["kms:EncryptionContextKeys"] = names
		}
		for _, name := range names {
			conditions["kms:EncryptionContext:"+name] = []string{q.context[name]}
		}
	}
	maps.Copy(conditions, q.condition)
	return k.Authority.AuthorizeKey(ctx, "kms:"+q.action, key.ARN, policy, conditions)
}

// conditions are the condition keys that every use of a key has.
func (k *Keys) conditions(ctx context.Context, key *key) map[string][]string {
	c := k.requestConditions(ctx)
	c["kms:KeySpec"] = []string{key.spec()}
	c["kms:KeyUsage"] = []string{key.kind().usage}
	c["kms:KeyOrigin"] = []string{origin}
	if names := k.current.Load().aliasesOf(key.ID); len(names) > 0 {
		c["kms:ResourceAliases"] = names
	}
	for name, value := range key.Tags {
		c["aws:ResourceTag/"+name] = []string{value}
	}
	return c
}

func (k *Keys) requestConditions(ctx context.Context) map[string][]string {
	c := map[string][]string{"kms:CallerAccount": {arn.Account}}
	if service, ok := ctx.Value(via{}).(string); ok {
		c["kms:ViaService"] = []string{k.service(service)}
	}
	return c
}

// authorizeOther asks about something that is no key: an alias, or "*".
func (k *Keys) authorizeOther(ctx context.Context, action, resource string, more map[string][]string) error {
	c := k.requestConditions(ctx)
	maps.Copy(c, more)
	return k.Authority.AuthorizeKey(ctx, "kms:"+action, resource, "", c)
}

// withGrant is a key policy with one statement more, which allows what a grant
// does. An explicit denial elsewhere still wins, as it does over grants.
func withGrant(policy, action, grantee string) string {
	var doc struct {
		Version   string          `json:",omitempty"`
		ID        string          `json:"Id,omitempty"`
		Statement json.RawMessage `json:",omitempty"`
	}
	if err := json.Unmarshal([]byte(policy), &doc); err != nil {
		return policy // no policy is stored that cannot be read
	}
	var statements []json.RawMessage
	if err := json.Unmarshal(doc.Statement, &statements); err != nil {
		statements = []json.RawMessage{doc.Statement}
	}
	kind := "AWS"
	if !strings.HasPrefix(grantee, "arn:") && strings.HasSuffix(grantee, ".amazonaws.com") {
		kind = "Service"
	}
	allow, err := json.Marshal(map[string]any{
		"Effect": "Allow", "Principal": map[string]string{kind: grantee}, "Action": action, "Resource": "*",
	})
	if err != nil {
		return policy
	}
	doc.Statement, err = json.Marshal(append(statements, allow))
	if err != nil {
		return policy
	}
	joined, err := json.Marshal(doc)
	if err != nil {
		return policy
	}
	return string(joined)
}

// defaultPolicy leaves a key to the policies of the account's principals.
func defaultPolicy() string {
	return `{
  "Version": "2012-10-17",
  "Id": "key-default-1",
  "Statement": [{
    "Sid": "Enable IAM User Permissions",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::` + arn.Account + `:root"},
    "Action": "kms:*",
    "Resource": "*"
  }]
}`
}

// checkPolicy says what is wrong with the policy that a key is to have. Unless
// bypass is set, the caller must be able to change it again.
func (k *Keys) checkPolicy(ctx context.Context, arn, policy string, bypass bool) error {
	if len(policy) > maxPolicy {
		return limit("the key policy has %d bytes; at most %d are possible", len(policy), maxPolicy)
	}
	malformed := func(format string, args ...any) error {
		return fault.Coded(fault.Invalid, "MalformedPolicyDocumentException", format, args...)
	}
	var doc struct{ Statement json.RawMessage }
	if err := json.Unmarshal([]byte(policy), &doc); err != nil {
		return malformed("the key policy is not JSON: %w", err)
	}
	if len(doc.Statement) == 0 {
		return malformed("the key policy has no Statement")
	}
	if err := k.Authority.CheckKeyPolicy(policy); err != nil {
		return malformed("the key policy: %w", err)
	}
	if bypass {
		return nil
	}
	if err := k.Authority.AuthorizeKey(ctx, "kms:PutKeyPolicy", arn, policy, k.requestConditions(ctx)); err != nil {
		return malformed("under this key policy you could not change the key's policy any more (set BypassPolicyLockoutSafetyCheck if that is what you want)")
	}
	return nil
}
