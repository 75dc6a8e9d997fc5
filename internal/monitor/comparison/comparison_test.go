package comparison

import (
	"context"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/monitor/monitortest"
)

func TestWhatIsWorse(t *testing.T) {
	fast, slow := func(n, errors float64) Figures { return Figures{n, errors, 0.010, 0.050} }, func(n, errors, p50, p95 float64) Figures { return Figures{n, errors, p50, p95} }
	for name, c := range map[string]struct {
		old, new Figures
		want     string
		words    string
		graver   bool
	}{
		"nothing has changed":                     {fast(1000, 10), fast(1000, 10), Same, "", false},
		"a little more errors, as chance has it":  {fast(1000, 10), fast(1000, 18), Same, "", false},
		"clearly more errors":                     {fast(1000, 10), fast(1000, 60), Worse, "6 % of its invocations fail, 1 % before", true},
		"a few invocations, all failed":           {fast(1000, 0), fast(20, 20), Worse, "100 % of its invocations fail, 0 % before", true},
		"one of few failed":                       {fast(1000, 0), fast(20, 1), Same, "", false},
		"a tenth of a percent more, of a million": {fast(1e6, 1000), fast(1e6, 2000), Same, "", false},
		"fewer errors":                            {fast(1000, 60), fast(1000, 10), Better, "1 % of its invocations fail, 6 % before", false},
		"too few of the new one":                  {fast(1000, 0), fast(19, 19), TooFew, "", false},
		"too few of the old one":                  {fast(19, 0), fast(1000, 0), TooFew, "", false},
		"no old one":                              {Figures{}, fast(1000, 0), TooFew, "", false},
		"half are slower":                         {fast(500, 0), slow(500, 0, 0.040, 0.060), Worse, "half of its invocations take over 40ms, 10ms before", true},
		"slower, and nobody notices":              {fast(500, 0), slow(500, 0, 0.025, 0.080), Same, "", false},
		"the tail is slower":                      {fast(500, 0), slow(500, 0, 0.010, 0.120), Worse, "one of twenty invocations takes over 120ms, 50ms before", true},
		"the tail is slower by half":              {slow(500, 0, 0.2, 0.400), slow(500, 0, 0.2, 0.700), Worse, "one of twenty", false},
		"faster":                                  {slow(500, 0, 0.2, 0.4), slow(500, 0, 0.1, 0.3), Better, "half of its invocations take over 100ms, 200ms before", false},
		"slower, of too few":                      {fast(500, 0), slow(49, 0, 1, 2), Same, "", false},
	} {
		f := Function{Old: c.old, New: c.new}
		f.judge()
		if f.Verdict != c.want || !strings.Contains(f.Words, c.words) || (c.words == "") != (f.Words == "") || f.Graver != c.graver {
			t.Errorf("%s: %s %q %v, want %s %q %v", name, f.Verdict, f.Words, f.Graver, c.want, c.words, c.graver)
		}
	}
}

