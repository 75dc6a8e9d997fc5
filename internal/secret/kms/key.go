package kms

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret/store"
	"github.com/dropstack/dropstack/internal/wire"
)

// CreateKeyInput describes a new key.
type CreateKeyInput struct {
	Description                    string `json:",omitempty"`
	Policy                         string `json:",omitempty"` // default: the account's principals' own policies decide
	BypassPolicyLockoutSafetyCheck bool   `json:",omitempty"`
	Tags                           []Tag  `json:",omitempty"`
	KeySpec                        string `json:",omitempty"` // SYMMETRIC_DEFAULT, HMAC_*, ECC_NIST_*, RSA_*
	CustomerMasterKeySpec          string `json:",omitempty"` // its old name
	KeyUsage                       string `json:",omitempty"` // needed unless the key is symmetric
	Origin                         string `json:",omitempty"` // AWS_KMS
	MultiRegion                    bool   `json:",omitempty"` // refused
	CustomKeyStoreId               string `json:",omitempty"` // refused
	XksKeyId                       string `json:",omitempty"` // refused
}

// CreateKeyOutput is the new key.
type CreateKeyOutput struct{ KeyMetadata KeyMetadata }

// KeyMetadata is what is told about a key.
type KeyMetadata struct {
	AWSAccountId          string
	KeyId                 string
	Arn                   string
	CreationDate          wire.Time
	Enabled               bool
	Description           string
	KeyUsage              string
	KeyState              string
	DeletionDate          wire.Time `json:",omitzero"`
	Origin                string
	KeyManager            string // CUSTOMER or AWS
	CustomerMasterKeySpec string
	KeySpec               string
	EncryptionAlgorithms  []string `json:",omitempty"`
	SigningAlgorithms     []string `json:",omitempty"`
	MacAlgorithms         []string `json:",omitempty"`
	MultiRegion           bool
	CurrentKeyMaterialId  string `json:",omitempty"`
}

// CreateKey makes a key.
func (k *Keys) CreateKey(ctx context.Context, in CreateKeyInput) (CreateKeyOutput, error) {
	if in.KeySpec == "" {
		in.KeySpec = in.CustomerMasterKeySpec
	}
	if in.KeySpec == "" {
		in.KeySpec = symmetric
	}
	if err := in.check(); err != nil {
		return CreateKeyOutput{}, err
	}
	tags, err := addTags(nil, in.Tags)
	if err != nil {
		return CreateKeyOutput{}, err
	}
	conditions := map[string][]string{"kms:KeySpec": {in.KeySpec}, "kms:KeyUsage": {specs[in.KeySpec].usage}, "kms:KeyOrigin": {origin}}
	if err := k.authorizeOther(ctx, "CreateKey", "*", withTags(conditions, in.Tags)); err != nil {
		return CreateKeyOutput{}, err
	}
	r := record{Description: in.Description, Policy: in.Policy, Tags: tags}
	if r.Policy == "" {
		r.Policy = defaultPolicy()
	}
	id := uuid.NewString()
	if err := k.checkPolicy(ctx, k.keyARN(id), r.Policy, in.BypassPolicyLockoutSafetyCheck); err != nil {
		return CreateKeyOutput{}, err
	}
	if in.KeySpec != symmetric {
		r.Spec = in.KeySpec
	}
	material, err := r.kind().generate() // takes its time for RSA
	if err != nil {
		return CreateKeyOutput{}, err
	}
	k.change.Lock()
	defer k.change.Unlock()
	made, err := k.make(ctx, id, r, material)
	if err != nil {
		return CreateKeyOutput{}, err
	}
	return CreateKeyOutput{made.metadata()}, nil
}

func (in CreateKeyInput) check() error {
	kind, known := specs[in.KeySpec]
	switch {
	case !known:
		return unsupported("KeySpec %q is not supported; there are %v", in.KeySpec, slices.Sorted(maps.Keys(specs)))
	case in.KeyUsage == "" && in.KeySpec != symmetric:
		return invalid("KeyUsage is required for a key of spec %s: %s", in.KeySpec, kind.usage)
	case in.KeyUsage == encrypts && kind.usage == signs:
		return unsupported("KeyUsage %s: keys of spec %s are supported for %s only", in.KeyUsage, in.KeySpec, kind.usage)
	case in.KeyUsage != "" && in.KeyUsage != kind.usage:
		return invalid("KeyUsage %q does not go with a key of spec %s, which is for %s", in.KeyUsage, in.KeySpec, kind.usage)
	case in.CustomKeyStoreId != "":
		return fault.Coded(fault.NotFound, "CustomKeyStoreNotFoundException", "there is no key store %q; leave CustomKeyStoreId out", in.CustomKeyStoreId)
	case in.Origin != "" && in.Origin != origin, in.XksKeyId != "":
		return unsupported("Origin %q: only keys whose material is made here (%s) are supported", in.Origin, origin)
	case in.MultiRegion:
		return unsupported("keys of several regions are not supported: this is one region")
	}
	return checkDescription(in.Description)
}

func checkDescription(text string) error {
	if len(text) > maxDescription {
		return invalid("Description has %d characters; at most %d are possible", len(text), maxDescription)
	}
	return nil
}

