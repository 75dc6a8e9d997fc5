package edge_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/cloudfront/sign"
	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/cache"
	"github.com/dropstack/dropstack/internal/edge/waf"
)

// withCache gives the server a cache of its own.
func withCache(t testing.TB, s *edge.Server) {
	t.Helper()
	c := &cache.Cache{Memory: 1 << 20, Log: slog.New(slog.DiscardHandler)}
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Cache = c
}

func TestErrorPages(t *testing.T) {
	var asked []string
	s, objects := server(t, origins{"web": func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.String()+" "+r.Header.Get("Range")+r.Header.Get("If-None-Match"))
		w.Header().Set("X-Of-The-Error", "1")
		switch r.URL.Path {
		case "/gone", "/sorry.html", "/loop": // the page of 404 is not there either
			w.WriteHeader(404)
		case "/broken":
			w.WriteHeader(500)
		case "/busy":
			w.WriteHeader(503)
		case "/torn":
			w.WriteHeader(500)
			io.WriteString(w, "half")
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, "origin "+r.URL.Path)
	}}, edge.Distribution{
		Stack: "web", ID: "main", Default: true, Origins: []edge.Origin{{ID: "files", Bucket: "drops-files"}},
		Errors: []edge.ErrorPage{{Status: 404, Path: "/loop", As: 200}, {Status: 500, Path: "/errors/500.html", As: 503}, {Status: 503, Path: "/errors/503.html"}, {Status: 413, Path: "/errors/413.html"}},
		Behaviours: []edge.Behaviour{
			{Path: "/errors/*", Origin: "files"}, {Path: "/small", Origin: "web", MaxBody: 3}, {Path: "*", Origin: "web"},
		},
	})
	put(t, objects, "errors/500.html", "we are sorry")
	put(t, objects, "errors/503.html", "come back later")
	put(t, objects, "errors/413.html", "too much")
	var got edge.AccessRecord
	s.Access = func(a edge.AccessRecord) { got = a }
	for name, c := range map[string]struct {
		method, path string
		body         io.Reader
		status       int
		want         string
		result       string
	}{
		"replaced":                    {"GET", "/broken", nil, 503, "we are sorry", "Error"},
		"replaced, HEAD":              {"HEAD", "/broken", nil, 503, "", "Error"},
		"replaced, POST":              {"POST", "/broken", strings.NewReader("x"), 503, "we are sorry", "Error"},
		"an error that breaks off":    {"GET", "/torn", nil, 503, "we are sorry", "Error"},
		"status kept":                 {"GET", "/busy", nil, 503, "come back later", "Error"},
		"the page is an error itself": {"GET", "/gone", nil, 404, "origin /loop", "Error"},
		"fine":                        {"GET", "/fine", nil, 200, "origin /fine", "Miss"},
		"the edge's own error":        {"POST", "/small", strings.NewReader("four"), 413, "too much", "LimitExceeded"},
	} {
		res := send(s, c.method, c.path, http.Header{"Range": {"bytes=0-1"}, "If-None-Match": {`"x"`}}, c.body)
		if res.Code != c.status || res.Body.String() != c.want {
			t.Errorf("%s: got %d %q, want %d %q", name, res.Code, res.Body, c.status, c.want)
		}
		if got.Result != c.result || got.Status != c.status || !strings.HasPrefix(c.path, got.Path) {
			t.Errorf("%s: recorded %+v", name, got)
		}
		if own := res.Header().Get("X-Of-The-Error"); own != "" && strings.HasPrefix(c.want, "we") {
			t.Errorf("%s: headers of the error are left: %v", name, res.Header())
		}
		if x := res.Header()["X-Cache"]; len(x) != 1 || len(res.Header()["Via"]) != 1 {
			t.Errorf("%s: got %v", name, res.Header())
		}
	}
	for _, a := range asked {
		if strings.Contains(a, "/loop") && a != "GET /loop " {
			t.Errorf("the page was asked for with %q", a)
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	s, _ := server(t, origins{"web": func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			w.WriteHeader(500)
			return
		}
		io.WriteString(w, "taken")
	}}, edge.Distribution{Stack: "web", ID: "main", Default: true, WebACL: "acl", Behaviours: []edge.Behaviour{{Path: "*", Origin: "web", MaxBody: 5}}})
	for _, guard := range []edge.Decider{nil, reading{}} { // who reads first must not hide the size
		s.Firewall = guard
		for body, want := range map[string]int{"": 200, "12345": 200, "123456": 413} {
			for _, chunked := range []bool{false, true} {
				var r io.Reader = strings.NewReader(body)
				if chunked {
					r = io.MultiReader(r) // whose length nobody knows
				}
				res := send(s, "POST", "/", nil, r)
				if res.Code != want || want == 413 && !strings.Contains(res.Body.String(), "5 bytes") {
					t.Errorf("%q, chunked %v, read before %v: got %d %s", body, chunked, guard != nil, res.Code, res.Body)
				}
			}
		}
	}
}

