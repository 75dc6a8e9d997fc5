// Package promtool builds promtool, Prometheus' own tool, which judges rules and the
// Prometheus API in tests.
package promtool

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Path is the program, built once a machine from the module that the platform is made
// of: it is kept in the user's cache directory, by what tools/promtool.mod says. That
// file is go.mod and what promtool needs besides, so that most of it is built already;
// without its discovery of services, which nobody here asks for, the rest takes some 70
// seconds of processor time.
func Path(t testing.TB) string {
	t.Helper()
	root := root(t)
	module := filepath.Join(root, "tools", "promtool.mod")
	doc, err := os.ReadFile(module)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(doc)
	program := filepath.Join(cache, "dropstack-test", "promtool-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(program); err == nil {
		return program
	}
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	built := filepath.Join(t.TempDir(), "promtool")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-modfile", module, "-tags", "remove_all_sd", "-ldflags", "-s -w", "-o", built, "github.com/prometheus/prometheus/cmd/promtool")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build promtool: %v\n%s", err, out)
	}
	// Another run may do the same: the last one wins, and they are alike.
	temp := program + "-" + filepath.Base(filepath.Dir(built))
	doc, err = os.ReadFile(built)
	if err == nil {
		err = os.WriteFile(temp, doc, 0o755)
	}
	if err == nil {
		err = os.Rename(temp, program)
	}
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// root is the repository's.
func root(t testing.TB) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "tools", "promtool.mod")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal("no directory above has tools/promtool.mod")
	return ""
}
