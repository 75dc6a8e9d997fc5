package instance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

func TestScaleOutAndLastUsedFirst(t *testing.T) {
	p, _ := newPool(t)
	pids := make(chan int, 3)
	var g sync.WaitGroup
	for n := range 3 {
		g.Go(func() {
			out, err := p.Do(t.Context(), probe(), Event{RequestID: fmt.Sprint("s", n), Payload: fmt.Appendf(nil, `{"mode":"sleep","n":%d}`, 300+n*200)})
			if err != nil {
				t.Error(err)
				return
			}
			pids <- decode[identity](t, out).Pid
		})
	}
	g.Wait()
	var order []int
	for range 3 {
		order = append(order, <-pids)
	}
	if order[0] == order[1] || order[1] == order[2] || order[0] == order[2] {
		t.Fatalf("processes got %v, want three", order)
	}
	if got := decode[identity](t, first(do(t, p, probe(), `{"mode":"identity"}`))); got.Pid != order[2] {
		t.Errorf("got process %d, want the last used of %v", got.Pid, order)
	}
}

// A process that works on after its answer neither holds up the next event nor is
// lost; one that never comes back is ended at its timeout.
func TestInstanceThatLingers(t *testing.T) {
	p, _ := newPool(t)
	a := decode[identity](t, first(do(t, p, probe(), `{"mode":"linger","n":500}`)))
	b := decode[identity](t, first(do(t, p, probe(), `{"mode":"identity"}`)))
	if a.Pid == b.Pid {
		t.Errorf("the event waited for process %d", a.Pid)
	}
	wait(t, "both to be idle", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.idle["probe"]) == 2 })
	short := probe()
	short.ID, short.Timeout = "short", 300*time.Millisecond
	do(t, p, short, `{"mode":"linger","n":60000}`)
	do(t, p, short, `{}`)
	wait(t, "the stuck one to be ended", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.all) == 3 })
}

func TestCallerLeaves(t *testing.T) {
	for _, warm := range []bool{false, true} {
		t.Run(fmt.Sprint("warm ", warm), func(t *testing.T) {
			p, _ := newPool(t)
			if warm {
				if err := p.Warm(t.Context(), probe()); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			file := filepath.Join(shared(t), "file")
			go func() {
				for { // leave once the handler runs
					if _, err := os.Stat(file); err == nil {
						cancel()
						return
					}
					time.Sleep(time.Millisecond)
				}
			}()
			payload := fmt.Appendf(nil, `{"mode":"touch then sleep","n":300,"text":%q}`, file)
			_, err := p.Do(ctx, probe(), Event{RequestID: "left", Payload: payload, Ended: func(Outcome, error) { close(ended) }})
			clear(payload) // it is the caller's again
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v, want canceled", err)
			}
			<-ended
			if b, _ := os.ReadFile(file); string(b) != "finished" {
				t.Errorf("the invocation got to %q, want finished", b)
			}
		})
	}
}

// shared is a directory that functions can write.
func shared(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(probeDir, "shared")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestIdleInstancesAreReaped(t *testing.T) {
	p, _ := newPool(t)
	p.IdleAfter = 50 * time.Millisecond
	do(t, p, probe(), `{}`)
	wait(t, "no instance left", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.all) == 0 })
}

func TestIdleInstanceThatDiesIsDropped(t *testing.T) {
	p, _ := newPool(t)
	a := decode[identity](t, first(do(t, p, probe(), `{"mode":"identity"}`)))
	self, err := os.FindProcess(a.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Kill(); err != nil {
		t.Fatal(err)
	}
	wait(t, "its end to be seen", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.all) == 0 && len(p.idle["probe"]) == 0 })
	b := decode[identity](t, first(do(t, p, probe(), `{"mode":"identity"}`)))
	if a.Pid == b.Pid {
		t.Errorf("process %d answers after its end", a.Pid)
	}
}

func TestKeep(t *testing.T) {
	p, _ := newPool(t)
	old, next := probe(), probe()
	next.ID = "next"
	do(t, p, old, `{}`)
	var out Outcome
	var busy sync.WaitGroup
	file := filepath.Join(shared(t), "file")
	do(t, p, old, `{}`)
	busy.Go(func() {
		var err error
		out, err = p.Do(t.Context(), old, Event{RequestID: "busy", Payload: fmt.Appendf(nil, `{"mode":"touch then sleep","n":200,"text":%q}`, file)})
		if err != nil {
			t.Error(err)
		}
	})
	wait(t, "the handler to run", func() bool { _, err := os.Stat(file); return err == nil })
	if err := p.Warm(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	p.Keep(map[string]bool{"next": true})
	busy.Wait()
	if out.FunctionError != "" {
		t.Errorf("a busy instance was ended: %s", out.Payload)
	}
	wait(t, "one instance left", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.all) == 1 && len(p.idle["next"]) == 1 })
}

func TestWarm(t *testing.T) {
	p, _ := newPool(t)
	if err := p.Warm(t.Context(), probe()); err != nil {
		t.Fatal(err)
	}
	if out, _ := do(t, p, probe(), `{}`); out.Init != 0 {
		t.Errorf("init got %v, want none", out.Init)
	}
	cfg := probe()
	cfg.Dir = os.TempDir()
	cfg.ID = "other"
	if err := p.Warm(t.Context(), cfg); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "bootstrap") {
		t.Errorf("got %v, want invalid", err)
	}
}

func TestCloseEndsWhatRuns(t *testing.T) {
	p, _ := newPool(t)
	failed := make(chan error, 1)
	file := filepath.Join(shared(t), "file")
	go func() {
		_, err := p.Do(context.Background(), probe(), Event{RequestID: "x", Payload: fmt.Appendf(nil, `{"mode":"touch then sleep","n":60000,"text":%q}`, file)})
		failed <- err
	}()
	wait(t, "the handler to run", func() bool { _, err := os.Stat(file); return err == nil })
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v, want unavailable", err)
	}
	if _, err := p.Do(t.Context(), probe(), Event{RequestID: "y"}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("after Close got %v, want unavailable", err)
	}
}

// Lambda kills an instance without extensions, and so does the pool, but not when
// the platform shuts down.
func TestCloseAsksFirst(t *testing.T) {
	p, _ := newPool(t)
	file := filepath.Join(shared(t), "file")
	cfg := probe()
	cfg.Env = map[string]string{"PROBE_SIGNAL": file}
	do(t, p, cfg, `{}`)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); string(b) != "SIGTERM" {
		t.Errorf("got %q, %v; want SIGTERM to be heard", b, err)
	}
}

func TestManyCallers(t *testing.T) {
	p, _ := newPool(t)
	var g sync.WaitGroup
	for c := range 8 {
		g.Go(func() {
			for n := range 100 {
				want := fmt.Sprintf(`{"text":"%d-%d"}`, c, n)
				out, err := p.Do(t.Context(), probe(), Event{RequestID: fmt.Sprintf("m-%d-%d", c, n), Payload: []byte(want)})
				if err != nil || string(out.Payload) != want {
					t.Errorf("got %s, %v, want %s", out.Payload, err, want)
					return
				}
			}
		})
	}
	g.Wait()
	// On a machine under load an instance can be late to ask for its next event
	// (settleTime), so that another is started. They are still reused.
	if n := len(p.all); n > 80 {
		t.Errorf("%d instances for 800 events of 8 callers", n)
	}
}
