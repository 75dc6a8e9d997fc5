package confine

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// NoNewPrivs has no program that is run grant more than its caller has.
func NoNewPrivs() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }

// DropCapabilities empties the bounding set and the ambient one: what is run from
// now on has no capability, even as user 0. The thread keeps its own, and loses
// them with its user id.
func DropCapabilities() error {
	for c := uintptr(0); ; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) && c > unix.CAP_SETFCAP {
			break // this kernel has no more
		}
		if err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	return unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
}

// CloseOnExecFrom has no program that is run find a descriptor from fd on.
func CloseOnExecFrom(fd int) error {
	return unix.CloseRange(uint(fd), ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
}

// The rights of Landlock by what they are for.
const (
	read  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	write = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM
	devices  = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK // nobody's
	refer    = unix.LANDLOCK_ACCESS_FS_REFER                                          // from ABI 2
	truncate = unix.LANDLOCK_ACCESS_FS_TRUNCATE                                       // from ABI 3
	// What a rule for a file may say.
	ofFiles = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | truncate
)

// ABI is the version of Landlock that the kernel has. The error is ENOSYS when it
// has none and EOPNOTSUPP when that is switched off.
func ABI() (int, error) {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
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
	attr := unix.LandlockRulesetAttr{Handled_access_fs: read | write | devices}
	changes := uint64(write)
	if abi >= 2 {
		changes |= refer
	}
	if abi >= 3 {
		changes |= truncate
	}
	attr.Handled_access_fs |= changes
	size := unsafe.Sizeof(attr.Handled_access_fs)
	if abi >= 6 && r.Scope {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
		size = unsafe.Offsetof(attr.Quiet_access_fs)
	}
	set, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return abi, fmt.Errorf("make a ruleset: %w", errno)
	}
	defer unix.Close(int(set))
	for _, part := range []struct {
		paths  []string
		access uint64
	}{{r.ReadExec, read}, {r.ReadWrite, read | changes}} {
		for _, path := range part.paths {
			if err := allow(int(set), path, part.access); err != nil {
				return abi, fmt.Errorf("allow %s: %w", path, err)
			}
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0); errno != 0 {
		return abi, fmt.Errorf("enforce the ruleset: %w", errno)
	}
	return abi, nil
}

func allow(set int, path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &= ofFiles
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(set), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