// reading is a firewall that reads the whole body and puts it back.
type reading struct{}

func (reading) Decide(_ context.Context, q *waf.Request) waf.Verdict {
	text, err := io.ReadAll(q.HTTP.Body)
	var rest io.Reader = strings.NewReader("")
	if err != nil {
		rest = iotest.ErrReader(err)
	}
	q.HTTP.Body = io.NopCloser(io.MultiReader(bytes.NewReader(text), rest))
	return waf.Verdict{}
}

func TestResponseHeaders(t *testing.T) {
	s, _ := server(t, origins{"web": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Powered-By", "php")
		w.Header().Set("X-Frame-Options", "SAMEORIGIN")
		w.Header().Set("X-Cache", "Hit from somewhere else")
		w.Header().Set("Via", "1.1 origin")
	}}, edge.Distribution{Stack: "web", ID: "main", Default: true, Behaviours: []edge.Behaviour{{Path: "*", Origin: "web", Respond: &edge.Respond{
		Headers: []edge.Header{
			{Name: "Strict-Transport-Security", Value: "max-age=31536000"}, {Name: "x-frame-options", Value: "DENY"}, {Name: "X-Powered-By", Value: "us", Override: true},
		},
		Remove: []string{"x-powered-by"}, Timing: 100,
	}}}})
	h := get(s, "/", nil).Header()
	for name, want := range map[string]string{
		"Strict-Transport-Security": "max-age=31536000", "X-Frame-Options": "SAMEORIGIN", "X-Powered-By": "us", "X-Cache": "Miss from cloudfront",
	} {
		if got := strings.Join(h[name], "|"); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := h["Via"]; len(got) != 2 || got[1] != "1.1 main (dropstack)" {
		t.Errorf("Via: got %q", got)
	}
	if got := h.Get("Server-Timing"); !strings.HasPrefix(got, "cdn-cache-miss,cdn-upstream-fbl;dur=") || !strings.Contains(got, h.Get("X-Amz-Cf-Id")) {
		t.Errorf("Server-Timing: got %q", got)
	}
}

