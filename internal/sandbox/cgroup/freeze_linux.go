package cgroup

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Freeze stops all processes of the group where they are and returns when they
// stand still. If one does not within ten seconds, because it waits for a disk
// for example, all go on and the error says so.
func (g *Group) Freeze() error {
	d, ok := g.with(Freezer)
	if !ok {
		return g.unable("freeze")
	}
	err := g.setFrozen(d, true)
	if err != nil {
		return errors.Join(err, g.Thaw())
	}
	return nil
}

// Thaw lets the processes of the group go on.
func (g *Group) Thaw() error {
	d, ok := g.with(Freezer)
	if !ok {
		return g.unable("thaw")
	}
	return g.setFrozen(d, false)
}

// Halt asks all processes of the group to stand still, or to go on, and does not
// wait until they do. In version 1 a halted process cannot be killed: it dies when
// it goes on.
func (g *Group) Halt(halt bool) error {
	d, ok := g.with(Freezer)
	if !ok {
		return g.unable("freeze")
	}
	file, value := freezer(d, halt)
	return g.write(d, file, value)
}

// freezer is the file that freezes a group, and what is to be written to it.
func freezer(d dir, frozen bool) (file, value string) {
	if d.version == 1 {
		return "freezer.state", map[bool]string{true: "FROZEN", false: "THAWED"}[frozen]
	}
	return "cgroup.freeze", map[bool]string{true: "1", false: "0"}[frozen]
}

func (g *Group) setFrozen(d dir, frozen bool) error {
	file, value := freezer(d, frozen)
	is := func() bool { return d.event("frozen") == frozen }
	if d.version == 1 {
		is = func() bool {
			state, _ := os.ReadFile(d.file(file))
			return strings.TrimSpace(string(state)) == value
		}
	}
	if err := g.write(d, file, value); err != nil {
		return err
	}
	if !eventually(patience, is) {
		return fmt.Errorf("control group %s: not all processes are %s after %v", g.name, map[bool]string{true: "frozen", false: "thawed"}[frozen], patience)
	}
	return nil
}

// event reads a flag of cgroup.events.
func (d dir) event(key string) bool {
	text, _ := os.ReadFile(d.file("cgroup.events"))
	n, _ := keyed(string(text), key)
	return n == 1
}

// Kill ends all processes of the group, frozen ones too, and returns when none
// is left. After ten seconds it gives up, and the error tells how many are.
func (g *Group) Kill() error {
	if len(g.dirs) == 0 {
		return g.unable("kill")
	}
	d := g.dirs[0]
	if g.tree.killFile {
		if err := g.write(d, "cgroup.kill", "1"); err != nil {
			return err
		}
		if eventually(patience, func() bool { return !d.event("populated") }) {
			return nil
		}
	} else if g.killInRounds(d) {
		return nil
	}
	pids, err := processes(d.path)
	return errors.Join(fmt.Errorf("control group %s: %d processes (one is %d) still there %v after they were killed", g.name, len(pids), anyOf(pids), patience), err)
}

func anyOf(pids []int) int {
	if len(pids) == 0 {
		return 0
	}
	return pids[0]
}

// killInRounds is for kernels without cgroup.kill. Frozen processes start no
// others while the list is read, and their numbers stay theirs; the signal
// reaches them when they are let go.
func (g *Group) killInRounds(d dir) bool {
	freezer, canFreeze := g.with(Freezer)
	return eventually(patience, func() bool {
		if canFreeze {
			g.freezeNow(freezer, true)
		}
		n := signalAll(d.path)
		if canFreeze {
			g.freezeNow(freezer, false)
		}
		return n == 0
	})
}

// freezeNow asks without waiting: what is not frozen yet is killed in the next
// round.
func (g *Group) freezeNow(d dir, frozen bool) {
	file, value := freezer(d, frozen)
	if err := g.write(d, file, value); err != nil && !errors.Is(err, unix.ENOENT) {
		g.tree.log.Warn("freeze a control group to kill it", "group", d.path, "err", err)
	}
}
