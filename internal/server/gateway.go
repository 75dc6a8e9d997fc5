package server

import (
	"context"

	"github.com/dropstack/dropstack/internal/gateway"
)

// openGateway opens the APIs' front, and the counts of their keys.
func (r *rooms) openGateway(ctx context.Context, cfg Config) error {
	meter := &gateway.Meter{Streams: r.eng.Streams, Log: cfg.Log}
	if err := meter.Open(ctx); err != nil {
		return err
	}
	r.gateway = &gateway.Gateway{
		Invoker: r.invoker, Events: r.invoker, Verify: r.keys, Authorize: r.keys.Authorize,
		Logs: r.logs, Traces: r.traces, Meter: meter, Region: cfg.Region, Log: cfg.Log,
	}
	return nil
}
