package instance

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// equipTime bounds what an instance's own things may take at a start.
const equipTime = 10 * time.Second

// lastMoment is how long before its credentials expire an instance must be done.
const lastMoment = time.Minute

// equip adds to a version's Config what one instance has of its own, and says
// from when on that is too old to begin another event with.
func equip(cfg Config) (Config, time.Time, error) {
	if cfg.Equip == nil {
		return cfg, time.Time{}, nil
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	ctx, cancel := context.WithTimeout(context.Background(), equipTime)
	defer cancel()
	own, err := cfg.Equip(ctx, hex.EncodeToString(id))
	if err != nil { // whoever invokes is told why, and that it is not their fault
		return cfg, time.Time{}, fault.Coded(fault.Unavailable, "ServiceException", "function %s cannot be started: %w", cfg.Name, err)
	}
	cfg.Keys = own.Keys
	if len(own.Env) > 0 {
		env := maps.Clone(cfg.Env)
		if env == nil {
			env = map[string]string{}
		}
		maps.Copy(env, own.Env)
		cfg.Env = env
	}
	if own.Expires.IsZero() {
		return cfg, own.Expires, nil
	}
	return cfg, own.Expires.Add(-cfg.Timeout - lastMoment), nil
}

// worn reports whether an instance must not begin another event.
func (in *instance) worn(now time.Time) bool {
	return !in.expires.IsZero() && !now.Before(in.expires)
}

// discardWorn stops the idle instances of a version that must not begin another
// event, and returns the others; the lock is held.
func (p *Pool) discardWorn(list []*instance, now time.Time) []*instance {
	kept := make([]*instance, 0, len(list))
	for _, inst := range list {
		if inst.worn(now) {
			p.stop(inst)
			continue
		}
		kept = append(kept, inst)
	}
	return kept
}
