package cgroup

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/fault"
)

// Tree is where the groups of this platform live: one directory in every
// hierarchy that has something to offer. Its methods may be called concurrently.
type Tree struct {
	log      *slog.Logger
	kernel   kernel
	name     string
	places   []*site  // version 2 first; as Open has left it
	bases    []string // the platform's own group in all hierarchies, used or not
	controls []Control
	killFile bool // version 2 has cgroup.kill

	sweeping sync.Mutex // one sweep at a time; before mu

	mu      sync.Mutex
	groups  map[string]*Group
	watcher *watcher
}

// site is the platform's directory in one hierarchy.
type site struct {
	version int
	base    string // the platform's own group
	dir     string
	lock    *os.File
	on      map[string]bool // controls that work in the groups of dir
}

// Open makes the platform's directories. Less than everything is a success, even
// nothing at all; an error means that the kernel could not be asked. Log is told
// what goes wrong in the background.
func Open(log *slog.Logger) (*Tree, error) { return openOn(thisKernel(), log) }

func openOn(k kernel, log *slog.Logger) (*Tree, error) {
	found, err := hierarchies(k.root)
	if err != nil {
		return nil, fmt.Errorf("find control groups: %w", err)
	}
	return openIn(found, k, log)
}

func openIn(found []hierarchy, k kernel, log *slog.Logger) (*Tree, error) {
	start, err := started(k.root, os.Getpid())
	if err != nil {
		return nil, fmt.Errorf("find control groups: %w", err)
	}
	t := &Tree{log: log, kernel: k, groups: map[string]*Group{}}
	t.name = treeName(os.Getpid(), start)
	for i := 0; taken(found, t.name); i++ { // a second tree of this process
		t.name = treeName(os.Getpid(), start) + "-" + fmt.Sprint(i+2)
	}
	for _, h := range found {
		if h.own != "" {
			t.bases = append(t.bases, h.baseOf())
		}
	}
	two := t.useTwo(found)
	for _, name := range []string{Memory, CPU, Pids, Freezer} {
		c := two[name]
		if !c.On {
			c = t.useOne(name, found, c)
		}
		t.controls = append(t.controls, c)
	}
	t.controls = append(t.controls, t.killControl(two[Kill]))
	return t, nil
}

// taken tells whether a tree of that name is there already.
func taken(found []hierarchy, name string) bool {
	return slices.ContainsFunc(found, func(h hierarchy) bool {
		return h.own != "" && exists(filepath.Join(h.baseOf(), name))
	})
}

// Controls tells what groups can do here, in a fixed order.
func (t *Tree) Controls() []Control { return slices.Clone(t.controls) }

// useTwo takes what version 2 has. A reason without On says why it has not.
func (t *Tree) useTwo(found []hierarchy) map[string]Control {
	got := map[string]Control{}
	for _, name := range []string{Memory, CPU, Pids, Freezer, Kill} {
		got[name] = Control{Name: name}
	}
	i := slices.IndexFunc(found, func(h hierarchy) bool { return h.version == 2 })
	if i < 0 {
		return got
	}
	s, err := t.site(found[i])
	if err != nil {
		for name, c := range got {
			c.Reason = err.Error()
			got[name] = c
		}
		return got
	}
	turn := func(name string, reason string) {
		s.on[name] = reason == ""
		got[name] = Control{Name: name, On: s.on[name], Reason: reason}
		if s.on[name] {
			got[name] = Control{Name: name, On: true, Version: 2}
		}
	}
	for _, name := range []string{Memory, CPU, Pids} {
		reason := ""
		if err := t.enable(s, found[i], name); err != nil {
			reason = err.Error()
		}
		turn(name, reason)
	}
	for name, file := range map[string]string{Freezer: "cgroup.freeze", Kill: "cgroup.kill"} {
		reason := ""
		if !exists(filepath.Join(s.dir, file)) {
			reason = "the kernel has no " + file + ": Linux 5.2 has freeze, 5.14 has kill"
		}
		turn(name, reason)
	}
	t.killFile = s.on[Kill]
	return got
}

// useOne takes a control from the version 1 hierarchy that has it.
func (t *Tree) useOne(name string, found []hierarchy, two Control) Control {
	i := slices.IndexFunc(found, func(h hierarchy) bool {
		return h.version == 1 && slices.Contains(h.controllers, name)
	})
	if i < 0 {
		if two.Reason == "" {
			two.Reason = t.absent(name)
		}
		return two
	}
	s, err := t.site(found[i])
	if err != nil {
		return Control{Name: name, Reason: err.Error()}
	}
	if file := filepath.Join(s.dir, knob[name]); !exists(file) {
		return Control{Name: name, Reason: file + " does not exist: the kernel is built without it"}
	}
	s.on[name] = true
	c := Control{Name: name, On: true, Version: 1}
	if name == Memory && !exists(filepath.Join(s.dir, memswLimit)) {
		c.Reason = "swap is not counted: boot with swapaccount=1, or without swap"
	}
	return c
}

