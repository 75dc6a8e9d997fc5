package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/testkit"
)

// adapters are the files of testdata/adapters that wrap the application, with the
// kinds of API that each knows.
var adapters = map[string][]string{
	"aws":       {gateway.REST}, // aws-serverless-express 3.4 knows no format 2.0
	"vendia":    {gateway.REST, gateway.HTTP},
	"codegenie": {gateway.REST, gateway.HTTP},
	"http":      {gateway.REST, gateway.HTTP},
}

// question is a request that every side is asked.
type question struct {
	name, method, path string
	header             []string // pairs
	body               []byte
	// except says for an adapter, a kind of API or "adapter kind" why its answer is
	// another; only such a reason excuses a difference, and one that excuses none is
	// an error.
	except map[string]string
}

func questions() []question {
	every := make([]byte, 512)
	for i := range every {
		every[i] = byte(i)
	}
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	jsonType := []string{"Content-Type", "application/json"}
	decoded := map[string]string{
		gateway.HTTP:     "format 2.0 has the path decoded",
		"vendia REST":    "it reads pathParameters.proxy, which is decoded, not the path",
		"codegenie REST": "it reads pathParameters.proxy, which is decoded, not the path",
	}
	large := []byte(`{"text":"` + strings.Repeat("0123456789ü", 3<<20/12) + `"}`)
	return []question{
		{name: "the root", method: "GET", path: "/"},
		{name: "several cookies", method: "GET", path: "/cookies", header: []string{"Cookie", "one=1; two=a%20b; three=x=y"}},
		{name: "binary answer", method: "GET", path: "/png"},
		{name: "binary body", method: "POST", path: "/bytes", header: []string{"Content-Type", "application/octet-stream"}, body: every},
		{name: "png body", method: "POST", path: "/bytes", header: []string{"Content-Type", "image/png"}, body: append([]byte("\x89PNG\r\n\x1a\n"), every...)},
		{name: "empty body", method: "POST", path: "/bytes", header: []string{"Content-Type", "application/octet-stream"}},
		{name: "gzip", method: "GET", path: "/gzip", header: []string{"Accept-Encoding", "gzip"}},
		{name: "no gzip", method: "GET", path: "/gzip", header: []string{"Accept-Encoding", "identity"}},
		{name: "redirect", method: "GET", path: "/redirect"},
		{name: "redirect elsewhere", method: "GET", path: "/redirect/301"},
		{name: "no content", method: "GET", path: "/204"},
		{name: "delete", method: "DELETE", path: "/thing/1"},
		{name: "etag", method: "GET", path: "/etag"},
		{name: "not modified", method: "GET", path: "/etag", header: []string{"If-None-Match", `W/"6-jh7CGNx+yq3WU4j7qbZyPOEUJoo"`}},
		{name: "head", method: "HEAD", path: "/unicode"},
		{name: "head of nothing", method: "HEAD", path: "/nowhere"},
		{name: "query", method: "GET", path: "/query?a=1&b=x%20y&c=%C3%BC&d="},
		{name: "query arrays", method: "GET", path: "/query?a=1&a=2&b%5B%5D=3&b%5B%5D=4", except: map[string]string{
			"aws": "it reads queryStringParameters, which holds the last value of each name",
		}},
		{name: "odd query", method: "GET", path: "/query?plus=a+b&plus2=a%2Bb&amp=a%26b&eq=a%3Db&flag&pct=100%25", except: map[string]string{
			gateway.REST: "format 1.0 has the parameters decoded and in no order; the adapters put a query together again",
		}},
		{name: "nested path", method: "GET", path: "/nested/1/and/2/x/y/z"},
		{name: "encoded path", method: "GET", path: "/nested/a%20b/and/%C3%BC/x", except: decoded},
		{name: "encoded slash", method: "GET", path: "/nested/a%2Fb/and/2/x", except: decoded},
		{name: "form", method: "POST", path: "/form", header: form, body: []byte("a=1&b[]=2&b[]=3&c=x+y%20z&d=%C3%BC")},
		{name: "json", method: "POST", path: "/json", header: jsonType, body: []byte(`{"a":[1,2.5,null,"ü","\u0000"]}`)},
		{name: "broken json", method: "POST", path: "/json", header: jsonType, body: []byte(`{"a":`)},
		{name: "3 MB body", method: "POST", path: "/json", header: jsonType, body: large},
		{name: "3 MB answer", method: "GET", path: "/large"},
		{name: "put", method: "PUT", path: "/method"},
		{name: "patch", method: "PATCH", path: "/method"},
		{name: "options", method: "OPTIONS", path: "/method"},
		{name: "unicode", method: "GET", path: "/unicode"},
		{name: "headers", method: "GET", path: "/headers", header: []string{"X-A", "1", "X-Many", "1, 2", "Accept", "text/html;q=0.5, */*"}, except: map[string]string{
			gateway.HTTP: "format 2.0 has one value for a header: the adapters join several with commas",
			"aws":        "it joins several values of a header with commas",
		}},
		{name: "negotiation", method: "GET", path: "/negotiate", header: []string{"Accept", "application/json"}},
		{name: "404", method: "GET", path: "/nowhere"},
		{name: "thrown", method: "GET", path: "/throw"},
		{name: "error passed on", method: "GET", path: "/next"},
	}
}

