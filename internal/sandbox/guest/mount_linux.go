package guest

import (
	"errors"
	"os"
	"path"
	"syscall"

	"github.com/dropstack/dropstack/internal/sandbox/kernel"
)

// root builds the file system in a tmpfs and makes it the root. What is taken
// from the host is opened first: the tmpfs hides a part of it.
func (g *guest) root(c *call) error {
	b := c.Build
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return kernel.Failed("keep mounts to ourselves", err)
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
	if err := syscall.Mount("root", stage, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=755,size=1m,nr_inodes=1024"); err != nil {
		return kernel.Failed("mount the root", err)
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
		if err := makeDir(path.Join(stage, dir)); err != nil {
			return err
		}
	}
	for _, f := range b.Files {
		if err := write(path.Join(stage, f.Path), f.Text); err != nil {
			return err
		}
	}
	for _, l := range b.Links {
		if err := os.Symlink(l.Text, path.Join(stage, l.Path)); err != nil {
			return err
		}
	}
	return nil
}

// makeDir makes a directory, and those above it when they are missing, which is
// rare.
func makeDir(name string) error {
	err := syscall.Mkdir(name, 0o755)
	if err == syscall.ENOENT || err == syscall.EEXIST {
		return os.MkdirAll(name, 0o755)
	}
	return kernel.Failed("make "+name, err)
}

func write(name, text string) error {
	const flags = syscall.O_WRONLY | syscall.O_CREAT | syscall.O_TRUNC | syscall.O_CLOEXEC
	fd, err := syscall.Open(name, flags, 0o644)
	if err == syscall.ENOENT {
		if err = makeDir(path.Dir(name)); err == nil {
			fd, err = syscall.Open(name, flags, 0o644)
		}
	}
	if err != nil {
		return kernel.Failed("make "+name, err)
	}
	defer syscall.Close(fd)
	if text == "" {
		return nil
	}
	_, err = syscall.Write(fd, []byte(text)) // a tmpfs takes it whole
	return kernel.Failed("write "+name, err)
}

// enter makes stage the root and lets go of the old one.
func enter(stage string) error {
	if err := syscall.Chdir(stage); err != nil {
		return err
	}
	if err := syscall.PivotRoot(".", "."); err != nil {
		return kernel.Failed("change the root", err)
	}
	if err := syscall.Unmount(".", syscall.MNT_DETACH); err != nil {
		return kernel.Failed("let go of the host's files", err)
	}
	if err := syscall.Chdir("/"); err != nil {
		return err
	}
	if err := kernel.ChangeMount("/", kernel.ReadOnly, 0); err != nil {
		return kernel.Failed("close the root", err)
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
	fd, err := kernel.CloneMount(m.From, false)
	if errors.Is(err, syscall.EINVAL) { // mounts below it that may not be uncovered
		fd, err = kernel.CloneMount(m.From, true)
	}
	if err != nil {
		return 0, err
	}
	set := uint64(kernel.NoSUID)
	if !m.Write {
		set |= kernel.ReadOnly
	}
	if !m.Dev {
		set |= kernel.NoDev
	}
	if !m.Exec {
		set |= kernel.NoExec
	}
	if err := kernel.RestrictMount(fd, set); err != nil {
		syscall.Close(fd)
		return 0, kernel.Failed("restrict "+m.From, err)
	}
	return fd, nil
}

// attach puts a mount in its place below root, which is made if need be.
func attach(c *call, m Mount, root string) error {
	fd, err := open(c, m)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	to := path.Join(root, m.To)
	if err := place(to, m.File); err != nil {
		return err
	}
	return kernel.AttachMount(fd, to)
}

func place(to string, file bool) error {
	var st syscall.Stat_t
	switch err := syscall.Lstat(to, &st); {
	case err == nil:
		return nil
	case err != syscall.ENOENT:
		return kernel.Failed("look for "+to, err)
	case file:
		return write(to, "")
	}
	return makeDir(to)
}

// proc mounts the process information of this sandbox alone, without what it
// tells of the machine.
func proc(b *Build, stage string) error {
	at := path.Join(stage, "/proc")
	if err := syscall.Mount("proc", at, "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, "hidepid=invisible"); err != nil {
		return kernel.Failed("mount /proc", err)
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
	to := path.Join(stage, name)
	var st syscall.Stat_t
	if syscall.Lstat(to, &st) != nil {
		return nil // this kernel does not have it
	}
	from := to
	if with != "" {
		from = path.Join(stage, with)
	}
	fd, err := Detach(Mount{From: from, Dev: with == "/dev/null"})
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return kernel.AttachMount(fd, to)
}