func TestCORS(t *testing.T) {
	named := &edge.CORS{
		Origins: []string{"https://a.example", "https://*.b.example"}, Methods: []string{"GET", "PUT"}, Headers: []string{"X-One", "X-Two"},
		Expose: []string{"Etag"}, Credentials: true, MaxAge: time.Hour, Override: true,
	}
	anybody := &edge.CORS{Origins: []string{"*"}, Methods: []string{"ALL"}, Headers: []string{"*"}}
	const allow, own = "Access-Control-Allow-Origin", "https://origin.example"
	for name, c := range map[string]struct {
		cors      *edge.CORS
		from      string
		preflight bool
		ofOrigin  bool // the origin has CORS headers of its own
		want      http.Header
		asked     bool
	}{
		"no other page":      {named, "", false, false, http.Header{}, true},
		"that page":          {named, "https://a.example", false, false, http.Header{allow: {"https://a.example"}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Expose-Headers": {"Etag"}, "Vary": {"Origin"}}, true},
		"over the origin's":  {named, "https://x.b.example", false, true, http.Header{allow: {"https://x.b.example"}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Expose-Headers": {"Etag"}, "Vary": {"Origin"}}, true},
		"a stranger's page":  {named, "https://evil.example", false, true, http.Header{"Vary": {"Origin"}}, true},
		"it only looks like": {named, "https://a.example.evil.example", false, false, http.Header{"Vary": {"Origin"}}, true},
		"preflight": {named, "https://a.example", true, false, http.Header{
			allow: {"https://a.example"}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Expose-Headers": {"Etag"}, "Vary": {"Origin"},
			"Access-Control-Allow-Methods": {"GET, PUT"}, "Access-Control-Allow-Headers": {"X-One, X-Two"}, "Access-Control-Max-Age": {"3600"},
		}, false},
		"anybody":               {anybody, "https://x.example", false, false, http.Header{allow: {"*"}}, true},
		"anybody, own":          {anybody, "https://x.example", false, true, http.Header{allow: {own}}, true},
		"anybody's preflight":   {anybody, "https://x.example", true, false, http.Header{allow: {"*"}, "Access-Control-Allow-Methods": {"DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"}, "Access-Control-Allow-Headers": {"x-three"}}, true},
		"an origin's preflight": {anybody, "https://x.example", true, true, http.Header{allow: {own}}, true},
	} {
		asked := false
		s, _ := server(t, origins{"web": func(w http.ResponseWriter, _ *http.Request) {
			asked = true
			if c.ofOrigin {
				w.Header().Set(allow, own)
			}
		}}, edge.Distribution{Stack: "web", ID: "main", Default: true, Behaviours: []edge.Behaviour{{Path: "*", Origin: "web", Respond: &edge.Respond{CORS: c.cors}}}})
		h, method := http.Header{}, "GET"
		if c.from != "" {
			h.Set("Origin", c.from)
		}
		if c.preflight {
			method = "OPTIONS"
			h.Set("Access-Control-Request-Method", "PUT")
			h.Set("Access-Control-Request-Headers", "x-three")
		}
		got := http.Header{}
		for name, values := range send(s, method, "/", h, nil).Header() {
			if name == "Vary" || strings.HasPrefix(name, "Access-Control") {
				got[name] = values
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" || asked != c.asked {
			t.Errorf("%s: origin asked %v (-want +got):\n%s", name, asked, diff)
		}
	}
}

// TestPrivateContent: it is stored once for all who may have it, and nobody gets it
// without a signature.
func TestPrivateContent(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	var asked atomic.Int32
	s, _ := server(t, origins{"web": func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, "secret "+r.URL.RequestURI()+r.Header.Get("Cookie"))
	}}, edge.Distribution{Stack: "web", ID: "main", Aliases: []string{"d.example"}, Behaviours: []edge.Behaviour{{
		Path: "*", Origin: "web", Signers: []edge.PublicKey{{ID: "K1", PEM: text}},
		Cache: &cache.Policy{MaxTTL: time.Hour, Query: cache.Selection{Mode: cache.All}, Cookies: cache.Selection{Mode: cache.All}},
	}}})
	withCache(t, s)
	var got edge.AccessRecord
	s.Access = func(a edge.AccessRecord) { got = a }
	const asset = "https://d.example/a?x=1"
	signed, err := sign.NewURLSigner("K1", key).Sign(asset, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	later, err := sign.NewURLSigner("K1", key).Sign(asset, time.Now().Add(2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		address string
		status  int
		want    string
		xcache  string
	}{
		{asset, 403, "<Error><Code>MissingKey</Code>", "Error"},
		{signed, 200, "secret /a?x=1", "Miss"},
		{later, 200, "secret /a?x=1", "Hit"},
		{strings.Replace(signed, "https://d.example/", "https://d.example:8443/", 1), 200, "secret /a?x=1", "Miss"}, // an API may write links with the port
		{asset, 403, "MissingKey", "Error"},
		{strings.Replace(signed, "x=1", "x=2", 1), 403, "<Code>AccessDenied</Code><Message>Access denied</Message>", "Error"},
		{strings.Replace(signed, "https:", "http:", 1), 403, "AccessDenied", "Error"},
	} {
		res := get(s, c.address, nil)
		if res.Code != c.status || !strings.Contains(res.Body.String(), c.want) || res.Header().Get("X-Cache") != c.xcache+" from cloudfront" {
			t.Errorf("%d: got %d %s %s, want %d %s %s", i, res.Code, res.Body, res.Header().Get("X-Cache"), c.status, c.want, c.xcache)
		}
		if c.status == 403 && (res.Header().Get("Content-Type") != "text/xml" || strings.Contains(res.Body.String(), "secret")) {
			t.Errorf("%d: got %v %s", i, res.Header(), res.Body)
		}
		if strings.Contains(got.Query, "Signature=") && !strings.Contains(got.Query, "Signature=REDACTED") {
			t.Errorf("%d: recorded %s", i, got.Query)
		}
	}
}

// TestCachedAPIsKeepHostsApart: what an origin says to one host is not for another,
// and what it says to the owner of the machine is not for strangers.
func TestCachedAPIsKeepHostsApart(t *testing.T) {
	s, _ := server(t, origins{"web": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, r.Host+" "+r.Header.Get("X-Forwarded-Proto")+r.Header.Get("X-Dropstack-Owner"))
	}}, edge.Distribution{Stack: "web", ID: "main", Default: true, Behaviours: []edge.Behaviour{{Path: "*", Origin: "web", Cache: &cache.Policy{MaxTTL: time.Hour}}}})
	withCache(t, s)
	for _, c := range []struct{ address, want, xcache string }{
		{"http://a.example/", "a.example http", "Miss"},
		{"http://a.example/", "a.example http", "Hit"},
		{"http://evil.example/", "evil.example http", "Miss"},
		{"https://a.example/", "a.example https", "Miss"},
	} {
		if res := get(s, c.address, nil); res.Body.String() != c.want || res.Header().Get("X-Cache") != c.xcache+" from cloudfront" {
			t.Errorf("%s: got %s, %s", c.address, res.Body, res.Header().Get("X-Cache"))
		}
	}
	url := start(t, s)
	res, err := http.Get(url) // by the owner
	if err != nil {
		t.Fatal(err)
	}
	mine, _ := io.ReadAll(res.Body)
	res.Body.Close()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Real-Ip", "192.0.2.9") // through somebody's proxy
	if res, err = http.DefaultClient.Do(r); err != nil {
		t.Fatal(err)
	}
	theirs, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if !strings.HasSuffix(string(mine), "http1") || !strings.HasSuffix(string(theirs), "http") {
		t.Errorf("the owner got %s, a stranger %s", mine, theirs)
	}
}

// TestCachedObjects: what the origin names is what is stored.
func TestCachedObjects(t *testing.T) {
	s, objects := server(t, origins{"web": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Dropstack-Send-Object", "drops-files/k")
		w.Header().Set("Cache-Control", "max-age=60")
	}}, edge.Distribution{Stack: "web", ID: "main", Default: true, Behaviours: []edge.Behaviour{{Path: "*", Origin: "web", Cache: &cache.Policy{MaxTTL: time.Hour}}}})
	withCache(t, s)
	put(t, objects, "k", tenTwice)
	for _, c := range []struct{ span, want, xcache string }{{"", tenTwice, "Miss"}, {"", tenTwice, "Hit"}, {"bytes=3-5", "345", "Hit"}} {
		h := http.Header{}
		if c.span != "" {
			h.Set("Range", c.span)
		}
		if res := get(s, "/", h); res.Body.String() != c.want || res.Header().Get("X-Cache") != c.xcache+" from cloudfront" {
			t.Errorf("%q: got %d %s %v", c.span, res.Code, res.Body, res.Header())
		}
	}
	if objects.opens != 1 {
		t.Errorf("opened %d times", objects.opens)
	}
}

// TestWhatChangesAPageIsFollowedByTheCache: a change drops what another behaviour of
// the same path has stored, however it came.
func TestWhatChangesAPageIsFollowedByTheCache(t *testing.T) {
	page := "first"
	s, _ := server(t, origins{"web": func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("X-Dropstack-Upload-Preflight") != "":
			w.WriteHeader(http.StatusNoContent)
		case r.Method == http.MethodGet:
			w.Header().Set("Cache-Control", "max-age=60")
			io.WriteString(w, page)
		default:
			page = r.Method + " " + r.Header.Get("Content-Type")
		}
	}}, edge.Distribution{Stack: "web", ID: "main", Default: true, Behaviours: []edge.Behaviour{
		{Path: "*", Methods: []string{"PUT"}, Origin: "web", Upload: &edge.Upload{Bucket: "drops-files"}},
		{Path: "*", Methods: []string{"POST", "DELETE"}, Origin: "web"},
		{Path: "*", Origin: "web", Cache: &cache.Policy{MaxTTL: time.Hour}},
	}})
	withCache(t, s)
	get(s, "/x", nil)
	for _, c := range []struct{ method, media, body string }{
		{"PUT", "image/png", "bytes"},
		{"PUT", "application/json", "{}"},
		{"POST", "text/plain", "words"},
		{"DELETE", "", ""},
	} {
		if was := get(s, "/x", nil); was.Header().Get("X-Cache") != "Hit from cloudfront" {
			t.Errorf("before %s %s: got %s %s", c.method, c.media, was.Header().Get("X-Cache"), was.Body)
		}
		if res := send(s, c.method, "/x", http.Header{"Content-Type": {c.media}}, strings.NewReader(c.body)); res.Code != 200 {
			t.Errorf("%s %s: got %d %s", c.method, c.media, res.Code, res.Body)
		}
		is := get(s, "/x", nil)
		if is.Header().Get("X-Cache") != "Miss from cloudfront" || !strings.HasPrefix(is.Body.String(), c.method) {
			t.Errorf("after %s %s: got %s %s", c.method, c.media, is.Header().Get("X-Cache"), is.Body)
		}
	}
}
