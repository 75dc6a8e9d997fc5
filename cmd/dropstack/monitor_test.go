package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/monitor"
	"github.com/dropstack/dropstack/internal/testkit"
)

// moody is a page that is fine, broken or slow.
type moody struct {
	broken, slow atomic.Bool
}

func (m *moody) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if m.slow.Load() {
		time.Sleep(700 * time.Millisecond) // what slow means
	}
	if m.broken.Load() {
		w.WriteHeader(http.StatusInternalServerError)
	}
	fmt.Fprintln(w, "the database is away")
}

// joinProbe starts a probe of a location and returns its process once it has joined.
func joinProbe(t *testing.T, p *testkit.Platform, location string) *os.Process {
	t.Helper()
	var key monitor.LocationKey
	if err := json.Unmarshal([]byte(dropstack(t, p, "", "monitor", "location", "add", location, "--json")), &key); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(testkit.Binary(t), "probe", "--location", location, "--join", p.Console, "--private-addresses")
	cmd.Env = append(os.Environ(), "DROPSTACK_PROBE_KEY="+key.Key)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("probe %s: %v", location, err)
		}
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "joined") {
		t.Fatalf("probe %s: %q, %v", location, line, err)
	}
	return cmd.Process
}

func watched(t *testing.T, p *testkit.Platform, name string) (s monitor.Status) {
	t.Helper()
	if err := admin(t, p).Call(t.Context(), "DescribeMonitor", monitor.NameInput{Name: name}, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestMonitorsFromThreeLocations: one that is cut off calls nobody, two that see the
// same do, with what each has seen.
func TestMonitorsFromThreeLocations(t *testing.T) {
	t.Parallel() // most of it is waiting for checks
	page := &moody{}
	srv := httptest.NewServer(page)
	defer srv.Close()
	p := testkit.Start(t, testkit.Dir(t), "--services", "none", "--monitor-interval", "1s")
	joinProbe(t, p, "oslo")
	joinProbe(t, p, "lima")
	cut := joinProbe(t, p, "perth")
	const interval = 3 * time.Second
	dropstack(t, p, "", "monitor", "add", "page", srv.URL, "--every", interval.String(), "--slow", "500ms", "--location", "oslo,lima,perth")
	eventually(t, "all three see it", func() (bool, string) {
		s := watched(t, p, "page")
		return !slices.ContainsFunc(s.Places, func(p monitor.Place) bool { return p.Last == nil || p.Last.State != monitor.Up }), fmt.Sprintf("%+v", s.Places)
	})

	if err := cut.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()
	eventually(t, "that perth is gone is known", func() (bool, string) {
		out := dropstack(t, p, "", "monitor", "location", "list")
		return strings.Contains(out, "not heard from"), out
	})
	t.Logf("that a probe is gone was known after %v", time.Since(stopped).Round(time.Millisecond))
	if s := watched(t, p, "page"); s.State != monitor.Up || s.Incident != nil {
		t.Errorf("with one location cut off: %s, %+v", s.State, s.Incident)
	}

	page.broken.Store(true)
	broke := time.Now()
	var s monitor.Status
	eventually(t, "it is down", func() (bool, string) {
		s = watched(t, p, "page")
		return s.State == monitor.Down, string(s.State)
	})
	took := s.Incident.Opened.Sub(broke)
	t.Logf("down %v after the target broke; the interval is %v", took.Round(time.Millisecond), interval)
	if took > 2*interval {
		t.Errorf("that it is down was known after %v, more than two intervals", took)
	}
	if !strings.Contains(s.Incident.Cause, "500 Internal Server Error (2 of 2 locations: lima, oslo)") {
		t.Errorf("the cause: %s", s.Incident.Cause)
	}
	for _, location := range []string{"lima", "oslo"} {
		i := slices.IndexFunc(s.Incident.Evidence, func(r monitor.Result) bool { return r.Location == location })
		if i < 0 || s.Incident.Evidence[i].Status != 500 || !strings.Contains(s.Incident.Evidence[i].Evidence.Body, "the database is away") {
			t.Errorf("evidence of %s: %+v", location, s.Incident.Evidence)
		}
	}
	page.broken.Store(false)
	eventually(t, "it is up again", func() (bool, string) {
		s := watched(t, p, "page").State
		return s == monitor.Up, string(s)
	})

	page.slow.Store(true)
	eventually(t, "it is slow", func() (bool, string) {
		s := watched(t, p, "page").State
		return s == monitor.Slow, string(s)
	})
	if out := dropstack(t, p, "", "monitor", "show", "page"); !strings.Contains(out, "more than 500ms") {
		t.Error(out)
	}
	if out, _, code := p.Run(t, "", "monitor", "test", srv.URL, "--location", "here"); code != 0 || !strings.Contains(out, "here      up") {
		t.Errorf("exit %d: %s", code, out)
	}
	if err := cut.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "perth is back", func() (bool, string) {
		out := dropstack(t, p, "", "monitor", "location", "list")
		return !strings.Contains(out, "not heard from"), out
	})
}
