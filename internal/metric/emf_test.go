package metric_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/metric"
)

// embed gives lines of function f to a store, and returns what it complains of.
func embed(t *testing.T, s *metric.Store, lines ...string) (complaints []string) {
	t.Helper()
	e := &metric.Embedded{Store: s, Complain: func(_ metric.Line, text string) { complaints = append(complaints, text) }}
	for _, line := range lines {
		if metric.IsEmbedded(line) {
			e.Line(metric.Line{Function: "f", Message: line})
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e.Run(ctx)
	return complaints
}

func line(definition, members string) string {
	return fmt.Sprintf(`{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[%s]},%s}`, time.Now().UnixMilli(), definition, members)
}

// asked is an expression's only number, or -1 if it has none.
func asked(t *testing.T, s *metric.Store, expression string) float64 {
	t.Helper()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := s.Instant(t.Context(), expression, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 {
		return -1
	}
	return list[0].Points[0].Value
}

// stats asks CloudWatch for a metric of namespace Shop.
func stats(t *testing.T, s *metric.Store, name, unit string, dims ...metric.Dimension) []float64 {
	t.Helper()
	start, end, period := hour()
	out, err := s.GetMetricStatistics(t.Context(), metric.GetMetricStatisticsInput{
		Namespace: "Shop", MetricName: name, Unit: unit, Dimensions: dims, StartTime: start, EndTime: end, Period: period,
		Statistics: []string{"SampleCount", "Sum", "Minimum", "Maximum"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Datapoints) == 0 {
		return nil
	}
	p := out.Datapoints[0]
	return []float64{*p.SampleCount, *p.Sum, *p.Minimum, *p.Maximum}
}

func TestEmbeddedMetrics(t *testing.T) {
	s := open(t, t.TempDir())
	complaints := embed(t, s,
		// both sets of dimensions, a list of values, a unit
		line(`{"Namespace":"Shop","Dimensions":[["service"],["service","page"]],"Metrics":[{"Name":"took","Unit":"Milliseconds"},{"Name":"orders","Unit":"Count"}]}`,
			`"service":"web","page":"/","took":[1,2,4,-1],"orders":1,"requestId":"x"`),
		// with a runtime's prefix, a fine resolution, no dimensions
		"2026-11-26T10:00:00.000Z\tid\tINFO\t"+line(`{"Namespace":"Shop","Dimensions":[[]],"Metrics":[{"Name":"depth","StorageResolution":1}]}`, `"depth":7.5`),
		line(`{"Namespace":"Shop","Metrics":[{"Name":"depth","StorageResolution":1}]}`, `"depth":2.5`),
		"2026-11-26T10:00:00.000Z\tid\tINFO\ttalks of \"_aws\" only", `{"_aws":{}}`, `{"other":"\"_aws\""}`, "nothing",
	)
	if len(complaints) > 0 {
		t.Errorf("complained of %q", complaints)
	}
	service, page := dim("service", "web"), dim("page", "/")
	for _, c := range []struct {
		what string
		got  []float64
		want []float64
	}{
		{"one set", stats(t, s, "took", "Milliseconds", service), []float64{4, 6, -1, 4}},
		{"the other set", stats(t, s, "took", "Milliseconds", service, page), []float64{4, 6, -1, 4}},
		{"another unit", stats(t, s, "took", "Seconds", service), nil},
		{"no dimensions", stats(t, s, "took", ""), nil},
		{"a number", stats(t, s, "orders", "Count", service, page), []float64{1, 1, 1, 1}},
		{"fine, with a prefix", stats(t, s, "depth", ""), []float64{2, 10, 2.5, 7.5}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: count, sum, minimum, maximum: %s", c.what, diff)
		}
	}
	for expression, want := range map[string]float64{
		`histogram_count(Shop_took{service="web",page="/",unit="Milliseconds",namespace="Shop"})`: 4,
		`histogram_sum(Shop_took{page=""})`:                   6,
		`histogram_sum(Shop_depth)`:                           10,
		`histogram_quantile(0, Shop_took{page="/"}) < bool 0`: 1,
		`dropstack_emf_events_total{function="f"}`:            3,
		`dropstack_emf_errors_total`:                          -1,
	} {
		if got := asked(t, s, expression); got != want {
			t.Errorf("%s: got %v, want %v", expression, got, want)
		}
	}
}

func TestFlawedEmbeddedMetrics(t *testing.T) {
	const one = `{"Namespace":"Shop","Dimensions":[["d"]],"Metrics":[{"Name":"m"},{"Name":"n"}]}`
	for _, c := range []struct {
		what, line, reason, complaint string
		kept                          float64 // of n, which is right
	}{
		{"no JSON", `{"_aws":{`, "json", "it is not JSON", -1},
		{"another shape", `{"_aws":{"Timestamp":"now","CloudWatchMetrics":[{}]}}`, "format", "Embedded Metric Format", -1},
		{"no timestamp", `{"_aws":{"CloudWatchMetrics":[` + one + `]},"d":"x","n":1}`, "timestamp", "Timestamp is missing", -1},
		{"long ago", `{"_aws":{"Timestamp":1000,"CloudWatchMetrics":[` + one + `]},"d":"x","n":1}`, "timestamp", "past two weeks", -1},
		{"no such dimension", line(one, `"m":1,"n":1`), "dimension", `dimension "d" is no member`, -1},
		{"a dimension that is a number", line(one, `"d":5,"m":1,"n":1`), "dimension", `dimension "d" is not a text: 5`, -1},
		{"a dimension that is null", line(one, `"d":null,"m":1,"n":1`), "dimension", `is not a text`, -1},
		{"no such metric", line(one, `"d":"x","n":1`), "metric", `metric "m" is no member`, 1},
		{"a metric that is a text", line(one, `"d":"x","m":"1","n":1`), "value", `neither a number nor a list`, 1},
		{"a metric that is null", line(one, `"d":"x","m":null,"n":1`), "value", `neither a number nor a list`, 1},
		{"a number out of range", line(one, `"d":"x","m":1e300,"n":1`), "value", "out of range", 1},
		{"too many values", line(one, `"d":"x","m":[`+strings.Repeat("1,", 100)+`1],"n":1`), "limit", "over 100 values", 1},
		{"an unknown unit", line(`{"Namespace":"Shop","Dimensions":[["d"]],"Metrics":[{"Name":"m","Unit":"Apples"},{"Name":"n"}]}`, `"d":"x","m":1,"n":1`), "value", "Unit", 1},
		{"the platform's namespace", line(`{"Namespace":"AWS/Lambda","Metrics":[{"Name":"n"}]}`, `"n":1`), "value", "reserved", -1},
	} {
		s := open(t, t.TempDir())
		complaints := embed(t, s, c.line, c.line)
		if len(complaints) != 1 || !strings.Contains(complaints[0], c.complaint) {
			t.Errorf("%s: complained %q, want once %q", c.what, complaints, c.complaint)
		}
		if got := asked(t, s, `dropstack_emf_errors_total{function="f",reason="`+c.reason+`"}`); got != 2 {
			t.Errorf("%s: counted %v, want 2", c.what, got)
		}
		if got := asked(t, s, `histogram_count(Shop_n{d="x"}) / 2`); got != c.kept {
			t.Errorf("%s: kept %v of what is right, want %v", c.what, got, c.kept)
		}
		_ = s.Close()
	}
}

// A function that has too many series keeps those it had, loses none of its own, and is
// told.
func TestTooManyEmbeddedMetrics(t *testing.T) {
	s := open(t, t.TempDir())
	var lines []string
	for i := range metric.MaxPerScope + 7 {
		lines = append(lines, line(`{"Namespace":"Shop","Dimensions":[["user"]],"Metrics":[{"Name":"n"}]}`, fmt.Sprintf(`"user":"u%d","n":1`, i)))
	}
	complaints := embed(t, s, lines...)
	if len(complaints) != 1 || !strings.Contains(complaints[0], "function/f") {
		t.Errorf("complained %q", complaints)
	}
	(&metric.Functions{Store: s}).Ran(metric.Run{Function: "f", Version: "1", Trigger: "http"})
	for expression, want := range map[string]float64{
		`count(Shop_n)`: metric.MaxPerScope,
		`dropstack_metric_series_dropped_total{scope="function/f"}`: 7,
		`dropstack_emf_errors_total{reason="limit"}`:                7,
		`dropstack_function_invocations_total{trigger="http"}`:      1,
	} {
		if got := asked(t, s, expression); got != want {
			t.Errorf("%s: got %v, want %v", expression, got, want)
		}
	}
	if got := s.Dropped("function/f"); got != 7 {
		t.Errorf("got %d dropped, want 7", got)
	}
}

func BenchmarkIsEmbedded(b *testing.B) {
	text := "2026-11-26T10:00:00.000Z\tid\tINFO\t" + strings.Repeat("a line as functions write them ", 5)
	b.ReportAllocs()
	for b.Loop() {
		if metric.IsEmbedded(text) {
			b.Fatal("it is not")
		}
	}
}
