package audit

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// file is a log file that is being written, or the head.
type file interface {
	io.Writer
	io.WriterAt
	io.Closer
	Sync() error
	Truncate(size int64) error
}

// openFile opens a file for appending or, with a size, for overwriting. A test
// puts another in its place, for a disk that fails.
var openFile = func(path string, flag int) (file, error) { return os.OpenFile(path, flag, 0o600) }

const stamp = "20060102T150405Z"

// logName is a log file's name: so that names sort as records do, whatever the
// clock did, and tell the time.
func logName(first uint64, at time.Time) string {
	return fmt.Sprintf("%016d-%s.ndjson", first, at.UTC().Format(stamp))
}

func digestName(number uint64, at time.Time) string {
	return fmt.Sprintf("%08d-%s.json", number, at.UTC().Format(stamp))
}

// named is a file with what its name says.
type named struct {
	name   string
	number uint64 // first sequence, or number of the digest
	time   time.Time
}

// list reads a directory's files of one kind, in order. Others, which nobody of
// ours has put there, come apart.
func list(dir, suffix string) (ours []named, strange []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), unfinished) {
			continue // what a crash leaves of a file that was to be put in place
		}
		n, ok := parseName(e.Name(), suffix)
		if !ok || e.IsDir() {
			strange = append(strange, e.Name())
			continue
		}
		ours = append(ours, n)
	}
	slices.SortFunc(ours, func(a, b named) int {
		return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.name, b.name))
	})
	return ours, strange, nil
}

func parseName(name, suffix string) (named, bool) {
	base, ok := strings.CutSuffix(name, suffix)
	number, at, dash := strings.Cut(base, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	t, terr := time.Parse(stamp, at)
	return named{name, n, t}, ok && dash && err == nil && terr == nil && n > 0
}

const unfinished = ".tmp"

// writeFile puts a file in place whole and durably, or not at all.
func writeFile(path string, doc []byte) error {
	temporary := path + unfinished
	f, err := openFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.Write(doc)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
