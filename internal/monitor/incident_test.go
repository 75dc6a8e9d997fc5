package monitor_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/monitor"
	"github.com/dropstack/dropstack/internal/monitor/monitortest"
)

func (w *world) incidents() []monitor.Incident {
	w.t.Helper()
	out, err := w.Incidents(w.t.Context(), monitor.IncidentsInput{})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Incidents
}

func TestAnIncidentKeepsWhatEachLocationSaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &monitortest.Memory{}, fine(0), broken(2*m), fine(6*m))
		defer w.stop()
		_, leave := w.probe("a", fine(0), broken(2*m), fine(6*m))
		defer leave()
		_, leave = w.probe("b", fine(0))
		defer leave()
		w.add(page())
		time.Sleep(4 * m)
		ctx := iam.With(t.Context(), iam.Principal{Type: iam.TypeUser, ARN: "arn:aws:iam::000000000000:user/ann"}, iam.Request{})
		if _, err := w.Acknowledge(ctx, monitor.AcknowledgeInput{Monitor: "page", Text: "on it"}); err != nil {
			t.Error(err)
		}
		if _, err := w.Acknowledge(ctx, monitor.AcknowledgeInput{Monitor: "none"}); fault.KindOf(err) != fault.NotFound {
			t.Error(err)
		}
		time.Sleep(6 * m)
		list := w.incidents()
		if len(list) != 1 {
			t.Fatalf("%+v", list)
		}
		i := list[0]
		if i.State != monitor.Down || !strings.Contains(i.Cause, "500") || !strings.Contains(i.Cause, "2 of 3 locations: a, here") {
			t.Errorf("cause: %q, %s", i.Cause, i.State)
		}
		if took := i.Duration(time.Now()); took < 3*m || took > 5*m {
			t.Errorf("it took %v", took)
		}
		seen := map[string]monitor.State{}
		for _, r := range i.Evidence {
			seen[r.Location] = r.State
			if r.State == monitor.Down && (r.Evidence == nil || r.Evidence.Body != "oops") {
				t.Errorf("of %s there is no evidence: %+v", r.Location, r)
			}
		}
		if seen["a"] != monitor.Down || seen["here"] != monitor.Down || seen["b"] != monitor.Up {
			t.Errorf("seen: %v", seen)
		}
		var events []string
		for _, e := range i.Timeline {
			if e.Event != "seen" {
				events = append(events, e.Event)
			}
		}
		if !slices.Equal(events, []string{"opened", "acknowledged", "resolved"}) || i.By != "arn:aws:iam::000000000000:user/ann" {
			t.Errorf("timeline: %+v", i.Timeline)
		}
	})
}

func TestAnIncidentOutlastsARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &monitortest.Memory{}
		w := newWorld(t, disk, broken(0))
		w.add(page())
		time.Sleep(3 * m)
		w.stop()
		if got := w.told(); len(got) != 1 {
			t.Fatalf("told: %v", got)
		}
		w = newWorld(t, disk, broken(0), fine(5*m))
		defer w.stop()
		time.Sleep(10 * m)
		if got := w.told(); !slices.Equal(got, []string{"3s page down", "5m3s page down is over"}) && len(got) != 2 {
			t.Errorf("told after the restart: %v; want a reminder, and that it is over", got)
		}
		if list := w.incidents(); len(list) != 1 || list[0].Resolved.IsZero() {
			t.Errorf("%+v", list)
		}
		sum := w.state("page").Days.Sum("")
		if down := time.Duration(sum.Down * float64(time.Second)); down < 7*m || down > 9*m {
			t.Errorf("it was down for %v of the days, want about 8 minutes", down)
		}
	})
}

