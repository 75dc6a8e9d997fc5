package sandbox

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/sandbox/guest"
	"github.com/dropstack/dropstack/internal/sandbox/volume"
)

// tryVolume finds out whether temporary files can have a file system of their own.
func (m *Maker) tryVolume() error {
	if m.rootless() {
		return errors.New("it takes root")
	}
	v, err := volume.Make(m.TempDir, 1, 0)
	if err != nil {
		return err
	}
	return v.Close()
}

// partition makes the file system of the sandbox's temporary files, of the size that
// most functions have: whose it is to be is not known yet.
func (in *inside) partition(dir string) (err error) {
	if in.maker.loose == nil {
		in.tmp, err = volume.Make(dir, StorageMB, in.first+functionID)
	}
	return err
}

// enlarge makes a larger one in its place, which is mounted over it. The kernel could
// enlarge the first if we had a right that root often lacks in containers
// (CAP_SYS_RESOURCE).
func (in *inside) enlarge(mb int) error {
	v, err := volume.Make(in.maker.TempDir, mb, in.first+functionID)
	if err != nil {
		return fmt.Errorf("make room for %d MB of temporary files: %w", mb, err)
	}
	_ = in.tmp.Close()
	in.tmp = v
	return nil
}

// temporary is the mount of the temporary files. One without a source is the volume.
func (in *inside) temporary(dir string) guest.Mount {
	if in.tmp != nil {
		dir = ""
	}
	return guest.Mount{From: dir, To: "/tmp", Write: true, Exec: true}
}

// open returns a mount that is attached nowhere.
func (in *inside) open(m guest.Mount) (int, error) {
	if m.From == "" {
		return unix.FcntlInt(uintptr(in.tmp.FD()), unix.F_DUPFD_CLOEXEC, 0)
	}
	return guest.Detach(m)
}

func (in *inside) soft() string {
	if in.tmp != nil {
		return ""
	}
	return fmt.Sprintf("no file system of their own for temporary files (%v): what is in /tmp is looked at ten times a second", in.maker.loose)
}
