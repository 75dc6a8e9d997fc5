//go:build linux

package conformance_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/instance"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/sandbox"
)

// minimum is how many cases there have to be.
const minimum = 120

// testCase is one thing that a function may rely on.
type testCase struct {
	Name   string
	Client string // one of clients
	API    string // one of apis
	Source string // the rule, and where it is stated
	Run    func(x *exam)
}

var (
	clients = []string{"go1.55", "go2020", "node", "ric", "bash"}
	apis    = []string{"runtime", "extensions", "telemetry", "logs"}
)

// exam is a case that is run.
type exam struct {
	*testing.T
	testCase
	*world
	// outside says that the case sees the function from outside of its sandbox, by
	// files and ports of this machine: it runs at the level process.
	outside bool
}

// world is what all cases share: the platform's part, and the functions.
type world struct {
	root  string                  // of all files; every user may search it
	pools map[bool]*instance.Pool // for all cases, by exam.outside
	boxes map[bool]*sandbox.Maker
	sink  *sink
	seen  atomic.Int64 // cases outside
}

// root is where the clients are made; TestMain removes it.
var root string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // functions run as users of their own
		panic(err)
	}
	root = dir
	return m.Run()
}

func suite() []testCase {
	return slices.Concat(invoking(), describing(), failing(), starting(), nodeCases(), goCases(), protocol(), streaming(),
		extending(), internally(), subscribing(), telling(), logging(), layering())
}

// TestConformance runs the suite; with -short, every third case of it.
func TestConformance(t *testing.T) {
	cases := suite()
	if len(cases) < minimum {
		t.Errorf("%d cases, want %d", len(cases), minimum)
	}
	w := &world{root: root, sink: &sink{}, pools: map[bool]*instance.Pool{}, boxes: map[bool]*sandbox.Maker{}}
	for outside, level := range map[bool]string{true: sandbox.Confine, false: level()} {
		w.boxes[outside] = boxes(t, level)
		w.pools[outside] = w.newPool(outside)
		w.pools[outside].Spares = -1
	}
	left := 0
	t.Run("case", func(t *testing.T) {
		names := map[string]bool{}
		for n, c := range cases {
			name := c.Client + "/" + c.API + ": " + c.Name
			if names[name] || c.Source == "" || !slices.Contains(clients, c.Client) || !slices.Contains(apis, c.API) {
				t.Errorf("%s: the name is taken, the source is missing, or client %q or API %q is unknown", name, c.Client, c.API)
			}
			names[name] = true
			if testing.Short() && n%3 != 0 {
				left++
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				x := &exam{T: t, testCase: c, world: w}
				c.Run(x)
				if x.outside {
					w.seen.Add(1)
				}
				if t.Failed() {
					t.Logf("source: %s", c.Source)
				}
			})
		}
	})
	for _, pool := range w.pools {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	}
	told := tally(cases) + fmt.Sprintf("; isolation level %s, but %d seen from outside at level %s", w.boxes[false].Level, w.seen.Load(), w.boxes[true].Level)
	if left > 0 {
		told += fmt.Sprintf(" (%d left out: -short)", left)
	}
	t.Log(told)
	fmt.Println(told)
}

// tally counts the cases by client and API.
func tally(cases []testCase) string {
	count := func(names []string, of func(testCase) string) string {
		n := map[string]int{}
		for _, c := range cases {
			n[of(c)]++
		}
		var parts []string
		for _, name := range names {
			parts = append(parts, fmt.Sprintf("%s %d", name, n[name]))
		}
		return strings.Join(parts, ", ")
	}
	return fmt.Sprintf("conformance: %d cases: %s; %s", len(cases),
		count(clients, func(c testCase) string { return c.Client }), count(apis, func(c testCase) string { return c.API }))
}

// level is the one that DROPSTACK_ISOLATION names, or the strongest.
func level() string {
	if level := os.Getenv("DROPSTACK_ISOLATION"); level != "" {
		return level
	}
	return "auto"
}

func boxes(t *testing.T, level string) *sandbox.Maker {
	m := &sandbox.Maker{TempDir: root, Ready: 2, Log: slog.New(slog.DiscardHandler)}
	if _, err := m.Choose(level); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left := m.Close(); left > 0 {
			t.Errorf("sandboxes left %d things behind", left)
		}
	})
	return m
}

// newPool is a pool whose limits do not depend on how fast the machine is.
func (w *world) newPool(outside bool) *instance.Pool {
	return &instance.Pool{Log: slog.New(slog.DiscardHandler), Logs: w.sink, TempDir: w.root, Boxes: w.boxes[outside], InitTimeout: 2 * time.Minute, Grace: 10 * time.Second}
}

// ownPool is a pool for a case alone, which ends with it.
func (x *exam) ownPool() *instance.Pool {
	p := x.newPool(x.outside)
	p.Spares = -1
	x.Cleanup(func() { p.Close() })
	return p
}

// task is where a function finds its code.
func (x *exam) task(cfg instance.Config) string {
	if x.boxes[x.outside].Level == sandbox.Full {
		return "/var/task"
	}
	return cfg.Dir
}

// shared is a directory that functions can write.
func (x *exam) shared() string {
	x.Helper()
	x.outside = true
	dir, err := os.MkdirTemp(x.root, "shared")
	if err != nil {
		x.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		x.Fatal(err)
	}
	return dir
}

// write makes files in a directory: name, content, name, content …
func (x *exam) write(dir string, files ...string) {
	x.Helper()
	for n := 0; n+1 < len(files); n += 2 {
		path := filepath.Join(dir, files[n])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			x.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[n+1]), 0o755); err != nil {
			x.Fatal(err)
		}
	}
}

func (x *exam) wait(what string, until func() bool) {
	x.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !until() {
		if time.Now().After(deadline) {
			x.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// sink collects log records.
type sink struct {
	mu      sync.Mutex
	records []logs.Record
}

func (s *sink) Append(r logs.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, r)
}

// of returns the messages of a request, or without one those of a log group that
// belong to no request.
func (s *sink) of(group, request string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, r := range s.records {
		if r.Request == request && (request != "" || r.Group == group) {
			list = append(list, r.Message)
		}
	}
	return strings.Join(list, "\n")
}