// answer is what remains of a response once what belongs to the connection, the
// clock and API Gateway is gone.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// ours are headers that are no answer of the application: those of the connection
// (how a body is framed included), the clock, and those that API Gateway adds.
var ours = []string{
	"Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Date",
	"Apigw-Requestid", "X-Amzn-Requestid", "X-Amz-Apigw-Id", "X-Amzn-Trace-Id", "X-Amz-Cf-Id",
}

func ask(base string, q question) (answer, error) {
	req, err := http.NewRequest(q.method, base+q.path, bytes.NewReader(q.body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Accept-Encoding", "identity") // else the client would unpack
	for i := 0; i+1 < len(q.header); i += 2 {
		req.Header.Add(q.header[i], q.header[i+1])
		if q.header[i] == "Accept-Encoding" {
			req.Header.Set(q.header[i], q.header[i+1])
		}
	}
	resp, err := visitor.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	h := maps.Clone(resp.Header)
	for _, name := range ours {
		h.Del(name)
	}
	return answer{resp.StatusCode, h, string(body)}, err
}

// TestExpressAdapters: an Express application answers behind each adapter as it
// does as a server of its own, to the byte.
func TestExpressAdapters(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	plain := plainServer(t, dir)
	p := testkit.Start(t, testkit.Dir(t), "--services", "none")
	want := map[string]answer{}
	for _, q := range questions() {
		a, err := ask(plain, q)
		if err != nil {
			t.Fatalf("%s: %v", q.name, err)
		}
		want[q.name] = a
	}
	for _, adapter := range slices.Sorted(maps.Keys(adapters)) {
		if out, errs, code := p.Run(t, "", "deploy", dir, "--stage", adapter); code != 0 {
			t.Fatalf("deploy %s: exit %d\n%s%s", adapter, code, out, errs)
		}
		for _, kind := range adapters[adapter] {
			base := hostURL(p.HTTP, "adapters-"+adapter+".localhost")
			if kind == gateway.REST {
				base = p.HTTP + "/restapis/" + stackAPI(t, p, "adapters-"+adapter, kind) + "/" + adapter + "/_user_request_"
			}
			for _, q := range questions() {
				got, err := ask(base, q)
				if err != nil {
					t.Errorf("%s, %s: %s: %v", adapter, kind, q.name, err)
					continue
				}
				compare(t, adapter, kind, q, want[q.name], got)
			}
		}
	}
}

func compare(t *testing.T, adapter, kind string, q question, want, got answer) {
	t.Helper()
	diff := cmp.Diff(want, got)
	reason := q.except[adapter] + q.except[kind] + q.except[adapter+" "+kind]
	switch {
	case diff == "" && reason != "":
		t.Errorf("%s, %s: %s: no difference, although it was said: %s", adapter, kind, q.name, reason)
	case diff != "" && reason == "":
		t.Errorf("%s, %s: %s (-alone +behind the adapter):\n%.2000s", adapter, kind, q.name, diff)
	}
}

// stackAPI is the id of a stack's API of a kind.
func stackAPI(t *testing.T, p *testkit.Platform, stack, kind string) string {
	t.Helper()
	out, _, _ := p.Run(t, "", "info", stack, "--json")
	var info api.Info
	if err := json.Unmarshal([]byte(out), &info); err != nil {
		t.Fatal(err)
	}
	for _, a := range info.Revision.APIs {
		if a.Kind == kind {
			return a.ID
		}
	}
	t.Fatalf("no %s API in %s", kind, out)
	return ""
}

// plainServer runs the application without an adapter.
func plainServer(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", "server.js")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.Env = append(os.Environ(), "NODE_ENV=")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the plain server: %v", err)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(port)
}

// installed is a copy of testdata/adapters with its packages, which npm installs
// once per lock file and user.
func installed(t *testing.T) string {
	t.Helper()
	source := filepath.Join(testkit.Root(t), "cmd/dropstack/testdata/adapters")
	lock, err := os.ReadFile(filepath.Join(source, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lock)
	packages := filepath.Join(cache, "dropstack-test", hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(packages); err != nil {
		if err := install(source, packages); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "node_modules"), os.DirFS(filepath.Join(packages, "node_modules"))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// install leaves nothing half done at the target, for other tests may look there.
func install(source, target string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(target), "installing-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	for _, name := range []string{"package.json", "package-lock.json"} {
		doc, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(tmp, name), doc, 0o644); err != nil {
			return err
		}
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-bin-links")
	cmd.Dir = tmp
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci for testdata/adapters: %w\n%s", err, out)
	}
	if err := os.Rename(tmp, target); err != nil {
		if _, there := os.Stat(target); there == nil {
			return nil // another test was quicker
		}
		return err
	}
	return nil
}
