package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// StorageMB is how much temporary files may take if nothing else is said, as on
// Lambda.
const StorageMB = 512

// perFile is the room that one file counts for at least: a quota of bytes alone
// would leave empty files free, and a volume has one inode for as much.
const perFile = 16 << 10

// measure looks how much a process's temporary files take, where no quota stops
// them, and kills it when that is too much. It does so beside the watchdog's other
// work, and the less often the longer it takes.
func (p *Process) measure() {
	limit := p.storageMB.Load()
	if p.tmp == "" || limit == 0 || time.Now().UnixNano() < p.measureAt.Load() || !p.measuring.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer p.measuring.Store(false)
		began := time.Now()
		if why := exceeds(p.tmp, limit<<20); why != "" {
			why = fmt.Sprintf("its temporary files %s %d MB", why, limit)
			p.overfull.CompareAndSwap(nil, &why)
			p.Kill()
		}
		now := time.Now()
		p.measureAt.Store(now.Add(10 * now.Sub(began)).UnixNano())
	}()
}

// exceeds says in which way the files below a directory exceed a number of bytes,
// or "". What the function keeps from being read counts as too much. Files that are
// open and have no name are not found.
func exceeds(dir string, limit int64) string {
	var bytes, count int64
	hidden := false
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrPermission) {
			hidden = true
			return fs.SkipAll
		}
		if err != nil { // it has gone in the meantime
			return nil
		}
		if info, err := d.Info(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				bytes += st.Blocks * 512
			}
			count++
		}
		if bytes > limit || count*perFile > limit {
			return fs.SkipAll
		}
		return nil
	})
	switch {
	case err != nil:
		return ""
	case hidden:
		return "are in a directory that cannot be read, so nobody can say whether they exceed"
	case bytes > limit:
		return "take more than"
	case count*perFile > limit:
		return "are more than there may be in"
	}
	return ""
}

// fileLimit is how large a single file may become, in bytes, where no quota limits
// all of them together; 0: not limited, because the process has other files to write.
func (s Spec) fileLimit() uint64 {
	for _, dir := range s.Owns {
		if dir != s.tmp {
			return 0
		}
	}
	if s.tmp == "" {
		return 0
	}
	return uint64(s.StorageMB) << 20
}

// remove removes temporary files, also from directories that the function has closed
// to its own user. Nothing of it runs any more.
func remove(dir string) error {
	err := os.RemoveAll(dir)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}
