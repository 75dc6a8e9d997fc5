package testkit

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// NPM is a directory with what the lockfile in source says installed, by npm, once
// a machine: it is kept in the user's cache directory, by name and lockfile.
func NPM(t testing.TB, name, source string) string {
	t.Helper()
	lock, err := os.ReadFile(filepath.Join(source, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lock)
	home := filepath.Join(cache, "dropstack-test")
	installed := filepath.Join(home, name+"-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(installed); err == nil {
		return installed
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		t.Fatal(err)
	}
	temp, err := os.MkdirTemp(home, ".npm-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temp)
	if err := os.CopyFS(temp, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	cmd.Dir = temp
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci, which this test needs Node, npm and a package registry for: %v\n%s", err, out)
	}
	if err := os.Rename(temp, installed); err != nil {
		if _, faster := os.Stat(installed); faster != nil { // another run may have been faster
			t.Fatal(err)
		}
	}
	return installed
}
