package kernel

import (
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
func DefaultSignals() error {
	var standard struct{ handler, flags, restorer, mask uint64 } // struct sigaction of 64-bit machines
	for sig := uintptr(1); sig <= signals; sig++ {
		if sig == uintptr(syscall.SIGKILL) || sig == uintptr(syscall.SIGSTOP) {
			continue
		}
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&standard)), 0, unsafe.Sizeof(standard.mask), 0, 0)
		if errno != 0 {
			return errno
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
