package iam

import (
	"context"
	"slices"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/wire"
)

// The states of an access key.
const (
	active   = "Active"
	inactive = "Inactive"
)

// AccessKey is a new access key, the only time that its secret is told.
type AccessKey struct {
	UserName, AccessKeyId, Status string
	SecretAccessKey               string `audit:"hidden"`
	CreateDate                    wire.Time
}

// AccessKeyMetadata is an access key without its secret.
type AccessKeyMetadata struct {
	UserName, AccessKeyId, Status string
	CreateDate                    wire.Time
}

// AccessKeyLastUsed is when a key was last used, exact to 15 minutes.
type AccessKeyLastUsed struct {
	LastUsedDate        wire.Time `json:",omitzero"`
	ServiceName, Region string
}

// The inputs and outputs of access keys.
type (
	CreateAccessKeyInput  struct{ UserName string }
	CreateAccessKeyOutput struct{ AccessKey AccessKey }
	ListAccessKeysInput   struct {
		UserName string
		Paging
	}
	ListAccessKeysOutput struct {
		AccessKeyMetadata []AccessKeyMetadata
		Page
	}
	UpdateAccessKeyInput       struct{ UserName, AccessKeyId, Status string }
	UpdateAccessKeyOutput      struct{}
	DeleteAccessKeyInput       struct{ UserName, AccessKeyId string }
	DeleteAccessKeyOutput      struct{}
	GetAccessKeyLastUsedInput  struct{ AccessKeyId string }
	GetAccessKeyLastUsedOutput struct {
		UserName          string
		AccessKeyLastUsed AccessKeyLastUsed
	}
)

// CreateAccessKey gives a user another key, of at most two: make the second, move
// to it, deactivate the first, delete it.
func (a *Authority) CreateAccessKey(ctx context.Context, in CreateAccessKeyInput) (out CreateAccessKeyOutput, err error) {
	u, err := a.user(ctx, in.UserName)
	if err != nil {
		return out, err
	}
	c := newCredentials("AKIA")
	at := time.Now().UTC()
	err = change(ctx, a, "user", u.Name, func(u *user) error {
		if len(u.Keys) >= maxKeys {
			return conflict("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: %d", maxKeys)
		}
		sealed, err := a.Sealer.Seal([]byte(c.SecretAccessKey), keyContext(c.AccessKeyID, u.ID))
		u.Keys = append(u.Keys, storedKey{ID: c.AccessKeyID, Secret: sealed, Created: at})
		return err
	})
	out.AccessKey = AccessKey{
		UserName: u.Name, AccessKeyId: c.AccessKeyID, Status: active, SecretAccessKey: c.SecretAccessKey, CreateDate: wire.At(at),
	}
	if err != nil {
		return CreateAccessKeyOutput{}, err
	}
	return out, nil
}

// ListAccessKeys lists a user's keys, without a name the caller's.
func (a *Authority) ListAccessKeys(ctx context.Context, in ListAccessKeysInput) (out ListAccessKeysOutput, err error) {
	u, err := a.user(ctx, in.UserName)
	if err != nil {
		return out, err
	}
	list := []AccessKeyMetadata{}
	for _, k := range u.Keys {
		list = append(list, AccessKeyMetadata{UserName: u.Name, AccessKeyId: k.ID, Status: k.status(), CreateDate: wire.At(k.Created)})
	}
	out.AccessKeyMetadata, out.Page, err = cut(list, func(k AccessKeyMetadata) string { return k.AccessKeyId }, in.Paging)
	return out, err
}

func (k storedKey) status() string {
	if k.Disabled {
		return inactive
	}
	return active
}

// UpdateAccessKey disables or enables a key, which counts from the next request on.
func (a *Authority) UpdateAccessKey(ctx context.Context, in UpdateAccessKeyInput) (out UpdateAccessKeyOutput, err error) {
	if in.Status != active && in.Status != inactive {
		return out, invalid("Status must be %s or %s, not %q", active, inactive, in.Status)
	}
	u, err := a.user(ctx, in.UserName)
	if err != nil {
		return out, err
	}
	return out, change(ctx, a, "user", u.Name, func(u *user) error {
		i := u.keyIndex(in.AccessKeyId)
		if i < 0 {
			return noSuchKey(in.AccessKeyId)
		}
		u.Keys[i].Disabled = in.Status == inactive
		return nil
	})
}

// DeleteAccessKey deletes a key, which is refused from the next request on.
func (a *Authority) DeleteAccessKey(ctx context.Context, in DeleteAccessKeyInput) (out DeleteAccessKeyOutput, err error) {
	u, err := a.user(ctx, in.UserName)
	if err != nil {
		return out, err
	}
	err = change(ctx, a, "user", u.Name, func(u *user) error {
		i := u.keyIndex(in.AccessKeyId)
		if i < 0 {
			return noSuchKey(in.AccessKeyId)
		}
		u.Keys = slices.Delete(u.Keys, i, i+1)
		return nil
	})
	if err == nil {
		a.forgetUse(ctx, in.AccessKeyId)
	}
	return out, err
}

func (u *user) keyIndex(id string) int {
	return slices.IndexFunc(u.Keys, func(k storedKey) bool { return k.ID == id })
}

func noSuchKey(id string) error {
	return fault.Coded(fault.NotFound, "NoSuchEntity", "The Access Key with id %s cannot be found", id)
}

// GetAccessKeyLastUsed tells when a key was last used.
func (a *Authority) GetAccessKeyLastUsed(_ context.Context, in GetAccessKeyLastUsedInput) (out GetAccessKeyLastUsedOutput, err error) {
	now := a.now.Load()
	k, ok := now.keys[in.AccessKeyId]
	if !ok {
		return out, noSuchKey(in.AccessKeyId)
	}
	out.UserName = k.owner.Name
	out.AccessKeyLastUsed = AccessKeyLastUsed{ServiceName: "N/A", Region: "N/A"}
	if u, ok := now.used[in.AccessKeyId]; ok {
		out.AccessKeyLastUsed = AccessKeyLastUsed{wire.At(u.At), u.Service, u.Region}
	}
	return out, nil
}
