package instance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// state is the letter that /proc has for a process: T is stopped.
func state(t *testing.T, pid int) string {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest[:1]
}

func TestIdleInstanceIsFrozen(t *testing.T) {
	p, _ := newPool(t)
	p.FreezeAfter = 20 * time.Millisecond
	before := decode[identity](t, first(do(t, p, probe(), `{"mode":"identity"}`)))
	wait(t, "the idle instance to be stopped", func() bool { return state(t, before.Pid) == "T" })
	after := decode[identity](t, first(do(t, p, probe(), `{"mode":"identity"}`)))
	if after.Pid != before.Pid || after.Count != before.Count+1 {
		t.Errorf("got %+v after %+v, want the same process to go on", after, before)
	}
	wait(t, "it to be stopped again", func() bool { return state(t, before.Pid) == "T" })
}

func TestABurstSharesInstances(t *testing.T) {
	p, _ := newPool(t)
	var g sync.WaitGroup
	for n := range 200 {
		g.Go(func() {
			out, err := p.Do(t.Context(), probe(), Event{RequestID: fmt.Sprint("b", n), Payload: []byte(`{"mode":"identity"}`)})
			if err != nil || out.FunctionError != "" {
				t.Errorf("got %s, %v", out.Payload, err)
			}
		})
	}
	g.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.all) > 100 || len(p.waiting) > 0 || len(p.starting) > 0 {
		t.Errorf("%d instances for 200 short invocations, %d queues and %d places left", len(p.all), len(p.waiting), len(p.starting))
	}
}

// Functions whose init hangs do not keep others from starting.
func TestStartsThatHangHoldUpNobody(t *testing.T) {
	p, _ := newPool(t)
	hang := probe()
	hang.ID, hang.Env = "hang", map[string]string{"PROBE_INIT": "hang"}
	ctx, leave := context.WithCancel(t.Context())
	for n := range 40 {
		go func() { _, _ = p.Do(ctx, hang, Event{RequestID: fmt.Sprint("h", n), Payload: []byte("{}")}) }()
	}
	wait(t, "the places to be taken", func() bool { return len(p.places()) == cap(p.places()) })
	do(t, p, probe(), `{}`)
	leave()
}

func TestAWaiterThatLeavesIsForgotten(t *testing.T) {
	p, _ := newPool(t)
	for range cap(p.places()) {
		p.places() <- struct{}{}
	}
	ctx, leave := context.WithCancelCause(t.Context())
	failed := make(chan error)
	go func() {
		_, err := p.Do(ctx, probe(), Event{RequestID: "w", Payload: []byte("{}")})
		failed <- err
	}()
	queued := func() int { p.mu.Lock(); defer p.mu.Unlock(); return len(p.waiting["probe"]) }
	wait(t, "the event to queue", func() bool { return queued() == 1 })
	gone := errors.New("gone")
	leave(gone)
	if err := <-failed; !errors.Is(err, gone) || queued() != 0 {
		t.Errorf("got %v and %d waiting, want %v and none", err, queued(), gone)
	}
}

func TestReserve(t *testing.T) {
	p, _ := newPool(t)
	p.IdleAfter, p.IdleAtMost = 20*time.Millisecond, 20*time.Millisecond
	p.Reserve(probe(), 2)
	ready := func(n int) func() bool { return func() bool { return p.Ready("probe") == n } }
	wait(t, "two instances", ready(2))
	one := decode[identity](t, first(do(t, p, probe(), `{"mode":"identity"}`)))
	if err := syscall.Kill(one.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wait(t, "the killed one to be replaced", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		for inst := range p.all {
			if inst.proc.Pid == one.Pid {
				return false
			}
		}
		return p.count("probe", true) == 2
	})
	p.Reserve(probe(), 0)
	wait(t, "the instances to be reaped", ready(0))
}

func TestReserveOfWhatDoesNotStart(t *testing.T) {
	p, _ := newPool(t)
	broken := probe()
	broken.Env = map[string]string{"PROBE_INIT": "exit"}
	p.Reserve(broken, 1)
	wait(t, "a failure", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.reserved["probe"].failures > 0 })
	p.Reserve(probe(), 1)
	wait(t, "the next attempt to succeed", func() bool { return p.Ready("probe") == 1 })
}

func TestAnOldInstanceIsRetired(t *testing.T) {
	p, _ := newPool(t)
	p.RetireAfter = 50 * time.Millisecond
	cfg := probe()
	streams := make(chan string, 10)
	cfg.Credentials = func(stream string) (Credentials, error) {
		streams <- stream
		return Credentials{"AKID" + stream, "secret", "token"}, nil
	}
	before := decode[identity](t, first(do(t, p, cfg, `{"mode":"identity"}`)))
	wait(t, "the idle instance to be stopped for its age", func() bool { return p.Ready(cfg.ID) == 0 })
	out, _ := do(t, p, cfg, `{"mode":"env"}`)
	env := decode[[]string](t, out)
	if after := decode[identity](t, first(do(t, p, cfg, `{"mode":"identity"}`))); after.Pid == before.Pid {
		t.Error("the retired instance got another event")
	}
	if one, other := <-streams, <-streams; one == other || !slices.Contains(env, "AWS_ACCESS_KEY_ID=AKID"+other) {
		t.Errorf("streams %s and %s: each instance shall have credentials of its own, got %v", one, other, env)
	}
}

func TestWithoutCredentialsNothingStarts(t *testing.T) {
	p, _ := newPool(t)
	cfg := probe()
	cfg.Credentials = func(string) (Credentials, error) { return Credentials{}, errors.New("no role") }
	_, err := p.Do(t.Context(), cfg, Event{RequestID: "r", Payload: []byte(`{}`)})
	if err == nil || !strings.Contains(err.Error(), "no role") {
		t.Errorf("got %v, want an error that says why", err)
	}
}
