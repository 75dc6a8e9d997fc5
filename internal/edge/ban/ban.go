// Package ban keeps which clients are turned away, why and until when.
//
// A ban is made by whoever watches what clients do (a function, an operator, the
// edge itself for floods) and reaches every edge within a second. Stored, in the KV
// bucket "bans" of the durable engine:
//
//	ban.PREFIX    a Ban; it stays for a while after it is over, so that the next one
//	              of the same client is known to be the next
//	allow.PREFIX  an Allowed: whom no ban turns away
//
// Every edge follows the bucket and answers from a snapshot. A change is
// acknowledged when it is on disk and this edge has heard of it.
package ban

import (
	"context"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/audit"
)

// Ban turns a client away until it expires.
type Ban struct {
	Client  netip.Prefix `json:"client"` // an IPv4 address as /32, of IPv6 its /64
	Reason  string       `json:"reason"` // for operators, such as "51 failed requests in a minute"
	By      string       `json:"by"`     // ARN of who made it, or "edge"
	Since   time.Time    `json:"since"`
	Until   time.Time    `json:"until"`
	Times   int          `json:"times"`            // how often this client has been banned lately, this one included
	Shadow  bool         `json:"shadow,omitempty"` // it is written down only; nobody is turned away
	Request string       `json:"request,omitempty"`
}

// Allowed is whom no ban turns away.
type Allowed struct {
	Client netip.Prefix `json:"client"`
	Reason string       `json:"reason"`
	By     string       `json:"by"` // ARN
	Since  time.Time    `json:"since"`
}

// Edge is who makes the bans of floods.
const Edge = "edge"

// Bounds of bans.
const (
	Bucket      = "bans"
	Shortest    = time.Second
	Longest     = 365 * 24 * time.Hour // that somebody may ask for
	MaxReason   = 512                  // bytes
	DefaultMax  = 20_000               // bans that are kept
	MaxAllowed  = 1000
	markerAge   = time.Hour // of what tells followers that a record is gone
	attempts    = 10        // at a change that another edge has made meanwhile
	sweepPeriod = time.Minute
)

// Streams is what bans need of the engine.
type Streams interface {
	CreateOrUpdateKeyValue(ctx context.Context, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error)
}

// Trail is where bans are recorded that the edge makes by itself.
type Trail interface {
	Append(ctx context.Context, e audit.Event) error
}

// Escalation makes the next ban of a client longer than the one before.
type Escalation struct {
	Memory  time.Duration // how long a ban that is over counts; 0: 24 hours
	Longest time.Duration // that doubling leads to; 0: 7 days
}

// Bans is who is turned away. Load comes first, then Run; the other methods may be
// called at the same time.
type Bans struct {
	Streams Streams
	Trail   Trail
	Log     *slog.Logger
	Region  string // of audit records
	// Trusted are the reverse proxies in front of the edge, which are never banned.
	Trusted []netip.Prefix
	// Loopback lets clients of the machine itself be banned, for tests.
	Loopback bool
	// Shadow makes every ban one that is written down only.
	Shadow     bool
	Max        int // bans that are kept, the one that ends first going; 0: DefaultMax
	Escalation Escalation
	Flood      Flood

	kv     jetstream.KeyValue
	now    atomic.Pointer[snapshot]
	ended  chan struct{} // closed when Run has
	counts counts
}

// Banned tells whether a client is turned away, and by which ban. It takes no lock
// and asks nobody. A ban that is in the shadow is returned too, with false.
func (b *Bans) Banned(client netip.Addr) (Ban, bool) {
	s := b.now.Load()
	if s == nil {
		return Ban{}, false
	}
	client = client.Unmap()
	if client.Zone() != "" {
		client = client.WithZone("")
	}
	r, ok := s.bans.Lookup(client)
	if !ok {
		return Ban{}, false
	}
	if now := time.Now(); r.Shadow || !r.Until.After(now) {
		if r = s.strictest(client, now); r == nil {
			return Ban{}, false
		}
	}
	if b.exempt(s, client) {
		return Ban{}, false
	}
	return r.Ban, !r.Shadow && !b.Shadow
}

// exempt tells whether no ban counts for an address.
func (b *Bans) exempt(s *snapshot, client netip.Addr) bool {
	if !b.Loopback && client.IsLoopback() {
		return true
	}
	for _, p := range b.Trusted {
		if p.Contains(client) {
			return true
		}
	}
	_, allowed := s.allowed.Lookup(client)
	return allowed
}
