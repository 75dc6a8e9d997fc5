package probe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// mounts are attacks on what is mounted where.
var mounts = []Assertion{
	{ID: "mounts/tmpfs", Control: Mounts, What: "mount a tmpfs", try: mountsA("tmpfs", "")},
	{ID: "mounts/proc", Control: Mounts, What: "mount a second /proc, without covers", try: mountsA("proc", "")},
	{ID: "mounts/sysfs", Control: Mounts, What: "mount /sys", try: mountsA("sysfs", "")},
	{ID: "mounts/cgroup", Control: Mounts, What: "mount control groups of version 1", try: mountsA("cgroup", "memory")},
	{ID: "mounts/cgroup2", Control: Mounts, What: "mount control groups of version 2", try: mountsA("cgroup2", "")},
	{ID: "mounts/devpts", Control: Mounts, What: "mount terminals", try: mountsA("devpts", "")},
	{ID: "mounts/devtmpfs", Control: Mounts, What: "mount the machine's devices", try: mountsA("devtmpfs", "")},
	{ID: "mounts/debugfs", Control: Mounts, What: "mount the kernel's debugging files", try: mountsA("debugfs", "")},
	{ID: "mounts/tracefs", Control: Mounts, What: "mount the kernel's tracing files", try: mountsA("tracefs", "")},
	{ID: "mounts/securityfs", Control: Mounts, What: "mount the security modules' files", try: mountsA("securityfs", "")},
	{ID: "mounts/bpf", Control: Mounts, What: "mount pinned BPF programs", try: mountsA("bpf", "")},
	{ID: "mounts/mqueue", Control: Mounts, What: "mount message queues", try: mountsA("mqueue", "")},
	{ID: "mounts/overlay", Control: Mounts, What: "mount an overlay over the system", try: overlay},
	{ID: "mounts/bind", Control: Mounts, What: "bind the system's files to another place", try: bind},
	{ID: "mounts/remount-root", Control: Mounts, What: "make the root writable", Unsafe: true, try: remount("/", 0)},
	{ID: "mounts/remount-usr", Control: Mounts, What: "make /usr writable", Unsafe: true, try: remount("/usr", 0)},
	{ID: "mounts/remount-suid", Control: Mounts, What: "have programs in /tmp run with their owner's rights", Unsafe: true, try: remount("/tmp", 0)},
	{ID: "mounts/setattr", Control: Mounts, What: "make the root writable by mount_setattr", Unsafe: true, try: func(w *world) error {
		err := unix.MountSetattr(unix.AT_FDCWD, "/", 0, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY})
		return w.shut(err, "mount_setattr")
	}},
	{ID: "mounts/umount-cover", Control: Mounts, What: "take the cover off the kernel's memory", Unsafe: true, try: umount("/proc/kcore")},
	{ID: "mounts/umount-sys", Control: Mounts, What: "take the read-only cover off the kernel's settings", Unsafe: true, try: umount("/proc/sys")},
	{ID: "mounts/umount-proc", Control: Mounts, What: "unmount /proc", Unsafe: true, try: umount("/proc")},
	{ID: "mounts/umount-setuid", Control: Mounts, What: "take the cover off a program with other rights", Unsafe: true, try: umount("/usr/bin/su")},
	{ID: "mounts/move-cover", Control: Mounts, What: "move the cover of the kernel's settings away", Unsafe: true, try: func(w *world) error {
		err := unix.MoveMount(unix.AT_FDCWD, "/proc/sys", unix.AT_FDCWD, w.Scratch, 0)
		return w.shut(err, "move_mount")
	}},
	{ID: "mounts/open-tree", Control: Mounts, What: "copy a mount", try: func(w *world) error {
		fd, err := unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err == nil {
			unix.Close(fd)
		}
		return w.shut(err, "open_tree")
	}},
	{ID: "mounts/fsopen", Control: Mounts, What: "make a file system", try: func(w *world) error {
		fd, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
		if err == nil {
			unix.Close(fd)
		}
		return w.shut(err, "fsopen")
	}},
	{ID: "mounts/fspick", Control: Mounts, What: "configure the root's file system anew", try: func(w *world) error {
		fd, err := unix.Fspick(unix.AT_FDCWD, "/", unix.FSPICK_CLOEXEC)
		if err == nil {
			unix.Close(fd)
		}
		return w.shut(err, "fspick")
	}},
	{ID: "mounts/fsmount", Control: Mounts, What: "mount a made file system", try: calls("fsmount", unix.SYS_FSMOUNT, ^uintptr(0), 0, 0)},
	{ID: "mounts/chroot", Control: Mounts, What: "change its root, to climb out of it", try: chroot},
	{ID: "mounts/pivot-root", Control: Mounts, What: "exchange the root", try: func(w *world) error {
		if err := w.ownMounts(); err != nil {
			return err
		}
		return w.shut(unix.PivotRoot(w.Scratch, w.Scratch), "pivot_root")
	}},
	{ID: "mounts/in-new-namespace", Control: Mounts, What: "mount in namespaces of its own", try: inNamespaces(mountSteps)},
	{ID: "mounts/uncover-in-new-namespace", Control: Mounts, What: "uncover /proc in namespaces of its own", Unsafe: true, try: inNamespaces(uncoverSteps)},
}

