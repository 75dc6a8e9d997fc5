package sandbox

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/sandbox/guest"
	"github.com/dropstack/dropstack/internal/sandbox/volume"
)

// tryVolume finds out whether temporary files can have a file system of their own.
func (m *Maker) tryVolume() error {
	if m.rootless() {
		return errors.New("it takes level full")
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

// waste are the file systems of sandboxes that are gone. To let go of one has the
// kernel wait for all processors several times, and a start that falls into that time
// waits with it: so it is done when none has been for a while.
type waste struct {
	volumes []*volume.Volume
	timer   *time.Timer
}

const (
	quiet     = 300 * time.Millisecond
	mostWaste = 32
)

// wait puts the removal off. The maker's lock is held, as for take.
func (w *waste) wait() {
	if len(w.volumes) > 0 {
		w.timer.Reset(quiet)
	}
}

func (w *waste) take() []*volume.Volume {
	if w.timer != nil {
		w.timer.Stop()
	}
	all := w.volumes
	w.volumes = nil
	return all
}

// throw has a volume closed, in a moment or at once if many wait for that.
func (m *Maker) throw(v *volume.Volume) {
	m.mu.Lock()
	w := &m.waste
	w.volumes = append(w.volumes, v)
	if w.timer == nil {
		w.timer = time.AfterFunc(quiet, m.tidy)
	}
	w.wait()
	var oldest *volume.Volume
	if len(w.volumes) > mostWaste {
		oldest, w.volumes = w.volumes[0], w.volumes[1:]
	}
	m.mu.Unlock()
	if oldest != nil {
		_ = oldest.Close()
	}
}

func (m *Maker) tidy() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if all := m.waste.take(); !m.closed {
		m.work.Go(func() { closeAll(all) })
	} else {
		m.waste.volumes = all // whoever closes the maker waits for them
	}
}
