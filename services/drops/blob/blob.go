// Package blob keeps the bytes of drops: in S3, or in a directory when the
// service runs as a plain program.
package blob

import (
	"context"
	"errors"
	"io"
	"net/url"
	"strings"
	"time"
)

// ErrNotFound is returned for an object that does not exist.
var ErrNotFound = errors.New("no such object")

// Object describes a stored object.
type Object struct {
	Key      string
	Size     int64
	Modified time.Time
}

// Store keeps objects in buckets.
type Store interface {
	// Head returns the object's size and time.
	Head(ctx context.Context, bucket, key string) (Object, error)
	// Get opens an object from byte off, for at most n bytes (n < 0: to its end).
	Get(ctx context.Context, bucket, key string, off, n int64) (io.ReadCloser, error)
	// Put stores size bytes of r; the object is whole or not there.
	Put(ctx context.Context, bucket, key, media string, size int64, r io.ReadSeeker) error
	// Delete removes an object; a missing one is no error.
	Delete(ctx context.Context, bucket, key string) error
	// Each calls visit for every object below a prefix.
	Each(ctx context.Context, bucket, prefix string, visit func(Object) error) error
	// Presign makes a URL from which the object can be read for a while, with
	// the given response headers.
	Presign(ctx context.Context, bucket, key, media, disposition string, ttl time.Duration) (string, error)
}

// Read returns at most limit bytes of an object and whether that is all of it.
func Read(ctx context.Context, s Store, bucket, key string, limit int64) (data []byte, whole bool, err error) {
	r, err := s.Get(ctx, bucket, key, 0, limit+1)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	data, err = io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(data)) > limit {
		return data[:limit], false, err
	}
	return data, true, err
}

// EscapeKey percent-encodes a key and keeps its slashes.
func EscapeKey(key string) string {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// ReaderAt reads an object by ranges of at least 64 KB, one cached.
type ReaderAt struct {
	Ctx         context.Context
	Store       Store
	Bucket, Key string
	Size        int64

	off int64
	buf []byte
}

// ReadAt implements io.ReaderAt; it is for one goroutine.
func (r *ReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= r.Size {
		return 0, io.EOF
	}
	want := min(int64(len(p)), r.Size-off)
	if off < r.off || off+want > r.off+int64(len(r.buf)) {
		if err := r.fill(off, max(want, 64<<10)); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.buf[off-r.off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (r *ReaderAt) fill(off, n int64) (err error) {
	n = min(n, r.Size-off)
	body, err := r.Store.Get(r.Ctx, r.Bucket, r.Key, off, n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	buf := make([]byte, n)
	if _, err := io.ReadFull(body, buf); err != nil {
		return err
	}
	r.off, r.buf = off, buf
	return nil
}
