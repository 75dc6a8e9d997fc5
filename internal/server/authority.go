package server

import (
	"context"
	"fmt"
	"sync"

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
type keyAuthority struct {
	*iam.Authority
	parsed *sync.Map // text of a key policy → policy.Document; policies that were replaced stay until the end
}

func newKeyAuthority(a *iam.Authority) keyAuthority { return keyAuthority{a, &sync.Map{}} }

// Callers are the ARNs that the caller answers to: the session's, then the role's.
func (k keyAuthority) Callers(ctx context.Context) []string {
	who, ok := iam.Caller(ctx)
	switch {
	case !ok:
		return nil
	case who.RoleARN != "":
		return []string{who.ARN, who.RoleARN}
	}
	return []string{who.ARN}
}

// AuthorizeKey asks the policy of a key as well as the caller's.
func (k keyAuthority) AuthorizeKey(ctx context.Context, action, resource, keyPolicy string, conditions map[string][]string) error {
	if via := conditions["kms:ViaService"]; len(via) == 1 {
		if who, ok := iam.Caller(ctx); ok {
			r := iam.RequestOf(ctx)
			r.ViaService = via[0]
			ctx = iam.With(ctx, who, r)
		}
	}
	if keyPolicy == "" {
		return k.Authorize(ctx, action, resource, conditions)
	}
	doc, err := k.parse(keyPolicy)
	if err != nil {
		return err
	}
	return k.AuthorizeWith(ctx, action, resource, conditions, doc)
}

// CheckKeyPolicy says what is wrong with a key policy.
func (k keyAuthority) CheckKeyPolicy(text string) error {
	_, err := policy.Parse(policy.Resource, text)
	return err
}

// Forbids reports whether a policy denies explicitly.
func (k keyAuthority) Forbids(ctx context.Context, action, resource string, conditions map[string][]string) bool {
	return k.Decide(ctx, action, resource, conditions).Outcome == policy.ExplicitDeny
}

func (k keyAuthority) parse(text string) (policy.Document, error) {
	if doc, ok := k.parsed.Load(text); ok {
		return doc.(policy.Document), nil
	}
	doc, err := policy.Parse(policy.Resource, text)
	if err == nil {
		k.parsed.Store(text, doc)
	}
	return doc, err
}