func TestMaintenance(t *testing.T) {
	for name, c := range map[string]struct {
		window monitor.Window
		want   []string
	}{
		"once":              {monitor.Window{Start: time.Date(2000, 1, 1, 0, 4, 0, 0, time.UTC), Length: monitor.Duration(10 * m)}, []string{"14m2s page down"}},
		"of another":        {monitor.Window{Monitors: []string{"other"}, Start: time.Date(2000, 1, 1, 0, 4, 0, 0, time.UTC), Length: monitor.Duration(10 * m)}, []string{"5m2s page down"}},
		"every Saturday":    {monitor.Window{Weekly: "Sat 00:04", Length: monitor.Duration(10 * m)}, []string{"14m2s page down"}}, // which 2000-01-01 was
		"every Sunday":      {monitor.Window{Weekly: "Sun 00:04", Length: monitor.Duration(10 * m)}, []string{"5m2s page down"}},
		"by another clock":  {monitor.Window{Weekly: "saturday 01:04", Zone: "Europe/Berlin", Length: monitor.Duration(10 * m)}, []string{"14m2s page down"}},
		"since yesterday":   {monitor.Window{Weekly: "Fri 23:59", Length: monitor.Duration(15 * m)}, []string{"14m2s page down"}},
		"begun while down":  {monitor.Window{Start: time.Date(2000, 1, 1, 0, 7, 0, 0, time.UTC), Length: monitor.Duration(7 * m)}, []string{"5m2s page down", "7m2s page down is over", "14m2s page down"}},
		"over for long":     {monitor.Window{Start: time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC), Length: monitor.Duration(10 * m)}, []string{"5m2s page down"}},
		"daily, and at now": {monitor.Window{Weekly: "daily 00:00", Length: monitor.Duration(14 * m)}, []string{"14m2s page down"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, &monitortest.Memory{}, fine(0), broken(5*m))
				defer w.stop()
				w.add(page())
				w.add(monitor.Monitor{Name: "other", Target: monitor.Target{URL: "https://example.org/"}})
				w.here.mu.Lock()
				w.here.only = map[string][]sight{"other": {fine(0)}}
				w.here.mu.Unlock()
				made, err := w.PutWindow(t.Context(), c.window)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(6 * m)
				during := w.state("page").State == monitor.Maintenance
				if want := name == "once" || !strings.HasPrefix(c.want[0], "5m"); during != want {
					t.Errorf("in the sixth minute it is %s", w.state("page").State)
				}
				time.Sleep(14 * m)
				if got := w.told(); !slices.Equal(got, c.want) {
					t.Errorf("told %q, want %q", got, c.want)
				}
				if _, err := w.DeleteWindow(t.Context(), monitor.WindowInput{ID: made.ID}); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestWindowsThatAreNone(t *testing.T) {
	for name, w := range map[string]monitor.Window{
		"no time": {Length: monitor.Duration(m)}, "both": {Start: time.Now(), Weekly: "Sat 03:00", Length: monitor.Duration(m)},
		"no length": {Weekly: "Sat 03:00"}, "no day": {Weekly: "Someday 03:00", Length: monitor.Duration(m)}, "no clock": {Weekly: "Sat 25:00", Length: monitor.Duration(m)},
		"a zone of nobody": {Weekly: "Sat 03:00", Zone: "Mars/Olympus", Length: monitor.Duration(m)}, "a month": {Weekly: "Sat 03:00", Length: monitor.Duration(31 * 24 * time.Hour)},
		"an empty day": {Weekly: ", 03:00", Length: monitor.Duration(m)},
	} {
		if err := w.Check(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPausing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &monitortest.Memory{}
		w := newWorld(t, disk, broken(0))
		w.add(page())
		time.Sleep(m)
		if _, err := w.Pause(t.Context(), monitor.PauseInput{Name: "page", Paused: true}); err != nil {
			t.Fatal(err)
		}
		before := w.here.count()
		time.Sleep(10 * m)
		if got := w.here.count(); got != before {
			t.Errorf("%d checks while it was paused", got-before)
		}
		if got := w.state("page").State; got != monitor.Paused {
			t.Errorf("state %s", got)
		}
		w.mu.Lock()
		level := w.levels["dropstack_monitor_state page "]
		w.mu.Unlock()
		if level != 0 {
			t.Errorf("dropstack_monitor_state is %v: rules go on", level)
		}
		w.stop()
		w = newWorld(t, disk, fine(0))
		defer w.stop()
		if got := w.state("page").State; got != monitor.Paused {
			t.Errorf("after a restart: %s", got)
		}
		if _, err := w.Pause(t.Context(), monitor.PauseInput{Name: "page"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(m)
		if got := w.state("page").State; got != monitor.Up {
			t.Errorf("once it goes on: %s", got)
		}
	})
}

func TestPeopleAreToldThoughNothingCanBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &monitortest.Memory{}
		w := newWorld(t, disk, fine(0), broken(2*m))
		defer w.stop()
		w.add(page())
		time.Sleep(m)
		disk.Fill(true)
		time.Sleep(5 * m)
		if got := w.told(); len(got) != 1 {
			t.Errorf("told: %v", got)
		}
		disk.Fill(false)
		time.Sleep(6 * m)
		if list := w.incidents(); len(list) != 1 {
			t.Errorf("kept once there is room again: %+v", list)
		}
	})
}

func TestWarmUpsAreNotMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &monitortest.Memory{}, fine(0))
		defer w.stop()
		one := monitor.Monitor{Name: "drops-dev-page", Target: monitor.Target{URL: "/"}}
		if err := w.Replace(t.Context(), "drops-dev", []monitor.Monitor{one}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*m + 5*s)
		w.mu.Lock()
		got := w.samples["here total"]
		w.mu.Unlock()
		if checks := w.here.count(); checks != 11 || got != 10 {
			t.Errorf("%d checks, of which %d are measured; want 11, and the first is not", checks, got)
		}
		if err := w.Replace(t.Context(), "drops-dev", []monitor.Monitor{one}); err != nil { // it is deployed again
			t.Fatal(err)
		}
		time.Sleep(3*m - 5*s)
		w.mu.Lock()
		after := w.samples["here total"]
		w.mu.Unlock()
		if checks := w.here.count(); checks != 14 || after != 12 {
			t.Errorf("%d checks, of which %d are measured; want 14, and two are not", checks, after)
		}
		w.here.mu.Lock()
		task := w.here.tasks[0]
		w.here.mu.Unlock()
		if task.URL != "http://drops-dev.localhost:8080/" || !task.WarmUp || !task.Inside {
			t.Errorf("%+v", task)
		}
		if err := w.Replace(t.Context(), "drops-dev", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Describe(t.Context(), monitor.NameInput{Name: one.Name}); fault.KindOf(err) != fault.NotFound {
			t.Errorf("of a stack that is gone: %v", err)
		}
	})
}

func TestAnIncidentIsToldOfBetweenChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &monitortest.Memory{}, fine(0), broken(30*m))
		defer w.stop()
		hourly := page()
		hourly.Interval = monitor.Duration(60 * m)
		w.add(hourly)
		time.Sleep(110 * m)
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.full) < 40 {
			t.Errorf("told %d times in three quarters of an hour; who tells people takes silence for the end", len(w.full))
		}
	})
}
