package durable_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/dropstack/dropstack/internal/durable"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, want := range []struct {
		content string
		mode    os.FileMode
	}{{"first, which is longer", 0o600}, {"second", 0o644}} {
		if err := durable.WriteFile(path, []byte(want.content), want.mode); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		info, err2 := os.Stat(path)
		if err != nil || err2 != nil || string(got) != want.content || info.Mode().Perm() != want.mode {
			t.Errorf("got %q with %v, %v %v, want %q with %v", got, info.Mode(), err, err2, want.content, want.mode)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
	if err := durable.WriteFile(filepath.Join(dir, "none", "f"), nil, 0o600); err == nil {
		t.Error("a file in no directory was written")
	}
}
