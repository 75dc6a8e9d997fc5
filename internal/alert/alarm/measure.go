package alarm

import (
	"context"
	"math"
	"time"

	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/metric/anomaly"
)

// What is looked at to know what is usual: days of the same kind, or for periods
// under a minute, which are not kept for longer, hours.
const (
	usualDays  = 8 * 24 * time.Hour
	usualHours = 3*time.Hour - time.Minute
)

// measure is what was measured in the periods before end, the oldest first, and what
// is all right.
func (a *Alarms) measure(ctx context.Context, al *Alarm, end time.Time) ([]datapoint, error) {
	list, id := al.queries()
	period := time.Duration(al.period()) * time.Second
	n := al.EvaluationPeriods + more
	known := n
	if al.ThresholdMetricID != "" {
		usual := usualDays
		if period < time.Minute {
			usual = usualHours
		}
		known = max(n, int(usual/period))
	}
	found, err := a.Metrics.Latest(ctx, list, end, known)
	if err != nil {
		return nil, err
	}
	values := found[id]
	points := make([]datapoint, n)
	for i := range points {
		p := &points[i]
		p.begin, p.value = end.Add(-time.Duration(n-i)*period), math.NaN()
		at := len(values) - n + i
		if at < 0 {
			continue
		}
		p.value = values[at]
		if al.ThresholdMetricID == "" {
			p.low, p.high = *al.Threshold, *al.Threshold
		} else if p.there() && !p.usual(al, values[:at+1], end.Add(-time.Duration(len(values))*period), period) {
			p.value = math.NaN() // what is expected is not known yet
		}
	}
	return points, nil
}

// usual sets what is expected of the last of some values; false: too little is known.
func (p *datapoint) usual(al *Alarm, values []float64, start time.Time, period time.Duration) bool {
	var points []anomaly.Point
	for i, v := range values {
		if !math.IsNaN(v) {
			points = append(points, anomaly.Point{Time: start.Add(time.Duration(i) * period).UnixMilli(), Value: v})
		}
	}
	v, ok := anomaly.Judge(anomaly.Agile, points)
	if !ok {
		return false
	}
	_, width, _ := band(al.bandOf().Expression)
	p.low, p.high = v.Expected-width*v.Deviation, v.Expected+width*v.Deviation
	return true
}

// bandOf is the query that says what is expected.
func (a *Alarm) bandOf() metric.MetricDataQuery {
	for _, m := range a.Metrics {
		if m.ID == a.ThresholdMetricID {
			return m
		}
	}
	return metric.MetricDataQuery{}
}
