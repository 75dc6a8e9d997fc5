package metric

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
)

// before is how far before a period the sample is at most that its first change
// is relative to.
const before = 2 * refresh

// gather returns the windows of a metric by unit. A unit that is not "" leaves the
// others out.
func (s *Store) gather(ctx context.Context, m Metric, unit string, f frame) (map[string][]window, error) {
	if f.n == 0 {
		return nil, nil
	}
	if strings.HasPrefix(m.Namespace, "AWS/") {
		src, known := sourceOf(m)
		ms, possible := src.matchers(m.Dimensions)
		if !known || !possible || unit != "" && unit != src.unit {
			return nil, nil
		}
		if err := s.Flush(ctx); err != nil {
			return nil, err
		}
		list, err := s.measured(ctx, src, ms, len(m.Dimensions) == 0, f)
		return map[string][]window{src.unit: list}, err
	}
	return s.given(ctx, m, unit, f)
}

// measured reads what our instruments wrote.
func (s *Store) measured(ctx context.Context, src source, ms []*labels.Matcher, all bool, f frame) ([]window, error) {
	list := make([]window, f.n)
	switch src.kind {
	case tally:
		return list, s.tallies(ctx, src, ms, f, list)
	case level:
		name := src.series
		if all {
			name = src.total
		}
		return list, s.read(ctx, f.start+1, f.end(), append(ms, equal(nameLabel, name)), func(_ labels.Labels, it iterator) error {
			for it.Next() != none {
				t, v := it.At()
				if i := f.at(t - 1); i >= 0 {
					list[i].add(v*src.scale, 1)
				}
			}
			return it.Err()
		})
	}
	return list, s.distributions(ctx, src, ms, f, list)
}

// tallies makes zeros and ones of what counters counted.
func (s *Store) tallies(ctx context.Context, src source, ms []*labels.Matcher, f frame, list []window) error {
	events, chances := make([]float64, f.n), make([]float64, f.n)
	into := map[string][][]float64{src.series: {events}}
	names := []string{src.series}
	for _, name := range src.among {
		into[name] = append(into[name], chances)
		names = append(names, name)
	}
	err := s.read(ctx, f.start-before.Milliseconds(), f.end(), append(ms, oneOf(names)), func(l labels.Labels, it iterator) error {
		last := math.NaN()
		for it.Next() != none {
			t, v := it.At()
			d := v - last
			if v < last {
				d = v // it began again
			}
			last = v
			if i := f.at(t - 1); i >= 0 && d > 0 {
				for _, sums := range into[l.Get(nameLabel)] {
					sums[i] += d
				}
			}
		}
		return it.Err()
	})
	for i := range list {
		if rest := chances[i] - events[i]; rest > 0 {
			list[i].add(0, rest)
		}
		if events[i] > 0 {
			list[i].add(1, events[i])
		}
	}
	return err
}

// distributions reads histograms. A value is known up to its bucket, for which its
// middle stands; the extremes are exact.
func (s *Store) distributions(ctx context.Context, src source, ms []*labels.Matcher, f frame, list []window) error {
	err := s.read(ctx, f.start-before.Milliseconds(), f.end(), append(ms, equal(nameLabel, src.series)), func(_ labels.Labels, it iterator) error {
		var last *histogram.FloatHistogram
		for it.Next() != none {
			t, h := it.AtFloatHistogram(nil)
			i := f.at(t - 1)
			if last != nil && i >= 0 {
				d := h
				if !h.DetectReset(last) {
					var err error
					if d, _, _, err = h.Copy().Sub(last); err != nil {
						return err
					}
				}
				list[i].observe(d, src.scale)
			}
			last = h
		}
		return it.Err()
	})
	if err != nil {
		return err
	}
	return s.extremes(ctx, src, ms, f, list)
}

// observe adds a histogram's values.
func (w *window) observe(h *histogram.FloatHistogram, scale float64) {
	if h.Count <= 0 {
		return
	}
	w.count += h.Count
	w.sum += h.Sum * scale
	for it := h.AllBucketIterator(); it.Next(); {
		b := it.At()
		if b.Count > 0 {
			w.values = append(w.values, weighted{math.Sqrt(max(0, b.Lower)*b.Upper) * scale, b.Count})
		}
	}
}

func (s *Store) extremes(ctx context.Context, src source, ms []*labels.Matcher, f frame, list []window) error {
	for i := range list {
		list[i].min, list[i].max = math.Inf(1), math.Inf(-1)
	}
	least := src.series + "_min"
	return s.read(ctx, f.start+1, f.end(), append(ms, oneOf([]string{least, src.series + "_max"})), func(l labels.Labels, it iterator) error {
		for it.Next() != none {
			t, v := it.At()
			i := f.at(t - 1)
			switch {
			case i < 0:
			case l.Get(nameLabel) == least:
				list[i].min = min(list[i].min, v*src.scale)
			default:
				list[i].max = max(list[i].max, v*src.scale)
			}
		}
		return it.Err()
	})
}

// point is what was put at one moment of one series.
type point struct{ value, weight, min, max, sum, count float64 }

// given reads what clients put.
func (s *Store) given(ctx context.Context, m Metric, unit string, f frame) (map[string][]window, error) {
	l := Labels{"namespace": m.Namespace, "metric": m.MetricName}
	for _, d := range m.Dimensions {
		l[dimensionPrefix+d.Name] = d.Value
	}
	if unit != "" {
		l["unit"] = unit
	}
	type place struct {
		unit, resolution string
		at               int64
	}
	points := map[place]*point{}
	var order []place
	names := []string{valueOf, weightOf, minOf, maxOf, sumOf, countOf}
	err := s.read(ctx, f.start, f.end()-1, having(l, names...), func(l labels.Labels, it iterator) error {
		if len(dimensionsOf(l)) != len(m.Dimensions) {
			return nil
		}
		for it.Next() != none {
			t, v := it.At()
			at := place{l.Get("unit"), l.Get("resolution"), t}
			p := points[at]
			if p == nil {
				p = &point{weight: 1}
				points[at] = p
				order = append(order, at)
			}
			switch l.Get(nameLabel) {
			case valueOf:
				p.value = v
			case weightOf:
				p.weight = v
			case minOf:
				p.min = v
			case maxOf:
				p.max = v
			case sumOf:
				p.sum = v
			case countOf:
				p.count = v
			}
		}
		return it.Err()
	})
	result := map[string][]window{}
	for _, at := range order {
		p, i := points[at], f.at(at.at)
		if i < 0 {
			continue
		}
		if result[at.unit] == nil {
			result[at.unit] = make([]window, f.n)
		}
		if w := &result[at.unit][i]; p.count > 0 {
			w.set(p.count, p.sum, p.min, p.max)
		} else {
			w.add(p.value, p.weight)
		}
	}
	return result, err
}

// dimensionsOf are the dimensions of a series that clients put, by name.
func dimensionsOf(l labels.Labels) []Dimension {
	var list []Dimension
	l.Range(func(label labels.Label) {
		if name, ok := strings.CutPrefix(label.Name, dimensionPrefix); ok {
			list = append(list, Dimension{name, label.Value})
		}
	})
	return list
}

// aligned is the start of the period that a moment is in.
func aligned(t time.Time, period time.Duration) time.Time {
	return time.UnixMilli(t.UnixMilli() - t.UnixMilli()%period.Milliseconds())
}
