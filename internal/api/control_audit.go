package api

import (
	"context"

	"github.com/dropstack/dropstack/internal/audit"
)

// Records is what the control plane needs of the audit log.
type Records interface {
	List(ctx context.Context, in audit.ListInput) (audit.ListOutput, error)
	// Verify reads the whole log and holds it against itself.
	Verify(ctx context.Context) (audit.Report, error)
}

func (c *Control) verifyRecords(ctx context.Context, _ struct{}) (audit.Report, error) {
	return c.Records.Verify(ctx)
}
