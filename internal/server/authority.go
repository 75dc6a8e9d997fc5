package server

import (
	"context"
	"fmt"

	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/nats-io/nats.go/jetstream"
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

// openTrail opens the audit log.
func openTrail(ctx context.Context, cfg Config, keys *iam.Authority) (*audit.Log, error) {
	key, err := audit.SigningKey(keys.Root())
	if err != nil {
		return nil, err
	}
	trail := &audit.Log{Dir: audit.Path(cfg.Dir), Key: key, Region: cfg.Region, Keep: cfg.AuditKeep, Heads: cfg.AuditHeads, Log: cfg.Log}
	return trail, trail.Open(ctx)
}
