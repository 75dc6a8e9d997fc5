package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Dir keeps objects as files ROOT/BUCKET/KEY, without their media types. It
// serves the plain program and tests; it cannot presign.
type Dir string

var _ Store = Dir("")

func (d Dir) path(bucket, key string) (string, error) {
	if name := bucket + "/" + key; !filepath.IsLocal(key) || !filepath.IsLocal(bucket) || strings.HasSuffix(key, "/") || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("%q is not an object's name", name)
	}
	return filepath.Join(string(d), bucket, filepath.FromSlash(key)), nil
}

// Head implements Store.
func (d Dir) Head(_ context.Context, bucket, key string) (Object, error) {
	path, err := d.path(bucket, key)
	if err != nil {
		return Object{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return Object{}, missing(err)
	}
	return Object{Key: key, Size: info.Size(), Modified: info.ModTime()}, nil
}

func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}

// Open opens the object's file, for serving.
func (d Dir) Open(bucket, key string) (*os.File, error) {
	path, err := d.path(bucket, key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	return f, missing(err)
}

type section struct {
	io.Reader
	io.Closer
}

// Get implements Store.
func (d Dir) Get(_ context.Context, bucket, key string, off, n int64) (io.ReadCloser, error) {
	f, err := d.Open(bucket, key)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(off, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if n < 0 {
		return f, nil
	}
	return section{io.LimitReader(f, n), f}, nil
}

// Put implements Store.
func (d Dir) Put(_ context.Context, bucket, key, _ string, size int64, r io.ReadSeeker) error {
	n, err := d.Write(bucket, key, r)
	if err == nil && n != size {
		return errors.Join(fmt.Errorf("object %s has %d bytes, announced were %d", key, n, size), d.Delete(context.Background(), bucket, key))
	}
	return err
}

// Write stores a stream of unknown length, synced and under its name only when
// it is whole.
func (d Dir) Write(bucket, key string, r io.Reader) (n int64, err error) {
	path, err := d.path(bucket, key)
	if err != nil {
		return 0, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return 0, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return n, err
}

// Delete implements Store.
func (d Dir) Delete(_ context.Context, bucket, key string) error {
	path, err := d.path(bucket, key)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Each implements Store.
func (d Dir) Each(_ context.Context, bucket, prefix string, visit func(Object) error) error {
	root := filepath.Join(string(d), bucket)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		key := filepath.ToSlash(rel)
		if !strings.HasPrefix(key, prefix) {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return visit(Object{Key: key, Size: info.Size(), Modified: info.ModTime()})
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // no object yet, or one that was deleted meanwhile
	}
	return err
}

// Presign implements Store.
func (d Dir) Presign(context.Context, string, string, string, string, time.Duration) (string, error) {
	return "", errors.New("objects in a directory have no URL")
}
