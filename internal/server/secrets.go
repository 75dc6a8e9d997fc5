package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/ca"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/secret"
	"github.com/dropstack/dropstack/internal/secret/kms"
	"github.com/dropstack/dropstack/internal/secret/root"
	"github.com/dropstack/dropstack/internal/secret/store"
)

// secrets is the root key and all that is sealed under it.
type secrets struct {
	root       *root.Root
	kept       *root.Kept // seals what is not under a key of somebody's
	keys       *kms.Keys
	parameters *secret.Parameters
	ca         *ca.Authority
	log        *slog.Logger
}

// openSecrets opens what is sealed, and finishes a rotation of the root key that
// was cut short.
func openSecrets(ctx context.Context, cfg Config, eng *engine.Engine, decide keyAuthority) (*secrets, error) {
	s := &secrets{log: cfg.Log}
	var err error
	buckets := map[string]store.Bucket{}
	for _, name := range []string{"sealed", "keys", "parameters"} {
		if buckets[name], err = store.Open(ctx, eng.Streams, name); err != nil {
			return nil, err
		}
	}
	if err := lost(ctx, cfg.RootKey, buckets["sealed"]); err != nil {
		return nil, err
	}
	if s.root, err = root.Open(cfg.RootKey); err != nil {
		return nil, err
	}
	if s.kept, err = root.OpenKept(ctx, s.root, buckets["sealed"], kept); err != nil {
		return nil, fmt.Errorf("what this data directory holds is sealed, and the root key does not open it: %w", err)
	}
	if s.ca, err = ca.Open(cfg.Dir, s.kept.Sealer("certificate authority")); err != nil {
		return nil, err
	}
	s.keys = &kms.Keys{Root: s.root, Kept: s.kept, Bucket: buckets["keys"], Authority: decide, Region: cfg.Region, Log: cfg.Log}
	if err := s.keys.Load(ctx); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	s.parameters = &secret.Parameters{
		Kept: s.kept, Bucket: buckets["parameters"], Keys: s.keys, Authority: decide, Region: cfg.Region, Log: cfg.Log,
	}
	if err := s.parameters.Load(ctx); err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	if len(s.root.Previous()) > 0 {
		report, err := s.root.Settle(ctx)
		if err != nil {
			return nil, fmt.Errorf("finish the rotation of the root key: %w", err)
		}
		cfg.Log.Warn("the root key was rotated; previous keys are not needed any more", "key", report.ID, "rewrapped", report.Rewrapped, "superfluous", report.Superfluous)
	}
	return s, nil
}

// kept names the secret that seals what is not under a key of somebody's.
const kept = "platform"

// lost refuses to make a new root key where one was: a file that is missing is made
// at the first start alone.
func lost(ctx context.Context, p root.Provider, sealed store.Bucket) error {
	file, ok := p.(root.File)
	if !ok {
		return nil
	}
	if _, err := os.Stat(file.Path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if _, err := sealed.Get(ctx, kept); err != nil {
		if errors.Is(err, store.ErrMissing) {
			return nil
		}
		return err
	}
	return fault.Errorf(fault.Invalid, "what this data directory holds is sealed, and its root key is missing: put it back as %s, or say where it is with --root-key", file.Path)
}

// run destroys keys and removes parameters when they are due.
func (s *secrets) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.keys.Run(ctx) })
	g.Go(func() error { return s.parameters.Run(ctx) })
	return g.Wait()
}

// openTrail opens the audit log.
func (s *secrets) openTrail(ctx context.Context, cfg Config) (*audit.Log, error) {
	key, err := audit.SigningKey(s.kept.Derive("audit log", 32))
	if err != nil {
		return nil, err
	}
	trail := &audit.Log{Dir: audit.Path(cfg.Dir), Key: key, Region: cfg.Region, Keep: cfg.AuditKeep, Heads: cfg.AuditHeads, Log: cfg.Log}
	return trail, trail.Open(ctx)
}

// recordReads has the trail say who is handed which parameters by the platform
// itself, which reads them for deployments and for instances that start.
func (s *secrets) recordReads(trail *audit.Log, region string) {
	s.parameters.Record = func(ctx context.Context, action string, names []string, failed error) error {
		who, _ := iam.Caller(ctx)
		e := audit.Event{
			EventSource: "ssm.amazonaws.com", EventName: action, AWSRegion: region, ReadOnly: true,
			UserIdentity: api.IdentityOf(who), SourceIPAddress: "lambda.amazonaws.com", UserAgent: "dropstack",
			RequestParameters: map[string]any{"names": names, "withDecryption": true}, RequestID: iam.RequestOf(ctx).ID,
		}
		for _, name := range names {
			e.Resources = append(e.Resources, audit.Resource{ARN: s.parameters.ARN(name), AccountID: arn.Account, Type: "AWS::SSM::Parameter"})
		}
		if failed != nil {
			e.ErrorCode, e.ErrorMessage = "AccessDeniedException", failed.Error()
			if code := fault.CodeOf(failed); code != "" {
				e.ErrorCode = code
			}
		}
		return trail.Append(ctx, e)
	}
}
