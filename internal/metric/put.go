package metric

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/dropstack/dropstack/internal/fault"
)

// The series of what clients put.
const (
	valueOf  = "cloudwatch_value"
	weightOf = "cloudwatch_weight"
	minOf    = "cloudwatch_min"
	maxOf    = "cloudwatch_max"
	sumOf    = "cloudwatch_sum"
	countOf  = "cloudwatch_count"

	dimensionPrefix = "dimension_"
)

// keptPlaces is for how many minutes (or seconds) of a metric it is remembered
// how many places are taken; of others the database is asked.
const keptPlaces = 64

// data is what is known of the metrics that clients put.
type data struct {
	mu      sync.Mutex // held while data are written
	settled int64      // the database has nothing later that was written before this start
	metrics map[string]*places
	refused map[string]bool // that have been counted as dropped
	sizes   map[string]int  // active metrics by what they are bounded for: namespace/NAME, function/NAME
}

// places are those that are taken of a metric.
type places struct {
	scopes    []string
	used      int64           // when it was put last, milliseconds
	next      map[int64]int64 // by the beginning of the minute or second
	forgotten int64           // up to when next has lost something
}

func (d *data) open(settled int64) {
	d.settled, d.metrics, d.refused, d.sizes = settled, map[string]*places{}, map[string]bool{}, map[string]int{}
}

// points are the samples of a datum, each by the names of its series.
func (d MetricDatum) points() []map[string]float64 {
	switch {
	case d.StatisticValues != nil:
		s := d.StatisticValues
		return []map[string]float64{{minOf: s.Minimum, maxOf: s.Maximum, sumOf: s.Sum, countOf: s.SampleCount}}
	case d.Value != nil:
		return []map[string]float64{{valueOf: *d.Value}}
	}
	list := make([]map[string]float64, len(d.Values))
	for i, v := range d.Values {
		list[i] = map[string]float64{valueOf: v}
		if len(d.Counts) > 0 && d.Counts[i] != 1 {
			list[i][weightOf] = d.Counts[i]
		}
	}
	return list
}

// fine says that a datum's second is kept, not its minute only.
func (d MetricDatum) fine() bool { return d.StorageResolution != nil && *d.StorageResolution == 1 }

// labels are those of a datum's series.
func (d MetricDatum) labels(namespace string) Labels {
	l := Labels{"namespace": namespace, "metric": d.MetricName, "unit": d.Unit}
	if d.Unit == "" {
		l["unit"] = "None"
	}
	if d.fine() {
		l["resolution"] = "1" // its places are others
	}
	for _, dim := range d.Dimensions {
		l[dimensionPrefix+dim.Name] = dim.Value
	}
	return l
}

// PutMetricData writes data, all of them or none.
func (s *Store) PutMetricData(ctx context.Context, in PutMetricDataInput) (PutMetricDataOutput, error) {
	list := in.MetricData
	for _, e := range in.EntityMetricData {
		list = append(list, e.MetricData...)
	}
	return PutMetricDataOutput{}, s.putFor(ctx, "", in.Namespace, list)
}

// putFor writes data that a function has logged, or with "" that a client has put.
func (s *Store) putFor(ctx context.Context, function, namespace string, list []MetricDatum) error {
	now := time.Now()
	if err := checkPut(namespace, list, now); err != nil {
		return err
	}
	scopes := []string{"namespace/" + namespace}
	seen := scopes[0] // the same to PromQL, whose series are less
	if function != "" {
		scopes, seen = append(scopes, "function/"+function), "embedded/"+function // and take no room from the function's own
	}
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	app := appender{AppenderV2: s.db.AppenderV2(ctx)}
	for _, d := range list {
		if err := s.put(ctx, &app, scopes, namespace, d, now); err != nil {
			_ = app.Rollback() // the first error is what matters
			return err
		}
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("put metric data: %w", err)
	}
	for _, d := range list {
		s.distribute(seen, namespace, d)
	}
	return nil
}

