package certificate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/dropstack/dropstack/internal/secret/store"
)

// storage is certmagic's, over a bucket: each of its files is one sealed record, the
// seal bound to the file's path.
type storage struct {
	bucket store.Bucket
	seal   Sealer
	lease  time.Duration // of a lock whose holder has gone

	mu     sync.Mutex // guards what follows
	closed bool
	held   map[string]*held // locks of this process, by name
}

// Kinds of records.
const (
	kindFile     = "acme"
	kindLock     = "lock"
	kindImported = "imported"
)

// read opens a sealed record.
func (s *storage) read(ctx context.Context, key string) ([]byte, uint64, error) {
	at, err := s.bucket.Get(ctx, key)
	if err != nil {
		return nil, 0, err
	}
	plain, err := s.seal.Open(at.Value, []byte("certificates "+key))
	if err != nil {
		return nil, 0, fmt.Errorf("a record of the certificates: %w", err)
	}
	return plain, at.Revision, nil
}

// write seals a record, whatever is there.
func (s *storage) write(ctx context.Context, key string, plain []byte) error {
	sealed, err := s.seal.Seal(plain, []byte("certificates "+key))
	if err != nil {
		return err
	}
	for {
		at, err := s.bucket.Get(ctx, key)
		if err != nil && !errors.Is(err, store.ErrMissing) {
			return err
		}
		if _, err = s.bucket.Update(ctx, key, sealed, at.Revision); !errors.Is(err, store.ErrChanged) {
			return err
		}
	}
}

// erase removes a record, if it is there.
func (s *storage) erase(ctx context.Context, key string) error {
	for {
		at, err := s.bucket.Get(ctx, key)
		if errors.Is(err, store.ErrMissing) {
			return nil
		}
		if err != nil {
			return err
		}
		if err = s.bucket.Erase(ctx, key, at.Revision); !errors.Is(err, store.ErrChanged) {
			return err
		}
	}
}

// Store implements certmagic.Storage.
func (s *storage) Store(ctx context.Context, path string, value []byte) error {
	return s.write(ctx, store.Key(kindFile, path), value)
}

// Load implements certmagic.Storage.
func (s *storage) Load(ctx context.Context, path string) ([]byte, error) {
	value, _, err := s.read(ctx, store.Key(kindFile, path))
	if errors.Is(err, store.ErrMissing) {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return value, err
}

// Delete implements certmagic.Storage: a directory goes with what is in it.
func (s *storage) Delete(ctx context.Context, path string) error {
	all, err := s.List(ctx, path, true)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, one := range append(all, path) {
		if err := s.erase(ctx, store.Key(kindFile, one)); err != nil {
			return err
		}
	}
	return nil
}

// Exists implements certmagic.Storage.
func (s *storage) Exists(ctx context.Context, path string) bool {
	_, err := s.Stat(ctx, path)
	return err == nil
}

// List implements certmagic.Storage.
func (s *storage) List(ctx context.Context, dir string, recursive bool) ([]string, error) {
	all, err := s.bucket.Load(ctx)
	if err != nil {
		return nil, err
	}
	var paths []string
	seen := map[string]bool{}
	for _, r := range all {
		path, ok := pathOf(r.Key)
		rest, below := strings.CutPrefix(path, dir+"/")
		if !ok || !below {
			continue
		}
		if !recursive {
			first, _, _ := strings.Cut(rest, "/")
			path = dir + "/" + first
		}
		if !seen[path] {
			seen[path] = true
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: %w", dir, fs.ErrNotExist)
	}
	return paths, nil
}

// Stat implements certmagic.Storage.
func (s *storage) Stat(ctx context.Context, path string) (certmagic.KeyInfo, error) {
	value, err := s.Load(ctx, path)
	if err == nil {
		return certmagic.KeyInfo{Key: path, Size: int64(len(value)), IsTerminal: true}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return certmagic.KeyInfo{}, err
	}
	if _, err := s.List(ctx, path, true); err != nil {
		return certmagic.KeyInfo{}, err
	}
	return certmagic.KeyInfo{Key: path}, nil
}

// pathOf is the path of a file's record.
func pathOf(key string) (string, bool) {
	kind, parts, err := store.Parts(key)
	if err != nil || kind != kindFile || len(parts) != 1 {
		return "", false
	}
	return parts[0], true
}
