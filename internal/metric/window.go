package metric

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// frame divides a stretch of time into periods.
type frame struct {
	start, period int64 // milliseconds
	n             int
}

func newFrame(start, end time.Time, period time.Duration) frame {
	f := frame{start: start.UnixMilli(), period: period.Milliseconds()}
	if d := end.UnixMilli() - f.start; d > 0 {
		f.n = int((d + f.period - 1) / f.period)
	}
	return f
}

func (f frame) end() int64 { return f.start + int64(f.n)*f.period }

// at is the period that a moment is in, or -1.
func (f frame) at(t int64) int {
	if t < f.start || t >= f.end() {
		return -1
	}
	return int((t - f.start) / f.period)
}

func (f frame) begin(i int) time.Time { return time.UnixMilli(f.start + int64(i)*f.period) }

// window is what happened in one period.
type window struct {
	count, sum, min, max float64
	values               []weighted
	vague                bool // sums of unknown values are among them: there are no percentiles
}

type weighted struct{ value, weight float64 }

func (w *window) add(v, weight float64) {
	w.span(v, v)
	w.count += weight
	w.sum += v * weight
	w.values = append(w.values, weighted{v, weight})
}

// span extends the extremes.
func (w *window) span(least, most float64) {
	if w.count == 0 && len(w.values) == 0 {
		w.min, w.max = least, most
		return
	}
	w.min, w.max = min(w.min, least), max(w.max, most)
}

// set adds a statistic set.
func (w *window) set(count, sum, least, most float64) {
	if count == 1 || least == most {
		w.span(least, most)
		w.count += count
		w.sum += sum
		w.values = append(w.values, weighted{least, count})
		return
	}
	w.span(least, most)
	w.count += count
	w.sum += sum
	w.vague = true
}

// percentile is the least of the values that p percent are not greater than.
func (w *window) percentile(p float64) float64 {
	if w.vague || len(w.values) == 0 {
		return math.NaN()
	}
	slices.SortFunc(w.values, func(a, b weighted) int { return cmp.Compare(a.value, b.value) })
	total := 0.0
	for _, v := range w.values {
		total += v.weight
	}
	rank, reached := total*p/100, 0.0
	for _, v := range w.values {
		if reached += v.weight; reached >= rank-1e-9*total {
			return min(max(v.value, w.min), w.max)
		}
	}
	return w.max
}

// statistic reads a statistic's name. ok is false for one that there is not.
func statistic(name string) (of func(w *window) float64, ok bool) {
	switch name {
	case "SampleCount":
		return func(w *window) float64 { return w.count }, true
	case "Sum":
		return func(w *window) float64 { return w.sum }, true
	case "Average":
		return func(w *window) float64 { return w.sum / w.count }, true
	case "Minimum":
		return func(w *window) float64 { return w.min }, true
	case "Maximum":
		return func(w *window) float64 { return w.max }, true
	}
	if p, ok := percentileOf(name); ok {
		return func(w *window) float64 { return w.percentile(p) }, true
	}
	return nil, false
}

// percentileOf reads p99, p99.9 and so on.
func percentileOf(name string) (float64, bool) {
	digits, ok := strings.CutPrefix(name, "p")
	if !ok || digits == "" || strings.Trim(digits, "0123456789.") != "" {
		return 0, false
	}
	p, err := strconv.ParseFloat(digits, 64)
	return p, err == nil && p >= 0 && p <= 100
}
