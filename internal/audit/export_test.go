package audit

import (
	"bytes"
	"os"
)

// Disk puts a disk that fails in place of the real one, until restore is called.
// fail is asked before each operation ("write", "sync", "create", "head") on a
// log file or the head.
func Disk(fail func(op string) error) (restore func()) {
	real := openFile
	openFile = func(path string, flag int) (file, error) {
		if flag&os.O_CREATE != 0 {
			if err := fail("create"); err != nil {
				return nil, err
			}
		}
		f, err := real(path, flag)
		return failing{f, fail}, err
	}
	return func() { openFile = real }
}

type failing struct {
	file
	fail func(op string) error
}

// Write writes half before it fails, as a full disk does.
func (f failing) Write(b []byte) (int, error) {
	if err := f.fail("write"); err != nil {
		n, _ := f.file.Write(b[:len(b)/2])
		return n, err
	}
	return f.file.Write(b)
}

func (f failing) WriteAt(b []byte, at int64) (int, error) {
	if err := f.fail("head"); err != nil {
		return 0, err
	}
	return f.file.WriteAt(b, at)
}

func (f failing) Sync() error {
	if err := f.fail("sync"); err != nil {
		return err
	}
	return f.file.Sync()
}

// Forge adds a line with right hashes to a log, as anybody can.
func Forge(log, event []byte) []byte {
	lines := bytes.Split(bytes.TrimSuffix(log, []byte("\n")), []byte("\n"))
	last, _, err := parseLine(lines[len(lines)-1])
	if err != nil {
		panic(err)
	}
	forged, _ := appendLine(nil, last.link, event)
	return append(bytes.Clone(log), forged...)
}
