package monitor

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

const (
	beat    = 2 * time.Second  // between two signs of life, in both directions
	silence = 3 * beat         // after which a probe is gone
	gather  = 20 * time.Second // after a start, in which probes join again

	maxLocations = 50
	keyPrefix    = "dsp_"
)

// Location is where checks are made from: the platform itself, or a probe that may
// join with a key.
type Location struct {
	Name    string    `json:"name"`
	Hash    string    `json:"hash,omitempty"` // SHA-256 of the key, which is random and long
	Created time.Time `json:"created,omitzero"`
	By      string    `json:"by,omitempty"`    // ARN
	Seen    time.Time `json:"seen,omitzero"`   // when it last joined or left
	Title   string    `json:"title,omitempty"` // for people: Frankfurt
}

// location is a location and its probe, guarded by Monitors.mu.
type location struct {
	Location
	conn    *connection // nil: it has not joined
	heard   time.Time
	since   time.Time // when it joined, or left
	address string
}

// connection is a probe that asks for work.
type connection struct {
	tasks chan Task
	gone  chan struct{} // closed when another has taken its place, or it is not heard from
	why   string        // set before gone is closed
}

func (l *location) joined() bool { return l.Name == Here || l.conn != nil }

// hasJoined says whether a location is heard from; the lock is held.
func (m *Monitors) hasJoined(name string) bool {
	l := m.locations[name]
	return l != nil && l.joined()
}

// counts says whether a location has a say; the lock is held.
func (m *Monitors) counts(name string) bool { return m.hasJoined(name) && !m.lost[name] }

// newKey makes the key of a probe.
func newKey() (key, hash string) {
	key = keyPrefix + strings.ToLower(rand.Text()+rand.Text())
	return key, hashKey(key)
}

func hashKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// known is the location whose key it is.
func (m *Monitors) known(name, key string) (*location, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.locations[name]
	hash := ""
	if l != nil {
		hash = l.Hash
	}
	if subtle.ConstantTimeCompare([]byte(hashKey(key)), []byte(hash)) != 1 {
		return nil, fault.Errorf(fault.Unauthenticated, "the key is not that of location %q; `dropstack monitor location add` makes one", name)
	}
	return l, nil
}

// join has a probe make checks, in place of one that may have been there before.
func (m *Monitors) join(l *location, address string) *connection {
	c := &connection{tasks: make(chan Task, 2*MaxMonitors), gone: make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := l.conn; old != nil {
		old.why = "another probe has joined as " + l.Name
		close(old.gone)
	}
	now := time.Now()
	l.conn, l.heard, l.since, l.address = c, now, now.UTC(), address
	for _, w := range m.watches {
		if p := w.at[l.Name]; p != nil {
			p.asked, p.cold = "", true
			p.due = now.Add(offset(w.Name, l.Name, w.interval()))
		}
	}
	m.Log.Info("location joined", "location", l.Name, "address", address)
	m.kick()
	return c
}

// leave is the end of a connection.
func (m *Monitors) leave(l *location, c *connection, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.part(l, c, why)
}

// part is leave; the lock is held.
func (m *Monitors) part(l *location, c *connection, why string) {
	if l.conn != c {
		return // another has taken its place
	}
	l.conn, l.since = nil, time.Now().UTC()
	m.Log.Warn("location is not heard from", "location", l.Name, "reason", why)
	m.kick()
}

// depart parts with the probes that have been silent for too long.
func (m *Monitors) depart(context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, l := range m.locations {
		if c := l.conn; c != nil && now.Sub(l.heard) >= silence {
			m.part(l, c, "it has been silent")
			c.why = "it has been silent for too long"
			close(c.gone)
		}
	}
}

// alive notes a sign of life. It is false for a probe that has not joined.
func (m *Monitors) alive(l *location) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	l.heard = time.Now()
	return l.conn != nil
}
