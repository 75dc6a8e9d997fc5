// Package comparison tells whether a deployment made functions slower, or fail more.
//
// Once callers have moved to a function's new version and it has been invoked often
// enough, or a quarter of an hour has passed, what was measured of it is held against
// what was measured of the version before: the share of invocations that failed, by a test of
// two proportions, and the median and the 95th percentile of the durations. Stored, in
// the KV bucket "comparisons" of the durable engine:
//
//	STACK.REVISION   a Comparison, first as what is to be compared
package comparison

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/metric"
)

// When it is time to compare, and with what.
const (
	enough   = 200              // invocations of a new version, and it is judged without waiting any longer
	patience = 15 * time.Minute // after which what there is has to do
	before   = time.Hour        // of the old version that is compared with …
	longer   = 24 * time.Hour   // … or that much, if it was called seldom
	settling = 20 * time.Second // until what was measured is written, and what was under way has ended
	look     = 15 * time.Second
	keep     = 20 // of a stack
)

// Verdicts.
const (
	Pending = "pending"
	TooFew  = "too few" // invocations to tell
	Same    = "same"
	Better  = "better"
	Worse   = "worse"
)

// Comparison is a deployment and what became of its functions.
type Comparison struct {
	Stack     string     `json:"stack"`
	Revision  string     `json:"revision"`
	Previous  string     `json:"previous"`
	Deployed  time.Time  `json:"deployed"`
	Compared  time.Time  `json:"compared,omitzero"` // the last function of it; zero: it is yet to be
	Verdict   string     `json:"verdict"`           // worse if a function is, else better if one is
	Functions []Function `json:"functions"`         // whose code or configuration is another
}

// Function is a function whose versions are compared.
type Function struct {
	Name    string    `json:"name"`
	Version string    `json:"version,omitempty"` // the new one; "": it is not published
	Since   time.Time `json:"since,omitzero"`    // when the old one was deployed; zero: long ago
	Old     Figures   `json:"old,omitzero"`
	New     Figures   `json:"new,omitzero"`
	Verdict string    `json:"verdict"`         // "": it is yet to be judged
	Words   string    `json:"words,omitempty"` // what is worse, or better
	Graver  bool      `json:"graver,omitempty"`
}

// Figures are what was measured of a version.
type Figures struct {
	Invocations float64 `json:"invocations"`
	Errors      float64 `json:"errors"`
	P50         float64 `json:"p50"` // seconds
	P95         float64 `json:"p95"`
}

// Buckets is what comparisons need of JetStream.
type Buckets interface {
	CreateOrUpdateKeyValue(ctx context.Context, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error)
}

// Comparisons compares deployments. Load comes first, then Run.
type Comparisons struct {
	Streams Buckets
	// Ask answers a PromQL question about a moment.
	Ask func(ctx context.Context, expression string, at time.Time) ([]metric.Series, error)
	// Moving says whether callers of a stack are being moved to new versions.
	Moving func(stack string) bool
	// Notify is told of functions of a deployment that have been judged. Optional.
	Notify func(ctx context.Context, c Comparison, found []Function)
	Log    *slog.Logger

	kv   jetstream.KeyValue
	wake chan struct{}

	mu      sync.Mutex
	pending map[string]Comparison // by stack
}

// Deployed notes a deployment whose functions are to be compared. One of the same stack
// that is yet to be is given up: nobody calls its versions any more.
func (c *Comparisons) Deployed(ctx context.Context, one Comparison) error {
	one.Verdict, one.Compared = Pending, time.Time{}
	c.mu.Lock()
	last, waits := c.pending[one.Stack]
	delete(c.pending, one.Stack)
	c.mu.Unlock()
	if waits {
		if err := c.kv.Purge(ctx, key(last.Stack, last.Revision)); err != nil {
			return err
		}
	}
	if len(one.Functions) == 0 || one.Previous == "" {
		return nil
	}
	if err := c.put(ctx, one); err != nil {
		return err
	}
	c.mu.Lock()
	c.pending[one.Stack] = one
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return nil
}

// Run compares what is to be compared until ctx ends, and returns nil then.
func (c *Comparisons) Run(ctx context.Context) error {
	for {
		var again <-chan time.Time
		if c.waiting() {
			again = time.After(look)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-c.wake:
		case <-again:
			c.compareAll(ctx)
		}
	}
}

func (c *Comparisons) waiting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pending) > 0
}

func (c *Comparisons) compareAll(ctx context.Context) {
	c.mu.Lock()
	var list []Comparison
	for _, one := range c.pending {
		list = append(list, one)
	}
	c.mu.Unlock()
	for _, one := range list {
		now := time.Now().UTC()
		if now.Sub(one.Deployed) < settling || c.Moving(one.Stack) {
			continue
		}
		done, err := c.compare(ctx, one, now)
		if err == nil {
			err = c.conclude(ctx, one, done, now)
		}
		if err != nil && ctx.Err() == nil {
			c.Log.Error("a deployment is not compared", "stack", one.Stack, "revision", one.Revision, "err", err)
		}
	}
}

// conclude keeps what has been found of functions that are judged now, and tells of
// them. The others are asked again.
func (c *Comparisons) conclude(ctx context.Context, was, done Comparison, now time.Time) error {
	var found []Function
	waiting := false
	for i, f := range done.Functions {
		switch {
		case was.Functions[i].Verdict != "":
		case f.New.Invocations >= enough || now.Sub(done.Deployed) >= patience:
			found = append(found, f)
		default:
			waiting = true
			done.Functions[i] = was.Functions[i]
		}
	}
	if len(found) == 0 {
		return nil
	}
	if waiting {
		done.Verdict = Pending
	} else {
		done.Compared = now
	}
	c.mu.Lock()
	current := c.pending[done.Stack].Revision == done.Revision
	c.mu.Unlock()
	if !current {
		return nil // another deployment came meanwhile
	}
	if err := c.put(ctx, done); err != nil {
		return err
	}
	c.mu.Lock()
	switch {
	case c.pending[done.Stack].Revision != done.Revision:
	case waiting:
		c.pending[done.Stack] = done
	default:
		delete(c.pending, done.Stack)
	}
	c.mu.Unlock()
	for _, f := range found {
		c.Log.Info("deployment compared", "stack", done.Stack, "revision", done.Revision, "function", f.Name, "verdict", f.Verdict)
	}
	if c.Notify != nil {
		c.Notify(ctx, done, found)
	}
	return nil
}
