package server

import (
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/sandbox"
)

// readyBoxes is how many sandboxes wait for a cold start.
const readyBoxes = 3

// boxes finds the level at which functions are to run.
func boxes(cfg Config, at api.Endpoints) (*sandbox.Maker, error) {
	m := &sandbox.Maker{TempDir: filepath.Join(cfg.Dir, "instances"), Ready: readyBoxes, AWS: insideAddress(at.AWS), Log: cfg.Log}
	missing, err := m.Choose(cfg.Isolation)
	if err != nil {
		return nil, err
	}
	if sandbox.Rank(m.Level) < sandbox.Rank(cfg.MinIsolation) {
		why := missing[cfg.MinIsolation]
		if why == "" {
			why = "--isolation says so"
		}
		return nil, fault.Errorf(fault.Invalid, "functions would run at isolation level %s, and --min-isolation asks for %s: %s", m.Level, cfg.MinIsolation, why)
	}
	return m, nil
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
