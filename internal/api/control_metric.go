package api

import (
	"context"
	"strconv"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/metric"
)

// Metrics is what the control plane needs of metrics.
type Metrics interface {
	Instant(ctx context.Context, expression string, at time.Time) ([]metric.Series, error)
	Range(ctx context.Context, expression string, start, end time.Time, step time.Duration) ([]metric.Series, error)
}

// maxSteps is how many points a series may have in an answer, Prometheus' own limit.
const maxSteps = 11_000

// QueryMetricsInput is a question in PromQL: about a moment, or with Step about every
// step from Start to End.
type QueryMetricsInput struct {
	Query string    `json:"query"`
	Time  time.Time `json:"time,omitzero"` // zero: now
	Start time.Time `json:"start,omitzero"`
	End   time.Time `json:"end,omitzero"`
	Step  float64   `json:"step,omitempty"` // seconds
}

// QueryMetricsOutput is the answer.
type QueryMetricsOutput struct {
	Series []MetricSeries `json:"series"`
}

// MetricSeries is one series of an answer.
type MetricSeries struct {
	Labels metric.Labels `json:"labels"`
	Points []MetricPoint `json:"points"`
}

// MetricPoint is a value at a moment, as a text: JSON has neither NaN nor infinity.
type MetricPoint struct {
	Time  time.Time `json:"time"`
	Value string    `json:"value"`
}

func (c *Control) queryMetrics(ctx context.Context, in QueryMetricsInput) (QueryMetricsOutput, error) {
	out := QueryMetricsOutput{Series: []MetricSeries{}}
	var list []metric.Series
	var err error
	step := time.Duration(in.Step * float64(time.Second))
	switch {
	case in.Query == "":
		return out, fault.Errorf(fault.Invalid, "the question is empty: it is PromQL, such as sum(rate(dropstack_edge_requests_total[5m]))")
	case in.Step == 0:
		list, err = c.Metrics.Instant(ctx, in.Query, in.Time)
	case step <= 0 || in.End.Before(in.Start):
		return out, fault.Errorf(fault.Invalid, "a question about a time has a positive step and an end after its start")
	case in.End.Sub(in.Start)/step > maxSteps:
		return out, fault.Errorf(fault.Invalid, "the answer would have over %d points a series: take a longer step or less time", maxSteps)
	default:
		list, err = c.Metrics.Range(ctx, in.Query, in.Start, in.End, step)
	}
	if err != nil {
		return out, err
	}
	for _, s := range list {
		points := make([]MetricPoint, len(s.Points))
		for i, p := range s.Points {
			points[i] = MetricPoint{p.Time.UTC(), strconv.FormatFloat(p.Value, 'f', -1, 64)}
		}
		out.Series = append(out.Series, MetricSeries{s.Labels, points})
	}
	return out, nil
}
