package metric_test

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/wire"
)

func open(t testing.TB, dir string) *metric.Store {
	t.Helper()
	s := &metric.Store{Dir: dir, Log: slog.New(slog.DiscardHandler)}
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// hour is the present hour and the one after, in one period.
func hour() (start, end wire.Time, period int) {
	at := time.Now().Truncate(time.Hour)
	return wire.At(at.Add(-time.Hour)), wire.At(at.Add(2 * time.Hour)), 3 * 3600
}

// total asks for one metric of functions, over all that has happened.
func total(t testing.TB, s *metric.Store, name string, dims ...metric.Dimension) metric.Datapoint {
	t.Helper()
	start, end, period := hour()
	out, err := s.GetMetricStatistics(t.Context(), metric.GetMetricStatisticsInput{
		Namespace: "AWS/Lambda", MetricName: name, Dimensions: dims, StartTime: start, EndTime: end, Period: period,
		Statistics: []string{"SampleCount", "Sum", "Average", "Minimum", "Maximum"}, ExtendedStatistics: []string{"p50", "p99"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Datapoints) != 1 {
		t.Fatalf("%s %v: got %d datapoints, want 1", name, dims, len(out.Datapoints))
	}
	return out.Datapoints[0]
}

func dim(name, value string) metric.Dimension { return metric.Dimension{Name: name, Value: value} }

func TestFunctionsAreMeasured(t *testing.T) {
	s := open(t, t.TempDir())
	f := &metric.Functions{Store: s}
	for i := range 100 {
		r := metric.Run{Function: "f", Version: "$LATEST", Duration: time.Duration(i+1) * time.Millisecond}
		if i%4 == 0 {
			r.ErrorType = "Oops"
		}
		if i == 0 {
			r.Init = 250 * time.Millisecond
		}
		f.Ran(r)
	}
	f.Ran(metric.Run{Function: "f", Version: "3", Qualifier: "live", Duration: time.Second, ErrorType: "Sandbox.Timedout"})
	f.Ran(metric.Run{Function: "g", Version: "$LATEST", Duration: 10 * time.Millisecond})
	f.Throttled("f", "$LATEST", "")
	f.Running("f", 1)
	f.Running("f", 1)
	f.Running("g", 1)
	f.Running("f", -2)
	f.Waited("f", 2*time.Second)
	f.Buried("f", true)

	name := dim("FunctionName", "f")
	for _, c := range []struct {
		what                  string
		metric                string
		dims                  []metric.Dimension
		count, sum, least, at float64
	}{
		{"invocations of all functions", "Invocations", nil, 102, 102, 1, 1},
		{"invocations of one", "Invocations", []metric.Dimension{name}, 101, 101, 1, 1},
		{"invocations by alias", "Invocations", []metric.Dimension{name, dim("Resource", "f:live")}, 1, 1, 1, 1},
		{"invocations by alias and version", "Invocations", []metric.Dimension{name, dim("Resource", "f:live"), dim("ExecutedVersion", "3")}, 1, 1, 1, 1},
		{"invocations without alias", "Invocations", []metric.Dimension{name, dim("Resource", "f")}, 100, 100, 1, 1},
		{"errors are zeros and ones", "Errors", []metric.Dimension{name}, 101, 26, 0, 1},
		{"errors of a function that has none", "Errors", []metric.Dimension{dim("FunctionName", "g")}, 1, 0, 0, 0},
		{"throttles", "Throttles", []metric.Dimension{name}, 102, 1, 0, 1},
		{"durations", "Duration", []metric.Dimension{name, dim("Resource", "f")}, 100, 5050, 1, 100},
		{"cold starts", "InitDuration", []metric.Dimension{name}, 1, 250, 250, 250},
		{"age of events", "AsyncEventAge", []metric.Dimension{name}, 1, 2000, 2000, 2000},
		{"dead letters that could not be sent", "DeadLetterErrors", []metric.Dimension{name}, 1, 1, 1, 1},
	} {
		p := total(t, s, c.metric, c.dims...)
		got := []float64{*p.SampleCount, *p.Sum, *p.Minimum, *p.Maximum}
		want := []float64{c.count, c.sum, c.least, c.at}
		if diff := cmp.Diff(want, got, cmpopts.EquateApprox(1e-9, 0)); diff != "" {
			t.Errorf("%s: count, sum, minimum, maximum: %s", c.what, diff)
		}
	}
	p := total(t, s, "Duration", name, dim("Resource", "f"))
	want := map[string]float64{"p50": 50, "p99": 99}
	if diff := cmp.Diff(want, p.ExtendedStatistics, cmpopts.EquateApprox(0.012, 0)); diff != "" {
		t.Errorf("percentiles: %s", diff)
	}
	if got := *total(t, s, "ConcurrentExecutions", name).Maximum; got != 2 {
		t.Errorf("got %v at once of f, want 2", got)
	}
	if got := *total(t, s, "ConcurrentExecutions").Maximum; got != 3 {
		t.Errorf("got %v at once of all, want 3", got)
	}
}

// What was counted before a restart and after it is one sum.
func TestCountsAcrossRestarts(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		s := open(t, dir)
		f := &metric.Functions{Store: s}
		for range 5 {
			f.Ran(metric.Run{Function: "f", Version: "$LATEST", Duration: time.Duration(i+1) * time.Second})
		}
		if got := *total(t, s, "Invocations", dim("FunctionName", "f")).Sum; got != float64(5*(i+1)) {
			t.Errorf("after start %d: got %v invocations, want %d", i+1, got, 5*(i+1))
		}
		for range 5 { // written at the end, without a question
			f.Ran(metric.Run{Function: "g", Version: "$LATEST", Duration: time.Second})
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir)
	if got := *total(t, s, "Duration", dim("FunctionName", "g")).SampleCount; got != 15 {
		t.Errorf("got %v durations, want 15", got)
	}
	if p := total(t, s, "Duration", dim("FunctionName", "f")); *p.Minimum != 1000 || *p.Maximum != 3000 {
		t.Errorf("got durations from %v to %v ms, want 1000 to 3000", *p.Minimum, *p.Maximum)
	}
}

// A killed process leaves its files as they are.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	f := &metric.Functions{Store: s}
	f.Ran(metric.Run{Function: "f", Version: "$LATEST", Duration: time.Second})
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := s.PutMetricData(t.Context(), put("n", datum(7))); err != nil {
			t.Fatal(err)
		}
	}
	left := t.TempDir()
	if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	s = open(t, left)
	if got := *total(t, s, "Invocations").Sum; got != 1 {
		t.Errorf("got %v invocations, want 1", got)
	}
	if _, err := s.PutMetricData(t.Context(), put("n", datum(7))); err != nil { // beside what is there
		t.Fatal(err)
	}
	if got := sum(t, s, "n"); got != 77 {
		t.Errorf("got the sum %v, want 77", got)
	}
}

func TestTooManySeries(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range metric.MaxPerScope + 10 {
		s.Counter("dropstack_test_total", metric.Labels{"n": string(rune('0' + i))}).Add(1)
	}
	f := &metric.Functions{Store: s}
	f.Ran(metric.Run{Function: "f", Version: "$LATEST"}) // others have room of their own
	if got := *total(t, s, "Invocations").Sum; got != 1 {
		t.Errorf("got %v invocations, want 1", got)
	}
	if got := s.Dropped("dropstack_test_total"); got != 10 {
		t.Errorf("got %d series dropped, want 10", got)
	}
}

func TestRecordInAnyOrder(t *testing.T) {
	s := open(t, t.TempDir())
	now := time.Now()
	for _, age := range []time.Duration{0, -time.Hour, 13 * 24 * time.Hour, time.Minute} {
		if err := s.Record(t.Context(), "dropstack_test", metric.Labels{"a": "b"}, now.Add(-age), 1); err != nil {
			t.Errorf("%v ago: %v", age, err)
		}
	}
}

func code(t *testing.T, err error, kind fault.Kind, want string) {
	t.Helper()
	if fault.KindOf(err) != kind || fault.CodeOf(err) != want {
		t.Errorf("got %v %q (%v), want %v %q", fault.KindOf(err), fault.CodeOf(err), err, kind, want)
	}
}

func BenchmarkRan(b *testing.B) {
	f := &metric.Functions{Store: open(b, b.TempDir())}
	r := metric.Run{Function: "f", Version: "$LATEST", Duration: 3 * time.Millisecond}
	b.ReportAllocs()
	for b.Loop() {
		f.Running("f", 1)
		f.Ran(r)
		f.Running("f", -1)
	}
}
