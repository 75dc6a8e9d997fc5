package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// enable hands a controller of version 2 down to the groups of the sandboxes:
// from the platform's own group to its directory, and from there on.
func (t *Tree) enable(s *site, h hierarchy, controller string) error {
	if !has(filepath.Join(s.base, "cgroup.controllers"), controller) {
		if has(filepath.Join(h.mount, "cgroup.controllers"), controller) {
			return fmt.Errorf("%s has no %s controller: it was not delegated; with systemd, run the platform as a service with Delegate=yes", s.base, controller)
		}
		return errors.New(t.absent(controller))
	}
	for _, dir := range []string{s.base, s.dir} {
		file := filepath.Join(dir, "cgroup.subtree_control")
		if has(file, controller) {
			continue
		}
		err := t.kernel.write(file, "+"+controller)
		if errors.Is(err, unix.EBUSY) && dir == s.base {
			if aside := t.stepAside(s.base); aside != nil {
				return fmt.Errorf("%w: %w", err, aside)
			}
			err = t.kernel.write(file, "+"+controller)
		}
		switch {
		case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
			return fmt.Errorf("%w: run the platform as a systemd service with Delegate=yes, or as root", err)
		case err != nil:
			return err
		}
	}
	return nil
}

// stepAside moves the platform into a leaf: a group below which controllers are
// at work may not have processes itself. That changes a group which may belong to
// somebody else, so it happens only where nobody else is in it and its manager
// has given it away.
func (t *Tree) stepAside(base string) error {
	if !delegated(base) {
		return fmt.Errorf("%s belongs to systemd, which has not delegated it: add Delegate=yes and DelegateSubgroup=%s to the unit", base, leaf)
	}
	pids, err := processes(base)
	if err != nil {
		return err
	}
	if others := slices.DeleteFunc(pids, func(pid int) bool { return pid == os.Getpid() }); len(others) > 0 {
		return fmt.Errorf("the platform shares %s with %d other processes (first: %d): start it as a service of its own", base, len(others), others[0])
	}
	dir := filepath.Join(base, leaf)
	if err := t.kernel.mkdir(dir); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	if err := t.kernel.write(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(os.Getpid())); err != nil {
		return errors.Join(err, t.kernel.rmdir(dir))
	}
	t.log.Info("moved the platform into a control group of its own", "group", dir)
	return nil
}

// delegated tells whether a group's manager has given it away. systemd marks
// what it delegates with an extended attribute; groups that are not its units
// belong to whoever may write to them.
func delegated(dir string) bool {
	switch filepath.Ext(strings.TrimSuffix(dir, "/")) {
	case ".service", ".scope", ".slice":
	default:
		return true
	}
	for _, name := range []string{"trusted.delegate", "user.delegate"} {
		value := make([]byte, 8)
		if n, err := unix.Getxattr(dir, name, value); err == nil && string(value[:n]) == "1" {
			return true
		}
	}
	return false
}
