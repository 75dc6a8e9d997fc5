package api

import (
	"context"

	"github.com/dropstack/dropstack/internal/audit"
)

// CloudTrail is the part of CloudTrail that reads the audit log.
type CloudTrail struct {
	Trail interface {
		LookupEvents(ctx context.Context, in audit.LookupEventsInput) (audit.LookupEventsOutput, error)
	}
}

// Service is the service "cloudtrail".
func (c *CloudTrail) Service() *Service {
	return &Service{Scope: "cloudtrail", Prefix: "CloudTrail_20131101.", Operations: map[string]Operation{
		"LookupEvents": op(c.Trail.LookupEvents, nil),
	}}
}
