package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// kernel is how the package reaches the file systems. Tests put a directory and
// rules of their own in the place of a machine of another kind.
type kernel struct {
	root  string
	mkdir func(dir string) error
	rmdir func(dir string) error
	write func(path, value string) error
}

func thisKernel() kernel {
	return kernel{
		root:  "/",
		mkdir: func(dir string) error { return os.Mkdir(dir, 0o755) },
		rmdir: func(dir string) error { return pathError("rmdir", dir, unix.Rmdir(dir)) },
		write: write,
	}
}

// write hands a value to the kernel in one call, without the poller that os.File
// would bring along.
func write(path, value string) error {
	fd, err := open(path, unix.O_WRONLY|unix.O_TRUNC)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		if _, err = unix.Write(fd, []byte(value)); err != unix.EINTR {
			return pathError("write "+strconv.Quote(value)+" to", path, err)
		}
	}
}

func open(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, pathError("open", path, err)
		}
	}
}

func pathError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: path, Err: err}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func words(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	return strings.Fields(string(text)), err
}

func has(path, word string) bool {
	all, _ := words(path)
	return slices.Contains(all, word)
}

// number reads a file that is one number.
func number(path string) (int64, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

// processes lists a group. Those that live in another pid namespace show as 0 in
// version 1 and cannot be meant by number; they are left out.
func processes(dir string) ([]int, error) {
	all, err := words(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	pids := make([]int, 0, len(all))
	for _, word := range all {
		if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// eventually asks until the answer is yes, at first often, then less so: most of
// what is waited for here takes the kernel less than a millisecond.
func eventually(limit time.Duration, done func() bool) bool {
	pause := 50 * time.Microsecond
	for end := time.Now().Add(limit); !done(); pause = min(2*pause, 20*time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(pause)
	}
	return true
}

// removeAll removes a group and those below it, which have no processes or whose
// processes are ending: for so long the kernel says EBUSY.
func (k kernel) removeAll(dir string, patience time.Duration) error {
	var err error
	eventually(patience, func() bool {
		err = k.rmdir(dir)
		if err == nil || errors.Is(err, unix.ENOENT) {
			err = nil
			return true
		}
		if !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOTEMPTY) {
			return true
		}
		for _, sub := range subdirs(dir) {
			_ = k.removeAll(filepath.Join(dir, sub), 0) // the next attempt at dir tells
		}
		return false
	})
	return err
}

func subdirs(dir string) []string {
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}
