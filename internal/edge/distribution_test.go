package edge_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/ban"
	"github.com/dropstack/dropstack/internal/edge/cache"
	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/fault"
)

// elsewhere is the origin of a test server.
func elsewhere(t testing.TB, id string, s *httptest.Server) edge.Origin {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return edge.Origin{ID: id, Domain: u.Hostname(), Protocol: u.Scheme + "-only", HTTPPort: port, HTTPSPort: port}
}

func get(s *edge.Server, address string, header http.Header) *httptest.ResponseRecorder {
	return send(s, "GET", address, header, nil)
}

func send(s *edge.Server, method, address string, header http.Header, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, address, body)
	for name, values := range header {
		r.Header[name] = values
	}
	return do(s, r)
}

func TestOrigins(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/broken" {
			w.WriteHeader(500)
		}
		io.WriteString(w, "domain "+r.Host+r.URL.Path+" "+r.Header.Get("X-Key")+r.Header.Get("X-Dropstack-Edge"))
	}))
	defer other.Close()
	domain := elsewhere(t, "domain", other)
	domain.Path, domain.Headers = "/v1", []edge.Header{{Name: "X-Key", Value: "secret"}}
	s, objects := server(t, origins{"shop-dev": named("stack"), "api:abc": named("api"), "url:u1": named("url")}, edge.Distribution{
		Stack: "shop-dev", ID: "shop", Domain: "d1.cloudfront.localhost", Root: "index.html",
		Origins: []edge.Origin{
			{ID: "stack", Stack: "shop-dev"}, {ID: "api", API: "abc", Path: "/prod"}, {ID: "url", URL: "u1"}, {ID: "files", Bucket: "drops-files", Path: "/site"}, domain,
		},
		Groups: []edge.OriginGroup{{ID: "pair", Members: []string{"domain", "files"}, Statuses: []int{500}}},
		Behaviours: []edge.Behaviour{
			{Path: "/stack/*", Origin: "stack"},
			{Path: "/api/*", Origin: "api"},
			{Path: "/url/*", Origin: "url"},
			{Path: "/domain/*", Origin: "domain"},
			{Path: "/broken", Origin: "pair"},
			{Path: "/fine", Origin: "pair"},
			{Path: "/legacy", Origin: "shop-dev"},
			{Path: "*", Origin: "files"},
		},
	})
	for _, key := range []string{"site/index.html", "site/broken", "site/a.txt"} {
		put(t, objects, key, "object "+key)
	}
	for path, want := range map[string]string{
		"/stack/x": "stack GET /stack/x", "/api/x%2Fy": "api GET /prod/api/x%2Fy", "/url/x": "url GET /url/x", "/legacy": "stack GET /legacy",
		"/domain/x": "domain " + strings.TrimPrefix(other.URL, "http://") + "/v1/domain/x secret", "/": "object site/index.html", "/a.txt": "object site/a.txt",
		"/broken": "object site/broken", "/fine": "domain " + strings.TrimPrefix(other.URL, "http://") + "/v1/fine secret",
	} {
		if res := get(s, "http://d1.cloudfront.localhost:8080"+path, nil); res.Code != 200 || res.Body.String() != want {
			t.Errorf("%s: got %d %s, want %s", path, res.Code, res.Body, want)
		}
	}
	res := get(s, "http://d1.cloudfront.localhost/none", nil)
	if res.Code != 403 || !strings.Contains(res.Body.String(), "<Code>AccessDenied</Code>") || res.Header().Get("X-Cache") != "Error from cloudfront" {
		t.Errorf("an object that is not there: got %d %s %v", res.Code, res.Body, res.Header())
	}
	res = get(s, "http://d1.cloudfront.localhost/a.txt", nil)
	if h := res.Header(); h.Get("X-Cache") != "Miss from cloudfront" || h.Get("Via") != "1.1 d1.cloudfront.localhost (dropstack)" || h.Get("X-Amz-Cf-Pop") != edge.Location || len(h.Get("X-Amz-Cf-Id")) != 56 {
		t.Errorf("got %v", h)
	}
}

