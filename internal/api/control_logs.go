package api

import (
	"context"

	"github.com/dropstack/dropstack/internal/logs/query"
)

// LogFields is what the control plane needs of those who know the fields of logs.
type LogFields interface {
	LogFields(ctx context.Context, in query.LogFieldsInput) (query.LogFieldsOutput, error)
}

func (c *Control) logFields(ctx context.Context, in query.LogFieldsInput) (query.LogFieldsOutput, error) {
	return c.LogFields.LogFields(ctx, in)
}
