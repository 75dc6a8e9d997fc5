package alert_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/metric"
)

// BenchmarkShippedRules asks each built-in rule once, with 200 functions and a day of
// samples.
func BenchmarkShippedRules(b *testing.B) {
	s := &metric.Store{Dir: b.TempDir(), Log: slog.New(slog.DiscardHandler)}
	if err := s.Open(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	const n, step = 200, 10 * time.Second
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
		app := s.Storage().AppenderV2(b.Context())
		put := func(list []*one, v float64) {
			for _, o := range list {
				ref, err := app.Append(o.ref, o.l, 0, at.UnixMilli(), v, nil, nil, storage.AppendV2Options{})
				if err != nil {
					b.Fatal(err)
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
				b.Fatal(err)
			}
			o.ref = ref
		}
		if err := app.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	for _, r := range alert.Shipped() {
		if r.Expr == "" {
			continue
		}
		b.Run(r.Name, func(b *testing.B) {
			for b.Loop() {
				q, err := s.Evaluator().NewInstantQuery(b.Context(), s.Storage(), promql.NewPrometheusQueryOpts(false, 0, nil), r.Expr, now)
				if err != nil {
					b.Fatal(err)
				}
				if res := q.Exec(b.Context()); res.Err != nil {
					b.Fatal(res.Err)
				}
				q.Close()
			}
		})
	}
}
