package api

import (
	"context"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/query"
)

// LogFields is what the control plane needs of those who know the fields of logs.
type LogFields interface {
	LogFields(ctx context.Context, in query.LogFieldsInput) (query.LogFieldsOutput, error)
	// Matching are the groups that a name stands for.
	Matching(ctx context.Context, name string) []string
}

// logFieldsNeeds are what who asks for fields must be allowed: that, and to read each
// group, since values are told.
func (c *Control) logFieldsNeeds(ctx context.Context, in query.LogFieldsInput) []Need {
	needs, names := []Need{{}}, in.Groups
	if len(names) == 0 {
		names = []string{"*"}
	}
	for _, name := range names {
		for _, group := range append(c.LogFields.Matching(ctx, name), logs.GroupOf(name)) {
			needs = append(needs, Need{Action: "logs:FilterLogEvents", Resource: logs.ARN(arn.Region, group) + ":*"})
		}
	}
	return needs
}

func (c *Control) logFields(ctx context.Context, in query.LogFieldsInput) (query.LogFieldsOutput, error) {
	return c.LogFields.LogFields(ctx, in)
}
