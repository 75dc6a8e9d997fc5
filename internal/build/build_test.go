package build_test

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/dropstack/dropstack/internal/build"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/spec"
)

const module = "-- go.mod --\nmodule example.test/svc\n\ngo 1.26\n"

// service writes the files of a txtar text and loads its serverless.yml.
func service(t *testing.T, files string) *spec.Service {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(files)).Files {
		path, mode := filepath.Join(dir, f.Name), os.FileMode(0o644)
		if strings.HasSuffix(f.Name, ".sh") {
			mode = 0o755
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, mode); err != nil {
			t.Fatal(err)
		}
	}
	return load(t, dir)
}

func load(t *testing.T, dir string) *spec.Service {
	t.Helper()
	svc, err := spec.Load(t.Context(), dir, spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

func config(functions string) string {
	return "-- serverless.yml --\nservice: svc\nprovider: {name: aws, runtime: provided.al2023}\n" + functions + "\n"
}

// entries lists an artifact: mode, time and name of each file.
func entries(t *testing.T, a build.Artifact) (out []string) {
	t.Helper()
	z, err := zip.OpenReader(a.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		out = append(out, fmt.Sprintf("%o %s %s", f.Mode().Perm(), f.Modified.UTC().Format(time.DateOnly), f.Name))
	}
	return out
}

const sources = `
-- main.go --
package main

func main() { println(name) }
-- name.go --
package main

const name = "own"
-- cmd/one/main.go --
package main

func main() { println("one") }
-- lib/lib.go --
package lib
-- templates/b.html --
b
-- templates/a.html --
a
-- templates/deep/c.txt --
c
-- run.sh --
#!/bin/sh
`

func TestBuildsAndShares(t *testing.T) {
	svc := service(t, config(`
functions:
  create: {handler: createDrop}
  get: {handler: getDrop}
  lib: {handler: lib}
  one: {handler: cmd/one}
  file: {handler: ./cmd/one/main.go}
  full: {handler: ., package: {patterns: [templates, run.sh, "!templates/*.txt", "!**/*.txt"]}}
  old: {handler: bin/old.go, runtime: go1.x}`)+"-- bin/old.go --\npackage main\n\nfunc main() {}\n"+module+sources)
	var steps []string
	got, err := build.Build(t.Context(), svc, build.Options{OutDir: filepath.Join(t.TempDir(), "out"), Progress: func(e build.Event) {
		steps = append(steps, strings.TrimSpace(e.Step+" "+e.Function+" "+e.Pkg))
	}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		"build create .", "pack create .", "pack get .", "pack lib .", "build one cmd/one", "pack one cmd/one", "pack file cmd/one",
		"pack full .", "build old bin", "pack old bin",
	}, steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if got["create"] != got["get"] || got["create"] != got["lib"] || got["one"] != got["file"] || got["one"].SHA256 == got["create"].SHA256 {
		t.Errorf("what is shared: %+v", got)
	}
	for key, want := range map[string][]string{
		"create": {"755 1980-01-01 bootstrap"},
		"full":   {"755 1980-01-01 bootstrap", "755 1980-01-01 run.sh", "644 1980-01-01 templates/a.html", "644 1980-01-01 templates/b.html"},
		"old":    {"755 1980-01-01 bin/old.go"},
	} {
		if diff := cmp.Diff(want, entries(t, got[key])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	a := got["create"]
	if info, err := os.Stat(a.Path); err != nil || info.Size() != a.Size || filepath.Base(a.Path) != a.SHA256+".zip" {
		t.Errorf("artifact %+v: %v", a, err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(a.Path), ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	run(t, a, "own\n")
	run(t, got["one"], "one\n")
}

// run unpacks an artifact and runs what is in it.
func run(t *testing.T, a build.Artifact, want string) {
	t.Helper()
	f, err := os.Open(a.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := filepath.Join(t.TempDir(), "code")
	if err := build.Unpack(f, a.Size, dir, 0); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "bootstrap")).CombinedOutput()
	if err != nil || string(out) != want {
		t.Errorf("got %q, %v; want %q", out, err, want)
	}
}

func TestSameSourcesSameArtifact(t *testing.T) {
	text := config("functions: {f: {handler: f, package: {patterns: [templates/**]}}}") + module + sources
	var sums []string
	for i, env := range []string{"GOFLAGS=-tags=other -race", "GOAMD64=v3"} {
		svc := service(t, text)
		past := time.Now().Add(-time.Duration(i+1) * 1000 * time.Hour)
		for _, name := range []string{"main.go", "templates/a.html"} {
			if err := os.Chtimes(filepath.Join(svc.Dir, name), past, past); err != nil {
				t.Fatal(err)
			}
		}
		got, err := build.Build(t.Context(), svc, build.Options{OutDir: t.TempDir(), Env: append(os.Environ(), env, "CGO_ENABLED=1")})
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, got["f"].SHA256)
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds, two artifacts: %v", sums)
	}
}

func TestWhatTheAuthorHasToMend(t *testing.T) {
	for _, c := range []struct{ name, functions, files, want string }{
		{
			"compile error", "functions: {f: {handler: a}, g: {handler: b}}", module + "-- main.go --\npackage main\n\nfunc main() { undefined() }\n",
			"serverless.yml:3: function f does not build:\n# example.test/svc\n./main.go:3:15: undefined: undefined",
		},
		{
			"syntax error elsewhere", "functions:\n  f:\n    handler: cmd/f", module + "-- cmd/f/main.go --\npackage main\n\nfunc main() {\n",
			"serverless.yml:4: function f does not build:\n# example.test/svc/cmd/f\ncmd/f/main.go:4:1: syntax error: unexpected EOF, exp",
		},
		{
			"no Go files", "functions:\n  f:\n    handler: f", "-- readme --\n",
			`serverless.yml:5: handler "f" of function f names no directory or .go file in the service's directory: the service's directory has no Go files for linux/`,
		},
		{
			"not a main package", "functions:\n  f:\n    handler: lib", module + "-- lib/lib.go --\npackage lib\n",
			`serverless.yml:5: handler "lib" of function f: lib holds package lib; a function is a package main`,
		},
		{
			"nothing at the path", "functions:\n  f:\n    handler: cmd/typo", module + sources,
			`serverless.yml:5: handler "cmd/typo" of function f names no directory or .go file in the service's directory: a handler with a slash is a path, and nothing is there`,
		},
		{
			"out of the directory", "functions:\n  f:\n    handler: ../other", module + sources,
			`serverless.yml:5: handler "../other" of function f points out of the service's directory`,
		},
		{
			"a file that is no program", "functions:\n  f:\n    handler: run.sh", "-- run.sh --\n#!/bin/sh\n",
			`serverless.yml:5: handler "run.sh" of function f is a file, but no Linux executable; name the directory of its main package`,
		},
		{
			"only tests", "functions:\n  f:\n    handler: .", module + "-- a_test.go --\npackage main\n",
			`serverless.yml:5: handler "." of function f: the service's directory has no Go files for linux/`,
		},
		{
			"go1.x without a file name", "functions:\n  f:\n    handler: .\n    runtime: go1.x", module + sources,
			`serverless.yml:5: function f: runtime go1.x starts the file that the handler names, and "." cannot be one; use provided.al2023`,
		},
		{
			"broken pattern", "functions: {f: {handler: f}}\npackage:\n  patterns: [\"{a\"]", module + sources,
			`serverless.yml:5: package: pattern "{a" cannot be read: `,
		},
		{
			"pattern for the program", "functions: {f: {handler: f}}\npackage:\n  patterns: [boot*]", module + sources + "-- bootstrap --\n",
			"serverless.yml:5: package: the patterns choose the file bootstrap, which is what the function's program is called",
		},
		{
			"missing artifact", "functions: {f: {handler: f}}\npackage: {artifact: none.zip}", "",
			"serverless.yml:4: package.artifact of function f: open ",
		},
		{
			"artifact that is no zip", "functions:\n  f:\n    handler: f\n    package:\n      artifact: a.zip", "-- a.zip --\nnot a zip\n",
			"serverless.yml:7: package.artifact a.zip is not a zip file: ",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			svc := service(t, config(c.functions)+c.files)
			_, err := build.Build(t.Context(), svc, build.Options{OutDir: t.TempDir()})
			if err == nil {
				t.Fatal("no error")
			}
			if got := strings.ReplaceAll(err.Error(), svc.Dir+"/", ""); fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(got, c.want) {
				t.Errorf("kind %v\n got %s\nwant %s", fault.KindOf(err), got, c.want)
			}
			if n := strings.Count(err.Error(), "does not build"); n > 1 {
				t.Errorf("the same failure %d times", n)
			}
		})
	}
}

func TestNoGoCommand(t *testing.T) {
	svc := service(t, config("functions: {f: {handler: f}}")+module+sources)
	_, err := build.Build(t.Context(), svc, build.Options{OutDir: t.TempDir(), Env: []string{"PATH=" + t.TempDir()}})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "there is no go command on the PATH") {
		t.Errorf("got %v", err)
	}
}

func TestCancelled(t *testing.T) {
	svc := service(t, config("functions: {f: {handler: f}}")+module+sources)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := build.Build(ctx, svc, build.Options{OutDir: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestPrebuilt(t *testing.T) {
	svc := service(t, config(`
functions:
  f: {handler: f}
  g: {handler: bin/g, runtime: go1.x, package: {artifact: g.zip}}
  bad: {handler: h, package: {artifact: g.zip}}
package: {artifact: f.zip}`))
	want := map[string]string{"f.zip": "bootstrap", "g.zip": "bin/g"}
	for name, entry := range want {
		writeZip(t, filepath.Join(svc.Dir, name), map[string]string{entry: "x"})
	}
	_, err := build.Build(t.Context(), svc, build.Options{OutDir: t.TempDir()})
	if err == nil || !strings.HasSuffix(err.Error(), "serverless.yml:7: package.artifact g.zip has no file bootstrap, which runtime provided.al2023 starts") {
		t.Errorf("got %v", err)
	}
	svc.Functions = svc.Functions[:2]
	got, err := build.Build(t.Context(), svc, build.Options{OutDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if got["f"].Path != filepath.Join(svc.Dir, "f.zip") || got["g"].Path != filepath.Join(svc.Dir, "g.zip") || len(got["f"].SHA256) != 64 || got["f"].Size == 0 {
		t.Errorf("got %+v", got)
	}
}

func TestCompiledFileAsHandler(t *testing.T) {
	svc := service(t, config("functions: {f: {handler: bin/f, package: {patterns: [\"!**\", bin/**]}}}")+"-- bin/data --\nx\n-- bin/f --\n\x7fELF and so on")
	got, err := build.Build(t.Context(), svc, build.Options{OutDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"644 1980-01-01 bin/data", "755 1980-01-01 bootstrap"}, entries(t, got["f"])); diff != "" {
		t.Error(diff)
	}
}

func TestLinkOutOfTheServiceIsNotPacked(t *testing.T) {
	svc := service(t, config("functions: {f: {handler: f}}\npackage: {patterns: [data/**]}")+module+sources+"-- data/a --\na\n")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"data/in": "a", "data/out": secret} {
		if err := os.Symlink(to, filepath.Join(svc.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := build.Build(t.Context(), svc, build.Options{OutDir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "data/out is a link out of the service's directory") {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(filepath.Join(svc.Dir, "data/out")); err != nil {
		t.Fatal(err)
	}
	got, err := build.Build(t.Context(), svc, build.Options{OutDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(entries(t, got["f"])); n != 3 {
		t.Errorf("%d entries: %v", n, entries(t, got["f"]))
	}
}

func TestFingerprint(t *testing.T) {
	root := t.TempDir()
	put := func(name, text string, at time.Time) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	old, later := time.Unix(1e9, 0), time.Unix(1.1e9, 0)
	for _, name := range []string{"go.mod", "lib/lib.go", "lib/data.txt", "svc/main.go", "svc/serverless.yml", "svc/.git/HEAD", "svc/node_modules/a/b.js", "extra.yml"} {
		put(name, "x", old)
	}
	sum := func() string {
		t.Helper()
		s, err := build.Fingerprint(filepath.Join(root, "svc"), filepath.Join(root, "extra.yml"), filepath.Join(root, "absent"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	last := sum()
	for _, c := range []struct {
		name, text string
		at         time.Time
		changes    bool
	}{
		{"svc/main.go", "x", old, false},
		{"svc/main.go", "x", later, true},
		{"svc/serverless.yml", "longer", old, true},
		{"svc/new.txt", "x", old, true},
		{"svc/.git/HEAD", "longer", later, false},
		{"svc/node_modules/a/b.js", "longer", later, false},
		{"go.mod", "longer", old, true},
		{"go.sum", "x", old, true},
		{"lib/lib.go", "x", later, true},
		{"lib/lib_test.go", "x", later, false},
		{"lib/data.txt", "longer", later, false},
		{"extra.yml", "longer", later, true},
		{"absent", "x", later, true},
	} {
		put(c.name, c.text, c.at)
		now := sum()
		if (now != last) != c.changes {
			t.Errorf("%s: changed %v, want %v", c.name, now != last, c.changes)
		}
		last = now
	}
	if err := os.Symlink("svc", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	a, err := build.Fingerprint(filepath.Join(root, "link"))
	put("svc/main.go", "much longer", later)
	b, err2 := build.Fingerprint(filepath.Join(root, "link"))
	if a == b || err != nil || err2 != nil {
		t.Errorf("through a link: %s, %s, %v, %v", a, b, err, err2)
	}
}

func writeZip(t *testing.T, path string, files map[string]string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name, text := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}
