package alert_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/metric"
)

// told keeps what a watcher tells.
type told struct {
	mu   sync.Mutex
	list []alert.Alert
}

func (n *told) notify(_ context.Context, alerts ...alert.Alert) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, alerts...)
}

// changes are the beginnings and ends, without what only goes on.
func (n *told) changes() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []string
	state := map[string]bool{}
	for _, a := range n.list {
		key := strings.TrimSpace(a.Rule + " " + a.Labels["function"])
		switch firing := a.Ends.IsZero(); {
		case firing && !state[key]:
			list = append(list, key)
			state[key] = true
		case !firing && state[key]:
			list = append(list, key+" ended")
			state[key] = false
		}
	}
	return list
}

// world is a watcher over a store, in a bubble of time.
type world struct {
	*alert.Watcher
	told
	functions *metric.Functions
	streaks   *metric.Streaks
}

func openWorld(t *testing.T, dir string, w *alert.Watcher) (*world, func()) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	store := &metric.Store{Dir: dir, Log: log}
	if err := store.Open(); err != nil {
		t.Fatal(err)
	}
	out := &world{Watcher: w, functions: &metric.Functions{Store: store}, streaks: &metric.Streaks{Store: store}}
	w.Metrics, w.Log, w.Notify = store, log, out.notify
	if w.Logs == nil {
		w.Logs = silence{}
	}
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return out, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}

// silence is a log in which there is nothing.
type silence struct{}

func (silence) Rows(context.Context, string, []string, time.Time, time.Time) ([]alert.Row, error) {
	return nil, nil
}

func (w *world) ran(name string, failed bool) {
	r := metric.Run{Function: name, Version: "$LATEST", Duration: 20 * time.Millisecond}
	if failed {
		r.ErrorType = "Unhandled"
	}
	w.functions.Ran(r)
	w.streaks.Ran(name, failed)
}

// minutes lets n minutes pass in which each function is called so many times, of
// which some fail.
func (w *world) minutes(n int, calls map[string][2]int) {
	for range n {
		for i := range 60 {
			for name, c := range calls {
				if i < c[0] {
					w.ran(name, c[1] > 0 && i*c[1]/c[0] != (i+1)*c[1]/c[0])
				}
			}
			time.Sleep(time.Second)
		}
	}
	synctest.Wait()
}

func TestOneRuleForFiveFunctions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, done := openWorld(t, t.TempDir(), &alert.Watcher{})
		defer done()
		w.ran("rare", false)
		w.minutes(6, map[string][2]int{"healthy": {60, 1}, "sixty": {50, 30}, "eighty": {50, 40}})
		w.ran("rare", true)
		w.minutes(1, map[string][2]int{"healthy": {60, 1}, "sixty": {50, 30}, "eighty": {50, 40}})
		got := w.changes()
		slices.Sort(got)
		if diff := cmp.Diff([]string{"FunctionErrors eighty", "FunctionErrors sixty"}, got); diff != "" {
			t.Errorf("alerts (-want +got):\n%s", diff)
		}
		for _, a := range w.Alerts() {
			if a.State != alert.Firing || a.Annotations["summary"] == "" {
				t.Errorf("got %+v, want one that fires, with a summary", a)
			}
		}
		w.minutes(8, map[string][2]int{"healthy": {60, 1}, "sixty": {50, 0}, "eighty": {50, 0}})
		got = w.changes()[2:]
		slices.Sort(got)
		if diff := cmp.Diff([]string{"FunctionErrors eighty ended", "FunctionErrors sixty ended"}, got); diff != "" {
			t.Errorf("after the recovery (-want +got):\n%s", diff)
		}
	})
}

func TestShippedRulesAreWhatPrometheusReads(t *testing.T) {
	groups, errs := rulefmt.ParseFile("shipped.yml", false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.Default())
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	n := 0
	for _, g := range groups.Groups {
		n += len(g.Rules)
	}
	if got := len(alert.Shipped()); got < n || n < 10 {
		t.Errorf("we read %d rules, Prometheus %d of them", got, n)
	}
	for _, r := range alert.Shipped() {
		if !r.Record && (r.Labels["severity"] == "" || r.Annotations["summary"] == "") {
			t.Errorf("%s has no severity or no summary", r.Name)
		}
	}
}
