package server

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/iam/policy"
)

// loadAuthority reads the users, roles and policies that are stored.
func loadAuthority(ctx context.Context, cfg Config, streams jetstream.JetStream, keys *iam.Authority) error {
	kv, err := streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: iam.Bucket, Storage: jetstream.FileStorage})
	if err != nil {
		return fmt.Errorf("open the bucket of users and roles: %w", err)
	}
	keys.Log = cfg.Log
	return keys.Load(ctx, kv)
}

// keyAuthority decides for keys and parameters.
type keyAuthority struct{ *iam.Authority }

// AuthorizeKey asks the policy of a key as well as the caller's, but for the
// platform itself.
func (k keyAuthority) AuthorizeKey(ctx context.Context, action, resource, keyPolicy string, conditions map[string][]string) error {
	if ctx.Value(itself{}) != nil {
		return nil
	}
	return k.Authority.AuthorizeKey(ctx, action, resource, keyPolicy, conditions)
}

// Forbids reports whether a policy denies explicitly.
func (k keyAuthority) Forbids(ctx context.Context, action, resource string, conditions map[string][]string) bool {
	return k.Decide(ctx, action, resource, conditions).Outcome == policy.ExplicitDeny
}
