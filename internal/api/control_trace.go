package api

import (
	"context"

	"github.com/dropstack/dropstack/internal/trace"
)

// Traces is what the control plane needs of traces.
type Traces interface {
	Get(ctx context.Context, in trace.GetInput) (trace.Trace, error)
	List(ctx context.Context, in trace.ListInput) (trace.ListOutput, error)
}

func (c *Control) getTrace(ctx context.Context, in trace.GetInput) (trace.Trace, error) {
	return c.Traces.Get(ctx, in)
}

func (c *Control) listTraces(ctx context.Context, in trace.ListInput) (trace.ListOutput, error) {
	return c.Traces.List(ctx, in)
}
