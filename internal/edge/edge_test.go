package edge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/fault"
)

// origins are handlers by stack; Stage finds them as id:stage.
type origins map[string]http.HandlerFunc

func (o origins) Handler(stack, _ string) (http.Handler, bool) {
	h, ok := o[stack]
	return h, ok
}

func (o origins) Stage(id, stage string) (http.Handler, bool) { return o.Handler(id+":"+stage, "") }

func (o origins) API(id string) http.Handler {
	if h, ok := o["api:"+id]; ok {
		return h
	}
	return http.NotFoundHandler()
}

func (o origins) URL(id string) http.Handler {
	if h, ok := o["url:"+id]; ok {
		return h
	}
	return http.NotFoundHandler()
}

// named answers with its name and what it was asked.
func named(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, name+" "+r.Method+" "+r.URL.EscapedPath())
	}
}

func server(t testing.TB, o origins, dists ...edge.Distribution) (*edge.Server, *store) {
	t.Helper()
	objects := newStore()
	s := &edge.Server{Origins: o, Objects: objects, Log: slog.New(slog.DiscardHandler)}
	byStack := map[string][]edge.Distribution{}
	for _, d := range dists {
		byStack[d.Stack] = append(byStack[d.Stack], d)
	}
	for stack, of := range byStack {
		if err := s.Replace(stack, of); err != nil {
			t.Fatal(err)
		}
	}
	return s, objects
}

// all is a default distribution of one behaviour.
func all(stack string) edge.Distribution {
	return edge.Distribution{Stack: stack, ID: "main", Default: true, Behaviours: []edge.Behaviour{{Path: "*", Origin: stack}}}
}

