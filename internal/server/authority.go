package server

import (
	"context"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

// authority lets functions publish, invoke and use objects; everything else is the
// administrator's until there are policies.
type authority struct{ *iam.Authority }

func (a authority) Authorize(ctx context.Context, action, resource string, _ map[string][]string) error {
	who, known := iam.Caller(ctx)
	if known && (who.Root() || strings.HasPrefix(action, "s3:") || slices.Contains([]string{"sns:Publish", "lambda:InvokeFunction"}, action)) {
		return nil
	}
	return fault.Coded(fault.Denied, "AccessDeniedException", "User: %s is not authorized to perform: %s on resource: %s", who.ARN, action, resource)
}

// openTrail opens the audit log.
func openTrail(ctx context.Context, cfg Config, keys *iam.Authority) (*audit.Log, error) {
	key, err := audit.SigningKey(keys.Root())
	if err != nil {
		return nil, err
	}
	trail := &audit.Log{Dir: audit.Path(cfg.Dir), Key: key, Region: cfg.Region, Keep: cfg.AuditKeep, Heads: cfg.AuditHeads, Log: cfg.Log}
	return trail, trail.Open(ctx)
}
