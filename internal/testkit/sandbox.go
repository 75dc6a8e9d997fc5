package testkit

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/dropstack/dropstack/internal/ca"
	"github.com/dropstack/dropstack/internal/sandbox"
)

// Maker makes sandboxes of a level as the platform's are, if this machine can, and
// looks for what they leave when the test ends.
func Maker(t testing.TB, level string) *sandbox.Maker {
	t.Helper()
	return Trusting(t, level, Authority(t).PEM())
}

// Trusting makes sandboxes that trust a certificate, nil for none.
func Trusting(t testing.TB, level string, certificate []byte) *sandbox.Maker {
	t.Helper()
	m := &sandbox.Maker{
		TempDir: Dir(t), AWS: sandbox.AWSAddress, Names: sandbox.NamesAddress, Authority: certificate,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
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

// Authority is a certificate authority for a test.
func Authority(t testing.TB) *ca.Authority {
	t.Helper()
	a, err := ca.Open(t.TempDir(), plain{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// plain does not seal.
type plain struct{}

func (plain) Seal(b, _ []byte) ([]byte, error) { return b, nil }
func (plain) Open(b, _ []byte) ([]byte, error) { return b, nil }

// Strongest is the level of which everybody can make sandboxes.
func Strongest() string {
	if os.Geteuid() == 0 && os.Getenv(rootless) == "" {
		return sandbox.Full
	}
	return sandbox.Userns
}
