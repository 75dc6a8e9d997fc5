package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/fault"
)

// Group is the control group of one sandbox: a directory in each hierarchy. Its
// methods may be called concurrently.
type Group struct {
	tree *Tree
	name string
	dirs []dir

	mu      sync.Mutex
	fd      int    // directory of version 2, -1 without
	limits  Limits // as written
	oom     *oom
	removed bool
}

// dir is a group in one hierarchy.
type dir struct {
	*site
	path string
}

// patience is how long is waited for what the kernel does on its own time:
// ending, freezing and forgetting processes. Much less is usual.
const patience = 10 * time.Second

func (g *Group) make() error {
	for _, s := range g.tree.places {
		d := dir{s, filepath.Join(s.dir, g.name)}
		if err := g.tree.kernel.mkdir(d.path); err != nil {
			if errors.Is(err, unix.EEXIST) {
				return fault.Errorf(fault.Conflict, "control group %s: what an earlier one of that name has left cannot be removed yet", g.name)
			}
			return err
		}
		g.dirs = append(g.dirs, d)
		if s.version == 2 {
			fd, err := open(d.path, unix.O_PATH|unix.O_DIRECTORY)
			if err != nil {
				return err
			}
			g.fd = fd
		}
	}
	return nil
}

// with returns the directory in the hierarchy that has a control.
func (g *Group) with(control string) (dir, bool) {
	i := slices.IndexFunc(g.dirs, func(d dir) bool { return d.on[control] })
	if i < 0 {
		return dir{}, false
	}
	return g.dirs[i], true
}

func (d dir) file(name string) string { return filepath.Join(d.path, name) }

// FD is the group's directory in version 2, for SysProcAttr.UseCgroupFD, and
// false where there is none. A process that is born there still has to be Added
// if there are hierarchies of version 1. It is valid until Remove.
func (g *Group) FD() (int, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fd, g.fd >= 0
}

// Add moves a process with all its threads into the group, in every hierarchy
// where it is not yet; children that it has already stay where they are. In
// version 1 that takes 5 to 12 ms when nobody else has done so lately, for the
// first hierarchy and not for each: have it born in the group instead, by FD and
// Tasks, after which Add only looks. A process that is gone is a fault.NotFound.
func (g *Group) Add(pid int) error {
	if pid <= 0 || pid == os.Getpid() {
		return fault.Errorf(fault.Invalid, "control group %s: process %d cannot be a sandbox", g.name, pid)
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return fault.Errorf(fault.NotFound, "control group %s: %w", g.name, err)
	}
	members := parseMemberships(string(text))
	for _, d := range g.dirs {
		if d.holds(members) {
			continue
		}
		err := g.tree.kernel.write(d.file("cgroup.procs"), strconv.Itoa(pid))
		if errors.Is(err, unix.ESRCH) {
			return fault.Errorf(fault.NotFound, "control group %s: %w", g.name, err)
		}
		if err != nil {
			return fmt.Errorf("move process %d: %w", pid, err)
		}
	}
	return nil
}

// holds tells by a process's memberships whether it is here. Directories are
// compared by the end of their path: the beginning depends on who looks.
func (d dir) holds(members []membership) bool {
	end := strings.TrimPrefix(d.path, d.base)
	return slices.ContainsFunc(members, func(m membership) bool {
		if len(m.controllers) == 0 {
			return d.version == 2 && strings.HasSuffix(m.path, end)
		}
		return d.version == 1 && strings.HasSuffix(m.path, end) &&
			slices.ContainsFunc(m.controllers, func(c string) bool { return d.on[c] })
	})
}

// Pids lists the processes of the group.
func (g *Group) Pids() ([]int, error) {
	if len(g.dirs) == 0 {
		return nil, g.unable("list the processes of")
	}
	return processes(g.dirs[0].path)
}

func (g *Group) unable(what string) error {
	return fault.Errorf(fault.Unavailable, "cannot %s control group %s: the system has nothing for it", what, g.name)
}

// Remove removes the group, whose processes must be ending at least; it waits
// for the kernel, at most one second. What cannot be removed is left to Sweep,
// and the group is not to be used any more: its name may be another's.
//
// Out of sight, the kernel keeps the memory part as long as files stay cached
// that were first read or written in it; under pressure it lets both go. We do
// not hurry it (memory.force_empty): that would throw out the runtime's files,
// which the next sandbox starts from.
func (g *Group) Remove() error {
	g.mu.Lock()
	if g.removed {
		g.mu.Unlock()
		return nil
	}
	watch := g.oom
	g.oom, g.removed = nil, true
	if g.fd >= 0 {
		unix.Close(g.fd)
		g.fd = -1
	}
	g.mu.Unlock()
	if watch != nil {
		watch.close()
	}
	var errs []error
	end := time.Now().Add(time.Second)
	for _, d := range g.dirs {
		errs = append(errs, g.tree.kernel.removeAll(d.path, time.Until(end)))
	}
	g.tree.mu.Lock()
	if g.tree.groups[g.name] == g {
		delete(g.tree.groups, g.name)
	}
	g.tree.mu.Unlock()
	return errors.Join(errs...)
}
