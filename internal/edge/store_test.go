package edge_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
)

// store is an object store in memory. Content over keepBytes is counted and
// hashed but not kept, so that tests can pass gigabytes through it.
type store struct {
	mu      sync.Mutex
	objects map[string]stored // by bucket/key
	full    error             // what Put fails with
	opens   int               // of Get
}

type stored struct {
	engine.Object
	content []byte
}

const keepBytes = 16 << 20

func newStore() *store { return &store{objects: map[string]stored{}} }

func (s *store) Put(_ context.Context, bucket, key string, r io.Reader, _ int64, o engine.PutOptions) (engine.Object, error) {
	var kept bytes.Buffer
	sum := hash.Hash(crc32.NewIEEE())
	n, err := io.Copy(&capped{&kept, sum}, r)
	if err != nil {
		return engine.Object{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full != nil {
		return engine.Object{}, s.full
	}
	object := engine.Object{
		Bucket: bucket, Key: key, Size: n, ETag: hex.EncodeToString(sum.Sum(nil)), ContentType: o.ContentType,
		Modified: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	s.objects[bucket+"/"+key] = stored{object, kept.Bytes()}
	return object, nil
}

type capped struct {
	kept *bytes.Buffer
	sum  hash.Hash
}

func (c *capped) Write(p []byte) (int, error) {
	c.sum.Write(p)
	if room := keepBytes - c.kept.Len(); room > 0 {
		c.kept.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (s *store) Stat(_ context.Context, bucket, key string) (engine.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[bucket+"/"+key]
	if !ok {
		return engine.Object{}, fault.Errorf(fault.NotFound, "object %s/%s", bucket, key)
	}
	return o.Object, nil
}

func (s *store) Get(ctx context.Context, bucket, key string, offset, length int64) (engine.Object, io.ReadCloser, error) {
	object, err := s.Stat(ctx, bucket, key)
	if err != nil {
		return object, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opens++
	if length < 0 {
		length = object.Size - offset
	}
	if content := s.objects[bucket+"/"+key].content; int64(len(content)) == object.Size {
		return object, io.NopCloser(bytes.NewReader(content[offset : offset+length])), nil
	}
	return object, io.NopCloser(io.LimitReader(letters{}, length)), nil
}

func (s *store) Delete(_ context.Context, bucket, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, bucket+"/"+key)
	return nil
}

func (s *store) CreateBucket(context.Context, string) error { return nil }

func (s *store) keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.objects))
}

func (s *store) content(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.objects[name].content)
}

// letters is an endless text.
type letters struct{}

var alphabet = []byte(strings.Repeat("x", 64<<10))

func (letters) Read(p []byte) (int, error) { return copy(p, alphabet), nil }
