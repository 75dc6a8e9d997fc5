package edge_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/cloudfront/sign"

	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/cache"
	"github.com/dropstack/dropstack/internal/fault"
)

// TestWhatOneClientSaysIsInNobodyElsesPages: origins write links with what they are
// told about the host and the protocol, and redirect by it.
func TestWhatOneClientSaysIsInNobodyElsesPages(t *testing.T) {
	links := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		for _, name := range []string{"Proto", "Host", "Port"} {
			fmt.Fprint(w, r.Header["X-Forwarded-"+name])
		}
	}
	other := httptest.NewServer(http.HandlerFunc(links))
	defer other.Close()
	hour := time.Hour
	s, _ := server(t, origins{"web": links}, edge.Distribution{
		Stack: "web", ID: "main", Default: true, Origins: []edge.Origin{elsewhere(t, "other", other)},
		Behaviours: []edge.Behaviour{
			{Path: "/host", Origin: "other", Cache: &cache.Policy{MaxTTL: hour, Headers: cache.Selection{Mode: cache.Only, Names: []string{"Host"}}}},
			{Path: "/all", Origin: "other", Cache: &cache.Policy{MaxTTL: hour}, Forward: &edge.Forward{Headers: cache.Selection{Mode: cache.All}}},
			{Path: "/proto", Origin: "other", Cache: &cache.Policy{MaxTTL: hour}, Forward: &edge.Forward{Headers: cache.Selection{Mode: cache.Only, Names: []string{"X-Forwarded-Proto"}}}},
			{Path: "/pass", Origin: "other"},
			{Path: "/inside", Origin: "web", Cache: &cache.Policy{MaxTTL: hour}},
			{Path: "*", Origin: "other", Cache: &cache.Policy{MaxTTL: hour}},
		},
	})
	withCache(t, s)
	s.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}
	for _, c := range []struct{ path, good, bad string }{
		{"/", "[][][]", "[][][]"},
		{"/proto", "[https][][]", "[http][][]"},
		{"/host", "[https][shop.example][443]", "[http][evil.example:81][81]"},
		{"/all", "[https][shop.example][443]", "[http][evil.example:81][81]"},
		{"/pass", "[https][shop.example][443]", "[http][evil.example:81][81]"},
		{"/inside", "[https][shop.example][443]", "[http][evil.example:81][81]"},
	} {
		if res := get(s, "http://evil.example:81"+c.path, nil); res.Body.String() != c.bad {
			t.Errorf("%s: a stranger got %s, want %s", c.path, res.Body, c.bad)
		}
		r := httptest.NewRequest("GET", "https://shop.example"+c.path, nil) // by a proxy that lets headers through
		r.RemoteAddr = "10.0.0.1:1"
		r.Header = http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Port": {"81"}}
		do(s, r)
		if res := get(s, "https://shop.example"+c.path, nil); res.Body.String() != c.good {
			t.Errorf("%s: everybody got %s, want %s", c.path, res.Body, c.good)
		}
	}
}

// TestSignaturesEndWhereTheyEnd: a signature for everything below one path is not for
// another, however that is written.
func TestSignaturesEndWhereTheyEnd(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	s, _ := server(t, origins{"web": named("web")}, edge.Distribution{Stack: "web", ID: "main", Default: true, Behaviours: []edge.Behaviour{{
		Path: "*", Origin: "web", Signers: []edge.PublicKey{{ID: "K1", PEM: text}},
	}}})
	cookies, err := sign.NewCookieSigner("K1", key).SignWithPolicy(sign.NewCannedPolicy("https://d.example/alice/*", time.Now().Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]int{
		"/alice/a": 200, "/alice/...": 200, "/alice/.a": 200, "/alice/": 200, "/bob/a": 403, "/alice/../bob/a": 403, "/alice/%2e%2e/bob/a": 403,
		"/alice/..%2Fbob/a": 403, "/alice/..%5Cbob/a": 403, "/alice//../../bob/a": 403, "/alice/..": 403, "/alice/x/..": 403,
	} {
		r := httptest.NewRequest("GET", "https://d.example"+path, nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		if res := do(s, r); res.Code != status {
			t.Errorf("%s: got %d %s, want %d", path, res.Code, res.Body, status)
		}
	}
}

// TestBlockedRequestsReachNoOrigin: a page for what the web ACL blocks is asked for,
// but not with what was blocked.
func TestBlockedRequestsReachNoOrigin(t *testing.T) {
	var asked *http.Request
	s, _ := server(t, origins{"web": func(w http.ResponseWriter, r *http.Request) {
		asked = r
		io.WriteString(w, "page")
	}}, edge.Distribution{
		Stack: "web", ID: "main", Default: true, WebACL: "arn:acl",
		Errors:     []edge.ErrorPage{{Status: 403, Path: "/403"}},
		Behaviours: []edge.Behaviour{{Path: "*", Origin: "web"}},
	})
	s.Firewall = &firewall{}
	res := send(s, "POST", "/x?q=evil", http.Header{
		"X-Attack": {"page"}, "User-Agent": {"${jndi:ldap://x}"}, "Cookie": {"a=' or 1=1"}, "Authorization": {"evil"}, "Accept-Language": {"' or 1=1"},
	}, strings.NewReader("evil"))
	if res.Code != 403 || res.Body.String() != "page" || asked.Method != "GET" || asked.URL.RequestURI() != "/403" {
		t.Fatalf("got %d %s by %+v", res.Code, res.Body, asked)
	}
	for _, name := range []string{"X-Attack", "User-Agent", "Cookie", "Authorization", "Accept-Language"} {
		if values := asked.Header[name]; len(values) > 0 {
			t.Errorf("the origin was told %s: %q", name, values)
		}
	}
}

// TestIdentityOfRequests: the id is ours, and there, whatever the origin sends.
func TestIdentityOfRequests(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hints" {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
		}
		w.Header().Set("X-Amz-Cf-Id", "theirs")
		w.Header().Set("X-Amz-Cf-Pop", "theirs")
		w.Header().Set("X-Cache", "Hit from cloudfront")
	}))
	defer other.Close()
	s, _ := server(t, nil, edge.Distribution{Stack: "x", ID: "x", Default: true, Origins: []edge.Origin{elsewhere(t, "o", other)}, Behaviours: []edge.Behaviour{
		{Path: "/cached*", Origin: "o", Cache: &cache.Policy{MaxTTL: time.Hour, DefaultTTL: time.Hour}}, {Path: "*", Origin: "o"},
	}})
	withCache(t, s)
	url := start(t, s)
	ids := map[string]bool{}
	for _, path := range []string{"/", "/hints", "/cached", "/cached", "/cached/hints"} {
		res, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if id := res.Header["X-Amz-Cf-Id"]; len(id) != 1 || len(id[0]) != 56 || ids[id[0]] {
			t.Errorf("%s: got %q", path, id)
		} else {
			ids[id[0]] = true
		}
		if pop := res.Header["X-Amz-Cf-Pop"]; len(pop) != 1 || pop[0] != edge.Location || len(res.Header["X-Cache"]) != 1 {
			t.Errorf("%s: got %v", path, res.Header)
		}
	}
}

