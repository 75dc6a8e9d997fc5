package testkit

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/dropstack/dropstack/internal/sandbox"
)

// Maker makes sandboxes of a level, if this machine can, and looks for what they
// leave when the test ends.
func Maker(t testing.TB, level string) *sandbox.Maker {
	t.Helper()
	m := &sandbox.Maker{TempDir: Dir(t), AWS: sandbox.AWSAddress, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if _, err := m.Choose(level); err != nil {
		t.Skipf("not run: %v", err)
	}
	t.Cleanup(func() {
		if left := m.Close(); left != 0 {
			t.Errorf("%d leftovers", left)
		}
		if left, _ := filepath.Glob(filepath.Join(m.TempDir, "*")); len(left) > 0 {
			t.Errorf("directories left: %v", left)
		}
	})
	return m
}

// Strongest is the level of which everybody can make sandboxes.
func Strongest() string {
	if os.Geteuid() == 0 && os.Getenv(rootless) == "" {
		return sandbox.Full
	}
	return sandbox.Userns
}
