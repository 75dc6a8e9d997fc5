package cache

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dropstack/dropstack/internal/durable"
)

// bootFile holds the id of the boot of the machine during which the files were written.
// During another they are not trusted and thrown away: nothing is synced, so a file
// that was deleted, because it had been replaced or its path changed, may be back after
// a crash of the machine. A crash of the process loses nothing of the kind.
const bootFile = "boot"

// openDisk lists what earlier processes have left, most of it unread. trusted is false
// when it must not be used.
func openDisk(dir string, limit int64, trusted bool) (*disk, error) {
	d := &disk{
		dir: filepath.Join(dir, "responses"), limit: limit,
		of: map[key][]*file{}, paths: map[uint64]*file{}, queued: map[*object]bool{},
		writes: make(chan *object, 1024), written: make(chan struct{}),
	}
	d.queue.link = func(f *file) *link[*file] { return &f.link }
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	written, err2 := os.ReadFile(filepath.Join(d.dir, bootFile))
	if !trusted || err != nil || err2 != nil || !bytes.Equal(boot, written) {
		if err := os.RemoveAll(d.dir); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(d.dir, "arriving")), os.MkdirAll(filepath.Join(d.dir, "arriving"), 0o700)); err != nil {
		return nil, err
	}
	if err := durable.WriteFile(filepath.Join(d.dir, bootFile), boot, 0o600); err != nil {
		return nil, err
	}
	return d, d.list()
}

// list fills the index from the names of files, the oldest first.
func (d *disk) list() error {
	type found struct {
		*file
		at time.Time
	}
	var all []found
	err := filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == bootFile {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		f, ok := parseName(e.Name())
		if !ok || filepath.Join(d.dir, f.name()) != path {
			return os.Remove(path)
		}
		f.size = info.Size()
		all = append(all, found{f, info.ModTime()})
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b found) int { return a.at.Compare(b.at) })
	for _, f := range all {
		d.used += f.size
		d.add(f.file)
	}
	return d.reserve(0)
}

// close waits for what is being written.
func (d *disk) close() {
	close(d.writes)
	<-d.written
}
