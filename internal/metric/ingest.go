package metric

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// maxForeign bounds the series that come from outside, of all senders together.
const maxForeign = 100_000

// foreign are the series that come from outside in Prometheus' own shapes: by OTLP
// and by remote write.
type foreign struct {
	mu        sync.Mutex
	active    map[uint64]*visitor // by the hash of the labels
	sizes     map[string]int      // active series by scope
	refused   map[uint64]bool     // hashes that have been counted as dropped
	described map[string]Description
}

// visitor is a series from outside.
type visitor struct {
	scope string
	used  int64 // when a sample came last, milliseconds
}

// Appendable takes series from outside. Those of a function (label function or
// faas_name), of a job, or else of one name, share a bound of MaxPerScope: what is
// over it is left out, counted and said in the log, and the rest is kept. The
// platform's own names are refused.
func (s *Store) Appendable() storage.AppendableV2 { return appendable{s} }

type appendable struct{ store *Store }

func (a appendable) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return &guest{AppenderV2: a.store.db.AppenderV2(ctx), store: a.store}
}

// guest appends what it may.
type guest struct {
	storage.AppenderV2
	store *Store
}

func (g *guest) Append(ref storage.SeriesRef, l labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AOptions) (storage.SeriesRef, error) {
	name := l.Get(nameLabel)
	if strings.HasPrefix(name, "dropstack_") || strings.HasPrefix(name, "cloudwatch_") {
		return 0, reserved(name)
	}
	if !g.store.admit(l, time.Now().UnixMilli()) {
		return 0, nil
	}
	g.store.describe(name, opts)
	opts.Exemplars = nil // which are not kept
	return g.AppenderV2.Append(ref, l, st, t, v, h, fh, opts)
}

// AppendExemplars takes them and keeps none.
func (g *guest) AppendExemplars(ref storage.SeriesRef, _ labels.Labels, _ []exemplar.Exemplar) (storage.SeriesRef, error) {
	return ref, nil
}

// reserved is why a series of the platform's names is refused.
type reserved string

func (r reserved) Error() string {
	return fmt.Sprintf("series %s: names that begin with dropstack_ or cloudwatch_ are the platform's own; rename it where it comes from", string(r))
}

// Is has it answered as what there is no point in sending again.
func (reserved) Is(target error) bool { return target == storage.ErrOutOfBounds }

// admit says whether there is room for a series.
func (s *Store) admit(l labels.Labels, now int64) bool {
	f, key := &s.foreign, l.Hash()
	f.mu.Lock()
	defer f.mu.Unlock()
	if v := f.active[key]; v != nil {
		v.used = now
		return true
	}
	scope := foreignScope(l)
	if f.full(scope) {
		f.forget(now)
	}
	if f.full(scope) {
		if len(f.refused) >= maxForeign {
			clear(f.refused)
		}
		if !f.refused[key] {
			f.refused[key] = true
			s.mu.Lock()
			s.drop(scope)
			s.mu.Unlock()
		}
		return false
	}
	f.active[key] = &visitor{scope, now}
	f.sizes[scope]++
	return true
}

func (f *foreign) full(scope string) bool {
	return f.sizes[scope] >= MaxPerScope || len(f.active) >= maxForeign
}

// forget lets go of series that have had no sample for long.
func (f *foreign) forget(now int64) {
	for key, v := range f.active {
		if now-v.used < retire.Milliseconds() {
			continue
		}
		delete(f.active, key)
		if f.sizes[v.scope]--; f.sizes[v.scope] == 0 {
			delete(f.sizes, v.scope)
		}
		clear(f.refused)
	}
}

func foreignScope(l labels.Labels) string {
	for _, by := range []struct{ label, scope string }{{"function", "function/"}, {"faas_name", "function/"}, {"job", "job/"}} {
		if v := l.Get(by.label); v != "" {
			return by.scope + v
		}
	}
	return l.Get(nameLabel)
}
