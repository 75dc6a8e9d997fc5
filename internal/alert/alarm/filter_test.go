package alarm

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/wire"
)

// tape hands records to who listens.
type tape struct{ fn func([]logs.Record) }

func (s *tape) Subscribe(fn func([]logs.Record)) func() {
	s.fn = fn
	return func() { s.fn = nil }
}

func TestFiltersCountRecordsAsTheyCome(t *testing.T) {
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	store := &metric.Store{Dir: t.TempDir(), Log: log}
	if err := store.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	lines := &tape{}
	f := &Filters{Logs: lines, Metrics: store, Log: log}
	zero := 0.0
	list := []Filter{
		{Name: "errors", Group: "g", Pattern: `{ $.level = "error" }`, Namespace: "shop", Metric: "Errors", Value: "1"},
		{Name: "all", Group: "g", Namespace: "shop", Metric: "Errors", Value: "0"},
		{Name: "latency", Group: "g", Pattern: "{ $.took.ms > 0 }", Namespace: "shop", Metric: "Latency", Value: "$.took.ms", Unit: "Milliseconds", Dimensions: map[string]string{"Page": "$.page"}},
		{Name: "never", Group: "g", Pattern: "never", Namespace: "shop", Metric: "Never", Value: "1", Default: &zero},
	}
	if err := f.Replace("shop-dev", list); err != nil {
		t.Fatal(err)
	}
	minute := time.Now().Truncate(time.Minute).Add(-2 * time.Minute)
	lines.fn([]logs.Record{
		{Group: "g", Time: minute, Message: `{"level":"error","page":"a","took":{"ms":12}}`},
		{Group: "g", Time: minute.Add(time.Second), Message: `{"level":"info","page":"a","took":{"ms":30}}`},
		{Group: "g", Time: minute.Add(2 * time.Second), Message: `plain`},
		{Group: "other", Time: minute, Message: `{"level":"error"}`},
	})
	lines.fn([]logs.Record{{Group: "g", Time: minute.Add(3 * time.Second), Message: `{"level":"error"}`}})
	ask := func(name string, dimensions ...metric.Dimension) []metric.Datapoint {
		t.Helper()
		out, err := store.GetMetricStatistics(t.Context(), metric.GetMetricStatisticsInput{
			Namespace: "shop", MetricName: name, Dimensions: dimensions, StartTime: wire.At(minute), EndTime: wire.At(minute.Add(time.Minute)), Period: 60,
			Statistics: []string{"Sum", "SampleCount", "Maximum"},
		})
		if err != nil || len(out.Datapoints) != 1 {
			t.Fatalf("%s: got %+v, %v, want one datapoint", name, out, err)
		}
		return out.Datapoints
	}
	type got struct{ sum, count, most float64 }
	of := func(d []metric.Datapoint) got { return got{*d[0].Sum, *d[0].SampleCount, *d[0].Maximum} }
	allow := cmp.AllowUnexported(got{})
	if diff := cmp.Diff(got{2, 6, 1}, of(ask("Errors")), allow); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(got{42, 2, 30}, of(ask("Latency", metric.Dimension{Name: "Page", Value: "a"})), allow); diff != "" {
		t.Errorf("latency (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(got{0, 1, 0}, of(ask("Never")), allow); diff != "" {
		t.Errorf("what never came (-want +got):\n%s", diff)
	}
	if err := f.Replace("shop-dev", nil); err != nil || lines.fn != nil {
		t.Errorf("without filters: %v, still listening %v", err, lines.fn != nil)
	}
}

func TestWrongFiltersAreRefused(t *testing.T) {
	good := Filter{Name: "f", Group: "g", Namespace: "n", Metric: "m", Value: "1"}
	for want, change := range map[string]func(*Filter){
		"no log group":        func(f *Filter) { f.Group = "" },
		"the platform's own":  func(f *Filter) { f.Namespace = "AWS/Lambda" },
		"neither a number":    func(f *Filter) { f.Value = "$size" },
		"metric filter f: ":   func(f *Filter) { f.Pattern = "{ $.a = " },
		"the limit is 3":      func(f *Filter) { f.Dimensions = map[string]string{"a": "$.a", "b": "$.b", "c": "$.c", "d": "$.d"} },
		"dimension a: ":       func(f *Filter) { f.Dimensions = map[string]string{"a": "b"} },
		"dimensions or a def": func(f *Filter) { f.Default, f.Dimensions = new(0.0), map[string]string{"a": "$.a"} },
	} {
		f := good
		change(&f)
		if err := f.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
