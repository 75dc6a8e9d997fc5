package build_test

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/build"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/node"
	"github.com/dropstack/dropstack/internal/spec"
)

func nodeConfig(rest string) string {
	return "-- serverless.yml --\nservice: svc\nprovider: {name: aws, runtime: nodejs22.x}\n" + rest + "\n"
}

// noNode is a machine without Node.
func noNode(context.Context, string) (node.Install, bool, error) {
	return node.Install{}, false, errors.New("no Node here")
}

// anyNode takes whatever Node the machine has as the right one.
func anyNode(t *testing.T) func(context.Context, string) (node.Install, bool, error) {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		t.Skip("not run: no node on the PATH, and this test asks it about syntax")
	}
	return func(context.Context, string) (node.Install, bool, error) { return node.Install{Path: path}, true, nil }
}

func pack(t *testing.T, svc *spec.Service) map[string]build.Artifact {
	t.Helper()
	got, err := build.Build(t.Context(), svc, build.Options{OutDir: t.TempDir(), Node: noNode})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// names lists the entries of an artifact; of links with what they say.
func names(t *testing.T, a build.Artifact) (out []string) {
	t.Helper()
	z, err := zip.OpenReader(a.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		name := f.Name
		if f.Mode()&os.ModeSymlink != 0 {
			name += " -> " + content(t, f)
		}
		out = append(out, name)
	}
	return out
}

func content(t *testing.T, f *zip.File) string {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// links makes symbolic links in a service: "name -> target".
func links(t *testing.T, svc *spec.Service, list ...string) {
	t.Helper()
	for _, l := range list {
		name, target, _ := strings.Cut(l, " -> ")
		path := filepath.Join(svc.Dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(target, path)); err != nil {
			t.Fatal(err)
		}
	}
}

// installedTree is what npm leaves: "used" needs "deep" in a version of its own and
// "shared", which "tool", for development only, needs too.
const installedTree = `
-- package.json --
{"name": "svc", "dependencies": {"used": "1"}, "optionalDependencies": {"@scope/maybe": "1", "absent": "1"}, "devDependencies": {"tool": "1", "shared": "1"}}
-- package-lock.json --
{}
-- node_modules/.package-lock.json --
{"resolved": "from somewhere"}
-- node_modules/.cache/x --
-- node_modules/used/package.json --
{"dependencies": {"deep": "2", "shared": "1"}, "peerDependencies": {"peer": "1"}}
-- node_modules/used/index.js --
-- node_modules/used/node_modules/deep/package.json --
{}
-- node_modules/deep/package.json --
{"dependencies": {"deeper": "1"}}
-- node_modules/deeper/index.js --
-- node_modules/shared/package.json --
{}
-- node_modules/peer/package.json --
{}
-- node_modules/@scope/maybe/package.json --
{}
-- node_modules/tool/package.json --
{"dependencies": {"deep": "1", "shared": "1", "@scope/only": "1"}, "devDependencies": {"never": "1"}}
-- node_modules/tool/bin.js --
-- node_modules/@scope/only/package.json --
{}
-- node_modules/by-hand/package.json --
{}
-- nested/package.json --
{"devDependencies": {"inner": "1"}}
-- nested/node_modules/inner/package.json --
{}
`

func TestNodePackage(t *testing.T) {
	svc := service(t, nodeConfig(`
layers: {base: {path: layers/base}}
functions:
  one: {handler: src/api/index.handler}
  two: {handler: src/two.deep.handler}
  go: {handler: cmd/go, runtime: provided.al2023}
`)+installedTree+module+`
-- cmd/go/main.go --
package main

func main() {}
-- src/api/index.js --
-- src/two.mjs --
-- run.sh --
-- .env --
-- .gitignore --
-- .git/HEAD --
-- .serverless/old.zip --
-- .dropstack/old.zip --
-- npm-debug.log --
-- yarn-error.log --
-- layers/base/nodejs/x.js --
`)
	links(t, svc, "node_modules/.bin/tool -> ../tool/bin.js", "node_modules/.bin/used -> ../used/index.js", "node_modules/.bin/gone -> ../gone/x.js")
	got := pack(t, svc)
	want := []string{
		".env", "cmd/go/main.go", "go.mod", "nested/package.json",
		"node_modules/.bin/used -> ../used/index.js", "node_modules/@scope/maybe/package.json", "node_modules/by-hand/package.json",
		"node_modules/peer/package.json", "node_modules/shared/package.json",
		"node_modules/used/index.js", "node_modules/used/node_modules/deep/package.json", "node_modules/used/package.json",
		"package-lock.json", "package.json", "run.sh", "src/api/index.js", "src/two.mjs",
	}
	if diff := cmp.Diff(want, names(t, got["one"])); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got["one"] != got["two"] {
		t.Errorf("two functions of one service have two artifacts: %v %v", got["one"], got["two"])
	}
	if diff := cmp.Diff([]string{"bootstrap"}, names(t, got["go"])); diff != "" {
		t.Errorf("the Go function beside them (-want +got)\n%s", diff)
	}
	for _, e := range entries(t, got["one"]) {
		if mode := "644 1980-01-01 "; !strings.HasPrefix(e, mode) && !strings.HasPrefix(e, "777 ") && e != "755 1980-01-01 run.sh" {
			t.Errorf("entry %q", e)
		}
	}
	f, err := os.Open(got["one"].Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := filepath.Join(t.TempDir(), "code")
	if err := build.Unpack(f, got["one"].Size, dir, 0); err != nil {
		t.Fatal(err)
	}
	if size, err := build.Size(dir); err != nil || size != got["one"].Unpacked || size == 0 {
		t.Errorf("unpacked %d bytes, %v; said %d", size, err, got["one"].Unpacked)
	}
}

func TestNodePatterns(t *testing.T) {
	const files = "-- a.js --\n-- lib/b.js --\n-- lib/b.test.js --\n-- docs/c.md --\n-- node_modules/d/index.js --\n-- own/plain --\n"
	for _, c := range []struct{ name, config, want string }{
		{"service", `
functions: {f: {handler: a.x}}
package: {patterns: ["!docs/**", "!**/*.test.js", "!node_modules", "./own/**"]}`, "a.js lib/b.js node_modules/d/index.js own/plain"},
		{"only what is named", `
functions: {f: {handler: a.x}}
package: {patterns: ["!**", "a.js", "{lib,own}/*"]}`, "a.js lib/b.js lib/b.test.js own/plain"},
		{"exclude and include", `
functions: {f: {handler: a.x}}
package: {exclude: ["lib/**", "docs/**"], include: ["lib/b.js"]}`, "a.js lib/b.js node_modules/d/index.js own/plain"},
		{"of a function, together", `
functions: {f: {handler: a.x, package: {patterns: ["!lib/**"]}}}
package: {patterns: ["!docs/**"]}`, "a.js lib/b.js lib/b.test.js node_modules/d/index.js own/plain"},
		{"of a function, individually", `
functions: {f: {handler: a.x, package: {individually: true, exclude: ["own/**"], patterns: ["!lib/**"]}}}
package: {patterns: ["!docs/**"]}`, "a.js node_modules/d/index.js"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := names(t, pack(t, service(t, nodeConfig(c.config)+files))["f"])
			if diff := cmp.Diff(strings.Fields(c.want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDevelopmentDependenciesStayOnRequest(t *testing.T) {
	svc := service(t, nodeConfig("functions: {f: {handler: a.x}}\npackage: {excludeDevDependencies: false}")+installedTree+"-- a.js --\n")
	if got := strings.Join(names(t, pack(t, svc)["f"]), " "); !strings.Contains(got, "node_modules/tool/bin.js") {
		t.Errorf("got %s", got)
	}
}

func TestNodeLinks(t *testing.T) {
	svc := service(t, nodeConfig("functions: {f: {handler: a.x}}\npackage: {patterns: [\"!hidden/**\"]}")+`
-- package.json --
{"workspaces": ["../lib"], "dependencies": {"store": "1"}, "devDependencies": {"dev": "1"}}
-- a.js --
-- hidden/h.js --
-- node_modules/.pnpm/store@1/node_modules/store/package.json --
{"dependencies": {"next": "1"}}
-- node_modules/.pnpm/next@1/node_modules/next/index.js --
-- node_modules/.pnpm/dev@1/node_modules/dev/package.json --
{}
`)
	links(t, svc,
		"node_modules/store -> .pnpm/store@1/node_modules/store",
		"node_modules/.pnpm/store@1/node_modules/next -> ../../next@1/node_modules/next",
		"node_modules/dev -> .pnpm/dev@1/node_modules/dev",
		"b.js -> a.js", "absolute.js -> "+filepath.Join(svc.Dir, "a.js"), "shown -> hidden", "self -> .")
	want := []string{
		"a.js", "absolute.js -> a.js", "b.js -> a.js",
		"node_modules/.pnpm/next@1/node_modules/next/index.js",
		"node_modules/.pnpm/store@1/node_modules/next -> ../../next@1/node_modules/next",
		"node_modules/.pnpm/store@1/node_modules/store/package.json",
		"node_modules/store -> .pnpm/store@1/node_modules/store",
		"package.json", "shown/h.js",
	}
	if diff := cmp.Diff(want, names(t, pack(t, svc)["f"])); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	links(t, svc, "out -> "+t.TempDir())
	_, err := build.Build(t.Context(), svc, build.Options{OutDir: t.TempDir(), Node: noNode})
	if err == nil || !strings.Contains(err.Error(), "out is a link out of the project") {
		t.Errorf("got %v", err)
	}
}

// TestWorkspaceLink has a package beside the service, linked as npm links the
// packages of a workspace, and a link back that never ends.
func TestWorkspaceLink(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"package.json":               `{"workspaces": ["svc", "lib"]}`,
		"svc/serverless.yml":         "service: svc\nprovider: {name: aws, runtime: nodejs22.x}\nfunctions: {f: {handler: a.x}}\n",
		"svc/package.json":           `{"dependencies": {"lib": "1"}}`,
		"svc/a.js":                   "",
		"lib/package.json":           `{"dependencies": {"svc": "1"}}`,
		"lib/index.js":               "",
		"svc/node_modules/.keep":     "",
		"lib/node_modules/own/x.mjs": "",
	} {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	svc := load(t, filepath.Join(root, "svc"))
	links(t, svc, "node_modules/lib -> ../../lib", "../lib/node_modules/svc -> ../../svc")
	want := []string{
		"a.js", "node_modules/.keep", "node_modules/lib/index.js", "node_modules/lib/node_modules/own/x.mjs",
		"node_modules/lib/package.json", "package.json",
	}
	if diff := cmp.Diff(want, names(t, pack(t, svc)["f"])); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestSameNodeSourcesSameArtifact(t *testing.T) {
	var sums []string
	for i, mode := range []os.FileMode{0o600, 0o664} {
		svc := service(t, nodeConfig("functions: {f: {handler: a.x}}")+installedTree+"-- a.js --\n-- z.js --\n-- b/c.js --\n")
		links(t, svc, "link.js -> "+[]string{"a.js", filepath.Join(svc.Dir, "a.js")}[i])
		past := time.Now().Add(-time.Duration(i+1) * 1000 * time.Hour)
		path := filepath.Join(svc.Dir, "a.js")
		note := filepath.Join(svc.Dir, "node_modules/.package-lock.json")
		if err := errors.Join(os.Chmod(path, mode), os.Chtimes(path, past, past), os.WriteFile(note, []byte(past.String()), 0o644)); err != nil {
			t.Fatal(err)
		}
		sums = append(sums, pack(t, svc)["f"].SHA256)
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds, two artifacts: %v", sums)
	}
}

func TestWhatTheNodeAuthorHasToMend(t *testing.T) {
	find := anyNode(t)
	for _, c := range []struct{ name, config, files, want string }{
		{
			"no such file", "functions:\n  f:\n    handler: src/a.handler", "-- src/b.js --\n",
			`serverless.yml:5: handler "src/a.handler" of function f: there is no src/a.js, src/a.mjs or src/a.cjs in the service's directory`,
		},
		{
			"TypeScript", "functions:\n  f:\n    handler: src/a.handler", "-- src/a.ts --\nexport const a = 1;\nimport { b } from './none';\nexport const handler = () => b",
			"serverless.yml:5: function f cannot be bundled:\nsrc/a.ts:2: Could not resolve \"./none\"",
		},
		{
			"a package that is not installed", "functions:\n  f:\n    handler: src/a.handler", "-- src/a.ts --\nimport { b } from 'none';\nexport const handler = () => b",
			"serverless.yml:5: function f cannot be bundled:\nsrc/a.ts:1: Could not resolve \"none\"; install the service's dependencies (npm install), or name it under external or exclude",
		},
		{
			"no export", "functions:\n  f:\n    handler: src/a", "-- src/a.js --\n",
			`serverless.yml:5: handler "src/a" of function f: for Node it is a file without its extension, a dot and what the file exports`,
		},
		{
			"upwards", "functions:\n  f:\n    handler: ../a.handler", "-- a.js --\n",
			`serverless.yml:5: handler "../a.handler" of function f: for Node it is a file`,
		},
		{
			"elsewhere", "functions:\n  f:\n    handler: /opt/a.handler", "-- a.js --\n",
			`serverless.yml:5: handler "/opt/a.handler" of function f: there is nothing but the function's files`,
		},
		{
			"left out", "functions: {f: {handler: src/a.handler}}\npackage:\n  patterns: ['!src/**']", "-- src/a.js --\n",
			"serverless.yml:5: package: the patterns leave out src/a.js, the handler of function f",
		},
		{
			"nothing chosen", "functions: {f: {handler: a.b}}\npackage:\n  patterns: ['!**']", "-- a.js --\n",
			"serverless.yml:5: package: the patterns choose no file for function f",
		},
		{
			"alternatives of a shell", "functions: {f: {handler: a.b}}\npackage:\n  patterns: ['src/!(a|b)/**']", "-- a.js --\n",
			"serverless.yml:5: package: pattern \"src/!(a|b)/**\": alternatives in parentheses are not supported; write {a,b} or several patterns",
		},
		{
			"a pattern outwards", "functions: {f: {handler: a.b}}\npackage:\n  patterns: ['../lib/**']", "-- a.js --\n",
			"serverless.yml:5: package: pattern \"../lib/**\" leads out of the directory; make a link in it instead",
		},
		{
			"nothing installed", "functions:\n  f:\n    handler: a.b", "-- a.js --\n-- package.json --\n{\"dependencies\": {\"b\": \"1\", \"a\": \"1\"}}\n-- package-lock.json --\n{}\n",
			"serverless.yml:5: function f: the dependencies of package.json are not installed (a and 1 more); run `npm ci` in the service's directory",
		},
		{
			"one not installed", "functions:\n  f:\n    handler: a.b", "-- a.js --\n-- package.json --\n{\"dependencies\": {\"@b/c\": \"1\", \"a\": \"1\"}}\n-- yarn.lock --\n-- node_modules/a/package.json --\n",
			"serverless.yml:5: function f: the dependencies of package.json are not installed (@b/c); run `yarn install` in the service's directory",
		},
		{
			"broken package.json", "functions:\n  f:\n    handler: a.b", "-- a.js --\n-- package.json --\n{\n",
			"serverless.yml:5: function f: package.json is not valid: ",
		},
		{
			"syntax", "functions:\n  f: {handler: a.b}\n  g: {handler: a.c}", "-- a.js --\nexports.b = () => {\n  return 1 +\n}\n",
			"serverless.yml:4: handler \"a.b\" of function f:\na.js:3\n}\n^\n\nSyntaxError: ",
		},
		{
			"syntax of a module", "functions:\n  f: {handler: a.b}", "-- a.mjs --\nexport const = 1\n",
			"serverless.yml:4: handler \"a.b\" of function f:\n",
		},
		{
			"artifact without the handler", "functions:\n  f:\n    handler: src/a.b\n    package: {artifact: a.zip}", "",
			"serverless.yml:6: package.artifact a.zip has no file src/a or src/a.js or src/a.mjs or src/a.cjs or src/a/index.js, which runtime nodejs22.x starts",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			svc := service(t, nodeConfig(c.config)+c.files)
			writeZip(t, filepath.Join(svc.Dir, "a.zip"), map[string]string{"a.js": ""})
			_, err := build.Build(t.Context(), svc, build.Options{OutDir: t.TempDir(), Node: find})
			if err == nil {
				t.Fatal("no error")
			}
			if got := strings.ReplaceAll(err.Error(), svc.Dir+"/", ""); fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(got, c.want) {
				t.Errorf("kind %v\n got %s\nwant %s", fault.KindOf(err), got, c.want)
			}
		})
	}
}

func TestNodeHandlersThatAreFine(t *testing.T) {
	svc := service(t, nodeConfig(`
functions:
  plain: {handler: a.handler}
  deep: {handler: ./src/deep/a.b.c.handler}
  module: {handler: m.handler}
  common: {handler: c.handler}
  directory: {handler: dir.handler}
  library: {handler: lib/wrap.handler}
  task: {handler: /var/task/a.handler}
  layer: {handler: /opt/nodejs/wrap.handler, layers: [!Ref BaseLambdaLayer]}
layers: {base: {path: base}}
`)+"-- a.js --\nexports.x = 1\n-- src/deep/a.js --\n-- m.mjs --\nexport const x = await 1\n-- c.cjs --\n-- dir/index.js --\n-- node_modules/lib/wrap.js --\n-- base/nodejs/wrap.js --\n")
	var steps []string
	_, err := build.Build(t.Context(), svc, build.Options{OutDir: t.TempDir(), Node: anyNode(t), Progress: func(e build.Event) {
		steps = append(steps, e.Step+" "+e.Function+e.Message)
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"pack plain", "pack deep", "pack module", "pack common", "pack directory", "pack library", "pack task", "pack layer"}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutNodeTheSyntaxIsNotChecked(t *testing.T) {
	svc := service(t, nodeConfig("functions: {f: {handler: a.b}, g: {handler: a.c}}")+"-- a.js --\nnot javascript(\n")
	for name, c := range map[string]struct {
		find func(context.Context, string) (node.Install, bool, error)
		want string
	}{
		"none": {noNode, "the syntax of handlers for nodejs22.x was not checked: no Node here"},
		"does not start": {func(context.Context, string) (node.Install, bool, error) {
			return node.Install{Path: "/nowhere/node"}, true, nil
		}, "the syntax of a.js was not checked: /nowhere/node: "},
	} {
		var warnings []string
		_, err := build.Build(t.Context(), svc, build.Options{OutDir: t.TempDir(), Node: c.find, Progress: func(e build.Event) {
			if e.Step == build.StepWarning {
				warnings = append(warnings, e.Message)
			}
		}})
		if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0], c.want) {
			t.Errorf("%s: %v, warnings %q", name, err, warnings)
		}
	}
}

func TestFingerprintSeesInstalls(t *testing.T) {
	svc := service(t, nodeConfig("functions: {f: {handler: a.b}}")+installedTree+"-- a.js --\n")
	old := time.Unix(1e9, 0)
	modules := filepath.Join(svc.Dir, "node_modules")
	note := filepath.Join(modules, ".package-lock.json")
	set := func(path string, at time.Time) {
		t.Helper()
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	set(note, old)
	set(modules, old)
	sum := func() string {
		t.Helper()
		s, err := build.Fingerprint(svc.Dir)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := sum()
	if again := sum(); again != first {
		t.Errorf("changes by itself")
	}
	set(note, old.Add(time.Hour))
	second := sum()
	if second == first {
		t.Error("an install goes unseen")
	}
	set(modules, old.Add(time.Hour))
	if sum() == second {
		t.Error("a package that was added goes unseen")
	}
}