// make stores a new key: its material first, so that there is no key without.
// change must be held.
func (k *Keys) make(ctx context.Context, id string, r record, material []byte) (*key, error) {
	r.ID, r.ARN, r.Created = id, k.keyARN(id), time.Now().UTC()
	r.Versions = []version{{Number: 1, MaterialID: materialID(material), Created: r.Created}}
	if err := k.writeMaterial(ctx, r.ARN, id, 1, material); err != nil {
		return nil, err
	}
	revision, err := k.write(ctx, store.Key(keyKind, id), r, 0)
	if err != nil {
		return nil, err
	}
	made := &key{record: r, revision: revision, materials: map[uint32][]byte{1: material}}
	k.swap(func(s *snapshot) { s.keys[id] = made })
	return made, nil
}

func (k *key) metadata() KeyMetadata {
	m := KeyMetadata{
		AWSAccountId: arn.Account, KeyId: k.ID, Arn: k.ARN, CreationDate: wire.At(k.Created),
		Enabled: k.state() == enabled, Description: k.Description, KeyUsage: k.kind().usage, KeyState: k.state(),
		DeletionDate: wire.At(k.Deletion), Origin: origin, KeyManager: "CUSTOMER",
		CustomerMasterKeySpec: k.spec(), KeySpec: k.spec(),
	}
	switch algorithms := k.kind().algorithms; k.kind().usage {
	case encrypts:
		m.EncryptionAlgorithms, m.CurrentKeyMaterialId = algorithms, k.last().MaterialID
	case macs:
		m.MacAlgorithms = algorithms
	case signs:
		m.SigningAlgorithms = algorithms
	}
	if k.Managed != "" {
		m.KeyManager = "AWS"
	}
	return m
}

// DescribeKeyInput names a key, also by an alias.
type DescribeKeyInput struct {
	KeyId       string
	GrantTokens []string `json:",omitempty"`
}

// DescribeKeyOutput is a key.
type DescribeKeyOutput struct{ KeyMetadata KeyMetadata }

// DescribeKey tells about a key.
func (k *Keys) DescribeKey(ctx context.Context, in DescribeKeyInput) (DescribeKeyOutput, error) {
	key, alias, err := k.findAny(ctx, in.KeyId)
	if err != nil {
		return DescribeKeyOutput{}, err
	}
	if err := k.authorize(ctx, key, ask{action: "DescribeKey", alias: alias, tokens: in.GrantTokens}); err != nil {
		return DescribeKeyOutput{}, err
	}
	return DescribeKeyOutput{key.metadata()}, nil
}

// ListKeysInput asks for a page.
type ListKeysInput struct {
	Limit  *int   `json:",omitempty"` // 1 to 1,000; 100
	Marker string `json:",omitempty"`
}

// ListKeysOutput is a page.
type ListKeysOutput struct {
	Keys       []KeyListEntry
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

// KeyListEntry names a key.
type KeyListEntry struct{ KeyId, KeyArn string }

// ListKeys lists all keys by id.
func (k *Keys) ListKeys(ctx context.Context, in ListKeysInput) (ListKeysOutput, error) {
	if err := k.authorizeOther(ctx, "ListKeys", "*", nil); err != nil {
		return ListKeysOutput{}, err
	}
	snap := k.current.Load()
	p, err := pageOf(slices.Sorted(maps.Keys(snap.keys)), in.Limit, in.Marker, 100, 1000)
	if err != nil {
		return ListKeysOutput{}, err
	}
	out := ListKeysOutput{Keys: []KeyListEntry{}, NextMarker: p.next, Truncated: p.next != ""}
	for _, id := range p.ids {
		out.Keys = append(out.Keys, KeyListEntry{id, snap.keys[id].ARN})
	}
	return out, nil
}

// KeyInput names a key by id or ARN.
type KeyInput struct{ KeyId string }

// None is an answer without members.
type None struct{}

// EnableKey makes a disabled key usable again.
func (k *Keys) EnableKey(ctx context.Context, in KeyInput) (None, error) {
	return None{}, k.alter(ctx, in.KeyId, "EnableKey", func(r *record) error {
		r.Disabled = false
		return nil
	})
}

// DisableKey keeps a key from being used.
func (k *Keys) DisableKey(ctx context.Context, in KeyInput) (None, error) {
	return None{}, k.alter(ctx, in.KeyId, "DisableKey", func(r *record) error {
		r.Disabled = true
		return nil
	})
}

// UpdateKeyDescriptionInput is the new description.
type UpdateKeyDescriptionInput struct{ KeyId, Description string }

// UpdateKeyDescription replaces the description.
func (k *Keys) UpdateKeyDescription(ctx context.Context, in UpdateKeyDescriptionInput) (None, error) {
	if err := checkDescription(in.Description); err != nil {
		return None{}, err
	}
	return None{}, k.alter(ctx, in.KeyId, "UpdateKeyDescription", func(r *record) error {
		r.Description = in.Description
		return nil
	})
}

// alter changes a key of the customer's that is not about to be destroyed, for an
// action that the caller must be allowed.
func (k *Keys) alter(ctx context.Context, id, action string, edit func(*record) error) error {
	found, err := k.allowed(ctx, id, action)
	if err != nil {
		return err
	}
	return k.update(ctx, found.ID, func(r *record) error {
		if now := (&key{record: *r}); now.state() == pendingDeletion {
			return badState(now, action)
		}
		return edit(r)
	})
}

// allowed returns a key of the customer's, if the caller may do an action with it.
func (k *Keys) allowed(ctx context.Context, id, action string) (*key, error) {
	found, err := k.find(id)
	if err != nil {
		return nil, err
	}
	if err := k.authorize(ctx, found, ask{action: action}); err != nil {
		return nil, err
	}
	return found, found.own(action)
}
