package probe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// world is the World during one attack.
type world struct {
	World
	how string // what stopped it
}

var errSkip = errors.New("not tried")

func (w *world) skip(why string) error {
	w.how = why
	return errSkip
}

// stopped is the end of an attack that any error means the failure of.
func (w *world) stopped(err error, could string, args ...any) error {
	if err != nil {
		w.how = err.Error()
		return nil
	}
	return fmt.Errorf(could, args...)
}

// shut is the end of an attack by a kernel call that is to be refused before the
// kernel looks at its arguments: other errors than a refusal mean that the call is
// open to better arguments.
func (w *world) shut(err error, call string, also ...syscall.Errno) error {
	var errno syscall.Errno
	if err == nil {
		return fmt.Errorf("%s works", call)
	}
	if !errors.As(err, &errno) {
		return fmt.Errorf("%s: %w", call, err)
	}
	refusals := append([]syscall.Errno{unix.EPERM, unix.EACCES, unix.ENOSYS}, also...)
	if slices.Contains(refusals, errno) {
		w.how = errno.Error()
		return nil
	}
	return fmt.Errorf("%s is open: the kernel looks at its arguments and answers %q", call, errno.Error())
}

func call(trap uintptr, args ...uintptr) error {
	_, err := callFor(trap, args...)
	return err
}

// callFor makes a system call on this thread alone.
func callFor(trap uintptr, args ...uintptr) (uintptr, error) {
	var a [6]uintptr
	copy(a[:], args)
	r, _, errno := unix.Syscall6(trap, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return r, errno
	}
	return r, nil
}

// calls asserts that a system call is refused.
func calls(name string, trap uintptr, args ...uintptr) func(*world) error {
	return func(w *world) error { return w.shut(call(trap, args...), name) }
}

// reads asserts that none of the files has anything to read.
func reads(paths ...string) func(*world) error {
	return func(w *world) error {
		for _, path := range paths {
			if err := w.read(path); err != nil {
				return err
			}
		}
		return nil
	}
}

// read reads a little: some files of the kernel have no end.
func (w *world) read(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		w.how = err.Error()
		return nil
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, make([]byte, 64))
	switch {
	case err != nil:
		w.how = err.Error()
	case n == 0:
		w.how = "it is empty"
	default:
		return fmt.Errorf("can read %s", path)
	}
	return nil
}

// lists asserts that the directories show nothing.
func lists(paths ...string) func(*world) error {
	return func(w *world) error {
		for _, path := range paths {
			if err := w.list(path); err != nil {
				return err
			}
		}
		return nil
	}
}

func (w *world) list(path string) error {
	names, err := os.ReadDir(path)
	if len(names) > 0 {
		return fmt.Errorf("can list %s: %s and %d more", path, names[0].Name(), len(names)-1)
	}
	w.how = "it is empty"
	if err != nil {
		w.how = cause(err)
	}
	return nil
}

// cause is the kernel's error in an error, in words.
func cause(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

// creates asserts that no file can be made in the directory. Outside of a sandbox
// the file has no name, so that nothing stays of it.
func creates(dir string) func(*world) error {
	return func(w *world) error {
		path, flags := dir, unix.O_TMPFILE
		if w.Sandboxed {
			path, flags = filepath.Join(dir, "escaped"), unix.O_CREAT|unix.O_EXCL
		}
		fd, err := unix.Open(path, flags|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
		if err == nil {
			unix.Close(fd)
			if w.Sandboxed {
				_ = unix.Unlink(path)
			}
		}
		return w.stopped(err, "can make files in %s", dir)
	}
}

// overwrites asserts that none of the files can be opened to be written, which does
// nothing to them.
func overwrites(paths ...string) func(*world) error {
	return func(w *world) error {
		for _, path := range paths {
			fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
			if err == nil {
				unix.Close(fd)
				return fmt.Errorf("can write to %s", path)
			}
			w.how = err.Error()
		}
		return nil
	}
}

// opens asserts that none of the files can be opened at all.
func opens(paths ...string) func(*world) error {
	return func(w *world) error {
		for _, path := range paths {
			fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
			if err == nil {
				unix.Close(fd)
				return fmt.Errorf("can open %s", path)
			}
			w.how = err.Error()
		}
		return nil
	}
}

// status is a line of /proc/self/status.
func status(key string) (string, error) {
	text, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return "", err
	}
	_, rest, found := strings.Cut(string(text), "\n"+key+":")
	if !found {
		return "", fmt.Errorf("/proc/thread-self/status has no %s", key)
	}
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line), nil
}

// on runs an attack on a thread that ends with it, so that what it does to its
// thread stays without consequences.
func on(try func(*world) error, w *world) (err error) {
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(done)
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("the attack itself failed: %v", r)
			}
		}()
		err = try(w)
	}()
	<-done
	return err
}