func TestOriginElsewhereIsDown(t *testing.T) {
	down := httptest.NewServer(nil)
	down.Close()
	s, _ := server(t, nil, edge.Distribution{
		Stack: "x", ID: "x", Default: true, Origins: []edge.Origin{elsewhere(t, "o", down)}, Behaviours: []edge.Behaviour{{Path: "*", Origin: "o"}},
	})
	var got edge.AccessRecord
	s.Access = func(a edge.AccessRecord) { got = a }
	res := get(s, "/", nil)
	if res.Code != 502 || !strings.Contains(res.Body.String(), "does not answer") || got.Result != "Error" || got.Detail != "OriginConnectError" || got.Stack != "o" {
		t.Errorf("got %d %s, %+v", res.Code, res.Body, got)
	}
}

// TestReplaceKeepsWhatIsInFlight: an answer that has begun goes on from its origin
// after the distribution is gone.
func TestReplaceKeepsWhatIsInFlight(t *testing.T) {
	begun, go_on := make(chan struct{}), make(chan struct{})
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "one ")
		_ = http.NewResponseController(w).Flush()
		close(begun)
		<-go_on
		io.WriteString(w, "two")
	}))
	defer other.Close()
	s, _ := server(t, nil, edge.Distribution{
		Stack: "x", ID: "x", Default: true, Origins: []edge.Origin{elsewhere(t, "o", other)}, Behaviours: []edge.Behaviour{{Path: "*", Origin: "o"}},
	})
	answer := make(chan *httptest.ResponseRecorder)
	go func() { answer <- get(s, "/", nil) }()
	<-begun
	if err := s.Replace("x", nil); err != nil {
		t.Fatal(err)
	}
	close(go_on)
	if res := <-answer; res.Body.String() != "one two" {
		t.Errorf("got %q", res.Body)
	}
	if res := get(s, "/", nil); res.Code != 404 {
		t.Errorf("afterwards: got %d", res.Code)
	}
}

// firewall blocks and marks by header.
type firewall struct{ asked []waf.Request }

func (f *firewall) Decide(_ context.Context, q *waf.Request) waf.Verdict {
	f.asked = append(f.asked, *q)
	switch q.HTTP.Header.Get("X-Attack") {
	case "page":
		return waf.Verdict{Block: true, Rule: "acl/sqli", Labels: []string{"a:b"}}
	case "own":
		return waf.Verdict{Block: true, Rule: "acl/own", Status: 429, Header: http.Header{"X-Why": {"rate"}}, ContentType: "text/plain", Body: []byte("slow down")}
	}
	return waf.Verdict{Rule: "acl/allow", Labels: []string{"c:d"}, Insert: http.Header{"X-Amzn-Waf-Seen": {"1"}}}
}

// bans turn one address away, and another in shadow.
type bans struct{}

func (bans) Banned(client netip.Addr) (ban.Ban, bool) {
	return ban.Ban{Shadow: client == netip.MustParseAddr("198.51.100.2")}, client == netip.MustParseAddr("198.51.100.1") || client == netip.MustParseAddr("198.51.100.2")
}

