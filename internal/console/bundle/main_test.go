package main

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/testkit"
)

const (
	sources = "../../../console"
	// maxScript is how much JavaScript the console may be, compressed.
	maxScript = 120 << 10
)

func TestWhatIsCommittedIsMadeOfTheSources(t *testing.T) {
	modules := filepath.Join(testkit.NPM(t, "console", sources), "node_modules")
	at, err := filepath.Abs(sources)
	if err != nil {
		t.Fatal(err)
	}
	dist, err := filepath.Abs("../dist")
	if err != nil {
		t.Fatal(err)
	}
	made, err := bundle(at, modules, dist)
	if err != nil {
		t.Fatal(err)
	}
	committed := map[string]bool{}
	err = fs.WalkDir(os.DirFS(dist), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		committed[name] = true
		body, err := os.ReadFile(filepath.Join(dist, name))
		if err == nil && !bytes.Equal(body, made[name]) {
			t.Errorf("dist/%s is not what the sources make; run `go generate ./internal/console`", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	script := 0
	for name, body := range made {
		if !committed[name] {
			t.Errorf("dist/%s is missing; run `go generate ./internal/console`", name)
		}
		if strings.HasSuffix(name, ".js") {
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			_, _ = z.Write(body)
			_ = z.Close()
			script += packed.Len()
		}
	}
	t.Logf("%d bytes of JavaScript, compressed", script)
	if script == 0 || script > maxScript {
		t.Errorf("%d bytes of JavaScript, compressed; want at most %d", script, maxScript)
	}
}

func TestTypes(t *testing.T) {
	modules := filepath.Join(testkit.NPM(t, "console", sources), "node_modules")
	dir := t.TempDir()
	for _, name := range []string{"src", "tsconfig.json"} {
		at, err := filepath.Abs(filepath.Join(sources, name))
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(at); err == nil && info.IsDir() {
			err = os.CopyFS(filepath.Join(dir, name), os.DirFS(at))
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		doc, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), doc, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	tsc := exec.CommandContext(t.Context(), filepath.Join(modules, ".bin", "tsc"), "--noEmit", "-p", dir)
	if out, err := tsc.CombinedOutput(); err != nil {
		t.Errorf("tsc: %v\n%s", err, out)
	}
}
