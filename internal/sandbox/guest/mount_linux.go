package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// root builds the file system in a tmpfs and makes it the root. What is taken
// from the host is opened first: the tmpfs hides a part of it.
func (g *guest) root(c *call) error {
	b := c.Build
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to ourselves: %w", err)
	}
	opened := &call{}
	for i := range b.Mounts {
		fd, err := open(c, b.Mounts[i])
		if err != nil {
			return err
		}
		opened.fds = append(opened.fds, fd)
		b.Mounts[i].From = ""
	}
	const stage = "/tmp" // every system has it
	if err := unix.Mount("root", stage, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=1m,nr_inodes=1024"); err != nil {
		return fmt.Errorf("mount the root: %w", err)
	}
	if err := furniture(b, stage); err != nil {
		return err
	}
	for _, m := range b.Mounts {
		if err := attach(opened, m, stage); err != nil {
			return err
		}
	}
	if b.Proc {
		if err := proc(b, stage); err != nil {
			return err
		}
	}
	return enter(stage)
}

func furniture(b *Build, stage string) error {
	for _, dir := range b.Dirs {
		if err := os.MkdirAll(below(stage, dir), 0o755); err != nil {
			return err
		}
	}
	for name, text := range b.Files {
		if err := write(below(stage, name), text); err != nil {
			return err
		}
	}
	for name, target := range b.Links {
		if err := os.Symlink(target, below(stage, name)); err != nil {
			return err
		}
	}
	return nil
}

func write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// enter makes stage the root and lets go of the old one.
func enter(stage string) error {
	if err := unix.Chdir(stage); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the host's files: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return fmt.Errorf("close the root: %w", err)
	}
	return nil
}

// open returns a mount of its own that is nowhere attached yet.
func open(c *call, m Mount) (int, error) {
	if m.From == "" {
		return c.take()
	}
	if c.detach != nil {
		return c.detach(m)
	}
	return Detach(m)
}

// Detach makes a mount of a path of the host that is nowhere attached, with the
// rights of m.
func Detach(m Mount) (int, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_SYMLINK_NOFOLLOW)
	fd, err := unix.OpenTree(unix.AT_FDCWD, m.From, flags)
	if err == unix.EINVAL { // mounts below it that may not be uncovered
		fd, err = unix.OpenTree(unix.AT_FDCWD, m.From, flags|unix.AT_RECURSIVE)
	}
	if err != nil {
		return 0, &fs.PathError{Op: "open_tree", Path: m.From, Err: err}
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID}
	if !m.Write {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	if !m.Dev {
		attr.Attr_set |= unix.MOUNT_ATTR_NODEV
	}
	if !m.Exec {
		attr.Attr_set |= unix.MOUNT_ATTR_NOEXEC
	}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
		unix.Close(fd)
		return 0, &fs.PathError{Op: "mount_setattr", Path: m.From, Err: err}
	}
	return fd, nil
}

// attach puts a mount in its place below root, which is made if need be.
func attach(c *call, m Mount, root string) error {
	fd, err := open(c, m)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	to := below(root, m.To)
	if err := place(to, m.File); err != nil {
		return err
	}
	return move(fd, to)
}

func place(to string, file bool) error {
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if file {
		return write(to, "")
	}
	return os.MkdirAll(to, 0o755)
}

func move(fd int, to string) error {
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, to, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return &fs.PathError{Op: "move_mount", Path: to, Err: err}
	}
	return nil
}

// proc mounts the process information of this sandbox alone, without what it
// tells of the machine.
func proc(b *Build, stage string) error {
	at := below(stage, "/proc")
	if err := unix.Mount("proc", at, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "hidepid=invisible"); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for _, covers := range []struct {
		names []string
		with  string
	}{{b.Hidden, "/dev/null"}, {b.Empty, "/var/empty"}, {b.Frozen, ""}} {
		for _, name := range covers.names {
			if err := cover(stage, name, covers.with); err != nil {
				return err
			}
		}
	}
	return nil
}

// cover mounts something over a path that exists: itself, read-only, without a
// with.
func cover(stage, name, with string) error {
	to := below(stage, name)
	if _, err := os.Lstat(to); err != nil {
		return nil // this kernel does not have it
	}
	from := to
	if with != "" {
		from = below(stage, with)
	}
	fd, err := Detach(Mount{From: from, Dev: with == "/dev/null"})
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return move(fd, to)
}
