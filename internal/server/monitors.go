package server

import (
	"context"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/monitor"
)

// openMonitors reads what is watched.
func (r *rooms) openMonitors(ctx context.Context, cfg Config, ls *listeners) error {
	at := onHost(ls.endpoints.HTTP)
	r.monitors = &monitor.Monitors{
		Streams: r.eng.Streams, Checks: &monitor.Checker{}, Log: cfg.Log, Least: cfg.MonitorInterval,
		URL:            func(stack string) string { return at(strings.ToLower(stack) + ".localhost") },
		MayReachInside: func(ctx context.Context) bool { return cfg.PrivateEndpoints || isRoot(ctx) },
		Level: func(name string, labels map[string]string, v float64) {
			r.metrics.Gauge(name, metric.Labels(labels)).Set(v)
		},
		Sample: func(ctx context.Context, name string, labels map[string]string, at time.Time, v float64) error {
			return r.metrics.Record(ctx, name, metric.Labels(labels), at, v)
		},
	}
	return r.monitors.Load(ctx)
}
