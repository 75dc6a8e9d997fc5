package escape_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/sandbox/escape"
)

// maker makes sandboxes of the level, if this machine can, and looks for leftovers
// at the end.
func maker(t *testing.T, level string) *sandbox.Maker {
	t.Helper()
	dir, err := os.MkdirTemp("", "escape")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &sandbox.Maker{TempDir: dir, AWS: sandbox.AWSAddress, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if _, err := m.Choose(level); err != nil {
		t.Skipf("not run: %v", err)
	}
	t.Cleanup(func() {
		if left := m.Close(); left != 0 {
			t.Errorf("%d leftovers", left)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
			t.Errorf("directories left: %v", left)
		}
	})
	return m
}

func open(t *testing.T, m *sandbox.Maker) *sandbox.Box {
	t.Helper()
	b, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// TestNothingEscapes makes all attacks from a real sandbox, and those that are
// safe without one, too.
func TestNothingEscapes(t *testing.T) {
	m := maker(t, sandbox.Full)
	r, err := escape.Run(t.Context(), open(t, m), escape.Options{
		Level: m.Level, Heavy: !testing.Short(), Other: open(t, m), Data: []string{m.TempDir},
	})
	if err != nil {
		t.Fatal(err)
	}
	control, err := escape.Unconfined(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + escape.Table(r, &control))
	t.Log("\n" + escape.ControlTable(r))
	for _, row := range r.Off() {
		t.Errorf("%s: a function must not %s: %s", row.ID, row.What, row.Detail)
	}
	for _, row := range r.Rows {
		if row.State == escape.NotRun {
			t.Errorf("%s: not run: %s", row.ID, row.Detail)
		}
	}
}
