package server

import (
	"context"

	"github.com/dropstack/dropstack/internal/cloudfront"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/edge/waf/crs"
)

// openEdge opens the front door and what looks at requests there.
func (r *rooms) openEdge(ctx context.Context, cfg Config) error {
	if err := r.openBans(ctx, cfg); err != nil {
		return err
	}
	r.firewall = &waf.Firewall{Log: cfg.Log, CRS: &crs.Rules{}}
	r.edge = &edge.Server{
		Origins: r.gateway, Objects: r.eng.Objects, Log: cfg.Log, Firewall: r.firewall, Bans: visitors{r.bans},
	}
	if err := r.openAccessLog(cfg); err != nil {
		return err
	}
	r.distributions = &cloudfront.Distributions{Edge: r.edge, Streams: r.eng.Streams}
	return r.distributions.Open(ctx)
}
