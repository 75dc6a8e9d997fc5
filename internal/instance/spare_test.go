package instance

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/sandbox"
)

// ahead is the probe as a runtime that can start ahead of its functions.
func ahead() Config {
	cfg := probe()
	cfg.Runtime, cfg.Command, cfg.Preboot = "nodejs20.x", []string{filepath.Join(probeDir, "bootstrap")}, true
	cfg.Env = map[string]string{"OWN": "a=b"}
	return cfg
}

func stocked(p *Pool, n int) func() bool {
	return func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, s := range p.shelves {
			if len(s.ready) == n {
				return true
			}
		}
		return false
	}
}

func (p *Pool) sparePids() (pids []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.shelves {
		for _, sp := range s.ready {
			pids = append(pids, sp.proc.Pid)
		}
	}
	return pids
}

func TestSpareBecomesTheFunction(t *testing.T) {
	p, s := newPool(t)
	p.Stock(ahead())
	wait(t, "two spares", stocked(p, 2))
	spares := p.sparePids()
	out, id := do(t, p, ahead(), `{"mode":"identity"}`)
	got := decode[identity](t, out)
	if !slices.Contains(spares, got.Pid) {
		t.Errorf("process %d answered, want one of the spares %v", got.Pid, spares)
	}
	want := os.Getuid()
	if want == 0 {
		want = sandbox.ID(ahead().ARN)
	}
	if got.Uid != want || out.Init == 0 {
		t.Errorf("got user %d and init %v, want %d and some time", got.Uid, out.Init, want)
	}
	if lines := s.of(id); len(lines) != 3 {
		t.Errorf("log of the request: %q", lines)
	}
	wait(t, "another spare in its place", stocked(p, 2))

	// the same process in any other way would have the same environment
	spared := decode[[]string](t, first(do(t, p, ahead(), `{"mode":"env"}`)))
	plain := ahead()
	plain.ID, plain.Preboot = "plain", false
	alone := decode[[]string](t, first(do(t, p, plain, `{"mode":"env"}`)))
	if diff := cmp.Diff(stable(alone), stable(spared)); diff != "" {
		t.Errorf("environment (-started +assigned):\n%s", diff)
	}
}

// stable drops what differs between instances, and what the client sets itself.
func stable(env []string) []string {
	env = slices.DeleteFunc(env, func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains([]string{"TMPDIR", "AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_LOG_STREAM_NAME", "_X_AMZN_TRACE_ID"}, name)
	})
	slices.Sort(env)
	return env
}

// TestMoreRoomIsForWhoStartsInIt: what a spare has for temporary files is what most
// functions have.
func TestMoreRoomIsForWhoStartsInIt(t *testing.T) {
	p, _ := newPool(t)
	p.Stock(ahead())
	wait(t, "two spares", stocked(p, 2))
	spares := p.sparePids()
	large := ahead()
	large.ID, large.StorageMB = "large", sandbox.StorageMB+1
	if got := decode[identity](t, first(do(t, p, large, `{"mode":"identity"}`))); slices.Contains(spares, got.Pid) {
		t.Errorf("a spare, process %d, answered", got.Pid)
	}
}

func TestSpareThatDiesIsForgotten(t *testing.T) {
	p, _ := newPool(t)
	p.Stock(ahead())
	wait(t, "two spares", stocked(p, 2))
	for _, pid := range p.sparePids() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	wait(t, "both to be forgotten", stocked(p, 0))
	do(t, p, ahead(), `{}`)
	wait(t, "others", stocked(p, 2))
}

func TestSparesThatNobodyWantsAreEnded(t *testing.T) {
	p, _ := newPool(t)
	p.IdleAtMost = 50 * time.Millisecond
	p.Stock(ahead())
	wait(t, "the shelf to be cleared", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.shelves) == 0 })
}

func TestRuntimeThatCannotStartAhead(t *testing.T) {
	p, _ := newPool(t)
	broken := ahead()
	broken.Command = []string{"/bin/sh", "-c", `[ -z "$DROPSTACK_PREBOOT" ] && exec ` + fmt.Sprintf("%q", filepath.Join(probeDir, "bootstrap"))}
	do(t, p, broken, `{}`) // starts a process of its own
	wait(t, "the spares to fail", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, s := range p.shelves {
			return s.starting == 0
		}
		return false
	})
}
