package metric

import (
	"cmp"
	"math"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/model/labels"
)

// Boundaries of the classic buckets that a scraper gets who does not understand native
// histograms.
var (
	secondsBounds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900}
	bytesBounds   = []float64{16 << 20, 32 << 20, 64 << 20, 128 << 20, 256 << 20, 512 << 20, 1 << 30, 2 << 30, 4 << 30, 10 << 30}
)

// Gather returns what the instruments stand at, by name and labels. It makes a Store a
// prometheus.Gatherer.
func (s *Store) Gather() ([]*dto.MetricFamily, error) {
	s.mu.Lock()
	list := make([]instrument, 0, len(s.known))
	for _, in := range s.known {
		if in.base().gate.Load() < refused {
			list = append(list, in)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b instrument) int { return labels.Compare(a.base().labels, b.base().labels) })
	families := map[string]*dto.MetricFamily{}
	for _, in := range list {
		m, kind := &dto.Metric{}, dto.MetricType_UNTYPED
		if kind = in.expose(m); kind == dto.MetricType_UNTYPED {
			continue // it is gone
		}
		name := ""
		in.base().labels.Range(func(l labels.Label) {
			if l.Name == nameLabel {
				name = l.Value
				return
			}
			m.Label = append(m.Label, &dto.LabelPair{Name: &l.Name, Value: &l.Value})
		})
		f := families[name]
		if f == nil {
			f = &dto.MetricFamily{Name: &name, Type: &kind}
			if d, known := descriptions[name]; known {
				f.Help = &d.Help
				if t, known := dto.MetricType_value[strings.ToUpper(d.Type)]; known && f.GetType() != dto.MetricType_HISTOGRAM {
					f.Type = new(dto.MetricType(t)) // a total that others have summed up is set, as a level is
				}
			}
			families[name] = f
		}
		if f.GetType() == dto.MetricType_COUNTER && m.Gauge != nil {
			m.Counter, m.Gauge = &dto.Counter{Value: m.Gauge.Value}, nil
		}
		f.Metric = append(f.Metric, m)
	}
	out := make([]*dto.MetricFamily, 0, len(families))
	for _, f := range families {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return out, nil
}

func (c *Counter) expose(m *dto.Metric) dto.MetricType {
	m.Counter = &dto.Counter{Value: new(float64(c.value.Load()))}
	return dto.MetricType_COUNTER
}

func (g *Gauge) expose(m *dto.Metric) dto.MetricType {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return dto.MetricType_UNTYPED
	}
	m.Gauge = &dto.Gauge{Value: new(g.now)}
	return dto.MetricType_GAUGE
}

// expose tells the native histogram, and classic buckets beside it.
func (h *Histogram) expose(m *dto.Metric) dto.MetricType {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.snapshot()
	out := &dto.Histogram{
		SampleCount: &v.Count, SampleSum: &v.Sum,
		Schema: new(v.Schema), ZeroThreshold: &v.ZeroThreshold, ZeroCount: &v.ZeroCount,
		PositiveDelta: v.PositiveBuckets, NegativeDelta: v.NegativeBuckets,
	}
	for _, s := range v.PositiveSpans {
		out.PositiveSpan = append(out.PositiveSpan, &dto.BucketSpan{Offset: &s.Offset, Length: &s.Length})
	}
	for _, s := range v.NegativeSpans {
		out.NegativeSpan = append(out.NegativeSpan, &dto.BucketSpan{Offset: &s.Offset, Length: &s.Length})
	}
	if len(out.PositiveSpan)+len(out.NegativeSpan) == 0 && v.ZeroCount == 0 {
		out.PositiveSpan = []*dto.BucketSpan{{Offset: new(int32(0)), Length: new(uint32(0))}} // which says that it is native
	}
	for _, bound := range h.bounds() {
		n := h.zero
		for _, c := range h.negative {
			n += c
		}
		for i, c := range h.counts {
			if math.Exp2(float64(i)/perDouble) <= bound*(1+1e-9) {
				n += c
			}
		}
		out.Bucket = append(out.Bucket, &dto.Bucket{UpperBound: &bound, CumulativeCount: &n})
	}
	m.Histogram = out
	return dto.MetricType_HISTOGRAM
}

// bounds are those of the classic buckets, by the unit that the name ends with.
func (h *Histogram) bounds() []float64 {
	if strings.HasSuffix(h.labels.Get(nameLabel), "_bytes") {
		return bytesBounds
	}
	return secondsBounds
}