func TestWalk(t *testing.T) {
	s, _ := server(t, origins{
		"web": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "seen "+r.Header.Get("X-Amzn-Waf-Seen"))
		},
	}, edge.Distribution{Stack: "web", ID: "main", Default: true, WebACL: "arn:acl", Behaviours: []edge.Behaviour{
		{Path: "/crs", Origin: "web", Firewall: &edge.Firewall{CRS: true, Skip: []string{"body.text"}}},
		{Path: "*", Origin: "web", Viewer: edge.OnlyHTTPS},
	}})
	wall := &firewall{}
	s.Firewall, s.Bans = wall, bans{}
	s.Proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")} // httptest's client
	var got edge.AccessRecord
	s.Access = func(a edge.AccessRecord) { got = a }
	for name, c := range map[string]struct {
		path, from, attack string
		status             int
		want, cache        string
		record             edge.AccessRecord
		asked              int
	}{
		"let through": {"/crs", "198.51.100.9", "", 200, "seen 1", "Miss", edge.AccessRecord{Rule: "acl/allow", Labels: []string{"c:d"}, Result: "Miss", ResponseResult: "Miss", Detail: "Miss"}, 1},
		"banned":      {"/crs", "198.51.100.1", "", 403, "Access denied. Request ", "Error", edge.AccessRecord{Rule: "ban", Refused: true, Result: "Error", ResponseResult: "Error", Detail: "Error"}, 0},
		"in shadow":   {"/crs", "198.51.100.2", "", 200, "seen 1", "Miss", edge.AccessRecord{Rule: "acl/allow", Labels: []string{"c:d"}, Result: "Miss", ResponseResult: "Miss", Detail: "Miss"}, 1},
		"blocked":     {"/crs", "198.51.100.9", "page", 403, "Request blocked", "Error", edge.AccessRecord{Rule: "acl/sqli", Labels: []string{"a:b"}, Refused: true, Result: "Error", ResponseResult: "Error", Detail: "Error"}, 1},
		"the rule's":  {"/crs", "198.51.100.9", "own", 429, "slow down", "Error", edge.AccessRecord{Rule: "acl/own", Refused: true, Result: "Error", ResponseResult: "Error", Detail: "Error"}, 1},
		"by HTTP":     {"/", "198.51.100.9", "", 403, "HTTPS only", "Error", edge.AccessRecord{Rule: "acl/allow", Labels: []string{"c:d"}, Result: "Error", ResponseResult: "Error", Detail: "Error"}, 1},
	} {
		wall.asked = nil
		res := get(s, c.path, http.Header{"X-Forwarded-For": {c.from}, "X-Attack": {c.attack}})
		if res.Code != c.status || !strings.Contains(res.Body.String(), c.want) || res.Header().Get("X-Cache") != c.cache+" from cloudfront" || len(wall.asked) != c.asked {
			t.Errorf("%s: got %d %s %v after asking the firewall %d times", name, res.Code, res.Body, res.Header(), len(wall.asked))
		}
		kept := edge.AccessRecord{Rule: got.Rule, Labels: got.Labels, Refused: got.Refused, Result: got.Result, ResponseResult: got.ResponseResult, Detail: got.Detail}
		if diff := cmp.Diff(c.record, kept); diff != "" || got.Client != c.from || got.Status != c.status {
			t.Errorf("%s: recorded %+v (-want +got):\n%s", name, got, diff)
		}
	}
	get(s, "/crs", http.Header{"X-Forwarded-For": {"198.51.100.9"}})
	q := wall.asked[len(wall.asked)-1]
	if q.ACL != "arn:acl" || !q.CRS || len(q.Skip) != 1 || q.Client != netip.MustParseAddr("198.51.100.9") || q.ID != got.Request {
		t.Errorf("the firewall was asked %+v", q)
	}
}

// TestAPIsHaveTheirOwnFirewall: of a stage that is reached without a distribution.
func TestAPIsHaveTheirOwnFirewall(t *testing.T) {
	s, _ := server(t, nil)
	s.Origins, s.Firewall, s.Bans = staging{}, &firewall{}, bans{}
	s.ACLOf = func(api, stage string) string {
		if api == "abc" && stage == "prod" {
			return "arn:stage"
		}
		return ""
	}
	for _, address := range []string{"http://x/restapis/abc/prod/_user_request_/p", "http://abc.execute-api.us-east-1.localhost/prod/p", "http://shop-prod.localhost/p"} {
		if res := get(s, address, http.Header{"X-Attack": {"page"}}); res.Code != 403 {
			t.Errorf("%s: got %d", address, res.Code)
		}
		if res := get(s, address, nil); res.Code != 200 || res.Body.String() != "/p" && res.Body.String() != "/prod/p" {
			t.Errorf("%s, no attack: got %d %s", address, res.Code, res.Body)
		}
		r := httptest.NewRequest("GET", address, nil)
		r.RemoteAddr = "198.51.100.1:1"
		if res := do(s, r); res.Code != 403 || res.Header().Get("Connection") != "close" {
			t.Errorf("%s, banned: got %d %v", address, res.Code, res.Header())
		}
	}
}

// staging is an API that knows its stage.
type staging struct{ origins }

type stagedAPI struct{}

func (stagedAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) }
func (stagedAPI) Stage() (api, stage string)                       { return "abc", "prod" }

func (staging) Handler(stack, _ string) (http.Handler, bool) {
	return stagedAPI{}, stack == "shop-prod"
}

func (staging) Stage(id, stage string) (http.Handler, bool) {
	return stagedAPI{}, id == "abc" && stage == "prod"
}
func (staging) API(string) http.Handler { return stagedAPI{} }

