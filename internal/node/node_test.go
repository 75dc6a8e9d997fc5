package node_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/node"
)

func TestFor(t *testing.T) {
	installs := func(versions ...string) (list []node.Install) {
		for _, v := range versions {
			version, err := node.ParseVersion(v)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, node.Install{Path: "/opt/" + v, Version: version})
		}
		return list
	}
	for _, c := range []struct {
		name, runtime string
		installed     []node.Install
		want          string
		exact         bool
	}{
		{"the same major", "nodejs20.x", installs("v24.1.0", "v20.2.0", "v18.1.0"), "20.2.0", true},
		{"the newest of the same major", "nodejs20.x", installs("v20.2.9", "v20.10.0", "v20.2.0"), "20.10.0", true},
		{"the nearest newer", "nodejs16.x", installs("v24.1.0", "v18.1.0", "v20.2.0", "v14.1.0"), "18.1.0", false},
		{"the newest if all are older", "nodejs24.x", installs("v14.1.0", "v20.2.0", "v18.1.0"), "20.2.0", false},
		{"a runtime with a minor version", "nodejs6.10", installs("v24.1.0", "v12.22.0"), "12.22.0", false},
		{"an edge runtime", "nodejs4.3-edge", installs("v24.1.0"), "24.1.0", false},
		{"none that is too old for the client", "nodejs12.x", installs("v12.16.3", "v22.0.0"), "22.0.0", false},
		{"a nightly", "nodejs26.x", installs("v26.0.0-nightly20260101"), "26.0.0", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, exact, err := node.For(c.installed, c.runtime)
			if err != nil || got.Version.String() != c.want || exact != c.exact {
				t.Errorf("got %v, exact %v, %v; want %s, exact %v", got.Version, exact, err, c.want, c.exact)
			}
		})
	}
	_, _, err := node.For(installs("v10.1.0"), "nodejs6.10")
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "install Node.js 12 ") {
		t.Errorf("no Node: got %v", err)
	}
	for _, name := range []string{"python3.12", "nodejs", "nodejs20", "nodejs.x", "nodejs99999999999999999999.x"} {
		if _, _, err := node.For(installs("v20.1.0"), name); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestArgs(t *testing.T) {
	for _, c := range []struct {
		name, options string
		memory        int
		want          string
	}{
		{"as Lambda", "", 128, "--expose-gc --max-http-header-size=81920 --max-semi-space-size=6 --max-old-space-size=116"},
		{"the function's own limits", "--enable-source-maps --max_old_space_size=64", 128, "--expose-gc --max-http-header-size=81920"},
		{"other options", "--enable-source-maps", 1024, "--expose-gc --max-http-header-size=81920 --max-semi-space-size=51 --max-old-space-size=922"},
		{"memory unknown", "", 0, "--expose-gc --max-http-header-size=81920"},
	} {
		if got := strings.Join(node.Args(c.memory, c.options), " "); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	if got, want := node.ModulePath("nodejs20.x", "/opt", "/var/task"), "/opt/nodejs/node20/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task"; got != want {
		t.Errorf("module path: got %s, want %s", got, want)
	}
	if got := node.ExecutionEnv("nodejs20.x"); got != "AWS_Lambda_nodejs20.x" {
		t.Errorf("execution environment: got %s", got)
	}
}

func TestPrebootable(t *testing.T) {
	for name, want := range map[string]bool{
		"TABLE": true, "NODE_ENV": true, "NODE_PATH": true, "NODE_TLS_REJECT_UNAUTHORIZED": true, "TZ": true,
		"NODE_OPTIONS": false, "NODE_EXTRA_CA_CERTS": false, "LD_LIBRARY_PATH": false, "LD_PRELOAD": false,
		"LC_ALL": false, "LANG": false, "UV_THREADPOOL_SIZE": false, "OPENSSL_CONF": false,
	} {
		if got := node.Prebootable(map[string]string{"A": "b", name: "x"}); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runtime")
	entry, err := node.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(entry)
	if err != nil || before.Mode().Perm() != 0o644 {
		t.Fatalf("got %v, %v", before, err)
	}
	again, err := node.Write(dir)
	if after, statErr := os.Stat(entry); err != nil || statErr != nil || again != entry || !os.SameFile(before, after) {
		t.Errorf("written again: %s, %v, %v", again, err, statErr)
	}
	if err := os.WriteFile(entry, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Write(dir); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(entry); err != nil || after.Size() != before.Size() {
		t.Errorf("a damaged client was not replaced: %v, %v", after, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := node.Write(entry); err == nil {
		t.Error("written below a file")
	}
}

// fake writes an executable that says it is a Node, and adds a line to asked
// whenever it is run.
func fake(t *testing.T, root, path, version string) (asked string) {
	t.Helper()
	file := filepath.Join(root, path)
	asked = file + ".asked"
	script := "#!/bin/sh\necho >>" + asked + "\necho " + version + "\necho " + file + "\n"
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(script), 0o755)); err != nil {
		t.Fatal(err)
	}
	return asked
}

func TestSearch(t *testing.T) {
	root, home := t.TempDir(), t.TempDir()
	asked := fake(t, home, ".nvm/versions/node/v18.1.0/bin/node", "v18.1.0")
	fake(t, home, ".asdf/installs/nodejs/14.1.0/bin/node", "v14.1.0")
	fake(t, home, "volta/tools/image/node/22.3.0/bin/node", "v22.3.0")
	fake(t, root, "opt/node-26/bin/node", "v26.0.0")
	fake(t, root, "usr/local/lib/nodejs/node-v16/bin/node", "v16.1.0")
	fake(t, root, "opt/node-broken/bin/node", "hello")
	fake(t, root, "path/node", "v20.1.0")
	if err := os.Symlink(filepath.Join(root, "path/node"), filepath.Join(home, "node")); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HOME": home, "VOLTA_HOME": filepath.Join(home, "volta"), "PATH": filepath.Join(root, "path") + ":" + home + ":relative"}
	s := &node.Search{Getenv: func(name string) string { return env[name] }, Root: root}
	versions := func() (list []string) {
		t.Helper()
		found, err := s.Find(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range found {
			list = append(list, in.Version.String())
		}
		return list
	}
	want := []string{"26.0.0", "22.3.0", "20.1.0", "18.1.0", "16.1.0", "14.1.0"}
	for range 2 {
		if got := versions(); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	if b, err := os.ReadFile(asked); err != nil || string(b) != "\n" {
		t.Errorf("asked for its version %d times, want once (%v)", len(b), err)
	}
	fake(t, home, ".nvm/versions/node/v18.1.0/bin/node", "v18.20.0")
	if got := versions(); !slices.Contains(got, "18.20.0") {
		t.Errorf("a replaced Node is not asked again: %v", got)
	}

	fake(t, root, "mine/bin/node", "v23.0.0")
	env["DROPSTACK_NODE"] = filepath.Join(root, "mine")
	if got := versions(); !slices.Contains(got, "23.0.0") {
		t.Errorf("DROPSTACK_NODE: got %v", got)
	}
	for _, wrong := range []string{filepath.Join(root, "nowhere"), filepath.Join(root, "opt/node-broken"), home + "/.asdf"} {
		env["DROPSTACK_NODE"] = wrong
		if _, err := s.Find(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "DROPSTACK_NODE: ") {
			t.Errorf("DROPSTACK_NODE=%s: got %v", wrong, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&node.Search{Getenv: s.Getenv, Root: root}).Find(ctx); err == nil {
		t.Error("a cancelled search found something")
	}
}

func TestPrepare(t *testing.T) {
	main, err := entry()
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range nodes(t) {
		t.Run(in.Version.String(), func(t *testing.T) {
			prepare := func(dir, cache, handler string) (code int, stderr string) {
				t.Helper()
				command := append(node.Command(in, main, 256, ""), "--prepare", handler)
				cmd := exec.Command(command[0], command[1:]...)
				cmd.Dir, cmd.Env = dir, []string{"LAMBDA_TASK_ROOT=" + dir, "DROPSTACK_COMPILE_CACHE=" + cache}
				var out strings.Builder
				cmd.Stderr = &out
				if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
					t.Fatal(err)
				}
				return cmd.ProcessState.ExitCode(), out.String()
			}
			dir, cache := unpack(t, "setInterval(() => {}, 1e6);\nexports.handler = async () => "+strings.Repeat("1 + ", 2000)+"1;"), t.TempDir()
			if code, stderr := prepare(dir, cache, "index.handler"); code != 0 || stderr != "" {
				t.Errorf("got exit status %d and %q", code, stderr)
			}
			if in.Version.Compare(node.Version{Major: 22, Minor: 10}) >= 0 {
				shared(t, in, dir, cache)
			}
			for name, c := range map[string]struct{ files, want string }{
				"throws":        {`throw new TypeError('init');`, `{"errorType":"TypeError","errorMessage":"init","trace":["TypeError: init"`},
				"rejects":       {`Promise.reject(new Error('lost')); exports.handler = async () => 1;`, `{"errorType":"Runtime.UnhandledPromiseRejection","errorMessage":"Error: lost"`},
				"is missing":    {`exports.other = 1;`, `{"errorType":"Runtime.HandlerNotFound"`},
				"never settles": {"-- index.mjs --\nawait import('./wait.cjs').then((m) => m.never);\n-- wait.cjs --\nexports.never = new Promise(() => {});", `{"errorType":"`},
			} {
				if code, stderr := prepare(unpack(t, c.files), t.TempDir(), "index.handler"); code != 1 || !strings.HasPrefix(stderr, c.want) {
					t.Errorf("%s: got exit status %d and %q, want 1 and %s", name, code, stderr, c.want)
				}
			}
		})
	}
}

// accepted is what Node says of a cache entry that it uses.
var accepted = regexp.MustCompile(`/index\.js was accepted`)

// shared proves that another user's process finds what was prepared.
func shared(t *testing.T, in node.Install, dir, cache string) {
	t.Helper()
	const other = 54321
	if err := node.ShareCache(cache, other); err != nil {
		t.Fatal(err)
	}
	if err := node.ShareCache(cache, other); err != nil {
		t.Errorf("shared again: %v", err)
	}
	own, err := filepath.Glob(filepath.Join(cache, "*-*"))
	if err != nil || len(own) != 2 {
		t.Fatalf("got %v, %v; want Node's directory and a link to it", own, err)
	}
	env := map[string]string{"DROPSTACK_COMPILE_CACHE": cache, "NODE_DEBUG_NATIVE": "COMPILE_CACHE"}
	p := start(t, in, dir, env)
	p.asks(t, 1)
	p.kill()
	if log := p.out.String() + p.stderr.String(); !accepted.MatchString(log) {
		t.Errorf("the compile cache is not used:\n%.3000s", log)
	}
}
