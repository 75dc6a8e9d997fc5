// Package monitor asks URLs whether they answer as they should, from one or several
// locations, and keeps what came of it.
//
// A monitor is checked at every interval from each of its locations: the platform
// itself, which is called "here", and probes, which are the same program elsewhere and
// ask for work from outside (join.go). One check is one request on a connection of its
// own, so that all five phases of it are timed every time.
//
// What a check finds wrong is asked again at once, at the same location and at all
// others. A monitor is down when more than half of the locations that are heard from
// say so; a location that reaches nothing at all, or not the platform, has no say
// (quorum.go). That opens an incident, which keeps what each location saw. Stored, in
// KV buckets of the durable engine:
//
//	monitors    monitor.NAME   a monitor that no stack declares
//	            state.NAME     how a monitor stands, what is usual for it, and its days
//	            location.NAME  a probe that may join, with the hash of its key
//	            window.ID      a maintenance window
//	incidents   NAME.ID        an incident
//
// A change of state is on disk before anybody is told of it. A crash loses at most the
// last five minutes of what is counted for the days.
package monitor

import (
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// Bounds of monitors.
const (
	DefaultInterval = time.Minute
	MinInterval     = 10 * time.Second // unless the operator allows less
	leastInterval   = time.Second      // that may be allowed
	MaxInterval     = 24 * time.Hour
	DefaultTimeout  = 10 * time.Second
	MaxTimeout      = time.Minute
	MaxMonitors     = 500 // of all stacks together

	maxBody      = 1 << 20 // of an answer that conditions look at
	maxRequest   = 64 << 10
	maxRedirects = 10
	maxHeaders   = 50
)

// Here is the location that is the platform itself.
const Here = "here"

// Monitor is a URL that is watched.
type Monitor struct {
	Name     string   `json:"name"`            // one of its kind on the platform
	Stack    string   `json:"stack,omitempty"` // that declares it; "": a call has made it
	Title    string   `json:"title,omitempty"` // what people call it; "": its name
	Group    string   `json:"group,omitempty"` // where it stands on the status page
	Public   bool     `json:"public,omitempty"`
	Owner    string   `json:"owner,omitempty"` // who looks after it
	Runbook  string   `json:"runbook,omitempty"`
	Interval Duration `json:"interval,omitzero"`
	// Slow is the time from which on an answer is slow; 0: as it is usual for the
	// monitor at a location.
	Slow      Duration `json:"slow,omitzero"`
	Locations []string `json:"locations,omitempty"` // none: all, or of a stack's own URL only here
	Quorum    int      `json:"quorum,omitzero"`     // how many locations must say that it is down; 0: more than half, and at least two if there are two
	// Inside allows the URL to lead to a private or loopback address.
	Inside bool `json:"inside,omitempty"`
	Target
}

// Target is what a location has to know to make a check.
type Target struct {
	URL         string            `json:"url"` // a path: of the stack's own URL
	Method      string            `json:"method,omitempty"`
	Headers     map[string]string `json:"headers,omitempty" audit:"hidden"`
	Body        string            `json:"body,omitempty" audit:"hidden"`
	Timeout     Duration          `json:"timeout,omitzero"`
	NoRedirects bool              `json:"noRedirects,omitempty"` // the answer that redirects is the one that counts
	Expect      Conditions        `json:"expect,omitzero"`
}

// Conditions are what an answer has to fulfil.
type Conditions struct {
	Status      []string          `json:"status,omitempty"`   // codes and classes: 200, 2xx; none: 2xx and 3xx
	Contains    []string          `json:"contains,omitempty"` // texts that are in the body
	Lacks       []string          `json:"lacks,omitempty"`    // and that are not
	Matches     []string          `json:"matches,omitempty"`  // RE2 expressions that match it
	Headers     map[string]string `json:"headers,omitempty"`  // a header, and a text that is in it; "": it is there
	JSON        []JSONCondition   `json:"json,omitempty"`
	Certificate Duration          `json:"certificate,omitzero"` // for how long the certificate must be valid yet
	Within      Duration          `json:"within,omitzero"`      // what the whole check may take
}

// JSONCondition is what a value in a body of JSON has to be. Without any comparison it
// has to be there.
type JSONCondition struct {
	Path   string   `json:"path"`             // such as data.items[0].state
	Equals *string  `json:"equals,omitempty"` // a text, or a number, true, false or null as JSON writes it
	Above  *float64 `json:"above,omitempty"`
	Below  *float64 `json:"below,omitempty"`
}

// Duration is a time.Duration that reads and writes as 1m30s.
type Duration time.Duration

func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes it as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what time.ParseDuration reads, and days: 14d.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// hidden stands for what is not shown: requests may hold passwords.
const hidden = "(hidden)"

// Shown is a monitor without what its request may have to hide.
func (m Monitor) Shown() Monitor {
	if m.Body != "" {
		m.Body = hidden
	}
	m.Headers = maps.Clone(m.Headers)
	for name := range m.Headers {
		m.Headers[name] = hidden
	}
	return m
}

// unhide puts back what was shown as hidden and came back so: it has not changed. It
// is for those only to whom it was sent before: who may change a monitor need not know
// what it hides, and must not have it sent to a server of their own.
func (m *Monitor) unhide(old *Monitor) error {
	if !sameServer(m.URL, old.URL) && (m.Body == hidden || slices.Contains(slices.Collect(maps.Values(m.Headers)), hidden)) {
		return fault.Errorf(fault.Invalid, "monitor %s: its URL leads to another server now: give its headers and its body again, for what is hidden is not sent there", m.Name)
	}
	if m.Body == hidden {
		m.Body = old.Body
	}
	m.Headers = maps.Clone(m.Headers)
	for name, value := range m.Headers {
		if was, there := old.Headers[name]; there && value == hidden {
			m.Headers[name] = was
		}
	}
	return nil
}

func sameServer(a, b string) bool {
	x, err := url.Parse(a)
	y, failed := url.Parse(b)
	return err == nil && failed == nil && x.Scheme == y.Scheme && x.Host == y.Host
}

// State is how a monitor stands.
type State string

// States. One that has not been checked yet is Unknown.
const (
	Up          State = "up"
	Slow        State = "slow"
	Down        State = "down"
	Maintenance State = "maintenance"
	Paused      State = "paused"
	Unknown     State = "unknown"
)

// levels are states as dropstack_monitor_state has them.
var levels = map[State]float64{Up: 0, Slow: 1, Down: 2, Maintenance: 3}

// interval is how often the monitor is checked at a location.
func (m *Monitor) interval() time.Duration { return or(m.Interval, DefaultInterval) }

func (t *Target) timeout() time.Duration { return or(t.Timeout, DefaultTimeout) }

func or(d Duration, otherwise time.Duration) time.Duration {
	if d > 0 {
		return time.Duration(d)
	}
	return otherwise
}