func TestViewerProtocols(t *testing.T) {
	s, _ := server(t, origins{"web": named("web")}, edge.Distribution{Stack: "web", ID: "main", Default: true, Behaviours: []edge.Behaviour{
		{Path: "/redirect*", Origin: "web", Viewer: edge.RedirectToHTTPS}, {Path: "/only", Origin: "web", Viewer: edge.OnlyHTTPS}, {Path: "*", Origin: "web"},
	}})
	s.HTTPSPort, s.Proxies = 8443, []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}
	var got edge.AccessRecord
	s.Access = func(a edge.AccessRecord) { got = a }
	for name, c := range map[string]struct {
		method, address string
		change          func(*http.Request)
		status          int
		location        string
	}{
		"GET":                  {"GET", "http://shop.example:8080/redirect/a%2Fb?x=%20", nil, 301, "https://shop.example:8443/redirect/a%2Fb?x=%20"},
		"HEAD":                 {"HEAD", "http://shop.example/redirect", nil, 301, "https://shop.example:8443/redirect"},
		"POST":                 {"POST", "http://shop.example/redirect", nil, 307, "https://shop.example:8443/redirect"},
		"IPv6":                 {"GET", "http://[::1]:8080/redirect", nil, 301, "https://[::1]:8443/redirect"},
		"by HTTPS":             {"GET", "https://shop.example/redirect", nil, 200, ""},
		"only":                 {"GET", "http://shop.example/only", nil, 403, ""},
		"only, by HTTPS":       {"GET", "https://shop.example/only", nil, 200, ""},
		"all":                  {"GET", "http://shop.example/", nil, 200, ""},
		"a stranger's word":    {"GET", "http://shop.example/redirect", func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") }, 301, "https://shop.example:8443/redirect"},
		"a proxy's word":       {"GET", "http://shop.example/redirect", func(r *http.Request) { r.RemoteAddr = "10.0.0.1:1"; r.Header.Set("X-Forwarded-Proto", "https") }, 200, ""},
		"HTTP through a proxy": {"GET", "http://shop.example/redirect", func(r *http.Request) { r.RemoteAddr = "10.0.0.1:1"; r.Header.Set("X-Forwarded-Proto", "http") }, 301, "https://shop.example/redirect"},
	} {
		r := httptest.NewRequest(c.method, c.address, nil)
		if c.change != nil {
			c.change(r)
		}
		res := do(s, r)
		if res.Code != c.status || res.Header().Get("Location") != c.location {
			t.Errorf("%s: got %d %s, want %d %s", name, res.Code, res.Header().Get("Location"), c.status, c.location)
		}
		if c.location != "" && (res.Header().Get("X-Cache") != "Redirect from cloudfront" || got.Result != "Redirect" || got.Detail != "Redirect") {
			t.Errorf("%s: got %s, recorded %+v", name, res.Header().Get("X-Cache"), got)
		}
		if want := r.TLS != nil; strings.HasPrefix(c.address, "https") != want || (got.TLSVersion != "") != want {
			t.Errorf("%s: recorded %q by %s", name, got.TLSVersion, got.Protocol)
		}
	}
	if got := tls.VersionName(tls.VersionTLS12); got != "TLS 1.2" {
		t.Fatal(got)
	}
}

func TestBehaviourDecides(t *testing.T) {
	s, _ := server(t, origins{"web": named("web")},
		edge.Distribution{Stack: "web", ID: "E2ABCDEFGHIJKL", Aliases: []string{"shop.example"}, Behaviours: []edge.Behaviour{
			{Path: "/static/*", Allowed: []string{"GET", "HEAD"}, Origin: "web"}, {Path: "*", Origin: "web"},
		}},
		edge.Distribution{Stack: "web", ID: "off", Aliases: []string{"off.example"}, Disabled: true, Behaviours: []edge.Behaviour{{Path: "*", Origin: "web"}}},
	)
	for _, c := range []struct {
		method, address string
		status          int
		want            string
	}{
		{"GET", "http://shop.example/static/x", 200, "web GET"},
		{"POST", "http://shop.example/static/x", 403, "allow POST requests here; it allows GET, HEAD"},
		{"POST", "http://shop.example/STATIC/x", 200, "web POST"}, // case counts
		{"POST", "http://shop.example/a/../static/x", 403, "allow POST"},
		{"POST", "http://shop.example//static/x", 403, "allow POST"},
		{"POST", "http://shop.example/%73tatic/x", 403, "allow POST"},
		{"POST", "http://shop.example/a/%2e%2e/static/x", 403, "allow POST"},
		{"POST", "http://shop.example/a%5C..%5Cstatic/x", 403, "allow POST"},
		{"POST", "http://shop.example/static%2Fx", 403, "allow POST"},
		{"GET", "http://off.example/", 403, "disabled"},
	} {
		if res := send(s, c.method, c.address, nil, nil); res.Code != c.status || !strings.Contains(res.Body.String(), c.want) {
			t.Errorf("%s %s: got %d %s, want %d %s", c.method, c.address, res.Code, res.Body, c.status, c.want)
		}
	}
}

