package audit_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/dropstack/dropstack/internal/audit"
)

const victimDir = "AUDIT_TEST_VICTIM"

// TestVictim is the process that is killed: it appends until then, and prints
// what was acknowledged.
func TestVictim(t *testing.T) {
	dir := os.Getenv(victimDir)
	if dir == "" {
		t.Skip("not run: only as a process of TestNothingAcknowledgedIsLostWhenTheProcessIsKilled")
	}
	l := open(t, dir)
	var mu sync.Mutex
	for c := range 8 {
		go func() {
			for n := 0; ; n++ {
				e := event(n)
				e.RequestID = fmt.Sprintf("%d-%d-%d", os.Getpid(), c, n)
				if err := l.Append(t.Context(), e); err != nil {
					panic(err)
				}
				mu.Lock()
				fmt.Println("acknowledged", e.RequestID)
				mu.Unlock()
			}
		}()
	}
	select {}
}

func TestNothingAcknowledgedIsLostWhenTheProcessIsKilled(t *testing.T) {
	dir, acknowledged := t.TempDir(), map[string]bool{}
	for range 8 {
		victim := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$")
		victim.Env = append(os.Environ(), victimDir+"="+dir)
		out, err := victim.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		left := 1 + rand.IntN(600)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var id string
			if _, err := fmt.Sscanf(lines.Text(), "acknowledged %s", &id); err != nil {
				continue
			}
			acknowledged[id] = true
			if left--; left == 0 {
				if err := victim.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = victim.Wait() // it was killed
		if r := verify(t, dir); !r.OK() {
			t.Fatalf("after a kill, before the next start: %v", r.Faults)
		}
	}
	l := open(t, dir)
	found := map[string]int{}
	for in := (audit.ListInput{Limit: 1000}); ; {
		for _, e := range records(t, l, in) {
			found[e.RequestID]++
		}
		out, err := l.List(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if in.Token = out.Token; in.Token == "" {
			break
		}
	}
	for id := range acknowledged {
		if found[id] != 1 {
			t.Errorf("%s was acknowledged and is there %d times", id, found[id])
		}
	}
	closeLog(t, l)
	if r := verify(t, dir); !r.OK() {
		t.Errorf("at the end: %v", r.Faults)
	}
	if len(acknowledged) < 100 {
		t.Errorf("only %d acknowledged: too few to say anything", len(acknowledged))
	}
	t.Logf("%d acknowledged, none lost", len(acknowledged))
}
