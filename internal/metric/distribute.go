package metric

import (
	"math"
	"strings"
)

// distribute shows data in CloudWatch's shape to PromQL as well: as a native histogram
// named NAMESPACE_METRIC, with the dimensions as labels. A datum counts when it comes,
// whatever its timestamp says.
func (s *Store) distribute(scope, namespace string, d MetricDatum) {
	l := Labels{"namespace": namespace}
	if d.Unit != "" && d.Unit != "None" {
		l["unit"] = d.Unit
	}
	for _, dim := range d.Dimensions {
		name := wordOf(dim.Name)
		if _, taken := l[name]; taken || strings.HasPrefix(name, "__") || name == "le" || name == "quantile" {
			name = dimensionPrefix + name
		}
		l[name] = dim.Value
	}
	name := wordOf(namespace) + "_" + wordOf(d.MetricName)
	s.mu.Lock()
	h := lookupIn(s, scope, name, l, newHistogram(name, l)).(*Histogram)
	s.mu.Unlock()
	switch set := d.StatisticValues; {
	case d.Value != nil:
		h.Observe(*d.Value)
	case set != nil:
		h.observeSet(*set)
	default:
		for i, v := range d.Values {
			n := 1.0
			if len(d.Counts) > 0 {
				n = d.Counts[i]
			}
			h.ObserveN(v, uint64(max(1, math.Round(n))))
		}
	}
}

// observeSet adds values of which only the sum and the extremes are known: those, and
// the others as if they were all the same.
func (h *Histogram) observeSet(set StatisticSet) {
	n := uint64(max(1, math.Round(set.SampleCount)))
	if n == 1 {
		h.Observe(set.Sum)
		return
	}
	h.Observe(set.Minimum)
	h.Observe(set.Maximum)
	if n > 2 {
		h.ObserveN((set.Sum-set.Minimum-set.Maximum)/float64(n-2), n-2)
	}
}

// wordOf makes a name that PromQL takes without quotes: any character but letters,
// digits and _ is one.
func wordOf(name string) string {
	b := []byte(name)
	for i, c := range b {
		if c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			b[i] = '_'
		}
	}
	if len(b) > 0 && b[0] >= '0' && b[0] <= '9' {
		return "_" + string(b)
	}
	return string(b)
}
