package engine_test

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
)

// events records what happened to objects.
type events struct {
	mu   sync.Mutex
	seen []string
	fail error
}

func (e *events) on(ev engine.ObjectEvent) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = append(e.seen, ev.Name+" "+ev.Bucket+"/"+ev.Key)
	return e.fail
}

func (e *events) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	seen := e.seen
	e.seen = nil
	return seen
}

func bucket(t testing.TB, e *engine.Engine) {
	t.Helper()
	if err := e.Objects.CreateBucket(t.Context(), "drops"); err != nil {
		t.Fatal(err)
	}
}

func TestObjects(t *testing.T) {
	seen := &events{}
	e := open(t, t.TempDir(), seen.on)
	ctx := t.Context()
	bucket(t, e)
	bucket(t, e) // again
	opt := engine.PutOptions{ContentType: "text/plain", Metadata: map[string]string{"Owner": "me"}}
	o, err := e.Objects.Put(ctx, "drops", "a/b.txt", strings.NewReader("0123456789"), 10, opt)
	if err != nil {
		t.Fatal(err)
	}
	want := engine.Object{
		Bucket: "drops", Key: "a/b.txt", Size: 10, ETag: "781e5e245d69b566979b86e28d23f2c7",
		ContentType: "text/plain", Modified: o.Modified, Metadata: map[string]string{"owner": "me"},
	}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Error("put:", diff)
	}
	part, body, err := e.Objects.Get(ctx, "drops", "a/b.txt", 3, 4)
	if err != nil {
		t.Fatal(err)
	}
	body.Close()
	if diff := cmp.Diff(want, part); diff != "" {
		t.Error("get of a part:", diff)
	}
	for _, c := range []struct {
		offset, length int64
		want           string
	}{{0, -1, "0123456789"}, {3, -1, "3456789"}, {3, 4, "3456"}, {8, 100, "89"}, {0, 0, ""}, {1, 1<<63 - 1, "123456789"}} {
		if got := get(t, e, "drops", "a/b.txt", c.offset, c.length); got != c.want {
			t.Errorf("get %d+%d: got %q, want %q", c.offset, c.length, got, c.want)
		}
	}
	if _, _, err := e.Objects.Get(ctx, "drops", "a/b.txt", 11, -1); fault.KindOf(err) != fault.Invalid {
		t.Errorf("get beyond the end: got %v, want invalid", err)
	}
	for range 2 {
		if err := e.Objects.Delete(ctx, "drops", "a/b.txt"); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
	if _, err := e.Objects.Stat(ctx, "drops", "a/b.txt"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("stat of a deleted object: got %v, want not found", err)
	}
	if diff := cmp.Diff([]string{"ObjectCreated:Put drops/a/b.txt", "ObjectRemoved:Delete drops/a/b.txt"}, seen.take()); diff != "" {
		t.Error("events:", diff)
	}
}

func TestMissingAndWrongNames(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir, nil)
	bucket(t, e)
	ctx := t.Context()
	put(t, e, "drops", "file", "x")
	for _, c := range []struct {
		bucket, key string
		want        fault.Kind
	}{
		{"nowhere", "a", fault.NotFound},
		{"../drops", "file", fault.NotFound},
		{"..", "nats", fault.NotFound},
		{"drops", "../drops/file", fault.Invalid},
		{"drops", "a/../file", fault.Invalid},
		{"drops", "a//b", fault.Invalid},
		{"drops", "", fault.Invalid},
		{"drops", "/etc", fault.Invalid},
		{"drops", "\xff", fault.Invalid},
		{"drops", "a\x00", fault.Invalid},
		{"drops", ".sgwtmp/x", fault.Invalid},
		{"drops", strings.Repeat("k", 1025), fault.Invalid},
		{"drops", strings.Repeat("k", 300), fault.Invalid},
	} {
		_, err := e.Objects.Put(ctx, c.bucket, c.key, strings.NewReader("x"), 1, engine.PutOptions{})
		if fault.KindOf(err) != c.want {
			t.Errorf("put %q %q: got %v, want %v", c.bucket, c.key, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), dir) {
			t.Errorf("put %q %q: %v tells where we keep things", c.bucket, c.key, err)
		}
		if _, _, err := e.Objects.Get(ctx, c.bucket, c.key, 0, -1); fault.KindOf(err) != c.want {
			t.Errorf("get %q %q: got %v, want %v", c.bucket, c.key, err, c.want)
		}
	}
	_, err := e.Objects.Put(ctx, "drops", "file/below", strings.NewReader("x"), 1, engine.PutOptions{})
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("put below an object: got %v, want invalid", err)
	}
	if _, err := e.Objects.Stat(ctx, "drops", "file/below"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("stat below an object: got %v, want not found", err)
	}
	if err := e.Objects.CreateBucket(ctx, "UP/../x"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("create a bucket of a wrong name: got %v, want invalid", err)
	}
}

// zeros yields n bytes, then err.
type zeros struct {
	n   int64
	err error
}

func (z *zeros) Read(p []byte) (int, error) {
	if z.n == 0 {
		return 0, z.err
	}
	n := int(min(int64(len(p)), z.n))
	clear(p[:n])
	z.n -= int64(n)
	return n, nil
}