// TestVersionsAreMeasuredApart asks the database: version 1 was called before the
// deployment and goes on being called by some, version 2 since.
func TestVersionsAreMeasuredApart(t *testing.T) {
	store := &metric.Store{Dir: filepath.Join(t.TempDir(), "metrics"), Log: slog.New(slog.DiscardHandler)}
	if err := store.Open(); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	functions := &metric.Functions{Store: store}
	run := func(version string, n int, took time.Duration, failed string) {
		for range n {
			functions.Ran(metric.Run{Function: "shop-dev-list", Version: version, Duration: took, ErrorType: failed})
		}
	}
	run("1", 90, 10*time.Millisecond, "")
	run("1", 10, 10*time.Millisecond, "Oops")
	if err := store.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	deployed := time.Now()
	for time.Now().UnixMilli() == deployed.UnixMilli() {
		runtime.Gosched() // the database knows milliseconds
	}
	run("1", 500, time.Second, "Oops")
	run("2", 60, 300*time.Millisecond, "")
	if err := store.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	run("$LATEST", 300, 300*time.Millisecond, "") // for whoever names no version
	if err := store.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := &Comparisons{Ask: store.Instant}
	done, err := c.compare(t.Context(), Comparison{Deployed: deployed, Functions: []Function{{Name: "shop-dev-list", Version: "2"}}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	f := done.Functions[0]
	if f.Old.Invocations != 100 || f.Old.Errors != 10 {
		t.Errorf("old %+v", f.Old)
	}
	if f.New.Invocations != 360 || f.New.Errors != 0 {
		t.Errorf("new %+v", f.New)
	}
	if f.Old.P95 < 0.009 || f.Old.P95 > 0.011 || f.New.P50 < 0.29 || f.New.P50 > 0.31 || done.Verdict != Worse {
		t.Errorf("%+v", done)
	}
}

// answers is a database that answers what a test says.
type answers struct {
	mu       sync.Mutex
	old, new Figures
	moving   bool
	idle     string // a function that nobody calls
	told     []Comparison
	asked    int
}

func (a *answers) ask(_ context.Context, q string, _ time.Time) ([]metric.Series, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	f := a.new
	switch {
	case a.idle != "" && strings.Contains(q, a.idle):
		f = Figures{}
	case strings.Contains(q, "version!="):
		f = a.old
	}
	v := f.P95
	switch {
	case strings.Contains(q, "invocations_total"):
		v = f.Invocations
	case strings.Contains(q, "errors_total"):
		v = f.Errors
	case strings.Contains(q, "0.5,"):
		v = f.P50
	}
	return []metric.Series{{Points: []metric.Point{{Value: v}}}}, nil
}

func (a *answers) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

func (a *answers) verdicts() (list []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.told {
		list = append(list, c.Revision+" "+c.Verdict)
	}
	return list
}

func start(t *testing.T, disk *monitortest.Memory, a *answers) (c *Comparisons, stop func()) {
	t.Helper()
	c = &Comparisons{
		Streams: disk, Ask: a.ask, Log: slog.New(slog.DiscardHandler),
		Moving: func(string) bool { a.mu.Lock(); defer a.mu.Unlock(); return a.moving },
		Notify: func(_ context.Context, c Comparison, found []Function) {
			c.Functions = found
			a.set(func() { a.told = append(a.told, c) })
		},
	}
	if err := c.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	return c, sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func deployment(revision string) Comparison {
	return Comparison{Stack: "shop-dev", Revision: revision, Previous: "r0", Deployed: time.Now(), Functions: []Function{{Name: "shop-dev-list", Version: "2"}}}
}

func TestWhenItIsCompared(t *testing.T) {
	fine, awful := Figures{1000, 0, 0.01, 0.05}, Figures{1000, 500, 0.01, 0.05}
	deploy := func(t *testing.T, c *Comparisons, revision string) {
		if err := c.Deployed(t.Context(), deployment(revision)); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("soon, when it is called often", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := &answers{old: fine, new: awful}
			c, stop := start(t, &monitortest.Memory{}, a)
			defer stop()
			deploy(t, c, "r1")
			time.Sleep(time.Minute)
			if got := a.verdicts(); len(got) != 1 || got[0] != "r1 worse" {
				t.Errorf("after a minute: %v", got)
			}
			list, err := c.List(t.Context(), ListInput{Stack: "shop-dev"})
			if err != nil || len(list.Comparisons) != 1 || list.Comparisons[0].Verdict != Worse || list.Comparisons[0].Compared.IsZero() {
				t.Errorf("kept: %+v, %v", list, err)
			}
			asked := a.asked
			time.Sleep(time.Hour)
			if a.asked != asked {
				t.Error("it goes on asking")
			}
		})
	})
	t.Run("after a quarter of an hour, when it is not", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := &answers{old: fine, new: Figures{60, 0, 0.01, 0.05}}
			c, stop := start(t, &monitortest.Memory{}, a)
			defer stop()
			deploy(t, c, "r1")
			time.Sleep(14 * time.Minute)
			if got := a.verdicts(); len(got) > 0 {
				t.Errorf("after 14 minutes: %v", got)
			}
			time.Sleep(2 * time.Minute)
			if got := a.verdicts(); len(got) != 1 || got[0] != "r1 same" {
				t.Errorf("after 16 minutes: %v", got)
			}
		})
	})
	t.Run("each function for itself", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			disk, a := &monitortest.Memory{}, &answers{old: fine, new: awful, idle: "shop-dev-seldom"}
			c, stop := start(t, disk, a)
			one := deployment("r1")
			one.Functions = append(one.Functions, Function{Name: "shop-dev-seldom", Version: "2"})
			if err := c.Deployed(t.Context(), one); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if got := a.verdicts(); len(got) != 1 || got[0] != "r1 pending" || len(a.told[0].Functions) != 1 || a.told[0].Functions[0].Verdict != Worse {
				t.Errorf("after a minute: %v, %+v", got, a.told)
			}
			stop()
			c, stop = start(t, disk, a) // what was told is not told again
			defer stop()
			time.Sleep(16 * time.Minute)
			if got := a.verdicts(); len(got) != 2 || got[1] != "r1 worse" || len(a.told[1].Functions) != 1 || a.told[1].Functions[0].Name != "shop-dev-seldom" || a.told[1].Functions[0].Verdict != TooFew {
				t.Errorf("after a quarter of an hour: %v, %+v", got, a.told)
			}
			list, err := c.List(t.Context(), ListInput{})
			if err != nil || len(list.Comparisons) != 1 || list.Comparisons[0].Verdict != Worse || list.Comparisons[0].Functions[0].New.Errors != 500 {
				t.Errorf("kept: %+v, %v", list, err)
			}
		})
	})
	t.Run("not while callers are moved", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := &answers{old: fine, new: fine, moving: true}
			c, stop := start(t, &monitortest.Memory{}, a)
			defer stop()
			deploy(t, c, "r1")
			time.Sleep(time.Hour)
			if got := a.verdicts(); len(got) > 0 {
				t.Errorf("while they move: %v", got)
			}
			a.set(func() { a.moving = false })
			time.Sleep(time.Minute)
			if got := a.verdicts(); len(got) != 1 {
				t.Errorf("afterwards: %v", got)
			}
		})
	})
	t.Run("the last of several", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := &answers{old: fine, new: Figures{}}
			c, stop := start(t, &monitortest.Memory{}, a)
			defer stop()
			deploy(t, c, "r1")
			time.Sleep(time.Minute)
			deploy(t, c, "r2")
			time.Sleep(time.Hour)
			if got := a.verdicts(); len(got) != 1 || got[0] != "r2 too few" {
				t.Errorf("%v", got)
			}
		})
	})
	t.Run("after a restart", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			disk, a := &monitortest.Memory{}, &answers{old: fine, new: Figures{}}
			c, stop := start(t, disk, a)
			deploy(t, c, "r1")
			time.Sleep(time.Minute)
			stop()
			time.Sleep(20 * time.Minute)
			c, stop = start(t, disk, a)
			defer stop()
			time.Sleep(time.Minute)
			if got := a.verdicts(); len(got) != 1 {
				t.Errorf("%v", got)
			}
			if err := c.Forget(t.Context(), "shop-dev"); err != nil {
				t.Fatal(err)
			}
			if list, err := c.List(t.Context(), ListInput{}); err != nil || len(list.Comparisons) > 0 {
				t.Errorf("of a stack that is gone: %+v, %v", list, err)
			}
		})
	})
	t.Run("nothing, of a stack that is new", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := &answers{}
			c, stop := start(t, &monitortest.Memory{}, a)
			defer stop()
			first := deployment("r1")
			first.Previous = ""
			if err := c.Deployed(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			if a.asked > 0 {
				t.Error("it is compared")
			}
		})
	})
}

func TestComparisonsOnTheEngine(t *testing.T) {
	c := &Comparisons{Streams: enginetest.Streams(t), Log: slog.New(slog.DiscardHandler)}
	if err := c.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range keep + 3 {
		one := deployment("r" + string(rune('a'+i)))
		one.Deployed = time.Unix(int64(i), 0)
		if err := c.put(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	list, err := c.List(t.Context(), ListInput{Stack: "shop-dev"})
	if err != nil || len(list.Comparisons) != keep || list.Comparisons[0].Deployed.Unix() != keep+2 {
		t.Errorf("%d are kept, %v", len(list.Comparisons), err)
	}
}
