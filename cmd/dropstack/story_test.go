package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/testkit"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testkit.Cleanup()
	os.Exit(code)
}

// TestStories runs the scripts of testdata, each against a platform of its own:
// $HTTP, $AWS, $CONSOLE and $DATA say where it is.
func TestStories(t *testing.T) {
	bin := filepath.Dir(testkit.Binary(t))
	root := testkit.Root(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			p := testkit.Start(env.T().(testing.TB), testkit.Dir(env.T().(testing.TB)), "--services", "none")
			sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
			if err != nil {
				return err
			}
			for k, v := range map[string]string{
				"HTTP": p.HTTP, "AWS": p.AWS, "CONSOLE": p.Console, "DATA": p.Dir, "PORT": p.HTTP[strings.LastIndex(p.HTTP, ":"):],
				"PATH":    bin + string(os.PathListSeparator) + os.Getenv("PATH"),
				"GOFLAGS": "-mod=mod", "GOCACHE": goEnv("GOCACHE"), "GOMODCACHE": goEnv("GOMODCACHE"), "GOPROXY": goEnv("GOPROXY"),
			} {
				env.Setenv(k, v)
			}
			return os.WriteFile(filepath.Join(env.WorkDir, "go.sum"), sums, 0o644)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fetch":  fetch,
			"module": module,
		},
	})
}

func goEnv(name string) string {
	out, err := goCommand("env", name)
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(out)
}

// module makes a directory a Go module that may use aws-lambda-go, at the version
// that the repository uses: module DIRECTORY.
func module(ts *testscript.TestScript, _ bool, args []string) {
	version, err := goCommand("list", "-m", "-f", "{{.Version}}", "github.com/aws/aws-lambda-go")
	ts.Check(err)
	for _, dir := range args {
		mod := fmt.Sprintf("module example.test/%s\n\ngo 1.26\n\nrequire github.com/aws/aws-lambda-go %s\n", filepath.Base(dir), strings.TrimSpace(version))
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(dir), "go.mod"), []byte(mod), 0o644))
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(dir), "go.sum"), []byte(ts.ReadFile(filepath.Join(ts.Getenv("WORK"), "go.sum"))), 0o644))
	}
}

// fetch makes a request and prints status, a few headers and body:
// fetch METHOD URL [BODYFILE [HEADER:VALUE ...]].
func fetch(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: fetch METHOD URL [BODYFILE [HEADER:VALUE ...]]")
	}
	var body io.Reader
	if len(args) > 2 && args[2] != "-" {
		body = bytes.NewReader([]byte(ts.ReadFile(args[2])))
	}
	req, err := http.NewRequest(args[0], args[1], body)
	ts.Check(err)
	for _, h := range args[min(3, len(args)):] {
		k, v, _ := strings.Cut(h, ":")
		if strings.EqualFold(k, "host") {
			req.Host = v
		}
		req.Header.Set(k, v)
	}
	resp, err := testkit.Client().Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	doc, err := io.ReadAll(resp.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%d\n", resp.StatusCode)
	for _, h := range []string{"Content-Type", "Location"} {
		if v := resp.Header.Get(h); v != "" {
			fmt.Fprintf(ts.Stdout(), "%s: %s\n", h, v)
		}
	}
	fmt.Fprintf(ts.Stdout(), "\n%s\n", doc)
}
