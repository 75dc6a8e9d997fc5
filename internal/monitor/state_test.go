package monitor_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropstack/dropstack/internal/monitor/monitortest"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/monitor"
)

const m, s = time.Minute, time.Second

// TestStates lets locations see things happen, and tells to the second what people are
// told. Checks are every minute, from here at 1.4 s past it.
func TestStates(t *testing.T) {
	for name, c := range map[string]struct {
		monitor monitor.Monitor
		here    []sight
		probes  map[string][]sight
		for_    time.Duration // 0: 10 minutes
		want    []string
		state   monitor.State
	}{
		"all is well": {here: []sight{fine(0)}, probes: map[string][]sight{"a": {fine(0)}}, state: monitor.Up},
		"one location alone looks twice": {
			here: []sight{fine(0), broken(5 * m)}, want: []string{"5m2s page down"}, state: monitor.Down,
		},
		"one location alone, and once is no time": {
			here: []sight{fine(0), broken(5 * m), fine(5*m + 2*s)}, state: monitor.Up,
		},
		"it comes back, and that is seen twice": {
			here: []sight{fine(0), broken(5 * m), fine(7 * m)},
			want: []string{"5m2s page down", "7m3s page down is over"}, state: monitor.Up,
		},
		"a monitor that never answered": {here: []sight{broken(0)}, want: []string{"2s page down"}, state: monitor.Down},
		"of two locations one sees it": {
			here: []sight{fine(0), broken(5 * m)}, probes: map[string][]sight{"a": {fine(0)}}, state: monitor.Up,
		},
		"of two locations both see it": {
			here: []sight{fine(0), broken(5 * m)}, probes: map[string][]sight{"a": {fine(0), broken(5 * m)}},
			want: []string{"5m1s page down"}, state: monitor.Down,
		},
		"of three locations one sees it": {
			here: []sight{fine(0)}, probes: map[string][]sight{"a": {fine(0), broken(5 * m)}, "b": {fine(0)}}, state: monitor.Up,
		},
		"of three locations two see it": {
			here: []sight{fine(0)}, probes: map[string][]sight{"a": {fine(0), broken(5 * m)}, "b": {fine(0), broken(5 * m)}},
			want: []string{"5m3s page down"}, state: monitor.Down,
		},
		"of four locations two are not more than half": {
			here: []sight{fine(0)}, probes: map[string][]sight{"a": {fine(0), broken(5 * m)}, "b": {fine(0), broken(5 * m)}, "c": {fine(0)}}, state: monitor.Up,
		},
		"a quorum of one": {
			monitor: monitor.Monitor{Name: "page", Quorum: 1, Target: monitor.Target{URL: "https://example.com/"}},
			here:    []sight{fine(0)}, probes: map[string][]sight{"a": {fine(0), broken(5 * m)}, "b": {fine(0)}},
			want: []string{"5m4s page down"}, state: monitor.Down,
		},
		"a quorum of all": {
			monitor: monitor.Monitor{Name: "page", Quorum: 3, Target: monitor.Target{URL: "https://example.com/"}},
			here:    []sight{fine(0)}, probes: map[string][]sight{"a": {fine(0), broken(5 * m)}, "b": {fine(0), broken(5 * m)}}, state: monitor.Up,
		},
		"two other locations decide": {
			monitor: monitor.Monitor{Name: "page", Locations: []string{"a", "b"}, Target: monitor.Target{URL: "https://example.com/"}},
			here:    []sight{broken(0)}, probes: map[string][]sight{"a": {fine(0)}, "b": {fine(0)}}, state: monitor.Up,
		},
		"every second check fails at one location": {
			here:   []sight{fine(0)},
			probes: map[string][]sight{"a": {fine(0), broken(2 * m), fine(3 * m), broken(4 * m), fine(5 * m), broken(6 * m)}, "b": {fine(0)}}, state: monitor.Up,
		},
		"one that keeps coming back is held longer each time": {
			here: []sight{fine(0), broken(2 * m), fine(3 * m), broken(4 * m), fine(5 * m), broken(6 * m), fine(7 * m)}, for_: 20 * m,
			want: []string{
				"2m2s page down", "3m3s page down is over", "4m4s page down", // and while it flaps it is down
				"8m7s page down is over",
			},
			state: monitor.Up,
		},
		"slower than it may be": {
			monitor: monitor.Monitor{Name: "page", Slow: monitor.Duration(500 * time.Millisecond), Target: monitor.Target{URL: "https://example.com/"}},
			here:    []sight{fine(0), slow(5*m, 800*time.Millisecond), fine(8 * m)},
			want:    []string{"5m3s page slow", "8m4s page slow is over"}, state: monitor.Up,
		},
		"slow for once": {
			monitor: monitor.Monitor{Name: "page", Slow: monitor.Duration(500 * time.Millisecond), Target: monitor.Target{URL: "https://example.com/"}},
			here:    []sight{fine(0), slow(5*m, 800*time.Millisecond), fine(5*m + 2200*time.Millisecond)}, state: monitor.Up,
		},
		"slower than usual": {
			here: []sight{fine(0), slow(40*m, 300*time.Millisecond)}, for_: 45 * m, want: []string{"40m2s page slow"}, state: monitor.Slow,
		},
		"as slow as usual": {here: []sight{slow(0, 900*time.Millisecond)}, for_: 45 * m, state: monitor.Up},
		"slow before anybody knows what is usual": {
			here: []sight{fine(0), slow(10*m, 900*time.Millisecond)}, for_: 20 * m, state: monitor.Up,
		},
		"slow, then down": {
			monitor: monitor.Monitor{Name: "page", Slow: monitor.Duration(500 * time.Millisecond), Target: monitor.Target{URL: "https://example.com/"}},
			here:    []sight{fine(0), slow(5*m, 800*time.Millisecond), broken(8 * m)},
			want:    []string{"5m3s page slow", "8m4s page slow is over", "8m4s page down"}, state: monitor.Down,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, &monitortest.Memory{}, c.here...)
				defer w.stop()
				for location, sees := range c.probes {
					_, leave := w.probe(location, sees...)
					defer leave()
				}
				if c.monitor.Name == "" {
					c.monitor = page()
				}
				w.add(c.monitor)
				time.Sleep(max(c.for_, 10*m) - time.Since(w.began))
				synctest.Wait()
				if diff := cmp.Diff(c.want, w.told()); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
				if got := w.state("page").State; got != c.state {
					t.Errorf("state %s, want %s", got, c.state)
				}
			})
		})
	}
}

func TestWhatIsHiddenIsSentToNoOtherServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &monitortest.Memory{}, fine(0))
		defer w.stop()
		secret := page()
		secret.Headers, secret.Body = map[string]string{"Authorization": "Bearer s3cret"}, "password=s3cret"
		w.add(secret)
		for _, c := range []struct {
			url  string
			kept bool
		}{
			{"https://example.com/other", true},
			{"https://evil.example/", false},
			{"http://example.com/", false},
			{"https://example.com:8443/", false},
		} {
			shown := w.state("page").Monitor
			shown.URL = c.url
			_, err := w.Put(t.Context(), shown)
			if (err == nil) != c.kept || err != nil && fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s: got %v", c.url, err)
			}
		}
		time.Sleep(3 * m)
		w.here.mu.Lock()
		defer w.here.mu.Unlock()
		for _, task := range w.here.tasks {
			if task.Headers["Authorization"] != "Bearer s3cret" || task.URL == "https://evil.example/" {
				t.Errorf("asked %s with %v", task.URL, task.Headers)
			}
		}
	})
}
