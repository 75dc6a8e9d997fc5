package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/console"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/metric/promapi"
)

// openConsole opens what the console keeps; what it serves is added as it is built.
func (r *rooms) openConsole(ctx context.Context, cfg Config, ls *listeners) error {
	sessions, err := r.eng.Streams.CreateOrUpdateKeyValue(ctx, console.Bucket)
	if err != nil {
		return fmt.Errorf("open the bucket of sessions: %w", err)
	}
	at, local := ls.console.Addr().(*net.TCPAddr)
	r.console = &console.Server{
		Authority: r.keys, Sessions: sessions, Region: cfg.Region, Log: cfg.Log,
		Record: func(ctx context.Context, who iam.Principal, e audit.Event) error {
			e.UserIdentity = api.IdentityOf(who)
			return r.trail.Append(context.WithoutCancel(ctx), e)
		},
		Loopback:  local && at.IP.IsLoopback(),
		Endpoints: console.Endpoints{HTTP: ls.endpoints.HTTP, AWS: ls.endpoints.AWS, Console: ls.endpoints.Console},
	}
	return nil
}

// consoleHandler is what the console's port answers until ctx ends.
func (r *rooms) consoleHandler(ctx context.Context) http.Handler {
	r.console.Health = r.health(ctx)
	r.console.Tail = r.tail
	r.console.Metrics, r.console.Prometheus = promapi.Exposition(r.metrics), r.prometheus
	r.console.Probe, r.console.Status = r.probes(), r.statusPage
	r.console.Alertmanager = r.notifier.Handler()
	return r.console.Handler()
}

// SignIn makes a link by which a browser signs in to the console as the administrator,
// once, before it expires.
func (p *Platform) SignIn(ctx context.Context) (url string, expires time.Time, err error) {
	return p.rooms.console.LinkFor(ctx, p.Admin.AccessKeyID)
}