func TestAFailedPutLeavesNothing(t *testing.T) {
	seen := &events{}
	dir := t.TempDir()
	e := open(t, dir, seen.on)
	bucket(t, e)
	put(t, e, "drops", "old", "old")
	seen.take()
	broken := errors.New("the client went away")
	for name, c := range map[string]struct {
		r    zeros
		size int64
		opt  engine.PutOptions
		want error
	}{
		"known size":        {zeros{1 << 20, broken}, 2 << 20, engine.PutOptions{}, broken},
		"unknown and small": {zeros{1 << 10, broken}, -1, engine.PutOptions{}, broken},
		"unknown and large": {zeros{1 << 20, broken}, -1, engine.PutOptions{}, broken},
		"bounded":           {zeros{1 << 20, broken}, -1, engine.PutOptions{AtMost: 2 << 20}, broken},
		"bounded, cut off":  {zeros{1 << 20, io.ErrUnexpectedEOF}, -1, engine.PutOptions{AtMost: 2 << 20}, io.ErrUnexpectedEOF},
		"known, cut off":    {zeros{1 << 20, io.ErrUnexpectedEOF}, 2 << 20, engine.PutOptions{}, io.ErrUnexpectedEOF},
		"unknown, cut off":  {zeros{1 << 20, io.ErrUnexpectedEOF}, -1, engine.PutOptions{}, io.ErrUnexpectedEOF},
		"too short":         {zeros{1 << 20, io.EOF}, 2 << 20, engine.PutOptions{}, io.ErrUnexpectedEOF},
		"too long":          {zeros{1 << 20, io.EOF}, 1 << 19, engine.PutOptions{}, nil},
		"over its bound":    {zeros{1 << 20, io.EOF}, -1, engine.PutOptions{AtMost: 1 << 19}, nil},
		"no space":          {zeros{1 << 20, syscall.ENOSPC}, -1, engine.PutOptions{}, syscall.ENOSPC},
	} {
		for _, key := range []string{"old", "new/er"} {
			r := c.r
			_, err := e.Objects.Put(t.Context(), "drops", key, &r, c.size, c.opt)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want an error, %v", name, err, c.want)
			}
		}
	}
	if got := get(t, e, "drops", "old", 0, -1); got != "old" {
		t.Errorf("the old object became %d bytes", len(got))
	}
	if got := seen.take(); len(got) > 0 {
		t.Errorf("events of what did not happen: %v", got)
	}
	if got := files(t, filepath.Join(dir, "objects", "drops")); !slices.Equal(got, []string{"old"}) {
		t.Errorf("files left: %v", got)
	}
}

func files(t *testing.T, dir string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			found = append(found, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAFullDiskIsUnavailable(t *testing.T) {
	e := open(t, t.TempDir(), nil)
	bucket(t, e)
	for _, size := range []int64{-1, 1 << 20} {
		_, err := e.Objects.Put(t.Context(), "drops", "k", &zeros{1 << 19, syscall.ENOSPC}, size, engine.PutOptions{})
		if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("size %d: got %v, want unavailable and why", size, err)
		}
	}
}

func TestWhoeverIsToldMayRefuse(t *testing.T) {
	seen := &events{fail: fault.Errorf(fault.Unavailable, "the queue is away")}
	e := open(t, t.TempDir(), seen.on)
	bucket(t, e)
	_, err := e.Objects.Put(t.Context(), "drops", "k", strings.NewReader("x"), 1, engine.PutOptions{})
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "the queue is away") {
		t.Errorf("got %v, want what the listener said", err)
	}
}

func TestLargeObjectsStream(t *testing.T) {
	const size = 200 << 20
	e := open(t, t.TempDir(), nil)
	bucket(t, e)
	for name, c := range map[string]struct {
		size int64
		opt  engine.PutOptions
	}{"known": {size, engine.PutOptions{}}, "unknown": {-1, engine.PutOptions{}}, "bounded": {-1, engine.PutOptions{AtMost: size + 100}}} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			o, err := e.Objects.Put(t.Context(), "drops", name, &zeros{size, io.EOF}, c.size, c.opt)
			if err != nil {
				t.Fatal(err)
			}
			_, body, err := e.Objects.Get(t.Context(), "drops", name, 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			n, err := io.Copy(io.Discard, body)
			if err != nil || n != size || o.Size != size {
				t.Errorf("stored %d, read %d, %v, want %d", o.Size, n, err, size)
			}
			runtime.ReadMemStats(&after)
			// All that was allocated, collected or not.
			if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
				t.Errorf("allocated %d MB on the way", got>>20)
			}
		})
	}
}

func TestABucketIsDeletedWhenItIsEmpty(t *testing.T) {
	e := open(t, t.TempDir(), nil)
	bucket(t, e)
	ctx := t.Context()
	if _, err := e.Objects.Put(ctx, "drops", "a", strings.NewReader("a"), 1, engine.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := e.Objects.DeleteBucket(ctx, "drops"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a bucket with an object: got %v, want a conflict", err)
	}
	if err := e.Objects.Delete(ctx, "drops", "a"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"drops", "drops", "never", "../drops"} {
		if err := e.Objects.DeleteBucket(ctx, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := e.Objects.HasBucket(ctx, "drops"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the bucket is still there: %v", err)
	}
}
