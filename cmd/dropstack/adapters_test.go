package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/testkit"
)

// exchange is one request that the app is asked, plainly and through an adapter.
type exchange struct {
	method, path string
	header       http.Header
	body         string
	// but says for which adapters, and why, the answer cannot be the plain one:
	// what the adapter or the event format has no way to carry.
	but map[string]string
}

var png = string([]byte{0x89, 'P', 'N', 'G', 0, 0xff, 0xfe, '\r', '\n', 0x1a, 0})

// vendia, codegenie, serverlessHttp and awsServerlessExpress are exports of
// testdata/adapters/handlers.js; a kind of API may stand before them.
var exchanges = map[string]exchange{
	"root":                    {method: "GET", path: "/"},
	"several cookies":         {method: "GET", path: "/cookies", header: http.Header{"Cookie": {"a=1; b=two"}}},
	"binary out":              {method: "GET", path: "/png"},
	"binary out, as asked":    {method: "GET", path: "/png", header: http.Header{"Accept": {"image/png,*/*"}}},
	"binary in and out":       {method: "PUT", path: "/bytes", body: strings.Repeat(png, 1000), header: http.Header{"Content-Type": {"image/png"}}},
	"every byte":              {method: "PUT", path: "/bytes", body: everyByte(), header: http.Header{"Content-Type": {"application/octet-stream"}}},
	"no bytes":                {method: "PUT", path: "/bytes", header: http.Header{"Content-Type": {"application/octet-stream"}}},
	"three megabytes in":      {method: "PUT", path: "/bytes", body: strings.Repeat("0123456789abcdef", 196608), header: http.Header{"Content-Type": {"text/plain"}}},
	"three megabytes out":     {method: "GET", path: "/large"},
	"gzip":                    {method: "GET", path: "/gzip", header: http.Header{"Accept-Encoding": {"gzip"}}},
	"redirect":                {method: "GET", path: "/redirect"},
	"redirect after a post":   {method: "POST", path: "/see-other", body: "x=1", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}},
	"no content":              {method: "GET", path: "/nothing"},
	"no content for a delete": {method: "DELETE", path: "/thing/7"},
	"not modified":            {method: "GET", path: "/cached", header: http.Header{"If-None-Match": {`"v1"`}}},
	"modified":                {method: "GET", path: "/cached"},
	"head":                    {method: "HEAD", path: "/cached"},
	"options":                 {method: "OPTIONS", path: "/cached"},
	"query":                   {method: "GET", path: "/query?a=1&b=two%20words&empty=&enc=%C3%BC%26"},
	"query array": {method: "GET", path: "/query?a=1&a=2&a=3", but: map[string]string{
		"awsServerlessExpress": "the adapter reads queryStringParameters only, which holds the last value of each name",
	}},
	"odd query": {method: "GET", path: "/query?plus=a+b&plus2=a%2Bb&eq=a%3Db&flag&list%5B%5D=3&list%5B%5D=4&pct=100%25", but: map[string]string{
		"rest": "format 1.0 has the parameters decoded and in no order; the adapters put a query together anew",
	}},
	"encoded slash": {method: "GET", path: "/nested/a%2Fb/deeper/c", but: map[string]string{
		"rest vendia":    "the adapter makes the path of pathParameters.proxy, which arrives decoded",
		"rest codegenie": "as vendia",
		"http":           "HTTP APIs decode rawPath",
	}},
	"other methods": {method: "PATCH", path: "/thing/7", body: "x"},
	"nested path":   {method: "GET", path: "/nested/one/deeper/two"},
	"encoded path": {method: "GET", path: "/nested/a%20b/deeper/c%C3%BC", but: map[string]string{
		"vendia":    "the adapter makes the path of pathParameters.proxy, which arrives decoded",
		"codegenie": "as vendia",
		"http":      "HTTP APIs decode rawPath",
	}},
	"unicode": {method: "GET", path: "/unicode"},
	"repeated header": {method: "GET", path: "/many", header: http.Header{"X-Seen": {"yes"}, "User-Agent": {"adapters-test"}}, but: map[string]string{
		"http":                 "an answer in format 2.0 has one value for each header but Set-Cookie",
		"awsServerlessExpress": "the adapter answers with headers only, where each has one value",
		"url":                  "the prelude of a function URL has one value for each header but Set-Cookie",
	}},
	"html":         {method: "GET", path: "/html"},
	"odd status":   {method: "GET", path: "/teapot"},
	"no such page": {method: "GET", path: "/no/such/page"},
	"thrown error": {method: "GET", path: "/throws"},
	"rejection":    {method: "GET", path: "/rejects"},
	"form":         {method: "POST", path: "/form", body: "a=1&b[]=x&b[]=y+z&c=%C3%BC", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}},
	"json":         {method: "POST", path: "/json", body: `{"name":"Zoë","list":[1,2,{"a":null}]}`, header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}},
	"broken json":  {method: "POST", path: "/json", body: `{"name":`, header: http.Header{"Content-Type": {"application/json"}}},
}

func everyByte() string {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return string(b)
}

