//go:build linux

package sandbox_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/testkit"
)

// below lists the processes that descend from one.
func below(pid int) (pids []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for _, word := range strings.Fields(string(text)) {
			var child int
			if _, err := fmt.Sscan(word, &child); err == nil {
				pids = append(append(pids, child), below(child)...)
			}
		}
	}
	return pids
}

// stands reports whether a process is stopped, or frozen with its control group.
func stands(t *testing.T, pid int) bool {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	switch _, rest, _ := strings.Cut(string(stat), ") "); rest[0] {
	case 'T', 'Z': // or it has ended, and its parent stands
		return true
	case 'D': // a shell waits until its child becomes another program, which stands
		children := below(pid)
		return len(children) > 0 && !slices.ContainsFunc(children, func(child int) bool { return !stands(t, child) })
	}
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(groups)) {
		path, two := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !two {
			continue
		}
		for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
			if events, err := os.ReadFile(filepath.Join(mount, path, "cgroup.events")); err == nil && strings.Contains(string(events), "frozen 1") {
				return true
			}
		}
	}
	return false
}

// TestAFrozenSandboxStandsStill freezes a function with a child that has left its
// session, and so its process group.
func TestAFrozenSandboxStandsStill(t *testing.T) {
	m := testkit.Maker(t, testkit.Strongest())
	b := furnished(t, m, sandbox.Furniture{MemoryMB: 128})
	p, err := b.Start(sandbox.Spec{Path: "/bin/sh", Args: []string{"-c", "setsid sh -c 'while :; do echo child; sleep 0.01; done' & wait"}, Dir: "/", Env: []string{"PATH=/usr/bin:/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stdout.Close()
	defer p.Stderr.Close()
	out := bufio.NewReader(p.Stdout)
	if line, err := out.ReadString('\n'); err != nil || line != "child\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	all := append(below(p.Pid), p.Pid)
	if len(all) < 2 {
		t.Fatalf("processes %v: the child is missing", all)
	}
	b.Freeze(p)
	for _, pid := range all {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err != nil {
			continue // a sleep that was over by then
		}
		eventually(t, fmt.Sprintf("process %d to stand still", pid), func() bool { return stands(t, pid) })
	}
	b.Thaw(p)
	eventually(t, "the function to go on", func() bool { return !stands(t, p.Pid) })
	// A frozen sandbox can be closed.
	b.Freeze(p)
	eventually(t, "the function to stand still", func() bool { return stands(t, p.Pid) })
	b.Close()
	if exit := p.Wait(); exit.Status != "signal: killed" {
		t.Errorf("got %+v, want it killed", exit)
	}
}

// eventually waits for what the kernel does in its own time.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