func (s *Store) put(ctx context.Context, app *appender, scopes []string, namespace string, d MetricDatum, now time.Time) error {
	l := d.labels(namespace)
	p, err := s.places(scopes, l, now)
	if err != nil {
		return err
	}
	resolution := time.Minute
	if d.fine() {
		resolution = time.Second
	}
	at := now
	if !d.Timestamp.IsZero() {
		at = d.Timestamp.Time
	}
	start, points := at.Truncate(resolution).UnixMilli(), d.points()
	next, err := s.next(ctx, p, l, start, resolution)
	if err != nil {
		return err
	}
	if next+int64(len(points)) > resolution.Milliseconds() {
		return fault.Coded(fault.Throttled, "ThrottlingException", "Rate exceeded: metric %s of namespace %s has over %d values within %v.",
			d.MetricName, namespace, resolution.Milliseconds(), resolution)
	}
	for i, point := range points {
		for name, v := range point {
			var ref storage.SeriesRef
			app.add(&ref, l.set(name), start+next+int64(i), v)
		}
	}
	p.next[start] = next + int64(len(points))
	if app.failed != nil {
		return fmt.Errorf("put metric data: %w", app.failed)
	}
	return nil
}

// places finds or makes those of a metric.
func (s *Store) places(scopes []string, l Labels, now time.Time) (*places, error) {
	key := l.set("").String()
	p := s.data.metrics[key]
	if p == nil {
		if s.data.full(scopes) != "" {
			s.data.forget(now)
		}
		if scope := s.data.full(scopes); scope != "" {
			if len(s.data.refused) >= maxActive {
				clear(s.data.refused)
			}
			if !s.data.refused[key] {
				s.data.refused[key] = true
				s.mu.Lock()
				s.drop(scope)
				s.mu.Unlock()
			}
			return nil, fault.Coded(fault.Invalid, "LimitExceededFault", "There are %d active metrics of %s already: use fewer dimensions.", s.data.sizes[scope], scope)
		}
		p = &places{scopes: scopes, next: map[int64]int64{}, forgotten: s.data.settled}
		s.data.metrics[key] = p
		for _, scope := range scopes {
			s.data.sizes[scope]++
		}
	}
	p.used = now.UnixMilli()
	return p, nil
}

// full is which of the scopes has no room, or "".
func (d *data) full(scopes []string) string {
	for _, scope := range scopes {
		if d.sizes[scope] >= roomOf(scope) || len(d.metrics) >= maxActive {
			return scope
		}
	}
	return ""
}

// forget lets go of metrics that have not been put for long. What they have is in
// the database.
func (d *data) forget(now time.Time) {
	for key, p := range d.metrics {
		if now.UnixMilli()-p.used < retire.Milliseconds() {
			continue
		}
		delete(d.metrics, key)
		clear(d.refused)
		d.settled = max(d.settled, p.forgotten)
		for start := range p.next {
			d.settled = max(d.settled, start+time.Minute.Milliseconds())
		}
		for _, scope := range p.scopes {
			if d.sizes[scope]--; d.sizes[scope] == 0 {
				delete(d.sizes, scope)
			}
		}
	}
}

// next is the first place of a minute or second that is free.
func (s *Store) next(ctx context.Context, p *places, l Labels, start int64, resolution time.Duration) (int64, error) {
	if next, known := p.next[start]; known {
		return next, nil
	}
	if len(p.next) >= keptPlaces {
		for old := range p.next {
			p.forgotten = max(p.forgotten, old+time.Minute.Milliseconds())
		}
		clear(p.next)
	}
	if start > p.forgotten {
		return 0, nil
	}
	last := start - 1
	err := s.read(ctx, start, start+resolution.Milliseconds()-1, having(l, valueOf, sumOf), func(_ labels.Labels, samples iterator) error {
		for samples.Next() != none {
			t, _ := samples.At()
			last = max(last, t)
		}
		return samples.Err()
	})
	return last + 1 - start, err
}

func itoa(n int) string { return strconv.Itoa(n) }
