package server

import (
	"context"
	"strings"

	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/fingerprint"
	"github.com/dropstack/dropstack/internal/logs/ingest"
	"github.com/dropstack/dropstack/internal/logs/tail"
	"github.com/dropstack/dropstack/internal/trace"
)

// openLogSources opens what reads the log store, and what comes into it from buckets.
func (r *rooms) openLogSources(ctx context.Context, cfg Config) error {
	r.traces = &trace.Traces{Logs: r.logs, Reader: r.logs, Readable: func(ctx context.Context, group string) bool {
		return r.keys.Authorize(ctx, "logs:FilterLogEvents", logs.ARN(cfg.Region, group)+":*", nil) == nil
	}}
	r.imports = &ingest.Importer{
		Store: r.logs, Objects: r.eng.Objects, Streams: r.eng.Streams, Log: cfg.Log,
		CloudFront: func() ingest.Parser { return &accesslog.Parser{} }, Own: r.ownLog,
	}
	r.tail = &tail.Hub{Records: r.logs, Done: r.ending}
	r.errors = &fingerprint.Index{State: r.eng.Streams, Records: r.logs, Log: cfg.Log}
	if err := r.errors.Open(ctx); err != nil {
		return err
	}
	r.opened = append(r.opened, r.errors.Close)
	return nil
}

// ownLog says whether an object is the log of one of the edge's distributions, whose
// requests are in the log store already.
func (r *rooms) ownLog(bucket, key string) bool {
	if r.edge == nil {
		return false
	}
	to := r.edge.LogTo(ingest.Distribution(key))
	return to != nil && to.Bucket == bucket && strings.HasPrefix(key, to.Prefix)
}

// onObject tells of a change of an object who wants to know of it before it is
// acknowledged.
func (r *rooms) onObject(e engine.ObjectEvent) error {
	if err := r.notifications.OnObject(e); err != nil {
		return err
	}
	return r.imports.OnObject(e)
}
