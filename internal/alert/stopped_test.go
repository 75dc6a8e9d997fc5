package alert_test

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/metric"
)

// Two days of functions that are called ten times a minute, in their own ways.
func TestTrafficThatStopped(t *testing.T) {
	s := &metric.Store{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	now := time.Now().Truncate(time.Minute)
	ago := func(at time.Time) time.Duration { return now.Sub(at) }
	for name, called := range map[string]func(at time.Time) bool{
		"steady":  func(time.Time) bool { return true },
		"stopped": func(at time.Time) bool { return ago(at) > 16*time.Minute },
		"long":    func(at time.Time) bool { return ago(at) > 5*time.Hour },
		"job": func(at time.Time) bool { // half an hour a day; today it is done ten minutes earlier
			return ago(at) > 17*time.Minute && ago(at) < 45*time.Minute || ago(at) > 24*time.Hour+7*time.Minute && ago(at) < 24*time.Hour+35*time.Minute
		},
	} {
		total := 0.0
		for at := now.Add(-26 * time.Hour); !at.After(now); at = at.Add(time.Minute) {
			if called(at) {
				total += 10
			}
			if err := s.Record(t.Context(), "dropstack_function_invocations_total", metric.Labels{"function": name}, at, total); err != nil {
				t.Fatal(err)
			}
		}
	}
	i := slices.IndexFunc(alert.Shipped(), func(r alert.Rule) bool { return r.Name == "TrafficStopped" })
	got, err := s.Instant(t.Context(), alert.Shipped()[i].Expr, now)
	if err != nil || len(got) != 1 || got[0].Labels["function"] != "stopped" {
		t.Errorf("got %v, %v, want the one that stopped", got, err)
	}
}
