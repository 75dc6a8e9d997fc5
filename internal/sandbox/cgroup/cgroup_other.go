//go:build !linux

package cgroup

import (
	"log/slog"

	"github.com/dropstack/dropstack/internal/fault"
)

const reason = "only Linux has control groups"

// Tree has nothing on this system; see its Controls.
type Tree struct{}

// Group has no effect on this system.
type Group struct{}

// Open never fails on this system.
func Open(*slog.Logger) (*Tree, error) { return &Tree{}, nil }

// Controls tells that nothing is there.
func (*Tree) Controls() []Control {
	return []Control{
		{Name: Memory, Reason: reason},
		{Name: CPU, Reason: reason},
		{Name: Pids, Reason: reason},
		{Name: Freezer, Reason: reason},
		{Name: Kill, Reason: reason},
	}
}

// New checks the name.
func (*Tree) New(name string) (*Group, error) { return &Group{}, checkName(name) }

// Sweep has nothing to do.
func (*Tree) Sweep() int { return 0 }

// Close has nothing to do.
func (*Tree) Close() error { return nil }

func unable() error { return fault.Errorf(fault.Unavailable, reason) }

// FD has none.
func (*Group) FD() (int, bool) { return -1, false }

// Limit has no effect, as Controls tells.
func (*Group) Limit(Limits) error { return nil }

// Tasks has none.
func (*Group) Tasks() (in, out []string) { return nil, nil }

// Add has no effect, as Controls tells.
func (*Group) Add(int) error { return nil }

// Freeze is a fault.Unavailable.
func (*Group) Freeze() error { return unable() }

// Thaw is a fault.Unavailable.
func (*Group) Thaw() error { return unable() }

// Halt is a fault.Unavailable.
func (*Group) Halt(bool) error { return unable() }

// Kill is a fault.Unavailable.
func (*Group) Kill() error { return unable() }

// Pids is a fault.Unavailable.
func (*Group) Pids() ([]int, error) { return nil, unable() }

// Peak is not known.
func (*Group) Peak() (int64, bool) { return 0, false }

// Current is not known.
func (*Group) Current() (int64, bool) { return 0, false }

// OOMKills is not known.
func (*Group) OOMKills() (int, bool) { return 0, false }

// Watch is a fault.Unavailable.
func (*Group) Watch() (<-chan struct{}, error) { return nil, unable() }

// Remove has nothing to do.
func (*Group) Remove() error { return nil }
