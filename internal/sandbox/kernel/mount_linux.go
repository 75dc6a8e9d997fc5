package kernel

import (
	"os"
	"syscall"
	"unsafe"
)

// Of mounts: open_tree(2), move_mount(2) and mount_setattr(2).
const (
	ReadOnly = 1 << iota // MOUNT_ATTR_RDONLY
	NoSUID
	NoDev
	NoExec
)

const (
	atEmptyPath  = 0x1000
	atNoFollow   = 0x100
	atRecursive  = 0x8000
	openClone    = 1            // OPEN_TREE_CLONE
	moveByHandle = 4            // MOVE_MOUNT_F_EMPTY_PATH
	here         = ^uintptr(99) // AT_FDCWD, -100
)

// Their numbers are the same for all processors, as of all calls since 2018.
const (
	sysOpenTree     = 428
	sysMoveMount    = 429
	sysMountSetattr = 442
)

// CloneMount returns a mount of a path that is nowhere attached: with all that is
// mounted below it, or without.
func CloneMount(path string, below bool) (fd int, err error) {
	flags := uintptr(openClone | syscall.O_CLOEXEC | atNoFollow)
	if below {
		flags |= atRecursive
	}
	name, err := syscall.BytePtrFromString(path)
	if err != nil {
		return 0, err
	}
	tree, _, errno := syscall.Syscall(sysOpenTree, here, uintptr(unsafe.Pointer(name)), flags)
	return int(tree), told("open_tree", path, errno)
}

// attributes is struct mount_attr.
type attributes struct{ set, clear, propagation, namespace uint64 }

// RestrictMount sets attributes of a mount by its descriptor, and of all below it.
func RestrictMount(fd int, set uint64) error {
	return setattr(uintptr(fd), "", atEmptyPath|atRecursive, attributes{set: set})
}

// ChangeMount sets and clears attributes of the mount at a path.
func ChangeMount(path string, set, clear uint64) error {
	return setattr(here, path, 0, attributes{set: set, clear: clear})
}

func setattr(at uintptr, path string, flags uintptr, a attributes) error {
	name, err := syscall.BytePtrFromString(path)
	if err != nil {
		return err
	}
	_, _, errno := syscall.Syscall6(sysMountSetattr, at, uintptr(unsafe.Pointer(name)), flags, uintptr(unsafe.Pointer(&a)), unsafe.Sizeof(a), 0)
	return told("mount_setattr", path, errno)
}

// AttachMount puts a mount where path is.
func AttachMount(fd int, path string) error {
	var empty byte
	name, err := syscall.BytePtrFromString(path)
	if err != nil {
		return err
	}
	_, _, errno := syscall.Syscall6(sysMoveMount, uintptr(fd), uintptr(unsafe.Pointer(&empty)), here, uintptr(unsafe.Pointer(name)), moveByHandle, 0)
	return told("move_mount", path, errno)
}

func told(call, path string, errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return &os.PathError{Op: call, Path: path, Err: errno}
}
