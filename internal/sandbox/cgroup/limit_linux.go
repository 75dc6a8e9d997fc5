package cgroup

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/fault"
)

const (
	memoryLimit = "memory.limit_in_bytes"
	memswLimit  = "memory.memsw.limit_in_bytes"

	// The scheduler's period is 20 ms instead of its usual 100: a function with
	// the least memory has 7 % of a processor and would stand still for 93 ms.
	period   = 20_000 // µs
	cpusUnit = 0.05   // the kernel's least quota is 1 ms
)

// Limit replaces the group's limits. Those whose control is off are left out, as
// Controls tells. A memory limit below what is in use makes the kernel reclaim
// and, in version 2, kill; in version 1 it is an error.
func (g *Group) Limit(l Limits) error {
	if l.Memory < 0 || !(l.CPUs >= 0 && l.CPUs < 1e6) || l.Pids < 0 {
		return fault.Errorf(fault.Invalid, "control group %s: limits %+v: none may be negative, and processors are less than a million", g.name, l)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, set := range []struct {
		control string
		changed bool
		one     func(dir) error
		two     func(dir) error
	}{
		{
			Memory, l.Memory != g.limits.Memory,
			func(d dir) error { return g.memoryOne(d, l.Memory) },
			func(d dir) error { return g.memoryTwo(d, l.Memory) },
		},
		{
			CPU, l.CPUs != g.limits.CPUs,
			func(d dir) error { return g.cpuOne(d, quota(l.CPUs)) },
			func(d dir) error { return g.write(d, "cpu.max", orMax(quota(l.CPUs))+" "+strconv.Itoa(period)) },
		},
		{
			Pids, l.Pids != g.limits.Pids,
			func(d dir) error { return g.write(d, "pids.max", orMax(int64(l.Pids))) },
			func(d dir) error { return g.write(d, "pids.max", orMax(int64(l.Pids))) },
		},
	} {
		d, on := g.with(set.control)
		if !on || !set.changed {
			continue
		}
		apply := set.one
		if d.version == 2 {
			apply = set.two
		}
		if err := apply(d); err != nil {
			return fmt.Errorf("limit %s: %w", set.control, err)
		}
		switch set.control {
		case Memory:
			g.limits.Memory = l.Memory
		case CPU:
			g.limits.CPUs = l.CPUs
		case Pids:
			g.limits.Pids = l.Pids
		}
	}
	return nil
}

func (g *Group) write(d dir, file, value string) error {
	return g.tree.kernel.write(d.file(file), value)
}

func orMax(n int64) string {
	if n == 0 {
		return "max"
	}
	return strconv.FormatInt(n, 10)
}

// quota is microseconds a period, 0 for no limit.
func quota(cpus float64) int64 {
	if cpus == 0 {
		return 0
	}
	return int64(max(cpus, cpusUnit) * period)
}

// memoryTwo allows no swap, which makes the limit that of both, and lets a
// sandbox die as a whole: on Lambda too an environment ends as one.
func (g *Group) memoryTwo(d dir, limit int64) error {
	whole, swap := "1", "0"
	if limit == 0 {
		whole, swap = "0", "max"
	}
	for file, value := range map[string]string{"memory.swap.max": swap, "memory.oom.group": whole} {
		// A kernel without swap, or older than 4.19, has not got the file.
		if err := g.write(d, file, value); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return g.write(d, "memory.max", orMax(limit))
}

// memoryOne sets two limits of which the kernel insists that memory is at most
// memory with swap: the way up begins with the one, the way down with the other.
func (g *Group) memoryOne(d dir, limit int64) error {
	value := strconv.FormatInt(limit, 10)
	if limit == 0 {
		value = "-1"
	}
	order := []string{memoryLimit, memswLimit}
	if now, ok := number(d.file(memswLimit)); ok && (limit == 0 || limit > now) {
		order = []string{memswLimit, memoryLimit}
	}
	for _, file := range order {
		if file == memswLimit && !exists(d.file(file)) {
			continue // swap is not counted; Controls says so
		}
		if err := g.write(d, file, value); err != nil {
			return err
		}
	}
	return nil
}

func (g *Group) cpuOne(d dir, quota int64) error {
	if quota == 0 {
		return g.write(d, "cpu.cfs_quota_us", "-1")
	}
	if err := g.write(d, "cpu.cfs_period_us", strconv.Itoa(period)); err != nil {
		return err
	}
	err := g.write(d, "cpu.cfs_quota_us", strconv.FormatInt(quota, 10))
	if errors.Is(err, unix.EINVAL) {
		// More than the platform's own group has: its limit bites first.
		return g.write(d, "cpu.cfs_quota_us", "-1")
	}
	return err
}