// TestExpressThroughAdapters asks one Express app the same things as a plain
// server and as a function behind each adapter and kind of API, and expects the
// same status, headers and bytes.
func TestExpressThroughAdapters(t *testing.T) {
	dir := adaptersDir(t)
	plain := plainServer(t, dir)
	p := testkit.Start(t, testkit.Dir(t), "--services", "none")
	for _, c := range []struct{ kind, adapter string }{
		{"rest", "awsServerlessExpress"}, // 3.4 knows format 1.0 only
		{"rest", "vendia"},
		{"http", "vendia"},
		{"rest", "codegenie"},
		{"http", "codegenie"},
		{"rest", "serverlessHttp"},
		{"http", "serverlessHttp"},
	} {
		t.Run(c.kind+" "+c.adapter, func(t *testing.T) {
			t.Setenv("ADAPTER", c.adapter)
			copyFile(t, filepath.Join(dir, c.kind+".yml"), filepath.Join(dir, "serverless.yml"))
			if out, errs, code := p.Run(t, "", "deploy", dir); code != 0 {
				t.Fatalf("deploy: %s%s", out, errs)
			}
			host := strings.ToLower("adapters-" + c.kind + "-" + c.adapter + "-dev.localhost")
			for _, name := range slices.Sorted(maps.Keys(exchanges)) {
				x := exchanges[name]
				compare(t, name, x.but[c.adapter]+x.but[c.kind]+x.but[c.kind+" "+c.adapter], x.ask(t, plain, ""), x.ask(t, p.HTTP, host))
			}
		})
	}
}

// TestExpressStreams asks the app through a function URL that streams: the same
// answers again, and the first part of one arrives while the rest is not written.
func TestExpressStreams(t *testing.T) {
	dir := adaptersDir(t)
	plain := plainServer(t, dir)
	p := testkit.Start(t, testkit.Dir(t), "--services", "none", "--isolation", "process") // the app waits at a gate on this machine's loopback
	copyFile(t, filepath.Join(dir, "stream.yml"), filepath.Join(dir, "serverless.yml"))
	out, errs, code := p.Run(t, "", "deploy", dir)
	url := regexp.MustCompile(`http://(\w+\.lambda-url\.[\w-]+\.on\.localhost):\d+/`).FindStringSubmatch(out)
	if code != 0 || url == nil {
		t.Fatalf("deploy printed no URL: %s%s", out, errs)
	}
	for _, name := range slices.Sorted(maps.Keys(exchanges)) {
		x := exchanges[name]
		compare(t, name, x.but["url"], x.ask(t, plain, ""), x.ask(t, p.HTTP, url[1]))
	}
	for what, c := range map[string]struct{ base, host string }{"plain": {plain, ""}, "function": {p.HTTP, url[1]}} {
		until := filepath.Join(testkit.Dir(t), "until")
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.base+"/stream?until="+until, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		part := make([]byte, len("first "))
		if _, err := io.ReadFull(resp.Body, part); err != nil || string(part) != "first " {
			t.Errorf("%s: first part %q, %v", what, part, err)
		}
		if resp.StatusCode != 203 || resp.Header.Get("X-Streamed") != "yes" || len(resp.Header["Set-Cookie"]) != 2 {
			t.Errorf("%s: %s %v", what, resp.Status, resp.Header)
		}
		if err := os.WriteFile(until, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "second" {
			t.Errorf("%s: the rest %q, %v", what, rest, err)
		}
		resp.Body.Close()
	}
}

// compare wants the same answer, or with a reason for it another: a reason that
// explains nothing hides what may break later.
func compare(t *testing.T, name, reason string, plain, function reply) {
	t.Helper()
	diff := cmp.Diff(plain, function)
	switch {
	case diff != "" && reason == "":
		t.Errorf("%s (-plain +function):\n%s", name, diff)
	case diff == "" && reason != "":
		t.Errorf("%s: no difference, although it is said that %s", name, reason)
	}
}

// reply is an answer without what every hop makes anew.
type reply struct {
	Status int
	Header http.Header
	Body   string // or its length and hash
}

func (x exchange) ask(t *testing.T, base, host string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), x.method, base+x.path, strings.NewReader(x.body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, x.header)
	req.Host = host
	resp, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", x.method, x.path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", x.method, x.path, err)
	}
	for name := range resp.Header {
		if slices.Contains([]string{"Date", "Connection", "Keep-Alive", "Transfer-Encoding", "Apigw-Requestid"}, name) || strings.HasPrefix(name, "X-Amz") {
			resp.Header.Del(name)
		}
	}
	r := reply{resp.StatusCode, resp.Header, string(body)}
	if len(body) > 4096 {
		sum := sha256.Sum256(body)
		r.Body = fmt.Sprintf("%d bytes, %s", len(body), hex.EncodeToString(sum[:]))
	}
	return r
}

// adaptersDir has the app and its packages, which npm installs once a machine.
func adaptersDir(t *testing.T) string {
	t.Helper()
	lock, err := os.ReadFile("testdata/adapters/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lock)
	installed := filepath.Join(cache, "dropstack-test", "adapters-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(filepath.Join(installed, "complete")); err != nil {
		install(t, installed)
	}
	dir := testkit.Dir(t)
	if out, err := exec.Command("cp", "-r", filepath.Join(installed, "node_modules"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	files, err := filepath.Glob("testdata/adapters/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		copyFile(t, file, filepath.Join(dir, filepath.Base(file)))
	}
	return dir
}

func install(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"package.json", "package-lock.json"} {
		copyFile(t, filepath.Join("testdata/adapters", name), filepath.Join(dir, name))
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci, which this test needs Node, npm and a package registry for: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// plainServer runs the app as a server of its own.
func plainServer(t *testing.T, dir string) string {
	t.Helper()
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "node", "server.js")
	cmd.Dir, cmd.Stderr = dir, &errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatalf("the plain server, which this test needs Node for: %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the plain server does not start: %v: %s", err, errs.String())
	}
	return "http://127.0.0.1:" + strings.TrimSpace(port)
}
