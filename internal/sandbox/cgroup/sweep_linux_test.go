package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/fault"
)

func TestTwoHundredLeaveNothing(t *testing.T) {
	tree := openTree(t, Kill)
	g := newGroup(t, tree, Limits{})
	if _, ok := g.with(Memory); ok { // what all groups share is there from the first watch on
		if _, err := g.Watch(); err != nil {
			t.Fatal(err)
		}
	}
	files, routines := openFiles(t), runtime.NumGoroutine()
	var groups []*Group
	for i := range 200 {
		g, err := tree.New(fmt.Sprintf("g%d", i))
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Limit(Limits{Memory: 128 << 20, CPUs: CPUsFor(128), Pids: PidsMax}); err != nil {
			t.Error(err)
		}
		if _, ok := g.with(Memory); ok {
			if _, err := g.Watch(); err != nil {
				t.Error(err)
			}
		}
		groups = append(groups, g)
	}
	for _, s := range tree.places {
		if n := len(subdirs(s.dir)); n != len(groups)+1 {
			t.Errorf("%s has %d groups, want %d", s.dir, n, len(groups)+1)
		}
	}
	for _, g := range groups {
		if err := g.Remove(); err != nil {
			t.Error(err)
		}
	}
	for _, s := range tree.places {
		if left := subdirs(s.dir); len(left) != 1 {
			t.Errorf("%s has %v", s.dir, left)
		}
	}
	if n := tree.Sweep(); n != 0 {
		t.Errorf("%d are left", n)
	}
	if n := openFiles(t); n != files {
		t.Errorf("%d files are open, %d were", n, files)
	}
	// One that has told that it is done takes a moment to be gone.
	if !eventually(patience, func() bool { return runtime.NumGoroutine() <= routines }) {
		t.Errorf("%d goroutines run, %d did", runtime.NumGoroutine(), routines)
	}
}

// openFiles counts what a group may hold: directories of groups and events.
func openFiles(t *testing.T) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.Contains(to, "cgroup") || strings.Contains(to, "eventfd") || strings.Contains(to, "inotify") {
			n++
		}
	}
	return n
}

func TestSweepRemovesWhatTheDeadLeave(t *testing.T) {
	tree := openTree(t, Kill)
	other := start(t, "platform", os.Args[0])
	out := bufio.NewReader(other.out)
	name, err := out.ReadString('\n')
	if err != nil || !strings.HasPrefix(name, prefix) {
		t.Fatalf("got %q, %v", name, err)
	}
	name = strings.TrimSpace(name)
	if n := tree.Sweep(); n != 0 {
		t.Errorf("%d groups are left, want those of the living not counted", n)
	}
	for _, s := range tree.places {
		if !exists(filepath.Join(s.base, name, "orphan")) {
			t.Fatalf("%s of a living platform is gone from %s", name, s.base)
		}
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait()
	eventually(patience, func() bool { return tree.Sweep() == 0 }) // its process may take a moment to die
	for _, s := range tree.places {
		if exists(filepath.Join(s.base, name)) {
			t.Errorf("%s is left in %s", name, s.base)
		}
	}
	if _, err := out.ReadByte(); err != io.EOF {
		t.Errorf("got %v, want that its process has ended", err)
	}
}

func TestSweepRetriesOurOwn(t *testing.T) {
	tree := openTree(t, Kill)
	g, err := tree.New("busy")
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, "", "sleep", "1000")
	if err := g.Add(c.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if err := g.Remove(); !errors.Is(err, unix.EBUSY) {
		t.Errorf("remove with a process in it: got %v, want EBUSY", err)
	}
	if _, err := tree.New("busy"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("the name of a leftover: got %v, want a conflict", err)
	}
	if !eventually(patience, func() bool { return tree.Sweep() == 0 }) {
		t.Error("it is still there")
	}
	if err := c.Wait(); err == nil {
		t.Error("its process was not killed")
	}
}

func TestSweepSparesWhatIsNotDead(t *testing.T) {
	m := newMachine(t, "sys/fs/cgroup", twoIn("/", me))
	tree, err := openOn(m.kernel(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	const gone = 7 // no process of this machine
	put(t, m.root, map[string]string{"proc/8/stat": "8 (x) S" + strings.Repeat(" 0", 18) + " 100"})
	locked, living, another := treeName(gone, 1), treeName(8, 100), treeName(8, 99)
	dead := []string{treeName(gone, 2), treeName(gone, 2) + "-2", another}
	spared := []string{locked, living, leaf, "docker", "dropstack-x-1"}
	for _, name := range append(spared, dead...) {
		if err := errors.Join(m.mkdir(filepath.Join(m.top, name)), m.mkdir(filepath.Join(m.top, name, "a"))); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := lockDir(filepath.Join(m.top, locked)) // as a platform of another pid namespace has it
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if n := tree.Sweep(); n != 0 {
			t.Errorf("%d are left", n)
		}
		for _, name := range spared {
			if !exists(filepath.Join(m.top, name, "a")) {
				t.Errorf("%s is gone", name)
			}
		}
		for _, name := range dead {
			if exists(filepath.Join(m.top, name)) {
				t.Errorf("%s is left", name)
			}
		}
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if tree.Sweep(); exists(filepath.Join(m.top, locked)) {
		t.Error("that of a platform which has let go is left")
	}
	if err := tree.Close(); err != nil {
		t.Error(err)
	}
}

func TestTreesOfOneProcess(t *testing.T) {
	files := openFiles(t)
	found, err := hierarchies("/")
	if err != nil {
		t.Fatal(err)
	}
	var trees []*Tree
	for range 2 {
		tree, err := openIn(found, thisKernel(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		g, err := tree.New("a")
		if err != nil {
			t.Fatal(err)
		}
		defer g.Remove()
		trees = append(trees, tree)
	}
	for _, tree := range trees {
		if n := tree.Sweep(); n != 0 {
			t.Errorf("%d are left", n)
		}
	}
	for _, tree := range trees {
		for _, s := range tree.places {
			if !exists(filepath.Join(s.dir, "a")) {
				t.Errorf("%s has lost its group", s.dir)
			}
		}
		if err := errors.Join(tree.groups["a"].Remove(), tree.Close()); err != nil {
			t.Error(err)
		}
	}
	if n := openFiles(t); n != files {
		t.Errorf("%d files are open, %d were", n, files)
	}
}
