package kms

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret/store"
	"github.com/dropstack/dropstack/internal/wire"
)

// managedPrefix begins the aliases of keys that AWS manages.
const managedPrefix = "alias/aws/"

// managed are the services whose keys are made at the first use.
var managed = []string{"lambda", "s3", "sns", "ssm"}

// aliasName is what may be in a request; a name needs more.
var aliasName = regexp.MustCompile(`^[a-zA-Z0-9:/_-]+$`)

// AliasInput names an alias and its key, by id or ARN.
type AliasInput struct{ AliasName, TargetKeyId string }

// CreateAlias gives a key another name.
func (k *Keys) CreateAlias(ctx context.Context, in AliasInput) (None, error) {
	if err := checkAlias(in.AliasName); err != nil {
		return None{}, err
	}
	target, err := k.aliased(ctx, in, "CreateAlias")
	if err != nil {
		return None{}, err
	}
	k.change.Lock()
	defer k.change.Unlock()
	snap := k.current.Load()
	if _, taken := snap.aliases[in.AliasName]; taken {
		return None{}, fault.Coded(fault.Conflict, "AlreadyExistsException", "%s exists; UpdateAlias gives it another key", k.aliasARN(in.AliasName))
	}
	if len(snap.aliasesOf(target.ID)) >= maxAliases {
		return None{}, limit("%s has %d aliases already, which is the most", target.ARN, maxAliases)
	}
	now := time.Now().UTC()
	return None{}, k.name(ctx, alias{Name: in.AliasName, Key: target.ID, Created: now, Updated: now})
}

// UpdateAlias makes an alias mean another key.
func (k *Keys) UpdateAlias(ctx context.Context, in AliasInput) (None, error) {
	if err := checkAlias(in.AliasName); err != nil {
		return None{}, err
	}
	old, ok := k.current.Load().aliases[in.AliasName]
	if !ok {
		return None{}, notFound("alias %s is not found", k.aliasARN(in.AliasName))
	}
	target, err := k.aliased(ctx, in, "UpdateAlias")
	if err != nil {
		return None{}, err
	}
	if _, err := k.allowed(ctx, old.Key, "UpdateAlias"); err != nil {
		return None{}, err
	}
	k.change.Lock()
	defer k.change.Unlock()
	now, ok := k.current.Load().aliases[in.AliasName]
	if !ok || now.Key != old.Key {
		return None{}, fault.Coded(fault.Conflict, "ConflictException", "alias %s has changed meanwhile; try again", k.aliasARN(in.AliasName))
	}
	if target.ID != now.Key && len(k.current.Load().aliasesOf(target.ID)) >= maxAliases {
		return None{}, limit("%s has %d aliases already, which is the most", target.ARN, maxAliases)
	}
	now.Key, now.Updated = target.ID, time.Now().UTC()
	return None{}, k.name(ctx, now)
}

// aliased returns the target of an alias that is to be made or changed.
func (k *Keys) aliased(ctx context.Context, in AliasInput, action string) (*key, error) {
	target, err := k.find(in.TargetKeyId)
	if err != nil {
		return nil, err
	}
	if err := k.authorizeOther(ctx, action, k.aliasARN(in.AliasName), nil); err != nil {
		return nil, err
	}
	if target, err = k.allowed(ctx, target.ID, action); err != nil {
		return nil, err
	}
	return target, target.kept(action)
}

// name stores an alias. change must be held.
func (k *Keys) name(ctx context.Context, a alias) error {
	revision, err := k.write(ctx, store.Key(aliasKind, a.Name), a, a.revision)
	if err != nil {
		return err
	}
	a.revision = revision
	k.swap(func(s *snapshot) { s.aliases[a.Name] = a })
	return nil
}

// unname removes an alias. change must be held.
func (k *Keys) unname(ctx context.Context, a alias) error {
	if err := k.Bucket.Erase(ctx, store.Key(aliasKind, a.Name), a.revision); err != nil {
		return err
	}
	k.swap(func(s *snapshot) { delete(s.aliases, a.Name) })
	return nil
}

// DeleteAliasInput names an alias.
type DeleteAliasInput struct{ AliasName string }

// DeleteAlias takes a name from a key; the key stays.
func (k *Keys) DeleteAlias(ctx context.Context, in DeleteAliasInput) (None, error) {
	if err := checkAlias(in.AliasName); err != nil {
		return None{}, err
	}
	a, ok := k.current.Load().aliases[in.AliasName]
	if !ok {
		return None{}, notFound("alias %s is not found", k.aliasARN(in.AliasName))
	}
	if err := k.authorizeOther(ctx, "DeleteAlias", k.aliasARN(in.AliasName), nil); err != nil {
		return None{}, err
	}
	if _, err := k.allowed(ctx, a.Key, "DeleteAlias"); err != nil {
		return None{}, err
	}
	k.change.Lock()
	defer k.change.Unlock()
	if now, ok := k.current.Load().aliases[in.AliasName]; !ok || now.revision != a.revision {
		return None{}, fault.Coded(fault.Conflict, "ConflictException", "alias %s has changed meanwhile; try again", k.aliasARN(in.AliasName))
	}
	return None{}, k.unname(ctx, a)
}

