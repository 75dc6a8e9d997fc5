package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
)

// maxSegment is how large a file of the write-ahead log gets.
const maxSegment = 8 << 20

// wal is the write-ahead log: records that are in no block yet, in numbered files.
type wal struct {
	dir string
	log *slog.Logger

	mu     sync.Mutex
	file   *os.File // nil: the next write makes one
	number uint64   // of the file, or of the last that there was
	size   int64    // of what is whole in the file
	frames framer
	buf    []byte
}

func segmentName(n uint64) string { return fmt.Sprintf("%016x.wal", n) }

// numbered are the files of a directory whose names are a number and a suffix, sorted.
func numbered(dir, suffix string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []uint64
	for _, e := range entries {
		name, ours := e.Name(), false
		if len(name) == 16+len(suffix) && name[16:] == suffix {
			n, err := strconv.ParseUint(name[:16], 16, 64)
			if ours = err == nil; ours {
				list = append(list, n)
			}
		}
	}
	slices.Sort(list)
	return list, nil
}

// replay reads the chunks of all files. What a crash has torn is left out.
func (w *wal) replay(visit func(c *chunk)) error {
	segments, err := numbered(w.dir, ".wal")
	if err != nil {
		return err
	}
	for _, n := range segments {
		w.number = n
		path := filepath.Join(w.dir, segmentName(n))
		rest, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for size := len(rest); len(rest) > 0; {
			chunks, after, err := readFrame(rest)
			if err != nil {
				w.log.Warn("log records were not stored whole before a crash, or are damaged", "file", path, "offset", size-len(rest), "err", err)
				if after != nil {
					keepAside(path, w.log)
				}
			}
			for _, c := range chunks {
				c.segment = n
				visit(c)
			}
			rest = after
		}
	}
	return nil
}

// append writes chunks and syncs them. It says which segment has them.
func (w *wal) append(frames [][]*chunk) (segment uint64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil && w.size >= maxSegment {
		err := w.file.Close()
		if w.file = nil; err != nil {
			return 0, err
		}
	}
	if w.file == nil {
		if err := w.begin(); err != nil {
			return 0, err
		}
	}
	w.buf = w.buf[:0]
	for _, chunks := range frames {
		w.buf = w.frames.append(w.buf, chunks)
	}
	_, err = w.file.WriteAt(w.buf, w.size)
	if err == nil {
		err = w.file.Sync()
	}
	if err != nil { // what may be in the file is not to be read
		err = errors.Join(err, w.file.Truncate(w.size), w.file.Close())
		w.file = nil
		return 0, err
	}
	w.size += int64(len(w.buf))
	return w.number, nil
}

// rest lets memory go that is not needed while it is quiet.
func (w *wal) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf, w.frames.raw = nil, nil
}

func (w *wal) begin() error {
	f, err := os.OpenFile(filepath.Join(w.dir, segmentName(w.number+1)), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := syncDir(w.dir); err != nil {
		return errors.Join(err, f.Close())
	}
	w.number++
	w.file, w.size = f, 0
	return nil
}

// rotate closes the file, so that it can be let go; the number is that of the last
// that is closed.
func (w *wal) rotate() (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return w.number, nil
	}
	err := w.file.Close()
	w.file = nil
	return w.number, err
}

// remove lets the files before a segment go.
func (w *wal) remove(before uint64) error {
	segments, err := numbered(w.dir, ".wal")
	for _, n := range segments {
		if n < before {
			err = errors.Join(err, ignoreMissing(os.Remove(filepath.Join(w.dir, segmentName(n)))))
		}
	}
	return err
}

// keepAside gives a damaged file a second name, under which it stays.
func keepAside(path string, log *slog.Logger) {
	dir := filepath.Join(filepath.Dir(path), "..", damagedDir)
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.Link(path, filepath.Join(dir, filepath.Base(path)))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		log.Error("a damaged log file could not be set aside", "file", path, "err", err)
	}
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
