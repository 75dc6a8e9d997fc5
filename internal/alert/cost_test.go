package alert_test

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/metric"
)

// TestTheCostOfWhatIsShipped prints what one round of all built-in rules costs with 200
// functions and a day of samples. It runs with DROPSTACK_COST=1 only.
func TestTheCostOfWhatIsShipped(t *testing.T) {
	if os.Getenv("DROPSTACK_COST") == "" {
		t.Skip("not run: set DROPSTACK_COST=1 to measure")
	}
	s := &metric.Store{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	n, step := 200, 10*time.Second
	if v, err := strconv.Atoi(os.Getenv("DROPSTACK_COST_N")); err == nil {
		n = v
	}
	now := time.Now().Truncate(step)
	type one struct {
		l   labels.Labels
		ref storage.SeriesRef
	}
	var inv, errs, rows []*one
	var dur []*one
	for i := range n {
		f := fmt.Sprint("function-", i)
		for _, trigger := range []string{"http", "topic"} {
			inv = append(inv, &one{l: labels.FromStrings("__name__", "dropstack_function_invocations_total", "function", f, "version", "1", "qualifier", "live", "trigger", trigger)})
		}
		errs = append(errs, &one{l: labels.FromStrings("__name__", "dropstack_function_errors_total", "function", f, "version", "1", "qualifier", "live", "trigger", "http", "type", "Oops")})
		rows = append(rows, &one{l: labels.FromStrings("__name__", "dropstack_function_consecutive_failures", "function", f)})
		dur = append(dur, &one{l: labels.FromStrings("__name__", "dropstack_function_duration_seconds", "function", f, "version", "1", "qualifier", "live")})
	}
	k := 0
	for at := now.Add(-25 * time.Hour); !at.After(now); at = at.Add(step) {
		k++
		app := s.Storage().AppenderV2(t.Context())
		put := func(list []*one, v float64) {
			for _, o := range list {
				ref, err := app.Append(o.ref, o.l, 0, at.UnixMilli(), v, nil, nil, storage.AppendV2Options{})
				if err != nil {
					t.Fatal(err)
				}
				o.ref = ref
			}
		}
		put(inv, float64(5*k))
		put(errs, float64(k))
		put(rows, float64(k%2))
		h := &histogram.Histogram{
			Schema: 5, ZeroThreshold: 1e-9, Count: uint64(8 * k), Sum: float64(k),
			PositiveSpans: []histogram.Span{{Offset: -100, Length: 8}}, PositiveBuckets: []int64{int64(k), 0, 0, 0, 0, 0, 0, 0},
		}
		for _, o := range dur {
			ref, err := app.Append(o.ref, o.l, 0, at.UnixMilli(), 0, h, nil, storage.AppendV2Options{})
			if err != nil {
				t.Fatal(err)
			}
			o.ref = ref
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	var all time.Duration
	for _, r := range alert.Shipped() {
		if r.Expr == "" {
			continue
		}
		began := time.Now()
		q, err := s.Evaluator().NewInstantQuery(t.Context(), s.Storage(), promql.NewPrometheusQueryOpts(false, 0, nil), r.Expr, now)
		if err != nil {
			t.Fatal(err)
		}
		res := q.Exec(t.Context())
		took := time.Since(began)
		every := r.Every
		if every == 0 {
			every = 15 * time.Second
		}
		all += took * (15 * time.Second) / every
		t.Logf("%-24s %8v every %v err %v", r.Name, took.Round(100*time.Microsecond), every, res.Err)
		q.Close()
	}
	t.Logf("a round: %v of 15 s", all)
}
