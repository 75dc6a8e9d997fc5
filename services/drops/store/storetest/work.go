package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dropstack/dropstack/services/drops/drop"
	"github.com/dropstack/dropstack/services/drops/store"
	"github.com/dropstack/dropstack/services/wire"
	"github.com/google/go-cmp/cmp"
)

func steps(t *testing.T, open func() store.Store) {
	stores := []store.Store{open(), open()}
	s := stores[0]
	insert(t, s, sample("aaaaaaa"))
	step := store.Step{Code: "aaaaaaa", Version: 1, Name: "metadata", At: start}
	if must[bool](t)(s.StepDone(t.Context(), "aaaaaaa", 1, "metadata")) {
		t.Error("a step is done before it began")
	}
	var applied atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			out, err := stores[i%2].FinishStep(t.Context(), step, time.Minute, func(d *drop.Drop) { d.Width++; d.Key = "derived/clean" })
			if err != nil {
				t.Error(err)
			}
			if out == store.Applied {
				applied.Add(1)
			}
		})
	}
	wg.Wait()
	d := must[drop.Drop](t)(s.Get(t.Context(), "aaaaaaa"))
	if applied.Load() != 1 || d.Width != 5 || d.Version != 1 || d.Key != "derived/clean" {
		t.Errorf("got %d applied and %+v, want it applied once to the same version", applied.Load(), d)
	}
	if got := garbage(t, s, start.Add(time.Minute-1)); len(got) != 0 {
		t.Errorf("got garbage %v before its delay, want none", got)
	}
	if got := garbage(t, s, start.Add(time.Minute)); len(got) != 1 || got[0] != "uploads/aaaaaaa" {
		t.Errorf("got garbage %v, want the replaced original", got)
	}
	if !must[bool](t)(s.StepDone(t.Context(), "aaaaaaa", 1, "metadata")) {
		t.Error("a finished step is not done")
	}
	if _, _, err := s.Update(t.Context(), "aaaaaaa", start, func(*drop.Drop) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		step store.Step
		want store.Finish
	}{
		"an exact step of an old version": {store.Step{Code: "aaaaaaa", Version: 1, Name: "renderText", At: start, Exact: true}, store.Gone},
		"a step for any version":          {store.Step{Code: "aaaaaaa", Version: 1, Name: "thumbnail", At: start}, store.Applied},
		"a step of nothing":               {store.Step{Code: "zzzzzzz", Version: 1, Name: "thumbnail", At: start}, store.Gone},
	} {
		if got := must[store.Finish](t)(s.FinishStep(t.Context(), c.step, 0, func(*drop.Drop) {})); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func activity(t *testing.T, open func() store.Store) {
	s := open()
	one := wire.Activity{Code: "aaaaaaa", Title: "A", What: "created", At: 1}
	two := wire.Activity{Code: "aaaaaaa", Title: "B", What: "updated", At: 2}
	for _, a := range []wire.Activity{one, one, two, one} {
		if err := s.AddActivity(t.Context(), a, 1); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]wire.Activity{two, one}, must[[]wire.Activity](t)(s.Activity(t.Context(), 10))); d != "" {
		t.Error(d)
	}
	if got := must[[]wire.Activity](t)(s.Activity(t.Context(), 1)); len(got) != 1 || got[0] != two {
		t.Errorf("got %v, want only the newest", got)
	}
}

func attempts(t *testing.T, open func() store.Store) {
	s := open()
	try := func(code, ip string, at time.Time) time.Duration {
		return must[time.Duration](t)(s.Attempt(t.Context(), code, ip, at))
	}
	for i := range store.MaxAttempts {
		if wait := try("aaaaaaa", "1.2.3.4", start); wait != 0 {
			t.Fatalf("attempt %d: got a wait of %v, want none", i+1, wait)
		}
	}
	if wait, want := try("aaaaaaa", "1.2.3.4", start.Add(time.Minute)), store.AttemptWindow-time.Minute; wait != want {
		t.Errorf("one attempt too many: got a wait of %v, want %v", wait, want)
	}
	if wait := try("bbbbbbb", "1.2.3.4", start); wait != 0 {
		t.Errorf("another drop: got a wait of %v, want none", wait)
	}
	if wait := try("aaaaaaa", "5.6.7.8", start); wait != 0 {
		t.Errorf("another address: got a wait of %v, want none", wait)
	}
	if wait := try("aaaaaaa", "1.2.3.4", start.Add(store.AttemptWindow)); wait != 0 {
		t.Errorf("after the window: got a wait of %v, want none", wait)
	}
	for range store.MaxAttempts {
		try("ccccccc", "::1", start)
	}
	if err := s.Forgive(t.Context(), "ccccccc", "::1"); err != nil {
		t.Fatal(err)
	}
	if wait := try("ccccccc", "::1", start); wait != 0 {
		t.Errorf("after Forgive: got a wait of %v, want none", wait)
	}
}

func prune(t *testing.T, open func() store.Store) {
	s := open()
	insert(t, s, sample("aaaaaaa"), sample("bbbbbbb"))
	if _, _, err := s.Delete(t.Context(), "aaaaaaa", start); err != nil {
		t.Fatal(err)
	}
	if err := s.Prune(t.Context(), start.Add(store.Tombstones)); err != nil {
		t.Fatal(err)
	}
	must[drop.Drop](t)(s.Get(t.Context(), "aaaaaaa"))
	if err := s.Prune(t.Context(), start.Add(store.Tombstones+time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err := s.Get(t.Context(), "aaaaaaa")
	wantErr(t, "a pruned tombstone", err, store.ErrNotFound)
	must[drop.Drop](t)(s.Get(t.Context(), "bbbbbbb"))
}

func handles(t *testing.T, open func() store.Store) {
	a, b := open(), open()
	insert(t, a, sample("aaaaaaa"))
	must[drop.Drop](t)(b.Get(t.Context(), "aaaaaaa"))
	if _, _, err := b.Delete(t.Context(), "aaaaaaa", start); err != nil {
		t.Fatal(err)
	}
	if d := must[drop.Drop](t)(a.Get(t.Context(), "aaaaaaa")); d.DeletedAt.IsZero() {
		t.Error("the other handle does not see the deletion")
	}
}
