package build_test

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/build"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/spec"
	"github.com/dropstack/dropstack/internal/testkit"
)

const cleanTree = `-- serverless.yml --
service: svc
provider: {name: aws, runtime: provided.al2023}
package: {excludeDevDependencies: true}
functions:
  go: {handler: cmd/hello}
  node: {handler: src/index.handler, runtime: nodejs20.x}
-- go.mod --
module example.test/svc

go 1.26
-- cmd/hello/main.go --
package main

import "example.test/svc/internal/word"

func main() { println(word.Hello) }
-- internal/word/word.go --
package word

const Hello = "hello"
-- src/index.js --
exports.handler = async () => require('ms')('1s');
-- package.json --
{"name": "svc", "version": "1.0.0", "private": true, "dependencies": {"ms": "2.1.3"}}
-- .gitignore --
node_modules
scratch
`

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=test", "-c", "user.email=test@example.test"}, args...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v: %s", args, err, out)
	}
}

// clones are repositories of the same sources, at different places and times; the
// first has been worked in.
func clones(t *testing.T) (used, fresh *spec.Service) {
	t.Helper()
	origin := service(t, cleanTree).Dir
	cmd := exec.Command("npm", "install", "--package-lock-only", "--no-audit", "--no-fund")
	cmd.Dir = origin
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm: %v: %s", err, out)
	}
	git(t, origin, "init", "-q")
	git(t, origin, "add", ".")
	git(t, origin, "commit", "-q", "-m", "sources")
	var list []*spec.Service
	for _, name := range []string{"a", "another/place/b"} {
		dir := filepath.Join(t.TempDir(), name)
		git(t, origin, "clone", "-q", origin, dir)
		list = append(list, load(t, dir))
	}
	used, fresh = list[0], list[1]
	for name, text := range map[string]string{
		"node_modules/ms/package.json": `{"name": "ms", "version": "0.0.1", "main": "index.js"}`, // not what the lockfile says
		"node_modules/ms/index.js":     "module.exports = () => 'changed by hand'",
		"scratch/notes.txt":            "notes",
	} {
		path := filepath.Join(used.Dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, name := range []string{"src/index.js", "cmd/hello/main.go", "go.mod"} {
		if err := os.Chtimes(filepath.Join(used.Dir, name), long, long); err != nil {
			t.Fatal(err)
		}
	}
	return used, fresh
}

func cleanly(t *testing.T, level, cache string, svc *spec.Service) (map[string]build.Artifact, error) {
	t.Helper()
	boxes := &sandbox.Maker{TempDir: testkit.Dir(t), Log: slog.New(slog.DiscardHandler)}
	if _, err := boxes.Choose(level); err != nil {
		t.Fatal(err)
	}
	defer boxes.Close()
	return build.Build(t.Context(), svc, build.Options{OutDir: t.TempDir(), Node: noNode, Clean: &build.Clean{Cache: cache, Boxes: boxes}})
}

func TestTwoClonesGiveTheSameArtifacts(t *testing.T) {
	used, fresh := clones(t)
	cache := testkit.Dir(t)
	first, err := cleanly(t, "auto", cache, used)
	if err != nil {
		t.Fatal(err)
	}
	second, err := cleanly(t, "auto", testkit.Dir(t), fresh) // installed anew
	if err != nil {
		t.Fatal(err)
	}
	again, err := cleanly(t, sandbox.Confine, cache, fresh) // from the cache, without a sandbox
	if err != nil {
		t.Fatal(err)
	}
	for key := range first {
		if first[key].SHA256 != second[key].SHA256 || first[key].SHA256 != again[key].SHA256 {
			t.Errorf("%s: %s, then %s, then %s", key, first[key].SHA256, second[key].SHA256, again[key].SHA256)
		}
	}
	if got := first["node"].Toolchain; !strings.Contains(got, "go1.") || !strings.Contains(got, "npm ") || !strings.Contains(got, "node v") {
		t.Errorf("built with %q", got)
	}
	if got := names(t, first["node"]); strings.Contains(strings.Join(got, " "), "scratch") {
		t.Errorf("what git ignores is packed: %v", got)
	}
	// The same as it is built in place, by whoever has installed what the lockfile says.
	cmd := exec.Command("npm", "ci", "--no-audit", "--no-fund")
	cmd.Dir = fresh.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm: %v: %s", err, out)
	}
	if got := pack(t, fresh)["go"].SHA256; got != first["go"].SHA256 {
		t.Errorf("go: %s in its directory, %s apart", got, first["go"].SHA256)
	}
	for key, name := range map[string]string{"go": "internal/word/word.go", "node": "src/index.js"} {
		path := filepath.Join(fresh.Dir, name)
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, []byte(strings.NewReplacer("hello", "hallo", "1s", "2s").Replace(string(text))), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		changed, err := cleanly(t, "auto", cache, fresh)
		if err != nil {
			t.Fatal(err)
		}
		if changed[key].SHA256 == first[key].SHA256 {
			t.Errorf("%s: a changed byte of %s changes nothing", key, name)
		}
	}
}

func TestWhatACleanBuildRefuses(t *testing.T) {
	cache := testkit.Dir(t)
	for name, c := range map[string]struct{ files, want string }{
		"no lockfile": {
			nodeConfig("functions:\n  f: {handler: a.handler}") + "-- a.js --\nexports.handler = async () => 1;\n-- package.json --\n{\"dependencies\": {\"ms\": \"2.1.3\"}}\n",
			"a clean build needs a lockfile beside package.json",
		},
		"Go that does not compile": {
			config("functions:\n  f: {handler: cmd}") + module + "-- cmd/main.go --\npackage main\n\nfunc main() { nothing() }\n",
			"cmd/main.go:3:15: undefined: nothing",
		},
		"a module that go.sum does not name": {
			config("functions:\n  f: {handler: cmd}") + module + "-- cmd/main.go --\npackage main\n\nimport _ \"golang.org/x/text\"\n\nfunc main() {}\n",
			"cannot find module providing package golang.org/x/text",
		},
	} {
		_, err := cleanly(t, "auto", cache, service(t, c.files))
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "serverless.yml:") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
