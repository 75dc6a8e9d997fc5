// Package root holds the root key, under which every other key is sealed.
//
// The key comes from a Provider: a file, variables of the environment, a systemd
// credential, a file encrypted to an age identity. A provider gives the current
// key and, while a rotation is under way, previous ones. For each use a key is
// derived by HKDF; nothing is ever encrypted under the root key itself.
//
// Those who seal register as holders. A rotation is
//
//	store [new, old]    from here on everything new is sealed under the new key
//	rewrap              every holder seals what it has under the new key
//	store [new]         and the old key is gone
//
// so that whenever it is cut short, a key for everything that is stored is
// there: the next start goes on where it ended.
package root

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/dropstack/dropstack/internal/fault"
)

// Rewrapper holds things that are sealed under the root key.
type Rewrapper interface {
	// Rewrap seals everything that is not sealed under the current root key anew
	// and returns how many things those were. When it returns without an error,
	// nothing is left under another key, and nothing that was sealed before the
	// call is written afterwards: a holder that seals and writes does both under a
	// lock that Rewrap takes too. It may be cut short and called again.
	Rewrap(ctx context.Context) (int, error)
}

// Root is the root key in use. It is safe for concurrent use.
type Root struct {
	provider Provider
	ring     atomic.Pointer[ring] // never nil

	rotation sync.Mutex // one at a time

	mu      sync.Mutex           // guards holders
	holders map[string]Rewrapper // by use; nil until Hold
}

// Open gets the root key from its provider.
func Open(p Provider) (*Root, error) {
	keys, err := p.load()
	if err != nil {
		return nil, fmt.Errorf("root key from %s: %w", p, err)
	}
	r := &Root{provider: p, holders: map[string]Rewrapper{}}
	r.ring.Store(&keys)
	return r, nil
}

// ID is the fingerprint of the current key.
func (r *Root) ID() string { return r.ring.Load().current.ID() }

// Previous lists the fingerprints of keys that a rotation has yet to leave behind.
func (r *Root) Previous() []string {
	var ids []string
	for _, k := range r.ring.Load().previous {
		ids = append(ids, k.ID())
	}
	return ids
}

// Derive makes n bytes for a use from the current key. They change when the key
// is rotated; a secret that must not is a Kept one.
func (r *Root) Derive(use string, n int) []byte { return r.ring.Load().current.Derive(use, n) }

// String names the current key.
func (r *Root) String() string { return "root key " + r.ID() }

// Sealer seals for a use. Somebody must Hold the use before the key can be
// rotated.
func (r *Root) Sealer(use string) *Sealer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.holders[use]; !known {
		r.holders[use] = nil
	}
	return &Sealer{keys: r.ring.Load, use: use}
}

// Hold names who rewraps what is sealed for a use.
func (r *Root) Hold(use string, h Rewrapper) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holders[use] = h
}

// Report says what a rotation did.
type Report struct {
	ID        string // of the key that is current now
	Rewrapped int    // things that were sealed anew
	// Superfluous lists keys under which nothing is sealed any more, but which the
	// provider still gives: take them out of its configuration.
	Superfluous []string
}

// Rotate makes a new root key and rewraps everything under it. It is for
// providers that can store a key; with another the operator sets a new key and
// the previous one, and Settle at the next start does the rest.
func (r *Root) Rotate(ctx context.Context) (Report, error) {
	r.rotation.Lock()
	defer r.rotation.Unlock()
	keeper, ok := r.provider.(keeper)
	if !ok {
		return Report{}, fault.Errorf(fault.Invalid, "the root key comes from %s, where only you can change it: set a new current key and the old one as the previous, and start again", r.provider)
	}
	if _, err := r.held(); err != nil {
		return Report{}, err
	}
	if _, err := r.settle(ctx); err != nil { // of a rotation that was cut short
		return Report{}, fmt.Errorf("finish the last rotation: %w", err)
	}
	next := ring{fresh(), []Key{r.ring.Load().current}}
	if err := keeper.store(next); err != nil {
		return Report{}, fmt.Errorf("store the new root key: %w", err)
	}
	r.ring.Store(&next)
	return r.settle(ctx)
}

// Settle finishes a rotation: it rewraps what is sealed under previous keys and
// leaves them behind. Without previous keys it does nothing. Call it at each
// start, once every holder is there.
func (r *Root) Settle(ctx context.Context) (Report, error) {
	r.rotation.Lock()
	defer r.rotation.Unlock()
	return r.settle(ctx)
}

func (r *Root) settle(ctx context.Context) (Report, error) {
	keys := *r.ring.Load()
	report := Report{ID: keys.current.ID()}
	if len(keys.previous) == 0 {
		return report, nil
	}
	holders, err := r.held()
	if err != nil {
		return report, err
	}
	for use, h := range holders {
		n, err := h.Rewrap(ctx)
		report.Rewrapped += n
		if err != nil {
			return report, fmt.Errorf("rewrap %s: %w", use, err)
		}
	}
	keeper, ok := r.provider.(keeper)
	if !ok {
		report.Superfluous = r.Previous()
		return report, nil
	}
	next := ring{current: keys.current}
	if err := keeper.store(next); err != nil {
		return report, fmt.Errorf("remove the previous root key: %w", err)
	}
	r.ring.Store(&next)
	return report, nil
}

// held returns the holders, or an error that names the uses without one.
func (r *Root) held() (map[string]Rewrapper, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	holders := map[string]Rewrapper{}
	var missing []string
	for use, h := range r.holders {
		holders[use] = h
		if h == nil {
			missing = append(missing, use)
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		return nil, fmt.Errorf("the root key cannot be left behind: nobody rewraps what is sealed for %q", missing)
	}
	return holders, nil
}

func invalid(format string, args ...any) error { return fault.Errorf(fault.Invalid, format, args...) }

// errSealed is all that is said of bytes that do not open: why they do not is of
// use to those who tamper only.
var errSealed = errors.New("sealed data does not verify: it was damaged or changed, or belongs elsewhere")
