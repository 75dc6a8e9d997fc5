package probe

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// devicesTable are attacks by devices.
var devicesTable = []Assertion{
	{ID: "devices/mem", Control: Devices, What: "open the machine's memory", try: opens("/dev/mem", "/dev/kmem", "/dev/port")},
	{ID: "devices/kmsg", Control: Devices, What: "read and write the kernel's messages", try: opens("/dev/kmsg")},
	{ID: "devices/disks", Control: Devices, What: "open disks", try: opens("/dev/sda", "/dev/vda", "/dev/nvme0n1", "/dev/xvda", "/dev/dm-0", "/dev/loop0")},
	{ID: "devices/loop", Control: Devices, What: "make disks of files", try: opens("/dev/loop-control")},
	{ID: "devices/kvm", Control: Devices, What: "start virtual machines", try: opens("/dev/kvm")},
	{ID: "devices/vhost", Control: Devices, What: "use the machine's virtual devices", try: opens("/dev/vhost-net", "/dev/vhost-vsock", "/dev/vsock")},
	{ID: "devices/tun", Control: Devices, What: "make network devices", try: opens("/dev/net/tun")},
	{ID: "devices/fuse", Control: Devices, What: "make file systems", try: opens("/dev/fuse", "/dev/cuse")},
	{ID: "devices/userfaultfd", Control: Devices, What: "stop the kernel at will", try: opens("/dev/userfaultfd")},
	{ID: "devices/terminals", Control: Devices, What: "open terminals", try: opens("/dev/ptmx", "/dev/pts/ptmx", "/dev/tty", "/dev/tty0", "/dev/console", "/dev/ttyS0")},
	{ID: "devices/input", Control: Devices, What: "open keyboards, screens and sound", try: opens("/dev/input/event0", "/dev/uinput", "/dev/fb0", "/dev/dri/card0", "/dev/snd/timer", "/dev/vcs")},
	{ID: "devices/mapper", Control: Devices, What: "make disks of disks", try: opens("/dev/mapper/control", "/dev/btrfs-control")},
	{ID: "devices/clock", Control: Devices, What: "open the machine's clocks", try: opens("/dev/rtc0", "/dev/hpet", "/dev/ptp0")},
	{ID: "devices/shm", Control: Devices, What: "share memory with others by /dev/shm", try: lists("/dev/shm")},
	{ID: "devices/watchdog", Control: Devices, What: "have the machine restarted", Unsafe: true, try: opens("/dev/watchdog", "/dev/watchdog0")},
	{ID: "devices/none-else", Control: Devices, What: "find any device but null, zero, full, random and urandom", try: noneElse},
	{ID: "devices/make-block", Control: Devices, What: "make a device node of a disk", try: makesNode(unix.S_IFBLK, 8, 0)},
	{ID: "devices/make-char", Control: Devices, What: "make a device node of the memory", try: makesNode(unix.S_IFCHR, 1, 1)},
	{ID: "devices/make-whiteout", Control: Devices, What: "make the one node that takes no right", Unsafe: true, try: makesNode(unix.S_IFCHR, 0, 0)},
	{ID: "devices/random-ioctl", Control: Devices, What: "clear the machine's pool of randomness", try: clearsRandom},
}

var harmless = []string{"null", "zero", "full", "random", "urandom"}

func noneElse(w *world) error {
	w.how = "there is none"
	return filepath.WalkDir("/dev", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if d.Type()&fs.ModeDevice != 0 && !slices.Contains(harmless, d.Name()) {
			return fmt.Errorf("finds %s", path)
		}
		return nil
	})
}

func makesNode(kind uint32, major, minor uint32) func(*world) error {
	return func(w *world) error {
		path := filepath.Join(w.Scratch, "node")
		err := unix.Mknod(path, kind|0o600, int(unix.Mkdev(major, minor)))
		if err == nil {
			_ = os.Remove(path)
		}
		return w.stopped(err, "can make a device node %d:%d", major, minor)
	}
}

// clearsRandom asks for what takes the right to administer, with an argument that
// the kernel does not take: a negative number of bits.
func clearsRandom(w *world) error {
	fd, err := unix.Open("/dev/urandom", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return w.stopped(err, "")
	}
	defer unix.Close(fd)
	const add = 0x40085203 // RNDADDENTROPY
	value := space(16)
	return w.shut(call(unix.SYS_IOCTL, uintptr(fd), add, value), "RNDADDENTROPY")
}
