package monitor

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

// LocationInput names a location.
type LocationInput struct {
	Name  string `json:"name"`
	Title string `json:"title,omitempty"`
}

// LocationKey is a location and its key, which is shown once.
type LocationKey struct {
	Name string `json:"name"`
	Key  string `json:"key" audit:"hidden"`
}

// PutLocation lets a probe join as a location. Of one that exists the key is another
// afterwards, and a probe with the old one is turned away.
func (m *Monitors) PutLocation(ctx context.Context, in LocationInput) (LocationKey, error) {
	if err := CheckName("location", in.Name); err != nil {
		return LocationKey{}, err
	}
	if in.Name == Here {
		return LocationKey{}, fault.Errorf(fault.Invalid, "the location %q is the platform itself, and needs no key", Here)
	}
	if len(in.Title) > 256 || strings.ContainsAny(in.Title, "\r\n\x00") {
		return LocationKey{}, fault.Errorf(fault.Invalid, "the title is one line of up to 256 bytes")
	}
	m.changing.Lock()
	defer m.changing.Unlock()
	m.mu.Lock()
	l, n := m.locations[in.Name], len(m.locations)
	m.mu.Unlock()
	if l == nil && n > maxLocations {
		return LocationKey{}, fault.Errorf(fault.TooLarge, "there are %d locations, which is the limit", maxLocations)
	}
	key, hash := newKey()
	next := Location{Name: in.Name, Title: in.Title, Hash: hash, Created: time.Now().UTC()}
	if who, known := iam.Caller(ctx); known {
		next.By = who.ARN
	}
	if err := put(ctx, m.monitors, locationKey(in.Name), next); err != nil {
		return LocationKey{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if l == nil {
		l = &location{}
		m.locations[in.Name] = l
	}
	l.Location = next
	m.turnAway(l, "the key was replaced")
	m.relocate()
	return LocationKey{in.Name, key}, nil
}

// turnAway ends the connection of a location's probe; the lock is held.
func (m *Monitors) turnAway(l *location, why string) {
	if c := l.conn; c != nil {
		m.part(l, c, why)
		c.why = why
		close(c.gone)
	}
}

// relocate gives all monitors the locations there are; the lock is held.
func (m *Monitors) relocate() {
	now := time.Now()
	for _, w := range m.watches {
		m.places(w, now)
	}
	m.kick()
}

// DeleteLocation ends a location.
func (m *Monitors) DeleteLocation(ctx context.Context, in LocationInput) (struct{}, error) {
	m.changing.Lock()
	defer m.changing.Unlock()
	m.mu.Lock()
	l := m.locations[in.Name]
	m.mu.Unlock()
	if l == nil || in.Name == Here {
		return struct{}{}, fault.Errorf(fault.NotFound, "location %q does not exist, or is the platform itself", in.Name)
	}
	if err := m.monitors.Purge(ctx, locationKey(in.Name)); err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
		return struct{}{}, fault.Errorf(fault.Unavailable, "remove location %s: %w", in.Name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.locations, in.Name)
	m.turnAway(l, "the location was removed")
	m.relocate()
	return struct{}{}, nil
}

// LocationStatus is a location as it stands.
type LocationStatus struct {
	Name    string    `json:"name"`
	Title   string    `json:"title,omitempty"`
	Joined  bool      `json:"joined"`
	Cut     bool      `json:"cut,omitempty"`  // it reaches nothing of what others reach
	Since   time.Time `json:"since,omitzero"` // of having joined, or not
	Address string    `json:"address,omitempty"`
	Created time.Time `json:"created,omitzero"`
}

// LocationsOutput is the locations by name, the platform itself first.
type LocationsOutput struct {
	Locations []LocationStatus `json:"locations"`
}

// Locations lists where checks are made from.
func (m *Monitors) Locations(context.Context, struct{}) (LocationsOutput, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := LocationsOutput{Locations: []LocationStatus{}}
	for _, l := range m.locations {
		s := LocationStatus{Name: l.Name, Title: l.Title, Joined: l.joined(), Cut: m.lost[l.Name], Since: l.since, Created: l.Created}
		if l.conn != nil {
			s.Address = l.address
		}
		out.Locations = append(out.Locations, s)
	}
	slices.SortFunc(out.Locations, func(a, b LocationStatus) int {
		if (a.Name == Here) != (b.Name == Here) {
			if a.Name == Here {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return out, nil
}
