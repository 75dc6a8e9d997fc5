// Package iam knows principals and their access keys, verifies signatures, and
// decides who may do what.
//
// The administrator's key is the account's root: it is made at the first start and
// kept in DIR/credentials. Users, roles, groups and policies are made by AWS's API
// and kept in a key-value bucket, one document each, so that each changes wholly or
// not at all:
//
//	user.NAME     with its access keys (secrets sealed), inline policies, groups
//	role.NAME     with its trust policy and inline policies
//	group.NAME    with its inline policies
//	policy.NAME   a managed policy with its versions
//	used.KEY      when an access key was last used
//
// NAME is the name in lower case, in base64: names are unique whatever their case,
// and may hold what a key may not. Roles that a deployment declares are part of its
// revision and come by Replace; they are stored nowhere here.
//
// Temporary credentials are stored nowhere either: the session token holds, sealed,
// whose they are, until when, and their secret. What they may do is looked up when
// they are used, so a change counts at once.
//
// Requests are answered from an immutable snapshot. A key that is disabled is
// disabled from the next request on; in another process on the same bucket, as soon
// as Run has heard of it.
package iam

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/nats-io/nats.go/jetstream"
)

// Bucket is the name of the key-value bucket that Load is to be given, on an engine
// that syncs before it answers.
const Bucket = "iam"

// Authority knows every principal and every valid access key, and decides who may do
// what. Its methods that take a context and an input are the actions of AWS's IAM
// and STS.
type Authority struct {
	// Sealer keeps the secrets of access keys and sessions. Open sets one that is
	// gone with the process; another is set before Load.
	Sealer Sealer
	Log    *slog.Logger // optional

	admin Credentials
	kv    jetstream.KeyValue

	changes sync.Mutex // one change at a time
	swaps   sync.Mutex // one swap of the snapshot at a time
	now     atomic.Pointer[snapshot]
	uses    sync.Map // access key id → *usage
	parsed  policy.Cache
}

// Open reads the administrator's key of a data directory, and makes it at the first
// start. Until
// Load, the administrator and functions are the only principals.
func Open(dir string) (*Authority, error) {
	admin, err := openAdmin(filepath.Join(dir, "credentials"))
	if err != nil {
		return nil, err
	}
	sealer, err := passing()
	if err != nil {
		return nil, err
	}
	a := &Authority{Sealer: sealer, Log: slog.New(slog.DiscardHandler), admin: admin}
	a.now.Store(newSnapshot())
	return a, nil
}

// Admin is the administrator's key.
func (a *Authority) Admin() Credentials { return a.admin }

// administrator is the account's root as a principal.
func (a *Authority) administrator(accessKeyID string) Principal {
	return Principal{
		Type: TypeRoot, ARN: arnOf("iam", "root"), AccountID: arn.Account, UserID: arn.Account, AccessKeyID: accessKeyID,
	}
}

// Load reads what is stored. Call it once, before the first action.
func (a *Authority) Load(ctx context.Context, kv jetstream.KeyValue) error {
	a.kv = kv
	if err := a.follow(ctx, true); err != nil {
		return err
	}
	return a.finishRenames(ctx)
}

// Run takes over what other processes change, until ctx ends.
func (a *Authority) Run(ctx context.Context) error {
	err := a.follow(ctx, false)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func arnOf(service, resource string) string {
	return arn.ARN{Partition: "aws", Service: service, Account: arn.Account, Resource: resource}.String()
}
