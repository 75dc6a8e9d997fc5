package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// module is one whose tests pass, fail, are skipped, panic and do not compile.
var module = map[string]string{
	"go.mod": "module example.test/m\n\ngo 1.26\n",
	"good/good_test.go": `package good
import "testing"
func TestOne(t *testing.T) { t.Log("not worth telling") }
func TestTable(t *testing.T) {
	t.Run("a", func(t *testing.T) {})
	t.Run("b", func(t *testing.T) { t.Log("first"); t.Skipf("not run: no %s here", "kernel") })
}
`,
	"mute/mute_test.go": "package mute\nimport \"testing\"\nfunc TestMute(t *testing.T) { t.SkipNow() }\n",
	"bad/bad_test.go": `package bad
import ("fmt"; "testing")
func TestFine(t *testing.T) { fmt.Println("fine says") }
func TestBad(t *testing.T) { t.Run("inner", func(t *testing.T) { fmt.Println("inner says"); t.Errorf("got 1, want 2") }) }
`,
	"panics/panics_test.go": `package panics
import "testing"
func TestPanics(t *testing.T) { t.Run("deep", func(t *testing.T) { t.Log("on the way"); panic("no way on") }) }
`,
	"broken/broken_test.go": "package broken\nimport \"testing\"\nfunc TestBroken(t *testing.T) { undefined() }\n",
	"none/none.go":          "package none\n",
}

func suiteIn(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range module {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	var stdout, stderr bytes.Buffer
	code, err := run(args, &stdout, &stderr)
	if err != nil {
		t.Fatal(err)
	}
	return stderr.String() + stdout.String(), code
}

func TestWhatIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		args      []string
		code      int
		has, lack []string
		summary   string
	}{
		"all well": {
			args: []string{"--", "./good", "./none"}, has: []string{"ok  \texample.test/m/good\t", "?   \texample.test/m/none\t[no test files]"},
			lack:    []string{"not worth telling", "=== RUN", "PASS"},
			summary: "\nnot run:\n  example.test/m/good  TestTable/b  no kernel here\n\n3 tests passed, 0 failed, 1 not run\n",
		},
		"no reason": {
			args:    []string{"--", "./mute"},
			summary: "\nnot run:\n  example.test/m/mute  TestMute  it gives no reason\n\n0 tests passed, 0 failed, 1 not run\n",
		},
		"what has to run": {
			args: []string{"-must", "m/(good|other)$", "--", "./good", "./mute"}, code: 1,
			summary: "\nnot run:\n  example.test/m/good  TestTable/b  HAS TO RUN HERE: no kernel here\n  example.test/m/mute  TestMute     it gives no reason\n\n3 tests passed, 0 failed, 2 not run\n",
		},
		"a failure": {
			args: []string{"--", "./bad", "./good"}, code: 1,
			has: []string{"inner says", "got 1, want 2", "--- FAIL: TestBad/inner", "--- FAIL: TestBad ", "FAIL\texample.test/m/bad"}, lack: []string{"fine says"},
			summary: "\nnot run:\n  example.test/m/good  TestTable/b  no kernel here\n\nfailed:\n  example.test/m/bad TestBad/inner\n  example.test/m/bad TestBad\n\n4 tests passed, 2 failed, 1 not run\n",
		},
		"a panic": {
			args: []string{"--", "./panics"}, code: 1, has: []string{"on the way", "panic: no way on", "FAIL\texample.test/m/panics"},
			summary: "0 tests passed, 2 failed, 0 not run\n",
		},
		"what does not compile": {
			args: []string{"--", "./broken", "./good"}, code: 1, has: []string{"undefined: undefined", "FAIL\texample.test/m/broken [build failed]", "ok  \texample.test/m/good"},
			summary: "3 tests passed, 0 failed, 1 not run\n",
		},
		"flags of go test": {
			args: []string{"--", "-run", "TestOne", "./good"}, summary: "\n1 tests passed, 0 failed, 0 not run\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := suiteIn(t, c.args...)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, text := range c.has {
				if !strings.Contains(out, text) {
					t.Errorf("%q is missing", text)
				}
			}
			for _, text := range c.lack {
				if strings.Contains(out, text) {
					t.Errorf("%q is there", text)
				}
			}
			if !strings.HasSuffix(out, c.summary) {
				t.Error(cmp.Diff(c.summary, out[max(0, len(out)-len(c.summary)):]))
			}
			if t.Failed() {
				t.Log(out)
			}
		})
	}
}

func TestAWrongExpression(t *testing.T) {
	if code, err := run([]string{"-must", "("}, &bytes.Buffer{}, &bytes.Buffer{}); code != 2 || err == nil {
		t.Errorf("got %d, %v", code, err)
	}
}

func TestReason(t *testing.T) {
	for text, want := range map[string]string{
		"=== RUN   TestA\n    a_test.go:1: not run: no root\n--- SKIP: TestA (0.00s)\n": "no root",
		"    a_test.go:1: first\n        b.go:2: not run: second: a: b\n":               "second: a: b",
		"    plain words\n": "it gives no reason",
		"":                  "it gives no reason",
	} {
		if got := reason([]byte(text)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
