package ban_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/edge/ban"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
)

// TestStored is what must be true of every place where bans are kept.
func TestStored(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (ban.Streams, ban.Streams){
		"engine": func(t *testing.T) (ban.Streams, ban.Streams) { s := enginetest.Streams(t); return s, s },
		"memory": func(*testing.T) (ban.Streams, ban.Streams) { m := &memory{}; return m, m },
	} {
		t.Run(name, func(t *testing.T) {
			one, two := open(t)
			a, b := &ban.Bans{Streams: one}, &ban.Bans{Streams: two}
			run(t, a)
			run(t, b)
			made := put(t, a, ban.PutInput{Client: "203.0.113.7", Seconds: 3600, Reason: "a"})
			put(t, a, ban.PutInput{Client: "2001:db8::1", Seconds: 3600})
			until(t, "the other edge turns both away", func() bool { return held(b, "203.0.113.7") && held(b, "2001:db8::2") })
			got := put(t, b, ban.PutInput{Client: "203.0.113.7", Seconds: 7200, Reason: "b"})
			if got.Since != made.Since || got.Reason != "b" || got.Times != 1 {
				t.Errorf("got %+v, want the first made longer", got)
			}
			if _, err := a.Remove(by(t), ban.RemoveInput{Client: "203.0.113.7"}); err != nil {
				t.Fatal(err)
			}
			until(t, "the other edge lets it through", func() bool { return !held(b, "203.0.113.7") })
			put(t, b, ban.PutInput{Client: "203.0.113.7", Seconds: 60, Reason: "c"}) // over what tells of the removal
			if _, err := b.Allow(by(t), ban.AllowInput{Client: "2001:db8::1"}); err != nil {
				t.Fatal(err)
			}
			until(t, "the first edge lets who is allowed through", func() bool { return !held(a, "2001:db8::1") })

			var done sync.WaitGroup
			for i := range 20 { // at the same time, by both
				done.Go(func() {
					edge := []*ban.Bans{a, b}[i%2]
					if _, err := edge.Put(by(t), ban.PutInput{Client: "198.51.100.1", Seconds: int64(60 + i)}); err != nil && fault.KindOf(err) != fault.Conflict {
						t.Error(err)
					}
				})
			}
			done.Wait()

			c := &ban.Bans{Streams: one} // one that starts now
			if err := c.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff([]string{"198.51.100.1/32", "203.0.113.7/32", "2001:db8::/64"}, clients(t, c, ban.ListInput{})); d != "" {
				t.Error(d)
			}
			if held(c, "2001:db8::1") || !held(c, "203.0.113.7") {
				t.Error("the one that started later decides otherwise")
			}
		})
	}
}

// TestABanSurvives: what has been acknowledged is there after the next start.
func TestABanSurvives(t *testing.T) {
	dir := t.TempDir()
	t.Run("before", func(t *testing.T) {
		b := &ban.Bans{Streams: enginetest.StreamsIn(t, dir)}
		stop := run(t, b)
		put(t, b, ban.PutInput{Client: "203.0.113.7", Seconds: 3600})
		stop()
	})
	b := &ban.Bans{Streams: enginetest.StreamsIn(t, dir)}
	if err := b.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !held(b, "203.0.113.7") {
		t.Error("forgotten")
	}
}

// until waits for what another edge hears; there is no event to wait for.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for late := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("in ten seconds it has not come true that %s", what)
		}
	}
}

// TestNobodyWaitsForAnEdgeThatHasEnded: the ban is there at the next start.
func TestNobodyWaitsForAnEdgeThatHasEnded(t *testing.T) {
	stored := &memory{}
	b := &ban.Bans{Streams: stored}
	run(t, b)()
	if _, err := b.Put(t.Context(), ban.PutInput{Client: "203.0.113.7", Seconds: 60}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
	next := &ban.Bans{Streams: stored}
	run(t, next)
	if !held(next, "203.0.113.7") {
		t.Error("forgotten")
	}
}

func TestNothingIsBannedBeforeLoad(t *testing.T) {
	b := &ban.Bans{}
	if held(b, "203.0.113.7") {
		t.Error("turned away")
	}
	if _, err := b.Put(t.Context(), ban.PutInput{Client: "203.0.113.7", Seconds: 60}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
}
