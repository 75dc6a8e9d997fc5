package server

import (
	"context"
	"path/filepath"

	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/metric"
)

// lostRecords counts access records that did not reach one of their sinks.
const lostRecords = "dropstack_access_records_lost_total"

// openAccessLog has the edge's requests written down.
func (r *rooms) openAccessLog(cfg Config) error {
	r.access = &accesslog.Log{
		Dir: filepath.Join(cfg.Dir, "accesslog"), Objects: r.eng.Objects, Logs: r.logs, Invoker: r.invoker,
		Region: cfg.Region, Log: cfg.Log, Destination: r.edge.LogTo,
		Role: func(name string) string {
			fn, err := r.invoker.Get(name)
			if err != nil { // which the invocation says
				return ""
			}
			return fn.Role
		},
		Lost: func(sink string, n int) { r.metrics.Counter(lostRecords, metric.Labels{"sink": sink}).Add(uint64(n)) },
	}
	if err := r.access.Open(); err != nil {
		return err
	}
	r.edge.Access = r.access.Record
	return nil
}

// logAccess writes what the edge answers, until it is told to end: after the edge, so
// that no record is lost, and before what records go to.
func (r *rooms) logAccess(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.access.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}
