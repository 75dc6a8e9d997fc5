package api

import (
	"context"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/export"
	"github.com/dropstack/dropstack/internal/logs/fingerprint"
	"github.com/dropstack/dropstack/internal/logs/ingest"
)

// Imports is what the control plane needs of imports into the log store.
type Imports interface {
	Import(ctx context.Context, in ingest.Input) (ingest.Output, error)
}

// Exports is what the control plane needs of exports out of it.
type Exports interface {
	Export(ctx context.Context, in export.Input) (export.Output, error)
}

// Errors is what the control plane needs of the groups of errors.
type Errors interface {
	List(ctx context.Context, in fingerprint.ListInput) (fingerprint.ListOutput, error)
	Get(ctx context.Context, in fingerprint.GetInput) (fingerprint.Group, error)
	Update(ctx context.Context, in fingerprint.UpdateInput) (fingerprint.Group, error)
	Rebuild(ctx context.Context, in fingerprint.RebuildInput) (fingerprint.RebuildOutput, error)
}

// importNeeds are what who has an object imported must be allowed: that, and to read it.
func importNeeds(in ingest.Input) []Need {
	object := arn.Bucket(in.Bucket) + "/" + in.Key
	return []Need{{Resource: object}, {Action: "s3:GetObject", Resource: object}}
}

// A client that leaves does not cut an import short.
func (c *Control) importLogs(ctx context.Context, in ingest.Input) (ingest.Output, error) {
	return c.Imports.Import(context.WithoutCancel(ctx), in)
}

// exportNeeds are what who exports logs must be allowed: that, to read each group, and
// to write below the prefix.
func exportNeeds(in export.Input) []Need {
	object := arn.Bucket(in.Bucket) + "/" + in.Prefix + "*"
	needs := []Need{{Resource: object}, {Action: "s3:PutObject", Resource: object}}
	for _, group := range in.Groups {
		needs = append(needs, Need{Action: "logs:FilterLogEvents", Resource: logs.ARN(arn.Region, group) + ":*"})
	}
	return needs
}

func (c *Control) exportLogs(ctx context.Context, in export.Input) (export.Output, error) {
	return c.Exports.Export(ctx, in)
}

func (c *Control) listErrors(ctx context.Context, in fingerprint.ListInput) (fingerprint.ListOutput, error) {
	return c.Errors.List(ctx, in)
}

func (c *Control) getError(ctx context.Context, in fingerprint.GetInput) (fingerprint.Group, error) {
	return c.Errors.Get(ctx, in)
}

func (c *Control) updateError(ctx context.Context, in fingerprint.UpdateInput) (fingerprint.Group, error) {
	return c.Errors.Update(ctx, in)
}

func (c *Control) rebuildErrors(ctx context.Context, in fingerprint.RebuildInput) (fingerprint.RebuildOutput, error) {
	return c.Errors.Rebuild(ctx, in)
}