// stored is a cache that says what it was asked, and always asks the origin.
type fakeCache struct {
	asked       []cache.Request
	invalidated []string
}

func (c *fakeCache) Serve(w http.ResponseWriter, q cache.Request) cache.Outcome {
	c.asked = append(c.asked, q)
	w.Header().Set("X-Cache", "Hit from cloudfront")
	q.Origin.ServeHTTP(w, q.Out)
	return cache.Outcome{Result: "Hit", Detail: "Hit"}
}

func (c *fakeCache) Invalidate(_ context.Context, zone string, paths []string) error {
	c.invalidated = append(c.invalidated, zone+" "+strings.Join(paths, " "))
	return nil
}

func TestCacheIsAsked(t *testing.T) {
	s, _ := server(t, origins{"web": named("web")}, edge.Distribution{
		Stack: "web", ID: "main", Default: true,
		Errors: []edge.ErrorPage{{Status: 403, TTL: time.Minute}, {Status: 500}},
		Behaviours: []edge.Behaviour{
			{Path: "/no", Origin: "web"}, {Path: "/options", Origin: "web", Cache: &cache.Policy{}, Cached: []string{"OPTIONS"}}, {Path: "*", Origin: "web", Cache: &cache.Policy{MaxTTL: time.Hour}},
		},
	})
	c := &fakeCache{}
	s.Cache = c
	var got edge.AccessRecord
	s.Access = func(a edge.AccessRecord) { got = a }
	for _, q := range []struct {
		method, path string
		header       http.Header
		asked        bool
	}{
		{"GET", "/x", nil, true},
		{"HEAD", "/x", nil, true},
		{"GET", "/no", nil, false},
		{"OPTIONS", "/x", nil, false},
		{"OPTIONS", "/options", nil, true},
		{"POST", "/x", nil, true}, // which makes what is stored stale
		{"GET", "/x", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}, false},
	} {
		c.asked = nil
		res := send(s, q.method, q.path, q.header, nil)
		if (len(c.asked) == 1) != q.asked || res.Code != 200 || (got.Result == "Hit") != q.asked || (res.Header().Get("X-Cache") == "Hit from cloudfront") != q.asked {
			t.Errorf("%s %s: asked %d times, got %d, recorded %s", q.method, q.path, len(c.asked), res.Code, got.Result)
		}
	}
	get(s, "/x", nil)
	q := c.asked[len(c.asked)-1]
	if q.Zone != "main" || q.Policy.MaxTTL != time.Hour || q.In == q.Out {
		t.Errorf("got %+v", q)
	}
	for status, want := range map[int]time.Duration{200: -1, 400: -1, 403: time.Minute, 404: 10 * time.Second, 414: 10 * time.Second, 500: 0, 503: 10 * time.Second} {
		ttl, ok := q.ErrorTTL(status)
		if !ok {
			ttl = -1
		}
		if ttl != want {
			t.Errorf("%d is stored for %v, want %v", status, ttl, want)
		}
	}
	if err := s.Invalidate(t.Context(), "main", []string{"/a", "/b/*"}); err != nil || len(c.invalidated) != 1 || c.invalidated[0] != "main /a /b/*" {
		t.Errorf("got %v, %q", err, c.invalidated)
	}
	for id, paths := range map[string][]string{"other": {"/"}, "main": {"a"}, "": {"/"}} {
		if err := s.Invalidate(t.Context(), id, paths); fault.KindOf(err) != fault.NotFound && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s %q: got %v", id, paths, err)
		}
	}
}
