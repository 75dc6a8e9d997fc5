package kernel

import (
	"slices"
	"syscall"
	"unsafe"
)

// Of prctl(2).
const (
	SetDumpable     = 4
	SetSecurebits   = 28
	SetSeccomp      = 22
	DropBounding    = 24 // PR_CAPBSET_DROP
	SetNoNewPrivs   = 38
	Ambient         = 47 // PR_CAP_AMBIENT
	AmbientClearAll = 4
	SeccompFilter   = 2 // SECCOMP_MODE_FILTER
)

// LimitProcesses is RLIMIT_NPROC, for syscall.Setrlimit.
const LimitProcesses = 6

// Prctl changes something of the calling thread or its process.
func Prctl(what, a, b uintptr) error {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, what, a, b, 0, 0, 0)
	return asError(errno)
}

// Join moves the calling thread into a namespace of the kind, syscall.CLONE_NEW….
func Join(namespace, kind int) error {
	_, _, errno := syscall.RawSyscall(sysSetns, uintptr(namespace), uintptr(kind), 0)
	return asError(errno)
}

// DefaultSignals gives all signals back to the kernel. The first process of a
// process-id namespace is then out of reach of everybody in it: what it does not
// handle is not delivered, not even to end it (pid_namespaces(7)). Go's own
// handlers would end the program.
func DefaultSignals() error { return dispose(0, nil) }

// IgnoreSignals leaves the process those that tell of its own faults. What it
// starts ignores them too.
func IgnoreSignals() error {
	return dispose(1, []syscall.Signal{syscall.SIGILL, syscall.SIGTRAP, syscall.SIGABRT, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSYS})
}

// dispose sets what becomes of signals: SIG_DFL, 0, or SIG_IGN, 1.
func dispose(what uint64, except []syscall.Signal) error {
	action := struct{ handler, flags, restorer, mask uint64 }{handler: what} // struct sigaction of 64-bit machines
	for sig := syscall.Signal(1); sig <= signals; sig++ {
		if sig == syscall.SIGKILL || sig == syscall.SIGSTOP || slices.Contains(except, sig) {
			continue
		}
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, unsafe.Sizeof(action.mask), 0, 0)
		if errno != 0 {
			return errno
		}
	}
	return nil
}

// JoinGroups moves the calling thread into control groups of version 1, by their
// files named tasks. A thread that moves itself waits for nobody.
func JoinGroups(files []string) error {
	for _, file := range files {
		fd, err := syscall.Open(file, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			return Failed(file, err)
		}
		_, err = syscall.Write(fd, []byte("0"))
		syscall.Close(fd)
		if err != nil {
			return Failed(file, err)
		}
	}
	return nil
}

const signals = 64

func asError(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}
