package metric

import (
	"math"
	"slices"
	"sync"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// schema has 32 buckets between a number and its double: a percentile is at most
// 1.1 % off.
const (
	schema     = 5
	perDouble  = 1 << schema
	zeroWithin = 1e-9
)

var empty = &histogram.Histogram{Schema: schema, ZeroThreshold: zeroWithin}

// Histogram is the distribution of what was observed.
// It is written as a native histogram; the least and the greatest since the last
// writing go to NAME_min and NAME_max.
type Histogram struct {
	series
	least, most       labels.Labels
	leastRef, mostRef storage.SeriesRef
	last              *histogram.Histogram // as written

	mu                   sync.Mutex
	counts, negative     map[int32]uint64 // by bucket; negative is nil until there is one
	zero, count, pending uint64           // pending: not written yet
	sum, min, max        float64          // min and max of those
}

// Histogram is the histogram of that name with these labels.
func (s *Store) Histogram(name string, l Labels) *Histogram {
	s.mu.Lock()
	defer s.mu.Unlock()
	return lookup(s, name, l, newHistogram(name, l)).(*Histogram)
}

func newHistogram(name string, l Labels) func() instrument {
	return func() instrument {
		return &Histogram{counts: map[int32]uint64{}, least: l.set(name + "_min"), most: l.set(name + "_max"), last: empty}
	}
}

// Observe adds a value.
func (h *Histogram) Observe(v float64) { h.ObserveN(v, 1) }

// ObserveN adds a value that has come n times.
func (h *Histogram) ObserveN(v float64, n uint64) {
	index, size := int32(0), math.Abs(v)
	if size > zeroWithin {
		index = int32(math.Ceil(math.Log2(size) * perDouble))
	}
	h.mu.Lock()
	switch {
	case size <= zeroWithin:
		h.zero += n
	case v > 0:
		h.counts[index] += n
	default:
		if h.negative == nil {
			h.negative = map[int32]uint64{}
		}
		h.negative[index] += n
	}
	if h.pending == 0 {
		h.min, h.max = v, v
	}
	h.min, h.max = min(h.min, v), max(h.max, v)
	h.count += n
	h.pending += n
	h.sum += v * float64(n)
	h.mu.Unlock()
	h.touch(h)
}

func (h *Histogram) write(app *appender, at int64) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	first, write, idle := h.due(h.pending > 0, at)
	if !write {
		return idle
	}
	if first != 0 {
		h.append(app, first, h.last)
	}
	if h.pending > 0 {
		h.last = h.snapshot()
	}
	h.append(app, at, h.last)
	if h.pending > 0 {
		app.add(&h.leastRef, h.least, at, h.min)
		app.add(&h.mostRef, h.most, at, h.max)
	}
	h.pending = 0
	return idle
}

func (h *Histogram) append(app *appender, at int64, v *histogram.Histogram) {
	next, err := app.Append(h.ref, h.labels, 0, at, 0, v.Copy(), nil, storage.AppendV2Options{})
	app.keep(&h.ref, next, h.labels, err)
}

// snapshot is the histogram as the engine has it: runs of buckets, each count
// relative to the one before.
func (h *Histogram) snapshot() *histogram.Histogram {
	out := &histogram.Histogram{Schema: schema, ZeroThreshold: zeroWithin, ZeroCount: h.zero, Count: h.count, Sum: h.sum}
	out.PositiveSpans, out.PositiveBuckets = runs(h.counts)
	out.NegativeSpans, out.NegativeBuckets = runs(h.negative)
	return out
}

func runs(counts map[int32]uint64) (spans []histogram.Span, buckets []int64) {
	indexes := make([]int32, 0, len(counts))
	for i := range counts {
		indexes = append(indexes, i)
	}
	slices.Sort(indexes)
	next, before := int32(0), int64(0)
	for n, i := range indexes {
		if n == 0 || i != next {
			spans = append(spans, histogram.Span{Offset: i - next})
		}
		spans[len(spans)-1].Length++
		count := int64(counts[i])
		buckets = append(buckets, count-before)
		next, before = i+1, count
	}
	return spans, buckets
}