// knob is the file that a version 1 control cannot do without.
var knob = map[string]string{
	Memory: "memory.limit_in_bytes", CPU: "cpu.cfs_quota_us", Pids: "pids.max", Freezer: "freezer.state",
}

func (t *Tree) killControl(two Control) Control {
	switch {
	case two.On:
		return two
	case len(t.places) == 0:
		return Control{Name: Kill, Reason: first(two.Reason, t.absent(Kill))}
	}
	c := Control{Name: Kill, On: true, Version: t.places[0].version}
	if t.siteOf(Freezer) == nil {
		c.Reason = "processes cannot be frozen first: one that starts others faster than they are killed is killed in rounds"
	}
	return c
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// absent explains a control that no mounted hierarchy has.
func (t *Tree) absent(name string) string {
	if text, err := os.ReadFile(filepath.Join(t.kernel.root, "proc/cgroups")); err == nil && disabled(string(text), name) {
		return "switched off when the kernel was started: boot with cgroup_enable=" + name
	}
	return "no mounted control group hierarchy has it: mount cgroup2 on /sys/fs/cgroup, as systemd does"
}

// site makes the platform's directory in a hierarchy and locks it.
func (t *Tree) site(h hierarchy) (*site, error) {
	if h.own == "" {
		return nil, fmt.Errorf("the platform's own group is not visible below %s: give it a control group namespace of its own", h.mount)
	}
	base := h.baseOf()
	s := &site{version: h.version, base: base, dir: filepath.Join(base, t.name), on: map[string]bool{}}
	for _, p := range t.places {
		if p.dir == s.dir {
			return p, nil
		}
	}
	if err := t.kernel.mkdir(s.dir); err != nil {
		return nil, fmt.Errorf("%w: %s", err, advice(h, err))
	}
	lock, err := lockDir(s.dir)
	if err != nil {
		return nil, errors.Join(err, t.kernel.rmdir(s.dir))
	}
	s.lock = lock
	t.places = append(t.places, s)
	return s, nil
}

func advice(h hierarchy, err error) string {
	switch {
	case errors.Is(err, unix.EROFS) || h.readOnly:
		return "it is mounted read-only, as in a container: run the container with writable control groups or the platform outside"
	case errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM):
		return "run the platform as a systemd service with Delegate=yes, or as root"
	}
	return "the kernel refuses groups below the platform's own"
}

// lockDir holds a directory as long as the platform lives, whatever pid
// namespace looks.
func lockDir(dir string) (*os.File, error) {
	fd, err := open(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		unix.Close(fd)
		return nil, pathError("lock", dir, err)
	}
	return os.NewFile(uintptr(fd), dir), nil
}

func (t *Tree) siteOf(control string) *site {
	for _, s := range t.places {
		if s.on[control] {
			return s
		}
	}
	return nil
}

// New makes an empty group without limits. The name is 1 to 200 letters, digits,
// - and _; one in use is a fault.Conflict.
func (t *Tree) New(name string) (*Group, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	g := &Group{tree: t, name: name, fd: -1}
	t.mu.Lock()
	_, used := t.groups[name]
	if !used {
		t.groups[name] = g
	}
	t.mu.Unlock()
	if used {
		return nil, fault.Errorf(fault.Conflict, "control group %s exists", name)
	}
	if err := g.make(); err != nil {
		return nil, errors.Join(err, g.Remove())
	}
	return g, nil
}

// Close removes the platform's directories. Groups that are left make it fail
// and keep their directory; it may be called again.
func (t *Tree) Close() error {
	var errs []error
	if left := t.Sweep(); left > 0 {
		errs = append(errs, fmt.Errorf("%d control groups cannot be removed yet", left))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.groups); n > 0 {
		return errors.Join(append(errs, fmt.Errorf("%d control groups are in use", n))...)
	}
	for _, s := range t.places {
		if err := t.kernel.rmdir(s.dir); err != nil && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, err)
			continue
		}
		s.lock.Close()
	}
	if t.watcher != nil {
		t.watcher.close()
		t.watcher = nil
	}
	return errors.Join(errs...)
}
