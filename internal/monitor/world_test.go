package monitor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/monitor"
	"github.com/dropstack/dropstack/internal/monitor/monitortest"
)

// sight is what a location sees of every target, from a moment on.
type sight struct {
	from    time.Duration // since the start
	state   monitor.State // Up or Down
	reached monitor.Reach
	reason  string
	took    time.Duration
	hangs   bool // it answers only when its context ends
}

func fine(from time.Duration) sight {
	return sight{from: from, state: monitor.Up, reached: monitor.ReachedAnswer, took: 20 * time.Millisecond}
}

func broken(from time.Duration) sight {
	return sight{from: from, state: monitor.Down, reached: monitor.ReachedAnswer, reason: "it answers 500 Internal Server Error"}
}

func lost(from time.Duration) sight {
	return sight{from: from, state: monitor.Down, reached: monitor.ReachedNothing, reason: "there is no route to the server"}
}

func slow(from, took time.Duration) sight {
	return sight{from: from, state: monitor.Up, reached: monitor.ReachedAnswer, took: took}
}

// eyes are a location's.
type eyes struct {
	began time.Time
	mu    sync.Mutex
	sees  []sight
	only  map[string][]sight // of some monitors
	tasks []monitor.Task
}

func (e *eyes) Check(ctx context.Context, t monitor.Task) monitor.Result {
	e.mu.Lock()
	e.tasks = append(e.tasks, t)
	sees := e.sees
	if of, there := e.only[t.Monitor]; there {
		sees = of
	}
	e.mu.Unlock()
	var now sight
	for _, s := range sees {
		if time.Since(e.began) >= s.from {
			now = s
		}
	}
	if now.hangs {
		<-ctx.Done()
	}
	time.Sleep(now.took)
	r := monitor.Result{ID: t.ID, Monitor: t.Monitor, State: now.state, Reason: now.reason, Reached: now.reached, WarmUp: t.WarmUp, Evidence: &monitor.Evidence{Body: "oops"}}
	r.Phases.Total = monitor.Duration(now.took)
	return r
}

func (e *eyes) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.tasks)
}

// world is a platform with its locations, inside a bubble.
type world struct {
	*monitor.Monitors
	t     testing.TB
	began time.Time
	disk  *monitortest.Memory
	here  *eyes
	pipes *pipes

	mu      sync.Mutex
	notices []string
	last    map[string]string // by monitor
	full    []monitor.Notice
	levels  map[string]float64
	samples map[string]int
	stop    func()
}

func newWorld(t testing.TB, disk *monitortest.Memory, here ...sight) *world {
	w := &world{t: t, began: time.Now(), disk: disk, last: map[string]string{}, levels: map[string]float64{}, samples: map[string]int{}, pipes: &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}}
	w.here = &eyes{began: w.began, sees: here}
	w.Monitors = &monitor.Monitors{
		Streams: disk, Checks: w.here, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		MayReachInside: func(ctx context.Context) bool { who, known := iam.Caller(ctx); return known && who.Root() },
		URL:            func(stack string) string { return "http://" + stack + ".localhost:8080" },
		Level: func(name string, labels map[string]string, v float64) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.levels[strings.Join([]string{name, labels["monitor"], labels["location"]}, " ")] = v
		},
		Sample: func(_ context.Context, name string, labels map[string]string, _ time.Time, _ float64) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.samples[labels["location"]+" "+labels["phase"]]++
			return nil
		},
		Notify: func(_ context.Context, n monitor.Notice) {
			w.mu.Lock()
			defer w.mu.Unlock()
			text := string(n.State)
			if n.Over {
				text += " is over"
			}
			if w.last[n.Monitor.Name] != text { // reminders aside
				w.last[n.Monitor.Name] = text
				w.notices = append(w.notices, fmt.Sprint(time.Since(w.began).Truncate(time.Second), " ", n.Monitor.Name, " ", text))
			}
			w.full = append(w.full, n)
		},
	}
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.StripPrefix("/probe", w.Handler())}
	var running sync.WaitGroup
	running.Go(func() { _ = srv.Serve(w.pipes) })
	ctx, cancel := context.WithCancel(context.Background())
	running.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	w.stop = sync.OnceFunc(func() {
		cancel()
		_ = w.pipes.Close()
		_ = srv.Close()
		running.Wait()
	})
	return w
}

// probe has a location join, until leave is called.
func (w *world) probe(name string, sees ...sight) (e *eyes, leave func()) {
	w.t.Helper()
	key, err := w.PutLocation(w.t.Context(), monitor.LocationInput{Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.joins(name, key.Key, sees...)
}

func (w *world) joins(name, key string, sees ...sight) (e *eyes, leave func()) {
	e = &eyes{began: w.began, sees: sees}
	joined := make(chan struct{}, 10)
	p := &monitor.Probe{
		Location: name, Join: "http://platform", Key: key, Checks: e, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
		Client: w.pipes.client(name), Joined: func() { joined <- struct{}{} },
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	<-joined
	return e, sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("probe %s: %v", name, err)
		}
	})
}

func (w *world) add(m monitor.Monitor) {
	w.t.Helper()
	if _, err := w.Put(w.t.Context(), m); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) told() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.notices)
}

func (w *world) state(name string) monitor.Status {
	w.t.Helper()
	s, err := w.Describe(w.t.Context(), monitor.NameInput{Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func page() monitor.Monitor {
	return monitor.Monitor{Name: "page", Target: monitor.Target{URL: "https://example.com/"}}
}

// pipes is a network inside the bubble, whose cables can be pulled.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once

	mu  sync.Mutex
	cut map[string]bool // by location: what is sent disappears
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) pull(location string, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut == nil {
		p.cut = map[string]bool{}
	}
	p.cut[location] = cut
}

func (p *pipes) isCut(location string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cut[location]
}

func (p *pipes) client(location string) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		if p.isCut(location) {
			time.Sleep(3 * time.Second) // the transport dials on when nobody waits any more
			return nil, errors.New("no route")
		}
		ours, theirs := net.Pipe()
		select {
		case p.conns <- theirs:
			return &cable{Conn: ours, p: p, location: location}, nil
		case <-p.closed:
			return nil, net.ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}}
}

// cable loses what is sent while it is cut, in both directions, and tells nobody.
type cable struct {
	net.Conn
	p        *pipes
	location string
}

func (c *cable) Write(b []byte) (int, error) {
	if c.p.isCut(c.location) {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *cable) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.p.isCut(c.location) {
			return n, err
		}
	}
}
