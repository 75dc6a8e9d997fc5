package server

import (
	"context"
	"log/slog"
	"maps"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/monitor"
)

// seen is a location that sees what it is told to.
type seen struct{ state chan monitor.State }

func (s seen) Check(ctx context.Context, t monitor.Task) monitor.Result {
	r := monitor.Result{ID: t.ID, Monitor: t.Monitor, Reached: monitor.ReachedAnswer, State: monitor.Down, Reason: "it answers 500"}
	select {
	case r.State = <-s.state:
	case <-ctx.Done():
	}
	return r
}

// The rule of monitors hears of them by the metrics, which are some moments late.
func TestTheRuleOfMonitorsDoesNotContradictThem(t *testing.T) {
	checks := seen{make(chan monitor.State)}
	over := make(chan bool, 10)
	r := &rooms{}
	r.monitors = &monitor.Monitors{
		Streams: enginetest.StreamsIn(t, t.TempDir()), Checks: checks, Log: slog.New(slog.DiscardHandler), Least: time.Second,
		Notify: func(ctx context.Context, n monitor.Notice) {
			if own := r.witnessed(ctx, []alert.Alert{noticed(n)}); len(own) != 1 {
				t.Errorf("what a monitor says itself is left out: %+v", noticed(n))
			}
			over <- n.Over
		},
	}
	if err := r.monitors.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.monitors.Run(ctx) }()
	defer func() { cancel(); <-done }()
	if _, err := r.monitors.Put(t.Context(), monitor.Monitor{Name: "page", Interval: monitor.Duration(time.Second), Target: monitor.Target{URL: "https://example.com/"}}); err != nil {
		t.Fatal(err)
	}
	until := func(s monitor.State, ends bool) {
		for {
			select {
			case checks.state <- s:
			case got := <-over:
				if got == ends {
					return
				}
			case <-t.Context().Done():
				t.Fatal("nobody is told")
			}
		}
	}
	rule := alert.Alert{Rule: "MonitorDown", Labels: map[string]string{alert.NameLabel: "MonitorDown", alert.SeverityLabel: "critical", "monitor": "page"}}
	ended := rule
	ended.Ends = time.Now()
	own := rule
	own.Labels = maps.Clone(rule.Labels)
	own.Labels["location"] = "here"
	passes := func(when string, a alert.Alert, want bool) {
		t.Helper()
		if got := len(r.witnessed(t.Context(), []alert.Alert{a})) == 1; got != want {
			t.Errorf("%s, ends %v: told %v, want %v", when, a.Ends, got, want)
		}
	}
	until(monitor.Down, false)
	passes("down", rule, true)
	passes("down", ended, false)
	until(monitor.Up, true)
	passes("up again", rule, false)
	passes("up again", ended, true)
	passes("up again, a rule of their own", own, true)
}