func checkAlias(name string) error {
	switch {
	case len(name) > maxAliasName:
		return invalid("AliasName has %d characters; at most %d are possible", len(name), maxAliasName)
	case !aliasName.MatchString(name):
		return invalid("AliasName %q: an alias is alias/ and letters, digits, /, _ and -", name)
	case strings.HasPrefix(name, managedPrefix):
		return fault.Coded(fault.Invalid, "InvalidAliasNameException", "%q: names that begin with %s are those of managed keys", name, managedPrefix)
	case !strings.HasPrefix(name, "alias/"), name == "alias/", strings.Contains(name, ":"):
		return fault.Coded(fault.Invalid, "InvalidAliasNameException", "%q: an alias is alias/ and letters, digits, /, _ and -", name)
	}
	return nil
}

// ListAliasesInput asks for a page, of all aliases or of a key's.
type ListAliasesInput struct {
	KeyId  string `json:",omitempty"`
	Limit  *int   `json:",omitempty"` // 1 to 100; 50
	Marker string `json:",omitempty"`
}

// ListAliasesOutput is a page.
type ListAliasesOutput struct {
	Aliases    []AliasListEntry
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

// AliasListEntry is an alias.
type AliasListEntry struct {
	AliasName       string
	AliasArn        string
	TargetKeyId     string
	CreationDate    wire.Time
	LastUpdatedDate wire.Time
}

// ListAliases lists aliases by name.
func (k *Keys) ListAliases(ctx context.Context, in ListAliasesInput) (ListAliasesOutput, error) {
	if err := k.authorizeOther(ctx, "ListAliases", "*", nil); err != nil {
		return ListAliasesOutput{}, err
	}
	snap := k.current.Load()
	names := slices.Sorted(maps.Keys(snap.aliases))
	if in.KeyId != "" {
		found, err := k.find(in.KeyId)
		if err != nil {
			return ListAliasesOutput{}, err
		}
		names = snap.aliasesOf(found.ID)
	}
	p, err := pageOf(names, in.Limit, in.Marker, 50, 100)
	if err != nil {
		return ListAliasesOutput{}, err
	}
	out := ListAliasesOutput{Aliases: []AliasListEntry{}, NextMarker: p.next, Truncated: p.next != ""}
	for _, name := range p.ids {
		a := snap.aliases[name]
		out.Aliases = append(out.Aliases, AliasListEntry{name, k.aliasARN(name), a.Key, wire.At(a.Created), wire.At(a.Updated)})
	}
	return out, nil
}

// manage makes the key that AWS would manage for a service, unless it is there.
func (k *Keys) manage(ctx context.Context, service string) (alias, error) {
	name := managedPrefix + service
	if !slices.Contains(managed, service) {
		return alias{}, notFound("alias %s is not found", k.aliasARN(name))
	}
	k.change.Lock()
	defer k.change.Unlock()
	if a, ok := k.current.Load().aliases[name]; ok {
		return a, nil
	}
	material, err := specs[symmetric].generate()
	if err != nil {
		return alias{}, err
	}
	made, err := k.make(ctx, uuid.NewString(), record{
		Managed: service, Policy: k.managedPolicy(service),
		Description: "Default key that protects my " + service + " data when no other key is defined",
		Rotation:    rotation{Period: usualRotation, Next: time.Now().UTC().AddDate(0, 0, usualRotation)},
	}, material)
	if err != nil {
		return alias{}, err
	}
	now := time.Now().UTC()
	err = k.name(ctx, alias{Name: name, Key: made.ID, Created: now, Updated: now})
	return k.current.Load().aliases[name], err
}

// managedPolicy lets everybody in the account use a key through its service.
func (k *Keys) managedPolicy(service string) string {
	return `{
  "Version": "2012-10-17",
  "Id": "auto-` + service + `-1",
  "Statement": [{
    "Sid": "Allow access through the service for all principals in the account that are authorized to use it",
    "Effect": "Allow",
    "Principal": {"AWS": "*"},
    "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey"],
    "Resource": "*",
    "Condition": {"StringEquals": {"kms:CallerAccount": "` + arn.Account + `", "kms:ViaService": "` + k.service(service) + `"}}
  }, {
    "Sid": "Allow direct access to key metadata to the account",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::` + arn.Account + `:root"},
    "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
    "Resource": "*"
  }]
}`
}