// ownMounts makes sure that what is mounted outside of a sandbox ends with the
// thread. Inside, the attack is on the mounts that there are.
func (w *world) ownMounts() error {
	if w.Sandboxed {
		return nil
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return w.skip("no mounts of its own: " + cause(err))
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return w.skip("no private mounts: " + cause(err))
	}
	return nil
}

func (w *world) target() (string, error) {
	dir := filepath.Join(w.Scratch, "target")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", w.skip(cause(err))
	}
	return dir, nil
}

func mountsA(kind, data string) func(*world) error {
	return func(w *world) error {
		dir, err := w.target()
		if err != nil {
			return err
		}
		if err := w.ownMounts(); err != nil {
			return err
		}
		return w.shut(unix.Mount(kind, dir, kind, unix.MS_NOSUID, data), "mount "+kind, unix.ENODEV)
	}
}

func overlay(w *world) error {
	dir, err := w.target()
	if err != nil {
		return err
	}
	for _, sub := range []string{"upper", "work"} {
		if err := os.MkdirAll(filepath.Join(w.Scratch, sub), 0o700); err != nil {
			return w.skip(cause(err))
		}
	}
	return mountsA("overlay", fmt.Sprintf("lowerdir=/usr,upperdir=%s,workdir=%s", filepath.Join(filepath.Dir(dir), "upper"), filepath.Join(filepath.Dir(dir), "work")))(w)
}

func bind(w *world) error {
	dir, err := w.target()
	if err != nil {
		return err
	}
	if err := w.ownMounts(); err != nil {
		return err
	}
	return w.shut(unix.Mount("/usr", dir, "", unix.MS_BIND, ""), "a bind mount")
}

func remount(path string, flags uintptr) func(*world) error {
	return func(w *world) error {
		return w.shut(unix.Mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND|flags, ""), "remount "+path)
	}
}

func umount(path string) func(*world) error {
	return func(w *world) error {
		return w.shut(unix.Unmount(path, unix.MNT_DETACH), "umount "+path, unix.ENOENT)
	}
}

// chroot happens in a process of its own: threads share their root.
func chroot(w *world) error {
	_, _, err := w.asChild(&syscall.SysProcAttr{Chroot: w.Scratch}, "nothing")
	if errors.Is(err, unix.ENOENT) {
		return errors.New("chroot works") // and there is no program in the new root
	}
	return w.shut(err, "chroot")
}

// inNamespaces makes system calls in a process with user and mount namespaces of
// its own, where it has all capabilities.
func inNamespaces(steps func(*world) []step) func(*world) error {
	return func(w *world) error {
		done, err := fork(unix.CLONE_NEWUSER|unix.CLONE_NEWNS, steps(w))
		if err != nil {
			w.how = "no namespaces: " + cause(err)
			return nil
		}
		if done != "" {
			return fmt.Errorf("can %s in namespaces of its own", done)
		}
		w.how = "it gets namespaces, but cannot mount there"
		return nil
	}
}

func mountSteps(w *world) []step {
	return []step{
		{"mount a tmpfs", unix.SYS_MOUNT, [5]uintptr{pointer("tmpfs"), pointer(w.Scratch), pointer("tmpfs"), 0, 0}},
		{"bind /usr", unix.SYS_MOUNT, [5]uintptr{pointer("/usr"), pointer(w.Scratch), 0, unix.MS_BIND, 0}},
		{"make a file system", unix.SYS_FSOPEN, [5]uintptr{pointer("tmpfs"), 0}},
	}
}

func uncoverSteps(*world) []step {
	return []step{
		{"uncover /proc/kcore", unix.SYS_UMOUNT2, [5]uintptr{pointer("/proc/kcore"), unix.MNT_DETACH}},
		{"uncover /proc/sys", unix.SYS_UMOUNT2, [5]uintptr{pointer("/proc/sys"), unix.MNT_DETACH}},
		{"make / writable", unix.SYS_MOUNT, [5]uintptr{0, pointer("/"), 0, unix.MS_REMOUNT | unix.MS_BIND, 0}},
		{"mount /proc", unix.SYS_MOUNT, [5]uintptr{pointer("proc"), pointer("/tmp"), pointer("proc"), 0, 0}},
	}
}
