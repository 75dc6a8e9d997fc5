package server

import (
	"context"
	"path/filepath"

	"github.com/dropstack/dropstack/internal/cloudfront"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/cache"
	declared "github.com/dropstack/dropstack/internal/edge/cloudfront"
)

// openEdge opens the front door and what looks at requests there.
func (r *rooms) openEdge(ctx context.Context, cfg Config) error {
	if err := r.openBans(ctx, cfg); err != nil {
		return err
	}
	r.cache = &cache.Cache{Memory: cfg.CacheMemory, Disk: cfg.CacheDisk, Dir: filepath.Join(cfg.Dir, "cache"), Log: cfg.Log}
	if err := r.cache.Open(ctx); err != nil {
		return err
	}
	r.opened = append(r.opened, r.cache.Close)
	if err := r.openFirewall(cfg); err != nil {
		return err
	}
	r.edge = &edge.Server{
		Origins: r.gateway, Objects: r.eng.Objects, Log: cfg.Log, Cache: r.cache, Firewall: r.firewall, Bans: visitors{r.bans},
		Proxies: cfg.TrustedProxies, Limits: cfg.EdgeLimits,
		ACLOf: r.gateway.WebACL, Traces: r.traces,
	}
	if err := r.openAccessLog(cfg); err != nil {
		return err
	}
	r.distributions = &cloudfront.Distributions{Edge: r.edge, Streams: r.eng.Streams, Translate: translate, Authorizer: objectAuthority{r}}
	return r.distributions.Open(ctx)
}

// translate reads the configuration of a distribution that a call makes. Of policies
// it can name Amazon's.
func translate(id string, config map[string]any) (edge.Distribution, error) {
	d, found := new(declared.Policies).Distribution(deploy.APIStack, id, map[string]any{"DistributionConfig": config})
	return d, found.Err("InvalidArgument")
}
