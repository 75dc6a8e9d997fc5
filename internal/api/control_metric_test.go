package api_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/metric"
)

// answers are those of a room that knows one series.
type answers struct{}

func (answers) Instant(_ context.Context, _ string, at time.Time) ([]metric.Series, error) {
	return []metric.Series{{Labels: metric.Labels{"a": "b"}, Points: []metric.Point{{Time: at, Value: math.Inf(1)}}}}, nil
}

func (answers) Range(_ context.Context, expression string, start, end time.Time, step time.Duration) ([]metric.Series, error) {
	if expression == "sum(" {
		return nil, fault.Errorf(fault.Invalid, "it is no PromQL")
	}
	return []metric.Series{{Labels: metric.Labels{}, Points: []metric.Point{{Time: start, Value: math.NaN()}, {Time: end, Value: step.Seconds()}}}}, nil
}

func TestQuestionsByTheAPI(t *testing.T) {
	control := &api.Control{Metrics: answers{}, Records: noList{}}
	w := serve(t, &api.Server{Lambda: invoking(&one{}), Services: []*api.Service{control.Service()}})
	admin, function := client(w.url, w.keys.Admin()), client(w.url, w.function)
	at := time.Unix(1000, 0).UTC()
	for _, c := range []struct {
		what string
		in   api.QueryMetricsInput
		kind fault.Kind // of the error; 0: none
		want []api.MetricSeries
	}{
		{"about a moment", api.QueryMetricsInput{Query: "a", Time: at}, 0, []api.MetricSeries{{Labels: metric.Labels{"a": "b"}, Points: []api.MetricPoint{{Time: at, Value: "+Inf"}}}}},
		{
			"about a time",
			api.QueryMetricsInput{Query: "a", Start: at, End: at.Add(time.Minute), Step: 0.5},
			0,
			[]api.MetricSeries{{Labels: metric.Labels{}, Points: []api.MetricPoint{{Time: at, Value: "NaN"}, {Time: at.Add(time.Minute), Value: "0.5"}}}},
		},
		{"about nothing", api.QueryMetricsInput{}, fault.Invalid, nil},
		{"no PromQL", api.QueryMetricsInput{Query: "sum(", Start: at, End: at, Step: 1}, fault.Invalid, nil},
		{"backwards", api.QueryMetricsInput{Query: "a", Start: at, End: at.Add(-1), Step: 1}, fault.Invalid, nil},
		{"too many points", api.QueryMetricsInput{Query: "a", Start: at, End: at.Add(time.Hour), Step: 0.1}, fault.Invalid, nil},
	} {
		var out api.QueryMetricsOutput
		err := admin.Call(t.Context(), "QueryMetrics", c.in, &out)
		if c.kind != 0 {
			if fault.KindOf(err) != c.kind {
				t.Errorf("%s: got %v, %v", c.what, out, err)
			}
			continue
		}
		if diff := cmp.Diff(c.want, out.Series); diff != "" || err != nil {
			t.Errorf("%s: %v %s", c.what, err, diff)
		}
	}
	if err := function.Call(t.Context(), "QueryMetrics", api.QueryMetricsInput{Query: "a"}, nil); fault.KindOf(err) != fault.Denied {
		t.Errorf("who may not: got %v", err)
	}
}
