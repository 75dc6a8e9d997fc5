package cgroup

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Tasks lists, for every hierarchy of version 1, the files that a thread writes 0
// to, to be in the group, and to be where the platform is again. What it starts in
// between is born in the group, as UseCgroupFD has it for version 2. A thread that
// moves itself waits for nobody, where Add waits for the whole machine.
//
// Both are empty where the way back is closed to us.
func (g *Group) Tasks() (in, out []string) {
	for _, d := range g.dirs {
		if d.version != 1 {
			continue
		}
		back := filepath.Join(d.base, "tasks")
		if unix.Access(back, unix.W_OK) != nil {
			return nil, nil
		}
		in, out = append(in, d.file("tasks")), append(out, back)
	}
	return in, out
}
