package server

import (
	"context"
	"net/netip"
	"time"

	"github.com/dropstack/dropstack/internal/edge/ban"
)

// openBans reads who is turned away at the edge.
func (r *rooms) openBans(ctx context.Context, cfg Config) error {
	r.bans = &ban.Bans{
		Streams: r.eng.Streams, Trail: r.trail, Log: cfg.Log, Region: cfg.Region,
		Trusted: cfg.TrustedProxies, Shadow: cfg.ShadowBans, Flood: ban.Flood{Requests: cfg.FloodLimit},
	}
	return r.bans.Load(ctx)
}

// visitors is the bans as the edge asks for them, once for every request.
type visitors struct{ bans *ban.Bans }

// Banned counts whoever is let in.
func (v visitors) Banned(client netip.Addr) (ban.Ban, bool) {
	b, is := v.bans.Banned(client)
	if !is {
		v.bans.Seen(client, time.Now())
	}
	return b, is
}
