package node_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// waiting returns when the process asks what it is to become.
func waiting(t testing.TB, p *process) {
	t.Helper()
	select {
	case <-p.waits:
	case <-p.ended:
		t.Fatalf("the process ended: %s", p.stderr.String())
	case <-time.After(patience):
		t.Fatal("the client does not ask for its start")
	}
}

// beginning is the answer that makes a waiting process a function.
func beginning(t testing.TB, p *process, dir string, more map[string]any) string {
	t.Helper()
	env := map[string]string{}
	for _, v := range environ(p.url, dir, nil) {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	answer := map[string]any{"env": env, "cwd": dir}
	for k, v := range more {
		if given, ok := v.(map[string]string); ok && k == "env" {
			for name, value := range given {
				env[name] = value
			}
			continue
		}
		answer[k] = v
	}
	b, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPreboot(t *testing.T) {
	for _, in := range nodes(t) {
		t.Run(in.Version.String(), func(t *testing.T) {
			prebootStories(t, func(t *testing.T, files string, more map[string]any) *process {
				dir := unpack(t, files)
				p := start(t, in, os.TempDir(), map[string]string{"DROPSTACK_PREBOOT": "1", "OLD": "gone"})
				waiting(t, p)
				if more == nil {
					more = map[string]any{}
				}
				p.begin <- beginning(t, p, dir, more)
				return p
			})
			t.Run("the platform goes away", func(t *testing.T) {
				p := start(t, in, os.TempDir(), map[string]string{"DROPSTACK_PREBOOT": "1"})
				waiting(t, p)
				p.server.CloseClientConnections()
				if code := p.code(t); code != 0 || p.stderr.Len() > 0 {
					t.Errorf("got exit status %d and %q, want 0 and nothing", code, p.stderr.String())
				}
			})
			t.Run("an answer that is none", func(t *testing.T) {
				p := start(t, in, os.TempDir(), map[string]string{"DROPSTACK_PREBOOT": "1"})
				waiting(t, p)
				p.begin <- `{}`
				if code := p.code(t); code != 1 || p.stderr.String() != "become a function: the answer has no env\n" {
					t.Errorf("got exit status %d and %q", code, p.stderr.String())
				}
			})
		})
	}
}

type becomes func(t *testing.T, files string, more map[string]any) *process

func prebootStories(t *testing.T, become becomes) {
	check := func(name, files string, more map[string]any, want string) {
		t.Run(name, func(t *testing.T) {
			p := become(t, files, more)
			if out := p.invoke(t, "{}", nil); out.call != "response" || out.body != want {
				t.Errorf("got %s %s, want %s\n%s", out.call, out.body, want, p.stderr.String())
			}
			if p.connections.Load() != 1 {
				t.Errorf("got %d connections, want all over one", p.connections.Load())
			}
		})
	}
	check("environment", `exports.handler = async () => [process.env.NEW, process.env.OLD === undefined, process.env.DROPSTACK_PREBOOT === undefined];`,
		map[string]any{"env": map[string]string{"NEW": "here"}}, `["here",true,true]`)
	check("children inherit it", `exports.handler = async () => require('child_process').execFileSync('/bin/sh', ['-c', 'echo $NEW$OLD']).toString();`,
		map[string]any{"env": map[string]string{"NEW": "here"}}, `"here\n"`)
	check("working directory", `exports.handler = async () => process.cwd() === require('fs').realpathSync(__dirname);`, nil, `true`)
	check("time zone", `exports.handler = async () => new Date(0).toString().slice(16, 33);`,
		map[string]any{"env": map[string]string{"TZ": "Asia/Tokyo"}}, `"09:00:00 GMT+0900"`)
	check("arguments", `exports.handler = async () => process.argv.slice(2);`, map[string]any{"args": []string{"a", "b"}}, `["a","b"]`)
	check("module", "-- index.mjs --\nimport path from 'path';\nexport const handler = async () => path.sep;", nil, `"/"`)
	check("asynchronous context of init", `const { AsyncLocalStorage } = require('async_hooks'); const s = new AsyncLocalStorage(); s.enterWith('init'); exports.handler = async () => s.getStore() || 'none';`, nil, `"none"`)
	t.Run("module path", func(t *testing.T) {
		layer := unpack(t, "-- nodejs/node_modules/layered/index.js --\nmodule.exports = 'layer';")
		p := become(t, `exports.handler = async () => require('layered');`,
			map[string]any{"env": map[string]string{"NODE_PATH": layer + "/nodejs/node_modules"}})
		if out := p.invoke(t, "{}", nil); out.body != `"layer"` {
			t.Errorf("got %s", out.body)
		}
	})
	t.Run("init error", func(t *testing.T) {
		p := become(t, `throw new TypeError('init');`, nil)
		if out := p.invoke(t, "{}", nil); out.call != "init/error" || out.errorType != "TypeError" || p.code(t) != 129 {
			t.Errorf("got %s %s", out.call, out.body)
		}
	})
	t.Run("directory that is not there", func(t *testing.T) {
		p := become(t, ``, map[string]any{"cwd": "/no/such/directory"})
		if code := p.code(t); code != 1 || !strings.Contains(p.stderr.String(), "become a function: ENOENT") {
			t.Errorf("got exit status %d and %q", code, p.stderr.String())
		}
	})
	t.Run("user", func(t *testing.T) { asUser(t, become) })
}

// asUser needs root to become somebody, and is refused otherwise: both are tested.
func asUser(t *testing.T, become becomes) {
	const id = 54321
	open, err := os.MkdirTemp("", "node-user-") // t.TempDir is for its owner alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(open) })
	code := `exports.handler = async () => [process.getuid(), process.getgid(), process.getgroups().join()];`
	if err := errors.Join(os.Chmod(open, 0o755), os.WriteFile(filepath.Join(open, "index.js"), []byte(code), 0o644)); err != nil {
		t.Fatal(err)
	}
	p := become(t, "", map[string]any{"uid": id, "gid": id, "env": map[string]string{"LAMBDA_TASK_ROOT": open}, "cwd": open})
	if syscall.Getuid() != 0 {
		if code := p.code(t); code != 1 || !strings.Contains(p.stderr.String(), "become a function: ") {
			t.Errorf("got exit status %d and %q", code, p.stderr.String())
		}
		return
	}
	if out := p.invoke(t, "{}", nil); out.body != `[54321,54321,"54321"]` {
		t.Errorf("got %s %s %s", out.call, out.body, p.stderr.String())
	}
}