// TestIDsAreOneStacks: what is stored belongs to an ID.
func TestIDsAreOneStacks(t *testing.T) {
	of := func(stack, host string) []edge.Distribution {
		return []edge.Distribution{{Stack: stack, ID: "a-b-c", Aliases: []string{host}, Behaviours: []edge.Behaviour{{Path: "*", Origin: stack}}}}
	}
	s, _ := server(t, nil)
	if err := s.Replace("a-b", of("a-b", "x.example")); err != nil {
		t.Fatal(err)
	}
	if err := s.Replace("a", of("a", "y.example")); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), `"a-b"`) {
		t.Errorf("got %v", err)
	}
	if err := s.Replace("a-b", of("a-b", "y.example")); err != nil {
		t.Error(err)
	}
}

// TestOriginsKeysAreInNoRecord: a header of an origin's is often the key to it.
func TestOriginsKeysAreInNoRecord(t *testing.T) {
	d := edge.Distribution{
		ID: "x", Comment: "seen", Origins: []edge.Origin{{ID: "o", Headers: []edge.Header{{Name: "X-Key", Value: "s3cret"}}}},
		Declared: map[string]any{"Origins": []any{map[string]any{"OriginCustomHeaders": []any{map[string]any{"HeaderName": "X-Key", "HeaderValue": "s3cret"}}}}},
	}
	doc, err := json.Marshal(audit.Parameters(struct{ Distribution edge.Distribution }{d}))
	if err != nil || strings.Contains(string(doc), "s3cret") || !strings.Contains(string(doc), `"seen"`) || !strings.Contains(string(doc), audit.Hidden) {
		t.Errorf("recorded %s, %v", doc, err)
	}
}

// TestTypesAreNotGuessed: what an origin does not call HTML is not called so by the
// edge, whatever it begins with.
func TestTypesAreNotGuessed(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = nil
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, "<html><script>alert(1)</script>")
	}))
	defer other.Close()
	s, _ := server(t, nil, edge.Distribution{Stack: "x", ID: "x", Default: true, Origins: []edge.Origin{elsewhere(t, "o", other)}, Behaviours: []edge.Behaviour{
		{Path: "/cached", Origin: "o", Cache: &cache.Policy{MaxTTL: time.Hour}}, {Path: "*", Origin: "o"},
	}})
	withCache(t, s)
	url := start(t, s)
	for _, path := range []string{"/", "/cached", "/cached"} {
		res, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header["Content-Type"]; res.StatusCode != 200 || len(got) > 0 {
			t.Errorf("%s: got %d, %q", path, res.StatusCode, got)
		}
	}
}

// TestHeadersInDisguise: gateways of some languages take "_" for "-".
func TestHeadersInDisguise(t *testing.T) {
	var got http.Header
	seen := func(_ http.ResponseWriter, r *http.Request) { got = r.Header }
	s, _ := server(t, origins{"web": seen}, edge.Distribution{Stack: "web", ID: "main", Default: true, Behaviours: []edge.Behaviour{
		{Path: "/cached", Origin: "web", Cache: &cache.Policy{}, Forward: &edge.Forward{Headers: cache.Selection{Mode: cache.All}}}, {Path: "*", Origin: "web"},
	}})
	for _, address := range []string{"http://x/", "http://x/cached", "http://web.localhost/"} {
		get(s, address, http.Header{"X_forwarded_for": {"6"}, "X-Dropstack_owner": {"1"}, "X_dropstack-Owner": {"1"}, "Cloudfront_viewer_address": {"6"}, "X_own": {"1"}})
		for name := range got {
			if name != "X_own" && strings.Contains(name, "_") {
				t.Errorf("%s: the origin got %s", address, name)
			}
		}
		if got.Get("X_own") != "1" {
			t.Errorf("%s: got %v", address, got)
		}
	}
}
