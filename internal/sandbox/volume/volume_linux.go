package volume

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/fault"
)

// Volume is one. It lasts until it is closed and nobody uses its mount any more.
type Volume struct{ mount *os.File }

// Make makes a volume with room for so many MB, whose root belongs to a user and
// group of this machine; its file is in a directory. It takes root and loop
// devices, and 2 to 20 ms.
func Make(dir string, mb, owner int) (*Volume, error) {
	if mb < least || mb > most {
		return nil, fault.Errorf(fault.Invalid, "a volume has %d to %d MB, not %d", least, most, mb)
	}
	file, err := os.CreateTemp(dir, "volume-")
	if err != nil {
		return nil, err
	}
	defer file.Close() // the device has it
	if err := os.Remove(file.Name()); err != nil {
		return nil, err
	}
	blocks, _ := size(mb)
	if err := file.Truncate(int64(blocks) * blockSize); err != nil {
		return nil, err
	}
	if err := format(file, mb, owner); err != nil {
		return nil, err
	}
	loop, err := attach(file)
	if err != nil {
		return nil, err
	}
	defer loop.Close() // the file system has it
	mount, err := mount(loop.Name())
	if err != nil {
		return nil, fmt.Errorf("mount %s: %w", loop.Name(), err)
	}
	return &Volume{mount}, nil
}

// attach has a loop device read and write a file. The device lets go of it when
// nobody has it open any more.
func attach(file *os.File) (*os.File, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	for {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("find a free loop device: %w", err)
		}
		loop, err := os.OpenFile("/dev/loop"+strconv.Itoa(n), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		config := unix.LoopConfig{Fd: uint32(file.Fd()), Size: blockSize}
		config.Info.Flags = unix.LO_FLAGS_AUTOCLEAR | unix.LO_FLAGS_DIRECT_IO // what is cached is cached once, by the volume
		if err = unix.IoctlLoopConfigure(int(loop.Fd()), &config); err == nil {
			return loop, nil
		}
		loop.Close()
		if !errors.Is(err, unix.EBUSY) { // which says that somebody else was faster
			return nil, fmt.Errorf("attach a file to %s: %w", loop.Name(), err)
		}
	}
}

func mount(device string) (*os.File, error) {
	fd, err := unix.Fsopen("ext4", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.FsconfigSetString(fd, "source", device); err != nil {
		return nil, err
	}
	if err := unix.FsconfigCreate(fd); err != nil {
		return nil, err
	}
	mount, err := unix.Fsmount(fd, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(mount), "volume"), nil
}

// FD is the mount, which is attached nowhere; it stays the volume's.
func (v *Volume) FD() int { return int(v.mount.Fd()) }

// Discard says that nobody wants what the volume holds: nothing of it is written to
// the disk any more. Without it the last one to let go of the mount waits for that.
func (v *Volume) Discard() error {
	const (
		shutdown   = 0x8004587d // FS_IOC_SHUTDOWN
		noLogFlush = 2
	)
	root, err := unix.Openat(v.FD(), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(root)
	return unix.IoctlSetPointerInt(root, shutdown, noLogFlush)
}

// Close lets go of the mount.
func (v *Volume) Close() error { return v.mount.Close() }
