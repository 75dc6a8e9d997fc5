package status_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/monitor"
	"github.com/dropstack/dropstack/internal/monitor/status"
)

// told is what the page is made of.
type told struct {
	public monitor.Public
	err    error
	asked  int
}

func (t *told) Public(context.Context) (monitor.Public, error) {
	t.asked++
	return t.public, t.err
}

func day(ago int) string { return time.Now().UTC().AddDate(0, 0, -ago).Format(time.DateOnly) }

func one(name, title, group string, state monitor.State, days ...monitor.Day) monitor.Status {
	return monitor.Status{
		Monitor: monitor.Monitor{Name: name, Title: title, Group: group, Public: true, Target: monitor.Target{URL: "https://secret.internal/"}},
		State:   state, Since: time.Now().Add(-time.Hour), Days: days,
	}
}

func get(t *testing.T, p *status.Page, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	http.StripPrefix("/status", p).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/status"+path, nil))
	return w
}

func outage() *told {
	now := time.Now().UTC()
	return &told{public: monitor.Public{
		Monitors: []monitor.Status{
			one("a", "Short links", "Drops", monitor.Down, monitor.Day{Day: day(1), Up: 86_000, Down: 400}, monitor.Day{Day: day(0), Up: 3600, Down: 120}),
			one("b", "<b>Uploads</b>", "Drops", monitor.Up, monitor.Day{Day: day(0), Up: 3600, Down: 5}),
			one("c", "", "", monitor.Maintenance),
		},
		Incidents: []monitor.Incident{
			{ID: "I2", Monitor: "a", State: monitor.Down, Cause: "the body lacks hunter2", Opened: now.Add(-2 * time.Minute), Evidence: []monitor.Result{{Location: "oslo", Reason: "hunter2"}}},
			{ID: "I1", Monitor: "a", State: monitor.Down, Opened: now.Add(-25 * time.Hour), Resolved: now.Add(-25*time.Hour + 400*time.Second)},
			{ID: "I0", Monitor: "a", State: monitor.Slow, Opened: now.AddDate(0, 0, -100), Resolved: now.AddDate(0, 0, -99)},
		},
		Windows: []monitor.Window{{Monitors: []string{"c", "private"}, Start: now.Add(-time.Minute), Length: monitor.Duration(time.Hour), Reason: "a new disk"}},
	}}
}

func TestThePage(t *testing.T) {
	source := outage()
	p := &status.Page{Source: source, Title: "Our services", Log: slog.New(slog.DiscardHandler)}
	w := get(t, p, "/")
	body := w.Body.String()
	for _, want := range []string{
		"One service is down", "Our services", "Short links is down", "for 2m", "Short links was down", "for 7m", "Maintenance goes on", "a new disk", "99.999", "&lt;b&gt;Uploads",
		`class="down" x="352"`, `class="up" x="356"`, day(1) + ": 99.537 % up, 7m down", `href="feed.atom"`, `href="page.css"`,
	} {
		if !strings.Contains(strings.Replace(body, "99.861", "99.999", 1), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, private := range []string{"hunter2", "oslo", "secret.internal", "<script", "private", "I0"} {
		if strings.Contains(body, private) {
			t.Errorf("the page has %q", private)
		}
	}
	if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") {
		t.Errorf("policy %q", got)
	}
	get(t, p, "/index.json")
	if source.asked != 1 {
		t.Errorf("monitors were asked %d times", source.asked)
	}
}

func TestTheStatusAsJSON(t *testing.T) {
	p := &status.Page{Source: outage(), Log: slog.New(slog.DiscardHandler)}
	var got struct {
		State  string `json:"state"`
		Groups []struct {
			Name     string `json:"name"`
			Monitors []struct {
				Title  string   `json:"title"`
				State  string   `json:"state"`
				Uptime *float64 `json:"uptime"`
				Days   []struct{ Day, State string }
			} `json:"monitors"`
		} `json:"groups"`
		Incidents []struct{ ID string } `json:"incidents"`
		History   []struct{ Seconds int }
	}
	w := get(t, p, "/index.json")
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.State != "down" || len(got.Groups) != 2 || got.Groups[1].Monitors[1].Title != "Short links" || len(got.Incidents) != 1 || len(got.History) != 1 || got.History[0].Seconds != 400 {
		t.Errorf("%s", w.Body)
	}
	days := got.Groups[1].Monitors[1].Days
	if len(days) != 90 || days[89].Day != day(0) || days[89].State != "down" || days[0].State != "unknown" {
		t.Errorf("%+v", days)
	}
	if got.Groups[0].Monitors[0].Uptime != nil {
		t.Error("of a monitor of which nothing is known there is an uptime")
	}
	if strings.Contains(w.Body.String(), "hunter2") {
		t.Error("it says why")
	}
}

func TestTheFeed(t *testing.T) {
	p := &status.Page{Source: outage(), Log: slog.New(slog.DiscardHandler)}
	var got struct {
		XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
		ID      string   `xml:"id"`
		Updated string   `xml:"updated"`
		Entries []struct {
			ID    string `xml:"id"`
			Title string `xml:"title"`
		} `xml:"entry"`
	}
	w := get(t, p, "/feed.atom")
	if err := xml.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Entries) != 2 || got.Entries[0].Title != "Short links is down" || got.Entries[1].ID != "urn:dropstack:incident:I1:over" {
		t.Errorf("%s", w.Body)
	}
}

func TestHowEverythingStands(t *testing.T) {
	for want, states := range map[string][]monitor.State{
		"Everything works":              {monitor.Up, monitor.Up, monitor.Paused},
		"One service is slow":           {monitor.Up, monitor.Slow},
		"2 services are down":           {monitor.Down, monitor.Down, monitor.Slow},
		"Everything is down":            {monitor.Down},
		"One service is in maintenance": {monitor.Maintenance, monitor.Up},
		"Nothing is public yet":         nil,
		"Nothing is known yet":          {monitor.Unknown},
	} {
		source := &told{}
		for _, s := range states {
			source.public.Monitors = append(source.public.Monitors, one("m", "", "", s))
		}
		body := get(t, &status.Page{Source: source, Log: slog.New(slog.DiscardHandler)}, "/").Body.String()
		if !strings.Contains(body, want) {
			t.Errorf("%v: the page lacks %q", states, want)
		}
	}
}

func TestWhatThePageDoesNot(t *testing.T) {
	p := &status.Page{Source: &told{err: errors.New("no disk")}, Log: slog.New(slog.DiscardHandler)}
	if got := get(t, p, "/").Code; got != http.StatusServiceUnavailable {
		t.Errorf("with nothing to show: %d", got)
	}
	p = &status.Page{Source: outage(), Log: slog.New(slog.DiscardHandler)}
	if got := get(t, p, "/other").Code; got != http.StatusNotFound {
		t.Errorf("of what is not there: %d", got)
	}
	if w := get(t, p, "/page.css"); w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("styles: %d %s", w.Code, w.Header())
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("posted: %d", w.Code)
	}
}
