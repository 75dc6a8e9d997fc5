package server

import (
	"context"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"sync"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/sandbox"
)

// readyBoxes is how many sandboxes wait for a cold start.
const readyBoxes = 3

// boxes finds the level at which functions are to run, and why it is not a stronger
// one. If the operator asks for a level, it returns once it is known to hold. What
// is known then, or found out when somebody asks, is what examined returns.
func boxes(ctx context.Context, cfg Config, at api.Endpoints, authority []byte) (m *sandbox.Maker, missing map[string]string, examined func() *Isolation, err error) {
	if err := retire(cfg.Dir); err != nil {
		return nil, nil, nil, err
	}
	m = &sandbox.Maker{
		TempDir: filepath.Join(cfg.Dir, "instances"), Ready: readyBoxes, Log: cfg.Log,
		AWS: insideAddress(at.AWS), Names: sandbox.NamesAddress, Authority: authority,
	}
	if missing, err = m.Choose(cfg.Isolation); err != nil {
		return nil, nil, nil, err
	}
	const setting = "--min-isolation"
	examined = sync.OnceValue(func() *Isolation { return examine(ctx, cfg, m, missing) })
	is := &Isolation{Level: m.Level, Missing: missing}
	if err = is.enough(setting, cfg.MinIsolation); err == nil && cfg.asksForIsolation() {
		err = examined().enough(setting, cfg.MinIsolation)
	}
	if err != nil {
		m.Close()
		return nil, nil, nil, err
	}
	return m, missing, examined, nil
}

// asksForIsolation reports whether the platform starts only with sandboxes that
// hold.
func (c *Config) asksForIsolation() bool {
	return c.MinIsolation != "" && c.MinIsolation != sandbox.None
}

// insideAddress is where functions find the AWS endpoint in their sandboxes: where
// it is outside, if that is the loopback device, so that a URL made in there is
// good out here.
func insideAddress(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return sandbox.AWSAddress
	}
	if a, err := netip.ParseAddrPort(u.Host); err == nil && a.Addr().IsLoopback() && a.Addr().Is4() {
		return a.String()
	}
	return sandbox.AWSAddress
}

// closeBoxes removes what sandboxes leave.
func (r *rooms) closeBoxes(log *slog.Logger) {
	_ = r.inner.Close()
	if left := r.boxes.Close(); left > 0 {
		log.Warn("sandboxes left something behind; the next start removes it", "count", left)
	}
}
