package probe

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// step is a system call of a forked process.
type step struct {
	does string
	trap uintptr
	args [5]uintptr
}

// fork has a copy of this process, in new namespaces if flags say so, make system
// calls, and returns what the first of them that worked does, or "". The copy has
// one thread and no Go runtime, so it makes system calls and nothing else; it has
// executed nothing, so it has the capabilities of who makes a user namespace.
func fork(flags uintptr, steps []step) (done string, err error) {
	pid, errno := forked(flags, steps)
	if errno != 0 {
		return "", errno
	}
	var status syscall.WaitStatus
	for {
		if _, err = syscall.Wait4(pid, &status, syscall.WALL, nil); err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		return "", err
	}
	if n := status.ExitStatus(); n > 0 && n <= len(steps) {
		return steps[n-1].does, nil
	}
	return "", nil // also if a signal ended it
}

//go:noinline
//go:norace
func forked(flags uintptr, steps []step) (pid int, errno syscall.Errno) {
	r, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, flags|uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || r != 0 {
		return int(r), errno
	}
	code := uintptr(0)
	for i := range steps {
		s := &steps[i]
		_, _, errno = syscall.RawSyscall6(s.trap, s.args[0], s.args[1], s.args[2], s.args[3], s.args[4], 0)
		if errno == 0 {
			code = uintptr(i + 1)
			break
		}
	}
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, code, 0, 0)
	}
}

// pointer is a string as an argument of a system call.
func pointer(s string) uintptr {
	b, err := unix.BytePtrFromString(s)
	if err != nil {
		return 0
	}
	keep = append(keep, b)
	return uintptr(unsafe.Pointer(b))
}

// space is zeroed memory as an argument of a system call.
func space(bytes int) uintptr {
	b := make([]byte, bytes)
	keep = append(keep, &b[0])
	return uintptr(unsafe.Pointer(&b[0]))
}

// keep is what system calls point to: the probe is short-lived. Go's collector
// does not move what is on the heap.
var keep []*byte

// clone3With makes a process by clone3 that ends at once. The arguments are a
// struct clone_args up to its member tls.
//
//go:noinline
//go:norace
func clone3With(args *uint64) (pid int, errno syscall.Errno) {
	r, _, errno := syscall.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(args)), 64, 0)
	if errno != 0 || r != 0 {
		return int(r), errno
	}
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
	}
}

// inFork is a system call in a process of its own with one thread; its error, too.
func inFork(trap, argument uintptr) error {
	pid, errno := errnoOf(trap, argument)
	if errno != 0 {
		return fmt.Errorf("not decided: fork: %w", errno)
	}
	var status syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(pid, &status, syscall.WALL, nil); err != syscall.EINTR {
			break
		}
	}
	switch {
	case status.Signaled():
		return unix.EPERM // the filter of system calls ended it
	case status.ExitStatus() != 0:
		return syscall.Errno(status.ExitStatus())
	}
	return nil
}

//go:noinline
//go:norace
func errnoOf(trap, argument uintptr) (pid int, errno syscall.Errno) {
	r, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || r != 0 {
		return int(r), errno
	}
	_, _, errno = syscall.RawSyscall(trap, argument, 0, 0)
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, uintptr(errno), 0, 0)
	}
}

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(&b[0])) }
