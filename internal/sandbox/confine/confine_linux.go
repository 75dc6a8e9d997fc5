package confine

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/dropstack/dropstack/internal/sandbox/kernel"
)

// NoNewPrivs has no program that is run grant more than its caller has.
func NoNewPrivs() error { return kernel.Prctl(kernel.SetNoNewPrivs, 1, 0) }

// lastKnown is CAP_SETFCAP, a capability that every kernel has.
const lastKnown = 31

// DropCapabilities empties the bounding set and the ambient one: what is run from
// now on has no capability, even as user 0. The thread keeps its own, and loses
// them with its user id.
func DropCapabilities() error {
	for c := uintptr(0); ; c++ {
		err := kernel.Prctl(kernel.DropBounding, c, 0)
		if err == syscall.EINVAL && c > lastKnown {
			break // this kernel has no more
		}
		if err != nil {
			return err
		}
	}
	return kernel.Prctl(kernel.Ambient, kernel.AmbientClearAll, 0)
}

// CloseOnExecFrom has no program that is run find a descriptor from fd on.
func CloseOnExecFrom(fd int) error {
	const closeRange, closeOnExec = 436, 4 // close_range(2), CLOSE_RANGE_CLOEXEC
	if _, _, errno := syscall.RawSyscall(closeRange, uintptr(fd), uintptr(^uint32(0)), closeOnExec); errno != 0 {
		return errno
	}
	return nil
}

// The rights of Landlock on files, LANDLOCK_ACCESS_FS_…, by their numbers.
const (
	execute = 1 << iota
	writeFile
	readFile
	readDir
	removeDir
	removeFile
	makeChar
	makeDir
	makeReg
	makeSock
	makeFifo
	makeBlock
	makeSym
	refer    // from ABI 2
	truncate // from ABI 3
)

// The rights by what they are for.
const (
	read    = execute | readFile | readDir
	write   = writeFile | removeDir | removeFile | makeDir | makeReg | makeSock | makeFifo | makeSym
	devices = makeChar | makeBlock                      // nobody's
	ofFiles = execute | readFile | writeFile | truncate // what a rule for a file may say
	scope   = 1 | 2                                     // LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET and _SIGNAL
)

const (
	sysCreateRuleset = 444
	sysAddRule       = 445
	sysRestrictSelf  = 446
)

// ruleset is struct landlock_ruleset_attr as of ABI 6.
type ruleset struct{ files, network, scoped uint64 }

// beneath is struct landlock_path_beneath_attr, which has no padding at its end.
type beneath struct {
	access uint64
	parent int32
}

// ABI is the version of Landlock that the kernel has. The error is ENOSYS when it
// has none and EOPNOTSUPP when that is switched off.
func ABI() (int, error) {
	const version = 1 // LANDLOCK_CREATE_RULESET_VERSION
	abi, _, errno := syscall.Syscall(sysCreateRuleset, 0, 0, version)
	if errno != 0 {
		return 0, errno
	}
	return int(abi), nil
}

// Landlock leaves the thread the files that the rules name and takes all others. It
// needs NoNewPrivs, and does as much as the kernel's version allows, which it
// returns.
func Landlock(r Rules) (abi int, err error) {
	if abi, err = ABI(); err != nil {
		return 0, err
	}
	changes := uint64(write)
	if abi >= 2 {
		changes |= refer
	}
	if abi >= 3 {
		changes |= truncate
	}
	attr := ruleset{files: read | devices | changes}
	size := unsafe.Sizeof(attr.files)
	if abi >= 6 && r.Scope {
		attr.scoped, size = scope, unsafe.Sizeof(attr)
	}
	set, _, errno := syscall.Syscall(sysCreateRuleset, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return abi, kernel.Failed("make a ruleset", errno)
	}
	defer syscall.Close(int(set))
	for _, part := range []struct {
		paths  []string
		access uint64
	}{{r.ReadExec, read}, {r.ReadWrite, read | changes}} {
		for _, path := range part.paths {
			if err := allow(set, path, part.access); err != nil {
				return abi, kernel.Failed("allow "+path, err)
			}
		}
	}
	if _, _, errno := syscall.Syscall(sysRestrictSelf, set, 0, 0); errno != 0 {
		return abi, kernel.Failed("enforce the ruleset", errno)
	}
	return abi, nil
}

func allow(set uintptr, path string, access uint64) error {
	const asPath = 0x200000 // O_PATH
	fd, err := syscall.Open(path, asPath|syscall.O_CLOEXEC, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		access &= ofFiles
	}
	const pathBeneath = 1 // LANDLOCK_RULE_PATH_BENEATH
	rule := beneath{access, int32(fd)}
	if _, _, errno := syscall.Syscall6(sysAddRule, set, pathBeneath, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// Filter has the kernel ask a program of package filter about each system call
// from now on. It needs NoNewPrivs, and holds for the calling thread and all that
// it starts, for good.
func Filter(program []byte) error {
	const instruction = 8 // bytes
	if len(program) == 0 {
		return syscall.EINVAL
	}
	p := struct { // struct sock_fprog
		length uint16
		code   *byte
	}{uint16(len(program) / instruction), &program[0]}
	err := kernel.Prctl(kernel.SetSeccomp, kernel.SeccompFilter, uintptr(unsafe.Pointer(&p)))
	runtime.KeepAlive(program)
	return err
}
