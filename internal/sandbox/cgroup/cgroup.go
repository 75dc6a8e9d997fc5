// Package cgroup limits, freezes, counts and ends all processes of a sandbox
// together, by control groups of the kernel.
//
// Whatever the machine has is used: the one hierarchy of version 2, the many of
// version 1, or both at once. Nothing is mounted or remounted. In each hierarchy
// the platform has one directory below its own group, and in that one per
// sandbox:
//
//	<own group>/dropstack-<pid>-<start time>/<sandbox>
//
// The directory is locked (flock) as long as the platform lives; one whose
// platform is gone is removed by the next Sweep.
//
// What is missing does not stop anything: Controls tells it, Limit leaves it
// out, and whether that is enough is for the caller to decide.
//
// The files are described in Documentation/admin-guide/cgroup-v2.rst and
// cgroup-v1/*.rst of the kernel, the rules for sharing them with systemd in
// https://systemd.io/CGROUP_DELEGATION.
package cgroup

import (
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// Names of the controls.
const (
	Memory  = "memory"
	CPU     = "cpu"
	Pids    = "pids"
	Freezer = "freezer"
	Kill    = "kill"
)

// PidsMax is how many processes and threads an execution environment of Lambda
// may have.
const PidsMax = 1024

// Control is one thing that groups can or cannot do on this machine.
type Control struct {
	Name    string // Memory, CPU, Pids, Freezer or Kill
	On      bool
	Version int    // of the hierarchy that does it, 1 or 2; 0 when off
	Reason  string // why it is off and what to do, or, when it is on, what weakens it
}

// Limits are those of one group; a zero lifts the limit.
type Limits struct {
	Memory int64   // bytes, swap, page cache and tmpfs included
	CPUs   float64 // processors' worth of time; under 0.05 counts as 0.05
	Pids   int     // processes and threads
}

const (
	mbPerCPU = 1769 // https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
	mbLeast  = 128
	cpusMost = 6
)

// CPUsFor is the share of processors that Lambda gives to a function with so much
// memory, in MB: in proportion, one at 1,769 MB, at most six. Less than 128 MB,
// the least that Lambda has, counts as 128.
func CPUsFor(memoryMB int) float64 {
	return min(float64(max(memoryMB, mbLeast))/mbPerCPU, cpusMost)
}

// checkName keeps names apart from the kernel's own files, all of which have a
// dot, and inside their directory.
func checkName(name string) error {
	strange := strings.ContainsFunc(name, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_'
	})
	if strange || name == "" || len(name) > 200 {
		return fault.Errorf(fault.Invalid, "control group %q: the name must be 1 to 200 letters, digits, - and _", name)
	}
	return nil
}
