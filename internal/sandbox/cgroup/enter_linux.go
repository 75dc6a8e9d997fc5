package cgroup

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Enter moves the calling thread, which must be locked to its goroutine, into the
// group in every hierarchy of version 1. What it starts until leave is born there,
// as UseCgroupFD has it for version 2. A thread that moves itself waits for nobody,
// where Add waits for the whole machine.
//
// After an error the thread is where it was. When leave fails it is not, and is to
// leave again before it starts anything else.
func (g *Group) Enter() (leave func() error, err error) {
	// The way back is opened first: who may enter may not always leave.
	out, err := g.tasks(func(d dir) string { return d.base })
	if err != nil {
		return nil, err
	}
	in, err := g.tasks(func(d dir) string { return d.path })
	if err != nil {
		closeAll(out)
		return nil, err
	}
	defer closeAll(in)
	if err := moveTo(in); err != nil {
		err = errors.Join(fmt.Errorf("enter control group %s: %w", g.name, err), moveTo(out))
		closeAll(out)
		return nil, err
	}
	return func() error {
		if err := moveTo(out); err != nil {
			return fmt.Errorf("leave control group %s: %w", g.name, err)
		}
		closeAll(out)
		out = nil
		return nil
	}, nil
}

// tasks opens the files that threads are moved by, in every hierarchy of version 1.
func (g *Group) tasks(of func(dir) string) (fds []int, err error) {
	for _, d := range g.dirs {
		if d.version != 1 {
			continue
		}
		fd, err := open(filepath.Join(of(d), "tasks"), unix.O_WRONLY)
		if err != nil {
			closeAll(fds)
			return nil, fmt.Errorf("enter control group %s: %w", g.name, err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// moveTo moves the calling thread into groups, by their files tasks.
func moveTo(groups []int) error {
	for _, fd := range groups {
		var err error
		for err = unix.EINTR; err == unix.EINTR; {
			_, err = unix.Pwrite(fd, []byte("0"), 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
