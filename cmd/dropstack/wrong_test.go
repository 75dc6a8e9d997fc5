package main

import (
	"bytes"
	"flag"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/dropstack/dropstack/internal/testkit"
)

var update = flag.Bool("update", false, "rewrite what testdata/wrong/files.txtar wants")

// leastWrong is how many wrong files there have to be.
const leastWrong = 40

// TestWrongFiles deploys services that are wrong, each in one way: the command ends
// with 2, names the line and what to do, and the stack is as it was.
func TestWrongFiles(t *testing.T) {
	const table = "testdata/wrong/files.txtar"
	a, err := txtar.ParseFile(table)
	if err != nil {
		t.Fatal(err)
	}
	p := testkit.Start(t, testkit.Dir(t), "--services", "none")
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("index.js", "exports.handler = async () => 'right';\n")
	write("throws.js", "module.exports = () => { throw new Error('on purpose'); };\n")
	write("serverless.yml", "service: wrong\nprovider: {name: aws, runtime: nodejs20.x}\nfunctions: {f: {handler: index.handler}}\n")
	if _, errs, code := p.Run(t, "", "deploy", dir); code != exitDone {
		t.Fatalf("the service that is right: exit %d\n%s", code, errs)
	}
	t.Setenv("AWS_ENDPOINT_URL", "")
	command := func(args ...string) (stdout, stderr string, code int) { // in this process: it would start too often
		var out, errs bytes.Buffer
		code = run(t.Context(), append(args, "--data", p.Dir), strings.NewReader(""), &out, &errs)
		return out.String(), errs.String(), code
	}
	info := func() string {
		out, errs, code := command("info", "wrong-dev", "--json")
		if code != exitDone {
			t.Fatalf("info: exit %d\n%s", code, errs)
		}
		return out
	}
	before, wrong := info(), 0
	for i, f := range a.Files {
		if path.Base(f.Name) != "serverless.yml" || i+1 == len(a.Files) {
			continue
		}
		wrong++
		t.Run(path.Dir(f.Name), func(t *testing.T) {
			write("serverless.yml", string(f.Data))
			_, errs, code := command("deploy", dir)
			if code != exitWrongInput {
				t.Errorf("exit %d, want %d", code, exitWrongInput)
			}
			got := said(errs, dir)
			if *update {
				a.Files[i+1].Data = []byte(got)
			} else if want := string(a.Files[i+1].Data); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			if !placed.MatchString(got) {
				t.Errorf("no line is named in %q", got)
			}
			if after := info(); after != before {
				t.Errorf("the stack has changed: %s\nbefore: %s", after, before)
			}
		})
	}
	if wrong < leastWrong {
		t.Errorf("%d wrong files, want at least %d", wrong, leastWrong)
	}
	if *update {
		if err := os.WriteFile(table, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if code := p.Stop(t); code != exitDone {
		t.Errorf("exit code %d\n%s", code, p.Log())
	}
}

var placed = regexp.MustCompile(`(?m)^serverless\.yml:\d+: `)

// said is what the command says is wrong, without progress and warnings, and with
// paths from the service's directory on.
func said(errs, dir string) string {
	_, wrong, _ := strings.Cut(errs, "dropstack: ")
	return strings.ReplaceAll(wrong, dir+"/", "")
}
