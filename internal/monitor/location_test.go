package monitor_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/monitor"
	"github.com/dropstack/dropstack/internal/monitor/monitortest"
)

func (w *world) locations() (list []string) {
	out, err := w.Locations(w.t.Context(), struct{}{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, l := range out.Locations {
		state := " joined"
		if !l.Joined {
			state = " gone"
		}
		if l.Cut {
			state += " cut"
		}
		list = append(list, l.Name+state)
	}
	return list
}

func TestALocationThatReachesNothingHasNoSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// a cannot reach anything from the second minute on; at b one page fails as well
		w := newWorld(t, &monitortest.Memory{}, fine(0))
		defer w.stop()
		a, leaveA := w.probe("a", fine(0), lost(2*m))
		defer leaveA()
		b, leaveB := w.probe("b", fine(0))
		defer leaveB()
		b.only = map[string][]sight{"page": {fine(0), broken(4 * m)}}
		w.add(page())
		w.add(monitor.Monitor{Name: "other", Target: monitor.Target{URL: "https://example.org/"}})
		time.Sleep(8 * m)
		if got := w.told(); len(got) > 0 {
			t.Errorf("told: %v", got)
		}
		if got := w.locations(); !slices.Equal(got, []string{"here joined", "a joined cut", "b joined"}) {
			t.Errorf("locations: %v", got)
		}
		a.mu.Lock()
		a.sees = []sight{fine(0)}
		a.mu.Unlock()
		time.Sleep(2 * m)
		if got := w.locations(); !slices.Equal(got, []string{"here joined", "a joined", "b joined"}) {
			t.Errorf("locations: %v", got)
		}
	})
}

func TestMostLocationsReachNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &monitortest.Memory{}, fine(0))
		defer w.stop()
		for _, name := range []string{"a", "b"} {
			_, leave := w.probe(name, fine(0), lost(2*m))
			defer leave()
		}
		w.add(page())
		w.add(monitor.Monitor{Name: "other", Target: monitor.Target{URL: "https://example.org/"}})
		time.Sleep(5 * m)
		if got := w.told(); len(got) != 2 {
			t.Errorf("told: %v; want both down: two of three do not reach them", got)
		}
	})
}

func TestAProbeThatIsGoneIsKnownSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &monitortest.Memory{}, fine(0))
		defer w.stop()
		w.add(page())
		a, leave := w.probe("a", fine(0))
		defer leave()
		time.Sleep(5 * m)
		before := a.count()
		if before < 4 {
			t.Errorf("%d checks in 5 minutes", before)
		}
		w.pipes.pull("a", true)
		time.Sleep(7 * time.Second)
		if got := w.locations(); !slices.Equal(got, []string{"here joined", "a gone"}) {
			t.Errorf("7 s after its cable was pulled: %v", got)
		}
		a.mu.Lock()
		a.sees = []sight{broken(0)} // what it sees now nobody hears
		a.mu.Unlock()
		time.Sleep(5 * m)
		if got := w.told(); len(got) > 0 {
			t.Errorf("told: %v", got)
		}
		w.pipes.pull("a", false)
		a.mu.Lock()
		a.sees = []sight{fine(0)}
		a.mu.Unlock()
		time.Sleep(30 * time.Second)
		if got := w.locations(); !slices.Equal(got, []string{"here joined", "a joined"}) {
			t.Errorf("30 s after the cable was put back: %v", got)
		}
		if got := a.count(); got <= before {
			t.Error("it makes no checks")
		}
		if got := w.state("page"); got.State != monitor.Up || got.Places[0].Last == nil || time.Since(got.Places[0].Last.At) > m {
			t.Errorf("%+v", got)
		}
	})
}

func TestAProbeOutlivesThePlatform(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &monitortest.Memory{}
		w := newWorld(t, disk, fine(0))
		key, err := w.PutLocation(t.Context(), monitor.LocationInput{Name: "a"})
		if err != nil {
			t.Fatal(err)
		}
		w.add(page())
		_, leave := w.joins("a", key.Key, fine(0))
		time.Sleep(3 * m)
		w.stop()
		leave()
		w = newWorld(t, disk, fine(0))
		defer w.stop()
		_, leave = w.joins("a", key.Key, fine(0), broken(4*m))
		defer leave()
		time.Sleep(2 * m)
		if got := w.state("page"); len(got.Places) != 2 || got.Places[0].Last == nil || got.State != monitor.Up {
			t.Errorf("%+v", got)
		}
	})
}

func TestKeysOfLocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &monitortest.Memory{}
		w := newWorld(t, disk, fine(0))
		defer w.stop()
		key, err := w.PutLocation(t.Context(), monitor.LocationInput{Name: "a"})
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range disk.Stored("monitors") {
			if strings.Contains(string(doc), key.Key) {
				t.Error("the key is stored")
			}
		}
		try := func(name, key string) error {
			p := &monitor.Probe{Location: name, Join: "http://platform", Key: key, Checks: w.here, Log: slog.New(slog.DiscardHandler), Client: w.pipes.client(name)}
			ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
			defer stop()
			return p.Run(ctx)
		}
		for name, err := range map[string]error{
			"no key": try("a", ""), "another key": try("a", key.Key+"x"), "another location": try("b", key.Key), "the platform itself": try(monitor.Here, ""),
		} {
			if fault.KindOf(err) != fault.Unauthenticated {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := try("a", key.Key); err != nil {
			t.Errorf("the right one: %v", err)
		}
		first := make(chan error, 1)
		go func() { first <- try("a", key.Key) }()
		time.Sleep(time.Second)
		_, leave := w.joins("a", key.Key, fine(0))
		if err := <-first; fault.KindOf(err) != fault.Conflict {
			t.Errorf("of two probes of one location the first ends with %v", err)
		}
		leave()
		second, err := w.PutLocation(t.Context(), monitor.LocationInput{Name: "a"})
		if err != nil || second.Key == key.Key {
			t.Errorf("%+v, %v", second, err)
		}
		if err := try("a", key.Key); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("with the key before: %v", err)
		}
		if _, err := w.DeleteLocation(t.Context(), monitor.LocationInput{Name: "a"}); err != nil {
			t.Error(err)
		}
		if err := try("a", second.Key); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("of a location that is gone: %v", err)
		}
	})
}

func TestWhatRequestsHideIsNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &monitortest.Memory{}, fine(0))
		defer w.stop()
		one := page()
		one.Headers, one.Body = map[string]string{"Authorization": "Bearer hunter2"}, "hunter2"
		w.add(one)
		time.Sleep(m)
		shown := w.state("page")
		if shown.Headers["Authorization"] != "(hidden)" || shown.Body != "(hidden)" {
			t.Errorf("shown: %+v", shown.Target)
		}
		shown.Monitor.Title = "changed"
		w.add(shown.Monitor)
		time.Sleep(m)
		w.here.mu.Lock()
		defer w.here.mu.Unlock()
		if last := w.here.tasks[len(w.here.tasks)-1]; last.Headers["Authorization"] != "Bearer hunter2" || last.Body != "hunter2" {
			t.Errorf("after a change of something else: %+v", last.Target)
		}
	})
}

// TestMonitorsOnTheEngine has the same on a real bucket, over a restart.
func TestMonitorsOnTheEngine(t *testing.T) {
	streams := enginetest.Streams(t)
	open := func() *monitor.Monitors {
		w := &monitor.Monitors{Streams: streams, Checks: &monitor.Checker{}, Log: slog.New(slog.DiscardHandler)}
		if err := w.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		return w
	}
	w := open()
	if _, err := w.Put(t.Context(), page()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.PutLocation(t.Context(), monitor.LocationInput{Name: "oslo"}); err != nil {
		t.Fatal(err)
	}
	made, err := w.PutWindow(t.Context(), monitor.Window{Weekly: "Sun 03:00", Length: monitor.Duration(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	w = open()
	list, err := w.List(t.Context(), monitor.ListInput{})
	if err != nil || len(list.Monitors) != 1 || list.Monitors[0].URL != "https://example.com/" || len(list.Monitors[0].Places) != 2 {
		t.Errorf("after a restart: %+v, %v", list, err)
	}
	if windows, err := w.Windows(t.Context(), struct{}{}); err != nil || len(windows.Windows) != 1 || windows.Windows[0].ID != made.ID {
		t.Errorf("after a restart: %+v, %v", windows, err)
	}
	if out, err := w.Incidents(t.Context(), monitor.IncidentsInput{Monitor: "page"}); err != nil || len(out.Incidents) > 0 {
		t.Errorf("incidents: %+v, %v", out, err)
	}
	if _, err := w.Delete(t.Context(), monitor.NameInput{Name: "page"}); err != nil {
		t.Fatal(err)
	}
	if list, err := open().List(t.Context(), monitor.ListInput{}); err != nil || len(list.Monitors) > 0 {
		t.Errorf("what was removed is there: %+v, %v", list, err)
	}
}
