//go:build linux

package sandbox_test

import (
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/sandbox"
)

func maker(t testing.TB, level string) *sandbox.Maker {
	m := &sandbox.Maker{Level: level, TempDir: t.TempDir(), Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	t.Cleanup(func() {
		if left := m.Close(); left != 0 {
			t.Errorf("%d leftovers", left)
		}
	})
	return m
}

func TestFullRunsAShell(t *testing.T) {
	m := maker(t, sandbox.Full)
	b, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Furnish(sandbox.Furniture{MemoryMB: 128}); err != nil {
		t.Fatal(err)
	}
	p, err := b.Start(sandbox.Spec{Path: "/bin/sh", Args: []string{"-c", os.Getenv("SCRIPT")}, Dir: "/", Env: []string{"PATH=/usr/bin:/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(os.Stderr, p.Stderr)
	out, _ := io.ReadAll(p.Stdout)
	t.Log(strings.TrimSpace(string(out)), p.Wait(), p.PeakMB())
}
