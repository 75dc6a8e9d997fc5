// Package state keeps what functions remember between invocations, in a file that
// outlives their instances.
//
// The file is a journal: each line says what is known of one key, the last one counts.
// What an invocation has changed is appended with one write, so that an instance that
// ends between two invocations loses nothing; when most lines no longer count, the file
// is written anew. Only the death of the machine can lose the last lines, which costs
// some counts.
package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Journal is a map of T by key with a file behind it.
type Journal[T any] struct {
	Path string

	all  map[string]T
	file os.FileInfo // as this process has left it
	size int64       // after the last time it was written anew
}

type line struct {
	Key   string          `json:"k"`
	Value json.RawMessage `json:"v,omitempty"` // absent: nothing is known any more
}

// rewriteAt is the size below which a file is never written anew.
const rewriteAt = 1 << 20

// Lock waits until no other process works with the directory's journals.
func Lock(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// Load returns what is known, and whether it was read again because another process
// has changed it. It is called under the lock.
func (j *Journal[T]) Load() (all map[string]T, again bool, err error) {
	info, err := os.Stat(j.Path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		again = j.all == nil || j.file != nil
		if again {
			j.all, j.file = map[string]T{}, nil
		}
		return j.all, again, nil
	case err != nil:
		return nil, false, err
	case j.file != nil && os.SameFile(info, j.file) && info.Size() == j.file.Size():
		return j.all, false, nil
	}
	doc, err := os.ReadFile(j.Path)
	if err != nil {
		return nil, false, err
	}
	j.all, j.file, j.size = parse[T](doc), info, info.Size()
	return j.all, true, nil
}

// parse reads lines. One that a crash has cut short says nothing.
func parse[T any](doc []byte) map[string]T {
	all := map[string]T{}
	for text := range bytes.Lines(doc) {
		var l line
		if json.Unmarshal(text, &l) != nil {
			continue
		}
		var v T
		if l.Value == nil {
			delete(all, l.Key)
		} else if json.Unmarshal(l.Value, &v) == nil {
			all[l.Key] = v
		}
	}
	return all
}

// Save changes what is known: what is in put is as it says, what is in drop is gone.
// After an error what is known is what is in the file.
func (j *Journal[T]) Save(put map[string]T, drop []string) error {
	if len(put)+len(drop) == 0 {
		return nil
	}
	var b bytes.Buffer
	if j.file != nil {
		b.WriteByte('\n') // ends a line that was cut short
	}
	for _, key := range drop {
		delete(j.all, key)
		if err := write(&b, key, nil); err != nil {
			return err
		}
	}
	for key, v := range put {
		j.all[key] = v
		if err := write(&b, key, v); err != nil {
			return err
		}
	}
	var err error
	if j.file != nil && j.file.Size()+int64(b.Len()) > max(rewriteAt, 4*j.size) {
		err = j.rewrite()
	} else {
		err = j.append(b.Bytes())
	}
	if err != nil {
		j.all, j.file = nil, nil // what is there now must be read
		return fmt.Errorf("write %s: %w", filepath.Base(j.Path), err)
	}
	return nil
}

func (j *Journal[T]) append(lines []byte) error {
	f, err := os.OpenFile(j.Path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(lines)
	return j.close(f, err)
}

// close closes the file and remembers what it is like.
func (j *Journal[T]) close(f *os.File, err error) error {
	info, statErr := f.Stat()
	j.file = info
	return errors.Join(err, statErr, f.Close())
}

func write(w io.Writer, key string, v any) error {
	l := line{Key: key}
	if v != nil {
		var err error
		if l.Value, err = json.Marshal(v); err != nil {
			return err
		}
	}
	return json.NewEncoder(w).Encode(l)
}

// rewrite leaves out the lines that no longer count.
func (j *Journal[T]) rewrite() error {
	var b bytes.Buffer
	for key, v := range j.all {
		if err := write(&b, key, v); err != nil {
			return err
		}
	}
	f, err := os.CreateTemp(filepath.Dir(j.Path), filepath.Base(j.Path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(b.Bytes())
	if err == nil {
		err = f.Sync()
	}
	if err = j.close(f, err); err == nil {
		err = os.Rename(f.Name(), j.Path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	j.size = int64(b.Len())
	return nil
}
