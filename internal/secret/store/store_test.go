package store_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/secret/store"
	"github.com/dropstack/dropstack/internal/secret/store/storetest"
)

func TestBucketsBehaveAlike(t *testing.T) {
	t.Run("JetStream", func(t *testing.T) {
		b, err := store.Open(t.Context(), enginetest.Streams(t), "things")
		if err != nil {
			t.Fatal(err)
		}
		conform(t, b)
	})
	t.Run("memory", func(t *testing.T) { conform(t, &storetest.Memory{}) })
}

func conform(t *testing.T, b store.Bucket) {
	ctx := t.Context()
	key := store.Key("thing", "/a.b/. ü", "2")
	if _, err := b.Get(ctx, key); !errors.Is(err, store.ErrMissing) {
		t.Errorf("Get of nothing: %v", err)
	}
	if _, err := b.Update(ctx, key, []byte("x"), 7); !errors.Is(err, store.ErrChanged) {
		t.Errorf("Update of nothing: %v", err)
	}
	if err := b.Erase(ctx, key, 7); !errors.Is(err, store.ErrChanged) {
		t.Errorf("Erase of nothing: %v", err)
	}
	first, err := b.Create(ctx, key, []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Create(ctx, key, []byte("two")); !errors.Is(err, store.ErrChanged) {
		t.Errorf("Create over a record: %v", err)
	}
	second, err := b.Update(ctx, key, []byte("two"), first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Update(ctx, key, []byte("three"), first); !errors.Is(err, store.ErrChanged) {
		t.Errorf("Update of an old revision: %v", err)
	}
	if err := b.Erase(ctx, key, first); !errors.Is(err, store.ErrChanged) {
		t.Errorf("Erase of an old revision: %v", err)
	}
	want := store.Record{Key: key, Value: []byte("two"), Revision: second}
	if got, err := b.Get(ctx, key); err != nil || !cmp.Equal(got, want) {
		t.Errorf("Get: %v, %v", cmp.Diff(want, got), err)
	}
	if got, err := b.Load(ctx); err != nil || !cmp.Equal(got, []store.Record{want}) {
		t.Errorf("Load: %v, %v", cmp.Diff([]store.Record{want}, got), err)
	}
	if err := b.Erase(ctx, key, second); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Load(ctx); err != nil || len(got) != 0 {
		t.Errorf("after Erase: %v, %v", got, err)
	}
	if _, err := b.Create(ctx, key, []byte("four")); err != nil {
		t.Errorf("Create after Erase: %v", err)
	}
}

func TestKeysGiveTheirParts(t *testing.T) {
	kind, parts, err := store.Parts(store.Key("material", "/a/b.c", "", "3"))
	if err != nil || kind != "material" || !cmp.Equal(parts, []string{"/a/b.c", "", "3"}) {
		t.Errorf("got %q %q %v", kind, parts, err)
	}
	if _, _, err := store.Parts("material.%"); err == nil {
		t.Error("a key that Key never made was read")
	}
}

func TestErasedBytesLeaveTheDisk(t *testing.T) {
	dir := t.TempDir()
	b, err := store.Open(t.Context(), enginetest.StreamsIn(t, dir), "things")
	if err != nil {
		t.Fatal(err)
	}
	planted := []byte("planted-material-of-a-key")
	at, err := b.Create(t.Context(), "a", planted)
	if err != nil {
		t.Fatal(err)
	}
	if !onDisk(t, dir, planted) {
		t.Fatal("the value is not on the disk: this test reads the wrong place")
	}
	if err := b.Erase(t.Context(), "a", at); err != nil {
		t.Fatal(err)
	}
	if onDisk(t, dir, planted) {
		t.Error("the value is on the disk after Erase")
	}
}

func onDisk(t *testing.T, dir string, planted []byte) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		found = found || bytes.Contains(content, planted)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
