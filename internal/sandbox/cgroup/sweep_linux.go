package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Sweep removes what platforms that are gone have left, after killing what still
// runs in it, and groups of this one that could not be removed before. It waits
// at most 100 ms for each, and tells how many groups of sandboxes are still there.
// It looks below the platform's own group: what one left that ran in another
// group is for a platform there to find.
func (t *Tree) Sweep() (left int) {
	t.sweeping.Lock()
	defer t.sweeping.Unlock()
	still := map[string]bool{} // a group is in several hierarchies and counts once
	for _, s := range t.places {
		for _, name := range subdirs(s.dir) {
			// A name is taken before its directory is made: asked in this order, a
			// group that is just being made is never taken for a leftover.
			if !t.uses(name) && !t.clear(filepath.Join(s.dir, name)) {
				still[t.name+"/"+name] = true
			}
		}
	}
	for _, base := range t.bases {
		for _, tree := range subdirs(base) {
			for _, name := range t.sweepDead(filepath.Join(base, tree)) {
				still[tree+"/"+name] = true
			}
		}
	}
	return len(still)
}

func (t *Tree) uses(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.groups[name] != nil
}

// sweepDead removes the tree of a platform that is gone and names the groups
// that stay.
func (t *Tree) sweepDead(dir string) (left []string) {
	pid, start, ours := owner(filepath.Base(dir))
	if !ours {
		return nil
	}
	if now, err := started(t.kernel.root, pid); err == nil && now == start || err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	lock, err := lockDir(dir) // a living platform of another pid namespace has it, or another sweep
	if err != nil {
		return nil
	}
	defer lock.Close()
	for _, name := range subdirs(dir) {
		if !t.clear(filepath.Join(dir, name)) {
			left = append(left, name)
		}
	}
	if err := t.kernel.rmdir(dir); err != nil && len(left) == 0 && !errors.Is(err, unix.ENOENT) {
		t.log.Warn("remove the control group of a platform that is gone", "group", dir, "err", err)
	}
	return left
}

// clear ends what runs in a group nobody looks after, and removes it.
func (t *Tree) clear(dir string) bool {
	for _, sub := range subdirs(dir) {
		t.clear(filepath.Join(dir, sub))
	}
	if t.kernel.rmdir(dir) == nil {
		return true
	}
	if file := filepath.Join(dir, "cgroup.kill"); exists(file) {
		_ = t.kernel.write(file, "1")
	} else {
		signalAll(dir)
		// A frozen process dies only when it is let go.
		if file := filepath.Join(dir, "freezer.state"); exists(file) {
			_ = t.kernel.write(file, "THAWED")
		}
	}
	return t.kernel.removeAll(dir, 100*time.Millisecond) == nil
}

// signalAll kills the processes of a group once and counts them. The platform
// itself is spared: a mistake elsewhere must not end it.
func signalAll(dir string) int {
	pids, err := processes(dir)
	if err != nil {
		return 0
	}
	for _, pid := range pids {
		if pid != os.Getpid() {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	return len(pids)
}