// start serves on a loopback port until the test ends, and returns the URL.
func start(t testing.TB, s *edge.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

func do(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestRouting(t *testing.T) {
	s, _ := server(t, origins{
		"drops-dev": named("drops"), "web-dev": named("web"), "shop-dev": named("shop"), "abc:dev": named("api"),
		"url:4xm2": named("url"), "api:abc": named("staged"),
	},
		edge.Distribution{Stack: "web-dev", ID: "main", Default: true, Behaviours: []edge.Behaviour{
			{Path: "/api/*", Origin: "drops-dev"},
			{Path: "/form", Methods: []string{"POST"}, Origin: "drops-dev"},
			{Path: "/gone/*", Origin: "gone-dev"},
			{Path: "*", Methods: []string{"GET", "HEAD"}, Origin: "web-dev"},
		}},
		edge.Distribution{Stack: "shop-dev", ID: "shop", Aliases: []string{"shop.example", "*.shop.example"}, Behaviours: []edge.Behaviour{{Path: "*", Origin: "shop-dev"}}},
	)
	for _, c := range []struct {
		method, host, path string
		status             int
		want               string
	}{
		{"GET", "127.0.0.1:8080", "/", 200, "web GET /"},
		{"GET", "anything.example", "/x?y=/api/", 200, "web GET /x"},
		{"GET", "localhost", "/api/a%2Fb", 200, "drops GET /api/a%2Fb"},
		{"GET", "localhost", "/x/../api/b", 200, "drops GET /x/../api/b"},
		{"POST", "localhost", "/form", 200, "drops POST /form"},
		{"GET", "localhost", "/form", 200, "web GET /form"},
		{"DELETE", "localhost", "/form", 404, "Nothing answers DELETE"},
		{"GET", "localhost", "/gone/x", 503, "gone-dev"},
		{"GET", "shop.example", "/", 200, "shop GET /"},
		{"GET", "SHOP.example.:8080", "/", 200, "shop GET /"},
		{"PUT", "eu.shop.example", "/a", 200, "shop PUT /a"},
		{"GET", "a.eu.shop.example", "/", 200, "web GET /"},
		{"GET", "drops-dev.localhost:8080", "/n", 200, "drops GET /n"},
		{"GET", "unknown.localhost:8080", "/n", 200, "web GET /n"},
		{"GET", "shop.example", "/restapis/abc/dev/_user_request_/a%2Fb/c", 200, "api GET /a%2Fb/c"},
		{"GET", "localhost", "/restapis/abc/dev/_user_request_", 200, "api GET /"},
		{"GET", "localhost", "/_aws/execute-api/abc/dev/a%2Fb/c", 200, "api GET /a%2Fb/c"},
		{"GET", "localhost", "/_aws/execute-api/abc/dev", 200, "api GET /"},
		{"GET", "localhost", "/_aws/execute-api/abc", 404, "no such API"},
		{"GET", "localhost", "/restapis/abc/prod/_user_request_/", 404, "no such API"},
		{"GET", "localhost", "/restapis/abc", 404, "no such API"},
		{"GET", "4xm2.lambda-url.us-east-1.on.localhost:8080", "/a%2Fb", 200, "url GET /a%2Fb"},
		{"GET", "gone.lambda-url.us-east-1.on.localhost", "/", 404, "404 page not found"}, // in the origins' words
		{"GET", "4xm2.us-east-1.on.localhost", "/", 200, "web GET /"},
		{"GET", "abc.execute-api.us-east-1.localhost:8080", "/dev/a%2Fb", 200, "staged GET /dev/a%2Fb"},
		{"GET", "abc.execute-api.us-east-1.amazonaws.com", "/dev", 200, "staged GET /dev"},
		{"GET", "abc.execute-api.localhost", "/dev/", 200, "staged GET /dev/"},
		{"GET", "gone.execute-api.localhost", "/dev/", 404, "404 page not found"}, // in the origins' words
		{"GET", "execute-api.localhost", "/dev/", 200, "web GET /dev/"},
		{"TRACE", "localhost", "/", 405, "TRACE"},
		{"GET", "localhost", "/" + strings.Repeat("a", edge.MaxURL), 413, "8192 bytes"},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		r.Host = c.host
		res := do(s, r)
		if res.Code != c.status || !strings.Contains(res.Body.String(), c.want) {
			t.Errorf("%s %s%.60s: got %d %.200s, want %d %s", c.method, c.host, c.path, res.Code, res.Body, c.status, c.want)
		}
		if res.Header().Get("X-Amz-Cf-Id") == "" {
			t.Errorf("%s %s%.60s: no request id", c.method, c.host, c.path)
		}
	}
}

func TestNothingDeployed(t *testing.T) {
	s, _ := server(t, origins{})
	r := httptest.NewRequest("GET", "/<script>", nil)
	r.Host = "<b>"
	if res := do(s, r); res.Code != 404 || !strings.Contains(res.Body.String(), "No service is deployed here yet") || res.Header().Get("Content-Type") != "application/json" {
		t.Errorf("got %d %s", res.Code, res.Body)
	}
	r.Header.Set("Accept", "text/html,*/*")
	if res := do(s, r); !strings.HasPrefix(res.Body.String(), "<!doctype html>") || strings.Contains(res.Body.String(), "<b>") {
		t.Errorf("for a browser: got %s", res.Body)
	}
}

func TestHeaderLimit(t *testing.T) {
	s, _ := server(t, origins{"web": named("web")}, all("web"))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", strings.Repeat("c", edge.MaxHeaders))
	if res := do(s, r); res.Code != 413 || !strings.Contains(res.Body.String(), "20480 bytes") {
		t.Errorf("got %d %s", res.Code, res.Body)
	}
	r.Header.Set("Cookie", strings.Repeat("c", edge.MaxHeaders-200))
	if res := do(s, r); res.Code != 200 {
		t.Errorf("below the limit: got %d %s", res.Code, res.Body)
	}
}

func TestCheckAndReplace(t *testing.T) {
	with := func(change func(*edge.Distribution)) []edge.Distribution {
		d := all("web")
		change(&d)
		return []edge.Distribution{d}
	}
	for name, c := range map[string]struct {
		dists []edge.Distribution
		kind  fault.Kind
		want  string
	}{
		"no behaviours":      {with(func(d *edge.Distribution) { d.Behaviours = nil }), fault.Invalid, "no behaviours"},
		"unreachable":        {with(func(d *edge.Distribution) { d.Default = false }), fault.Invalid, "no request can reach it"},
		"alias with port":    {with(func(d *edge.Distribution) { d.Aliases = []string{"a.example:80"} }), fault.Invalid, "a.example:80"},
		"alias upper case":   {with(func(d *edge.Distribution) { d.Aliases = []string{"A.example"} }), fault.Invalid, "lower case"},
		"pattern":            {with(func(d *edge.Distribution) { d.Behaviours[0].Path = "/a b" }), fault.Invalid, "path pattern"},
		"method":             {with(func(d *edge.Distribution) { d.Behaviours[0].Methods = []string{"get"} }), fault.Invalid, "must be one of"},
		"origin":             {with(func(d *edge.Distribution) { d.Behaviours[0].Origin = "" }), fault.Invalid, "no origin"},
		"bucket":             {with(func(d *edge.Distribution) { d.Behaviours[0].Upload = &edge.Upload{Bucket: "A"} }), fault.Invalid, "bucket name"},
		"platform's bucket":  {with(func(d *edge.Distribution) { d.Behaviours[0].Upload = &edge.Upload{Bucket: "dropstack-artifacts"} }), fault.Invalid, "own"},
		"negative limit":     {with(func(d *edge.Distribution) { d.Behaviours[0].Upload = &edge.Upload{Bucket: "abc", MaxBytes: -1} }), fault.Invalid, "negative"},
		"other stack":        {with(func(d *edge.Distribution) { d.Stack = "x" }), fault.Invalid, "not of"},
		"second default":     {[]edge.Distribution{{Stack: "web", ID: "b", Default: true, Behaviours: all("web").Behaviours}}, fault.Conflict, `"first"`},
		"alias taken":        {[]edge.Distribution{{Stack: "web", ID: "b", Aliases: []string{"a.example"}, Behaviours: all("web").Behaviours}}, fault.Conflict, `a.example is claimed by distribution "main" of stack "first" and by "b" of "web"`},
		"alias twice in one": {[]edge.Distribution{{Stack: "web", ID: "b", Aliases: []string{"b.example", "b.example"}, Behaviours: all("web").Behaviours}}, fault.Conflict, "b.example"},
	} {
		first := all("first")
		first.Aliases = []string{"a.example"}
		s, _ := server(t, origins{"first": named("first"), "web": named("web")}, first)
		err := s.Replace("web", c.dists)
		if err == nil || fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v (%v), want %q", name, err, fault.KindOf(err), c.want)
		}
		if res := do(s, httptest.NewRequest("GET", "/", nil)); res.Body.String() != "first GET /" {
			t.Errorf("%s: after the refusal: got %s", name, res.Body)
		}
		if err := s.Replace("first", nil); err != nil {
			t.Fatal(err)
		}
		if res := do(s, httptest.NewRequest("GET", "/", nil)); res.Code != 404 {
			t.Errorf("%s: after removal: got %d", name, res.Code)
		}
	}
}

func TestOutgoingHeaders(t *testing.T) {
	var got *http.Request
	s, _ := server(t, origins{"web": func(_ http.ResponseWriter, r *http.Request) { got = r }}, all("web"))
	s.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	ask := func(peer string, h http.Header) http.Header {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host, r.RemoteAddr, r.Header = "shop.example:8080", peer+":1234", h
		do(s, r)
		return got.Header
	}
	h := ask("192.0.2.7", http.Header{
		"X-Dropstack-Owner": {"1"}, "X-Dropstack-Upload-Key": {"k"}, "Connection": {"X-Secret, close"}, "X-Secret": {"s"},
		"Te": {"trailers"}, "Upgrade": {"h2c"}, "X-Forwarded-For": {"1.1.1.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil"}, "Cookie": {"a=1"},
	})
	if id := h["X-Amz-Cf-Id"]; len(id) != 1 || len(id[0]) != 56 {
		t.Errorf("X-Amz-Cf-Id: got %q", id)
	}
	delete(h, "X-Amz-Cf-Id")
	want := http.Header{
		"Via":              {"1.1 main (dropstack)"},
		"X-Dropstack-Edge": {"1"}, "Cookie": {"a=1"}, "X-Forwarded-For": {"192.0.2.7"},
		"X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"shop.example:8080"}, "X-Forwarded-Port": {"8080"},
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("from a stranger (-want +got):\n%s", diff)
	}
	h = ask("10.0.0.1", http.Header{"X-Forwarded-For": {"6.6.6.6, 198.51.100.3, 10.0.0.2"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"pub.example"}})
	if h.Get("X-Forwarded-For") != "6.6.6.6, 198.51.100.3, 10.0.0.2, 10.0.0.1" || h.Get("X-Forwarded-Proto") != "https" || h.Get("X-Forwarded-Host") != "pub.example" {
		t.Errorf("from a trusted proxy: got %v", h)
	}
	if got.RemoteAddr != "198.51.100.3:0" {
		t.Errorf("client behind proxies: got %s, want the last hop that is not trusted", got.RemoteAddr)
	}
}

func TestOwnerOverTheWire(t *testing.T) {
	var owner []string
	s, _ := server(t, origins{"web": func(_ http.ResponseWriter, r *http.Request) { owner = r.Header["X-Dropstack-Owner"] }}, all("web"))
	url := start(t, s)
	for host, want := range map[string]int{"": 1, "evil.example": 0, "content.localhost": 0} {
		r, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if len(owner) != want {
			t.Errorf("host %q: got %v", host, owner)
		}
	}
}

func TestAccessRecord(t *testing.T) {
	s, _ := server(t, origins{"web": func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(201)
		io.WriteString(w, "hello")
	}}, all("web"))
	var got []edge.AccessRecord
	s.Access = func(a edge.AccessRecord) { got = append(got, a) }
	r := httptest.NewRequest("POST", "/a%20b?token=secret", strings.NewReader("body"))
	r.Header.Set("Referer", "http://x.example/p?token=secret#f")
	r.Header.Set("User-Agent", "agent")
	res := do(s, r)
	do(s, httptest.NewRequest("TRACE", "/", nil))
	if len(got) != 2 || got[1].Status != 405 {
		t.Fatalf("got %+v", got)
	}
	a := got[0]
	if a.Time.IsZero() || a.Took < 0 || a.Request != res.Header().Get("X-Amz-Cf-Id") {
		t.Errorf("got %+v", a)
	}
	if a.FirstByte <= 0 || a.FirstByte > a.Took {
		t.Errorf("first byte after %v of %v", a.FirstByte, a.Took)
	}
	a.Time, a.Took, a.FirstByte, a.Request = time.Time{}, 0, 0, ""
	head := "POST /a%20b?token=secret HTTP/1.1\r\nHost: example.com\r\nReferer: http://x.example/p?token=secret#f\r\nUser-Agent: agent\r\n\r\n"
	want := edge.AccessRecord{
		Client: "192.0.2.1", Port: 1234, Method: "POST", Host: "example.com", Path: "/a%20b", Query: "token=REDACTED", Status: 201,
		BytesIn: int64(len(head) + len("body")), BytesOut: a.BytesOut, // TestRecordedBytes counts
		Referrer: "http://x.example/p", UserAgent: "agent", Distribution: "main", Stack: "web",
		Protocol: "http", Version: "HTTP/1.1", Result: "Miss", ResponseResult: "Miss", Detail: "Miss", ContentLength: -1,
	}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOriginPanics(t *testing.T) {
	s, _ := server(t, origins{"web": func(http.ResponseWriter, *http.Request) { panic("secret") }}, all("web"))
	var log bytes.Buffer
	s.Log = slog.New(slog.NewTextHandler(&log, nil))
	res := do(s, httptest.NewRequest("GET", "/", nil))
	if res.Code != 502 || strings.Contains(res.Body.String(), "secret") || !strings.Contains(log.String(), res.Header().Get("X-Amz-Cf-Id")) {
		t.Errorf("got %d %s, log %s", res.Code, res.Body, log.String())
	}
}

func TestShutdownLetsRequestsFinish(t *testing.T) {
	entered, finish := make(chan struct{}), make(chan struct{})
	s, _ := server(t, origins{"web": func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-finish
		io.WriteString(w, "done")
	}}, all("web"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var answer string
	wg.Go(func() {
		res, err := http.Get("http://" + l.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		answer = string(text)
	})
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	<-entered
	cancel()
	for {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			break // it has stopped accepting
		}
		c.Close()
	}
	close(finish)
	wg.Wait()
	if err := <-served; err != nil || answer != "done" {
		t.Errorf("got %q, %v", answer, err)
	}
}

func decode[T any](t testing.TB, text []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}
