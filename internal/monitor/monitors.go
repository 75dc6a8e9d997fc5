package monitor

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Buckets is what monitors need of JetStream.
type Buckets interface {
	CreateOrUpdateKeyValue(ctx context.Context, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error)
}

// Checks makes one check, from where it is.
type Checks interface {
	Check(ctx context.Context, t Task) Result
}

// Monitors watches URLs. Load comes first, then Run; the other methods may be called
// at the same time.
type Monitors struct {
	Streams Buckets // of the durable server
	Checks  Checks  // of the location Here
	Log     *slog.Logger
	// Least is the shortest interval that a monitor may have; 0: MinInterval.
	Least time.Duration
	// URL is where a stack's own URL is; its paths are appended. Optional: then monitors
	// of stacks have to name their host.
	URL func(stack string) string
	// MayReachInside says whether a caller may have private and loopback addresses
	// checked. Optional: then nobody may; monitors of stacks may nevertheless.
	MayReachInside func(ctx context.Context) bool
	// Level sets a gauge, and Sample writes one sample. Optional.
	Level  func(name string, labels map[string]string, v float64)
	Sample func(ctx context.Context, name string, labels map[string]string, at time.Time, v float64) error
	// Notify is told of what people may have to be told of: when it begins, at least
	// every minute while it goes on, and when it is over. It must not wait for long.
	// Optional.
	Notify func(ctx context.Context, n Notice)

	monitors, incidents jetstream.KeyValue
	results             chan Result
	wake                chan struct{} // something is due earlier
	began               time.Time     // when Run did
	ended               chan struct{} // closed when Run ends
	slots               chan struct{} // checks from here at the same time

	// changing is held over a change and its writing, so that what is stored last is
	// what holds. Run holds it for every result.
	changing sync.Mutex

	mu        sync.Mutex
	watches   map[string]*watch
	declared  map[string][]string // names by stack
	locations map[string]*location
	windows   map[string]*Window
	asked     map[string]check // checks under way, by ID
	lost      map[string]bool  // locations that are cut off
	written   time.Time        // when the days were written
}

// watch is a monitor and how it stands.
type watch struct {
	Monitor
	standing
	at       map[string]*place // by location
	incident *Incident         // that goes on, or was over a short while ago
	bad      time.Time         // when a location that has a say last saw a failure
	deployed time.Time         // when its stack was
	counted  time.Time         // until when the days have been counted
	told     time.Time         // when Notify was
	unsaved  bool
	unkept   bool // the incident could not be written
}

// standing is what is kept of how a monitor stands.
type standing struct {
	State    State            `json:"state"`
	Since    time.Time        `json:"since,omitzero"`
	Paused   bool             `json:"paused,omitempty"`
	Incident string           `json:"incident,omitempty"` // that goes on
	Usual    map[string]usual `json:"usual,omitempty"`    // by location
	Days     Days             `json:"days,omitempty"`
}

// check is one under way.
type check struct {
	monitor, location string
	until             time.Time
	answer            chan<- Result // of a test, which nothing is kept of
}

// Notice is what people may have to be told of a monitor.
type Notice struct {
	Monitor  Monitor
	State    State // down or slow; what it was before if that is over
	Incident Incident
	Over     bool
	Summary  string
	Detail   string // what each location sees
}

const (
	maxHere    = 64          // checks from here at the same time
	reminder   = time.Minute // between two notices of the same
	savePeriod = 5 * time.Minute
)
