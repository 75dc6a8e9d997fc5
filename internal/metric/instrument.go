package metric

import (
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/model/labels"
	promvalue "github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
)

// instrument is something that a room measures with and we write.
type instrument interface {
	base() *series
	// write appends what is to be known at a moment and returns for how many
	// milliseconds nothing has changed.
	write(app *appender, at int64) (idle int64)
	// expose tells how it stands; its type is UNTYPED if there is nothing to tell.
	expose(m *dto.Metric) dto.MetricType
}

// series is what all instruments have. An instrument that has not changed for
// long retires: it keeps its value, and is written again with its next change.
type series struct {
	store  *Store
	scope  string
	labels labels.Labels
	gate   atomic.Uint64 // see the constants; from refused on, the epoch of the refusal

	// Guarded by Store.flushing, but since is written with the gate closed:
	ref     storage.SeriesRef
	since   int64 // when it became active, milliseconds; 0: its first sample is written
	changed int64 // when it was last seen to change
	written int64
}

const (
	retired uint64 = iota
	live
	refused
)

func (s *series) base() *series { return s }

// touch has the instrument written, unless there are too many series.
func (s *series) touch(in instrument) {
	switch gate := s.gate.Load(); {
	case gate == live:
	case gate < refused || gate-refused != s.store.epoch.Load():
		s.store.enlist(in)
	}
}

// due says whether to write, given whether there is a change, and how long there
// has been none. first is the moment of the sample that changes are relative to,
// or 0.
func (s *series) due(changed bool, at int64) (first int64, write bool, idle int64) {
	if first = min(s.since, at-1); s.since != 0 {
		s.since, s.changed, changed = 0, at, true
	}
	if changed {
		s.changed = at
	}
	if changed || at-s.written >= refresh.Milliseconds() {
		s.written = at
		return first, true, at - s.changed
	}
	return 0, false, at - s.changed
}

// roomOf is how many series may be active in a scope.
func roomOf(scope string) int {
	if strings.HasPrefix(scope, "namespace/") {
		return MaxPerNamespace
	}
	return MaxPerScope
}

// enlist makes an instrument active.
func (s *Store) enlist(in instrument) {
	b := in.base()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case b.gate.Load() == live:
	case s.scopes[b.scope] >= roomOf(b.scope) || len(s.active) >= maxActive:
		first := b.gate.Swap(refused+s.epoch.Load()) == retired
		if first && b.scope != droppedName {
			s.drop(b.scope)
		}
	default:
		b.since = time.Now().UnixMilli()
		s.active[in] = struct{}{}
		s.scopes[b.scope]++
		b.gate.Store(live)
	}
}

// retire takes an instrument out. One that has changed just now is written again
// with its next change, and then as a whole.
func (s *Store) retire(in instrument) {
	b := in.base()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.active, in)
	s.scopes[b.scope]--
	b.gate.Store(retired)
	s.epoch.Add(1)
}

const droppedName = "dropstack_metric_series_dropped_total"

// drop counts a series that is over the limit; the lock is held.
func (s *Store) drop(scope string) {
	counter := lookup(s, droppedName, Labels{"scope": scope}, func() instrument { return &Counter{} }).(*Counter)
	counter.value.Add(1)
	if counter.gate.Load() == retired && len(s.active) < maxActive && s.scopes[droppedName] < MaxPerScope {
		counter.since = time.Now().UnixMilli()
		s.active[counter] = struct{}{}
		s.scopes[droppedName]++
		counter.gate.Store(live)
	}
	s.Log.Warn("a series is not kept: there are too many", "scope", scope)
}

// Dropped is how many series of a scope were not kept since the start: function/NAME,
// namespace/NAME, or the name of a metric that belongs to neither.
func (s *Store) Dropped(scope string) uint64 {
	return s.Counter(droppedName, Labels{"scope": scope}).value.Load()
}

// lookup finds or makes an instrument; the lock is held.
func lookup(s *Store, name string, l Labels, make func() instrument) instrument {
	return lookupIn(s, l.scope(name), name, l, make)
}

// lookupIn is lookup for what is bounded in a scope that its labels do not say.
func lookupIn(s *Store, scope, name string, l Labels, make func() instrument) instrument {
	set := l.set(name)
	key := set.String()
	in := s.known[key]
	if in == nil {
		in = make()
		b := in.base()
		b.store, b.scope, b.labels = s, scope, set
		s.known[key] = in
	}
	return in
}

// Counter counts what happens.
type Counter struct {
	series
	value atomic.Uint64
	last  uint64 // as written
}

// Counter is the counter of that name with these labels, which belong to it
// afterwards. The name ends with _total.
func (s *Store) Counter(name string, l Labels) *Counter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return lookup(s, name, l, func() instrument { return &Counter{} }).(*Counter)
}

// Add counts n more.
func (c *Counter) Add(n uint64) {
	c.value.Add(n)
	c.touch(c)
}

func (c *Counter) write(app *appender, at int64) int64 {
	v := c.value.Load()
	first, write, idle := c.due(v != c.last, at)
	if first != 0 {
		app.add(&c.ref, c.labels, first, float64(c.last))
	}
	if write {
		app.add(&c.ref, c.labels, at, float64(v))
		c.last = v
	}
	return idle
}

// Gauge is a level. What is written is the highest it had since it was last
// written, so that no peak is missed.
type Gauge struct {
	series
	mu        sync.Mutex
	now, peak float64
	gone      bool    // until it is set again
	last      float64 // as written; NaN: nothing, or that it is gone
}

// Gauge is the gauge of that name with these labels.
func (s *Store) Gauge(name string, l Labels) *Gauge {
	s.mu.Lock()
	defer s.mu.Unlock()
	return lookup(s, name, l, func() instrument { return &Gauge{last: math.NaN()} }).(*Gauge)
}

// Set makes v the level.
func (g *Gauge) Set(v float64) {
	g.mu.Lock()
	if g.gone {
		g.peak = v
	}
	g.now, g.peak, g.gone = v, max(g.peak, v), false
	g.mu.Unlock()
	g.touch(g)
}

// Gone says that there is no such level any more: what it was of has been removed.
func (g *Gauge) Gone() {
	g.mu.Lock()
	g.now, g.peak, g.gone = 0, 0, true
	g.mu.Unlock()
}

// Add raises the level by d, or lowers it.
func (g *Gauge) Add(d float64) {
	g.mu.Lock()
	g.now, g.gone = g.now+d, false
	g.peak = max(g.peak, g.now)
	g.mu.Unlock()
	g.touch(g)
}

func (g *Gauge) write(app *appender, at int64) int64 {
	g.mu.Lock()
	v, gone := g.peak, g.gone
	g.peak = g.now
	g.mu.Unlock()
	if gone {
		if !math.IsNaN(g.last) {
			app.add(&g.ref, g.labels, at, math.Float64frombits(promvalue.StaleNaN))
			g.last = math.NaN()
		}
		return retire.Milliseconds()
	}
	_, write, idle := g.due(v != g.last, at)
	if write {
		app.add(&g.ref, g.labels, at, v)
		g.last = v
	}
	if v != 0 { // a level that stays is told on
		return 0
	}
	return idle
}
