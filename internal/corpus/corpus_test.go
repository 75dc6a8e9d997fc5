package corpus

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dropstack/dropstack/internal/spec"
	"github.com/dropstack/dropstack/internal/testkit"
)

// least is how many cases there have to be.
const least = 60

func TestCorpus(t *testing.T) {
	t.Parallel()
	list := samples(t, t.TempDir())
	if len(list) < least {
		t.Errorf("%d cases, want at least %d", len(list), least)
	}
	installed := testkit.NPM(t, "corpus", "testdata/osls")
	versions := map[bool]*framework{false: start(t, installed, "osls"), true: start(t, installed, "osls3")}
	for _, s := range list {
		t.Run(s.name, func(t *testing.T) { s.compare(t, versions[s.old]) })
		if s.name == "variables-nested" || s.name == "runtime-nodejs6" {
			t.Run("oracle of "+s.name, func(t *testing.T) { s.examine(t, installed, versions[s.old]) })
		}
	}
}

// examine runs the CLI as everybody does: what it prints is what oracle.js has it
// print.
func (s *sample) examine(t *testing.T, installed string, f *framework) {
	version := map[bool]string{false: "osls", true: "osls3"}[s.old]
	cmd := exec.CommandContext(t.Context(), "node", append([]string{filepath.Join(installed, "node_modules", version, "bin/serverless.js")}, s.print()...)...)
	cmd.Dir = s.dir
	cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir())
	for key, value := range s.env {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	want, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := f.run(command{s.dir, s.print(), s.env}); got.Stdout != string(want) {
		t.Errorf("got %s\nwant %s", got.Stdout, want)
	}
}

func (s *sample) print() []string { return append([]string{"print", "--format=json"}, s.args...) }

func (s *sample) options() spec.Options {
	return spec.Options{
		Stage: s.opts["stage"], Opts: s.opts, Arch: "amd64",
		Env:  func(name string) (string, bool) { v, ok := s.env[name]; return v, ok },
		Node: func(context.Context) (string, error) { return "node", nil },
	}
}

// compare resolves the case, and packages it if it is to be, in both ways.
func (s *sample) compare(t *testing.T, f *framework) {
	theirs := f.run(command{s.dir, s.print(), s.env})
	ours, _, err := spec.Print(t.Context(), s.dir, s.options(), spec.Printing{Format: "json"})
	found := map[string]string{}
	switch {
	case theirs.Code != 0 && err != nil:
		t.Errorf("nobody takes it:\n%s%s\n%v", theirs.Stdout, theirs.Stderr, err)
	case theirs.Code != 0:
		found["refused"] = theirs.Stdout + theirs.Stderr
	case err != nil:
		found["unresolved"] = err.Error()
	default:
		differ(found, "", leaves(t, ours), leaves(t, []byte(theirs.Stdout)))
	}
	if s.packaged {
		differ(found, "package ", leaves(t, s.plan(t)), leaves(t, s.template(t, f)))
	}
	for _, path := range slices.Sorted(maps.Keys(found)) {
		if s.differences[path] == "" {
			t.Errorf("%s: %s", path, found[path])
		}
	}
	for path := range s.differences {
		if found[path] == "" {
			t.Errorf("%s is listed as a difference and is none", path)
		}
	}
}

// leaves are the values of a JSON document by their paths.
func leaves(t *testing.T, doc []byte) map[string]string {
	t.Helper()
	var tree any
	if err := json.Unmarshal(doc, &tree); err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
	out := map[string]string{}
	var walk func(string, any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				walk(join(path, key), value)
			}
			if len(v) == 0 {
				out[path] = "{}"
			}
		case []any:
			for i, value := range v {
				walk(join(path, fmt.Sprint(i)), value)
			}
			if len(v) == 0 {
				out[path] = "[]"
			}
		default:
			out[path] = fmt.Sprintf("%#v", v)
		}
	}
	walk("", tree)
	return out
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func differ(found map[string]string, prefix string, ours, theirs map[string]string) {
	all := maps.Clone(ours)
	maps.Copy(all, theirs)
	for path := range all {
		if ours[path] != theirs[path] {
			found[prefix+path] = fmt.Sprintf("here %s, in the Serverless Framework %s", said(ours[path]), said(theirs[path]))
		}
	}
}

func said(value string) string {
	if value == "" {
		return "absent"
	}
	return value
}
