//go:build linux

package sandbox_test

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/sandbox/guest"
	"github.com/dropstack/dropstack/internal/testkit"
)

// TestManyComeAndGo leaves nothing: no process, mount, control group, network
// device or descriptor.
func TestManyComeAndGo(t *testing.T) {
	n := 200
	if testing.Short() {
		n = 20
	}
	come(t, 1) // what is opened once stays open
	before := descriptors(t)
	devices := tuns(t)
	born := come(t, n)
	if len(born) < n {
		t.Errorf("%d first processes were seen, want %d", len(born), n)
	}
	for _, p := range born {
		if p.lives() {
			t.Errorf("process %d is still there", p.pid)
		}
	}
	if after := descriptors(t); len(after) > len(before) {
		t.Errorf("%d descriptors, %d before:\n%s", len(after), len(before), strings.Join(after, "\n"))
	}
	for _, device := range tuns(t) {
		if !slices.Contains(devices, device) {
			t.Errorf("the network device %s is new", device)
		}
	}
}

// come makes, uses and ends so many sandboxes, one after the other, and returns
// their first processes.
func come(t *testing.T, n int) (born []process) {
	t.Helper()
	m := testkit.Maker(t, testkit.Strongest())
	for range n {
		b := furnished(t, m, sandbox.Furniture{MemoryMB: 128})
		if _, exit := inside(t, b, "true"); exit.Code != 0 {
			t.Fatal(exit)
		}
		for _, p := range guests(t) {
			if !slices.Contains(born, p) {
				born = append(born, p)
			}
		}
		b.Close()
	}
	if left := m.Close(); left != 0 {
		t.Errorf("%d leftovers", left)
	}
	if left := groups(t); len(left) > 0 {
		t.Errorf("control groups left: %v", left)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), m.TempDir) {
		t.Errorf("mounts left:\n%s", mounts)
	}
	return born
}

// process is one for good: numbers are given away again, at another time.
type process struct{ pid, start int }

func (p process) lives() bool {
	doc, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/stat")
	return err == nil && started(string(doc)) == p.start
}

// started is field 22 of proc_pid_stat(5); the second may hold anything.
func started(stat string) int {
	f := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	n, _ := strconv.Atoi(f[19])
	return n
}

// guests are the first processes of this test's sandboxes: children of its spawner.
func guests(t testing.TB) (list []process) {
	t.Helper()
	for _, pid := range children(t, os.Getpid()) {
		if name(pid) != guest.SpawnerName {
			continue
		}
		for _, pid := range children(t, pid) {
			if doc, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil && name(pid) == guest.Name {
				list = append(list, process{pid, started(string(doc))})
			}
		}
	}
	return list
}

func children(t testing.TB, pid int) (list []int) {
	t.Helper()
	files, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		doc, _ := os.ReadFile(file) // a thread may have ended
		for _, word := range strings.Fields(string(doc)) {
			pid, _ := strconv.Atoi(word)
			list = append(list, pid)
		}
	}
	return list
}

// name is what a process was started as.
func name(pid int) string {
	doc, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	first, _, _ := strings.Cut(string(doc), "\x00")
	return first
}

func descriptors(t *testing.T) (list []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		target, _ := os.Readlink("/proc/self/fd/" + e.Name())
		list = append(list, target)
	}
	return list
}

// tuns are the devices of the kind that sandboxes have, outside of them.
func tuns(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("/sys/class/net/*/tun_flags")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// groups are the control groups that this program has made.
func groups(t *testing.T) (list []string) {
	t.Helper()
	doc, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(doc)) {
		own := strings.SplitN(strings.TrimSpace(line), ":", 3)[2]
		for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
			found, err := filepath.Glob(filepath.Join(mount, own, "dropstack-"+strconv.Itoa(os.Getpid())+"-*"))
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, found...)
		}
	}
	return list
}

// TestAnIdleSandboxIsSmall: what its first process has for itself, tables of its
// memory included.
func TestAnIdleSandboxIsSmall(t *testing.T) {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("not run: the race detector has most of the memory of a program")
	}
	furnished(t, testkit.Maker(t, testkit.Strongest()), sandbox.Furniture{MemoryMB: 128})
	list := guests(t)
	if len(list) == 0 {
		t.Fatal("there is no first process")
	}
	for _, p := range list {
		doc, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/status")
		if err != nil {
			t.Fatal(err)
		}
		kb := field(t, string(doc), "RssAnon:") + field(t, string(doc), "RssShmem:") + field(t, string(doc), "VmPTE:")
		if t.Logf("%d KiB", kb); kb > 2048 {
			t.Errorf("the first process has %d KiB of memory for itself, at most 2,048", kb)
		}
	}
}

func field(t *testing.T, status, name string) int {
	t.Helper()
	_, rest, _ := strings.Cut(status, name)
	words := strings.Fields(rest)
	if len(words) == 0 {
		t.Fatalf("no %s in\n%s", name, status)
	}
	n, err := strconv.Atoi(words[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestTheSpawnerIsStartedAgain after it was killed, and its sandboxes with it.
func TestTheSpawnerIsStartedAgain(t *testing.T) {
	m := testkit.Maker(t, testkit.Strongest())
	first := furnished(t, m, sandbox.Furniture{})
	p, err := first.Start(sandbox.Spec{Path: "/bin/sleep", Args: []string{"60"}, Dir: "/"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stdout.Close()
	defer p.Stderr.Close()
	for _, pid := range children(t, os.Getpid()) {
		if name(pid) == guest.SpawnerName {
			kill(t, pid)
		}
	}
	if exit := p.Wait(); exit.Status != "signal: killed" {
		t.Errorf("a process in a sandbox: %+v, want that it was killed", exit)
	}
	for _, b := range []*sandbox.Box{open(t, m), open(t, m)} { // one was ready, if it has not ended yet
		if err := b.Furnish(sandbox.Furniture{}); err == nil {
			if got, _ := inside(t, b, "echo on"); got == "on" {
				return
			}
		}
	}
	t.Error("no sandbox can be made any more")
}

func kill(t *testing.T, pid int) {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, m *sandbox.Maker) *sandbox.Box {
	t.Helper()
	b, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}
