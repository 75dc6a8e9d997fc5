package cache_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/edge/cache"
)

func only(names ...string) cache.Selection {
	return cache.Selection{Mode: cache.Only, Names: names}
}

// TestKey says which two requests may be answered with one response.
func TestKey(t *testing.T) {
	type req struct {
		target string
		header []string
	}
	long := strings.Repeat("x", 40_000)
	for name, c := range map[string]struct {
		policy cache.Policy
		a, b   req
		same   bool
	}{
		"the same":                          {cache.Policy{}, req{"/a", nil}, req{"/a", nil}, true},
		"another path":                      {cache.Policy{}, req{"/a", nil}, req{"/b", nil}, false},
		"paths count with their case":       {cache.Policy{}, req{"/a", nil}, req{"/A", nil}, false},
		"paths count as they are written":   {cache.Policy{}, req{"/a%2Fb", nil}, req{"/a/b", nil}, false},
		"a header that is not keyed":        {cache.Policy{}, req{"/a", []string{"X-A: 1"}}, req{"/a", []string{"X-A: 2"}}, true},
		"query, none":                       {cache.Policy{}, req{"/a?x=1", nil}, req{"/a?x=2", nil}, true},
		"query, all":                        {cache.Policy{Query: cache.Selection{Mode: cache.All}}, req{"/a?x=1", nil}, req{"/a?x=2", nil}, false},
		"query, all, another order":         {cache.Policy{Query: cache.Selection{Mode: cache.All}}, req{"/a?x=1&y=1", nil}, req{"/a?y=1&x=1", nil}, false},
		"query, an empty one":               {cache.Policy{Query: cache.Selection{Mode: cache.All}}, req{"/a?", nil}, req{"/a", nil}, true},
		"query, only: one of them":          {cache.Policy{Query: only("x")}, req{"/a?x=1&z=1", nil}, req{"/a?x=2&z=1", nil}, false},
		"query, only: another":              {cache.Policy{Query: only("x")}, req{"/a?x=1&z=1", nil}, req{"/a?z=2&x=1", nil}, true},
		"query, only: in any spelling":      {cache.Policy{Query: only("x")}, req{"/a?%78=1", nil}, req{"/a?%78=2", nil}, false},
		"query, only: their case counts":    {cache.Policy{Query: only("x")}, req{"/a?X=1", nil}, req{"/a?X=2", nil}, true},
		"query, except: one of them":        {cache.Policy{Query: cache.Selection{Mode: cache.Except, Names: []string{"utm"}}}, req{"/a?x=1&utm=1", nil}, req{"/a?x=1&utm=2", nil}, true},
		"query, except: another":            {cache.Policy{Query: cache.Selection{Mode: cache.Except, Names: []string{"utm"}}}, req{"/a?x=1&utm=1", nil}, req{"/a?x=2&utm=1", nil}, false},
		"query, no value and an empty one":  {cache.Policy{Query: only("x")}, req{"/a?x", nil}, req{"/a?x=", nil}, false},
		"a keyed header":                    {cache.Policy{Headers: only("x-a")}, req{"/a", []string{"X-A: 1"}}, req{"/a", []string{"X-A: 2"}}, false},
		"a keyed header in two lines":       {cache.Policy{Headers: only("x-a")}, req{"/a", []string{"X-A: 1", "X-A: 2"}}, req{"/a", []string{"X-A: 1"}}, false},
		"a keyed header that is missing":    {cache.Policy{Headers: only("x-a")}, req{"/a", nil}, req{"/a", []string{"X-A: "}}, false},
		"two keyed headers change places":   {cache.Policy{Headers: only("x-a", "x-b")}, req{"/a", []string{"X-A: 1"}}, req{"/a", []string{"X-B: 1"}}, false},
		"a keyed cookie":                    {cache.Policy{Cookies: only("a")}, req{"/a", []string{"Cookie: a=1"}}, req{"/a", []string{"Cookie: a=2"}}, false},
		"cookies, all":                      {cache.Policy{Cookies: cache.Selection{Mode: cache.All}}, req{"/a", []string{"Cookie: a=1; b=1"}}, req{"/a", []string{"Cookie: a=1; b=2"}}, false},
		"the same cookies":                  {cache.Policy{Cookies: cache.Selection{Mode: cache.All}}, req{"/a", []string{"Cookie: a=1; b=1"}}, req{"/a", []string{"Cookie: a=1; b=1"}}, true},
		"encodings, spelled differently":    {cache.Policy{Encodings: []string{"br", "gzip"}}, req{"/a", []string{"Accept-Encoding: gzip, deflate, br"}}, req{"/a", []string{"Accept-Encoding: BR;q=0.5,x-gzip, zstd"}}, true},
		"encodings, fewer":                  {cache.Policy{Encodings: []string{"br", "gzip"}}, req{"/a", []string{"Accept-Encoding: gzip, br"}}, req{"/a", []string{"Accept-Encoding: gzip"}}, false},
		"encodings, one refused":            {cache.Policy{Encodings: []string{"br", "gzip"}}, req{"/a", []string{"Accept-Encoding: gzip, br;q=0"}}, req{"/a", []string{"Accept-Encoding: gzip"}}, true},
		"encodings, anything":               {cache.Policy{Encodings: []string{"br", "gzip"}}, req{"/a", []string{"Accept-Encoding: *"}}, req{"/a", []string{"Accept-Encoding: gzip, br"}}, true},
		"encodings that are not offered":    {cache.Policy{Encodings: []string{"gzip"}}, req{"/a", []string{"Accept-Encoding: br"}}, req{"/a", nil}, true},
		"encodings, none offered":           {cache.Policy{}, req{"/a", []string{"Accept-Encoding: br"}}, req{"/a", nil}, true},
		"a key that is too long":            {cache.Policy{Headers: only("x-a")}, req{"/a", []string{"X-A: " + long}}, req{"/a", []string{"X-A: " + long}}, false},
		"a body is no part of any key":      {cache.Policy{}, req{"/a", []string{"Body: x"}}, req{"/a", []string{"Body: x"}}, false},
		"a connection that becomes another": {cache.Policy{}, req{"/a", []string{"Upgrade: websocket"}}, req{"/a", []string{"Upgrade: websocket"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, answer(200, "Cache-Control: public, max-age=60"))
			c.policy.MaxTTL = year
			g.policy = c.policy
			get := func(r req) string {
				in := request("GET", r.target, r.header...)
				if in.Header.Get("Body") != "" {
					in = request("GET", r.target)
					in.Body, in.ContentLength = http.NoBody, 1
				}
				return g.do(in).Body.String()
			}
			if a, b := get(c.a), get(c.b); (a == b) != c.same {
				t.Errorf("got %q and %q, the same: want %v", a, b, c.same)
			}
		})
	}
}

// TestHostsThatTheOriginSees are told apart even when the policy does not key them.
func TestHostsThatTheOriginSees(t *testing.T) {
	for name, c := range map[string]struct {
		out  string
		same bool
	}{"its own name": {"origin.internal", true}, "the client's": {"", false}} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, answer(200))
			g.host = c.out
			a, b := request("GET", "/a"), request("GET", "/a")
			b.Host = "evil.example"
			if first, second := g.do(a).Body.String(), g.do(b).Body.String(); (first == second) != c.same {
				t.Errorf("got %q and %q", first, second)
			}
		})
	}
}

// TestVary: RFC 9111, section 4.1. The origin answers with what it was asked by.
func TestVary(t *testing.T) {
	for name, c := range map[string]struct {
		vary string
		a, b []string
		same bool
	}{
		"the same":                        {"X-A", []string{"X-A: 1"}, []string{"X-A: 1"}, true},
		"another":                         {"X-A", []string{"X-A: 1"}, []string{"X-A: 2"}, false},
		"another case of the value":       {"X-A", []string{"X-A: a"}, []string{"X-A: A"}, false},
		"none":                            {"X-A", []string{"X-A: 1"}, nil, false},
		"none and an empty one":           {"X-A", []string{"X-A: "}, nil, false},
		"another field":                   {"X-B", []string{"X-A: 1"}, []string{"X-A: 2"}, true},
		"one of two":                      {"X-A, X-B", []string{"X-A: 1", "X-B: 1"}, []string{"X-A: 1", "X-B: 2"}, false},
		"names in any case and order":     {"x-b ,, X-a", []string{"X-A: 1", "X-B: 1"}, []string{"X-B: 1", "X-A: 1"}, true},
		"white space between elements":    {"X-A", []string{"X-A: 1, 2"}, []string{"X-A: 1 ,2"}, true},
		"two lines and one":               {"X-A", []string{"X-A: 1", "X-A: 2"}, []string{"X-A: 1,2"}, true},
		"two lines in another order":      {"X-A", []string{"X-A: 1", "X-A: 2"}, []string{"X-A: 2", "X-A: 1"}, false},
		"white space inside a string":     {"X-A", []string{`X-A: "a , b"`}, []string{`X-A: "a,b"`}, false},
		"Accept-Encoding in any order":    {"Accept-Encoding", []string{"Accept-Encoding: gzip, br"}, []string{"Accept-Encoding: BR,gzip"}, true},
		"Accept-Encoding of other weight": {"Accept-Encoding", []string{"Accept-Encoding: gzip;q=1, br;q=0.1"}, []string{"Accept-Encoding: gzip;q=0.1, br;q=1"}, false},
		"a star":                          {"*", nil, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, answer(200, "Vary: "+c.vary))
			if a, b := g.get("/a", c.a...).Body.String(), g.get("/a", c.b...).Body.String(); (a == b) != c.same {
				t.Errorf("got %q and %q", a, b)
			}
			// The first is not lost by the second.
			if c.vary != "*" && g.get("/a", c.a...).Body.String() != "1" {
				t.Error("the first is gone")
			}
		})
	}
}

func TestTheNewestOfVariantsIsUsed(t *testing.T) {
	g := newRig(t, answer(200, "Vary: X-A"))
	g.get("/a", "X-A: 1", "X-B: 1")
	g.origin = answer(200, "Vary: X-B", "X-Which: second")
	g.get("/a", "X-A: 2", "X-B: 2")
	g.origin = nil
	if res := g.get("/a", "X-A: 1", "X-B: 2"); res.Header().Get("X-Which") != "second" {
		t.Errorf("got %v", res.Header())
	}
}

func FuzzKey(f *testing.F) {
	f.Add("/a", "x=1", "v", "c=1", "/a", "x=1", "v", "c=1")
	f.Add("/a", "x=1:y", "", "", "/a", "x=1", ":y", "")
	f.Add("/a", "", "1:2", "", "/a", "", "1", "2")
	f.Fuzz(func(t *testing.T, path1, query1, header1, cookie1, path2, query2, header2, cookie2 string) {
		g := newRig(t, nil)
		g.policy.Headers, g.policy.Cookies = only("x-a"), cache.Selection{Mode: cache.All}
		ask := func(path, query, header, cookie string) string {
			r := request("GET", "/")
			r.URL.Path, r.URL.RawPath, r.URL.RawQuery = path, "", query
			r.Header["X-A"], r.Header["Cookie"] = []string{header}, []string{cookie}
			want := strings.Join([]string{r.URL.EscapedPath(), query, header, cookie}, "\x00")
			g.origin = func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(want)) }
			if got := g.do(r).Body.String(); got != want {
				t.Errorf("got the response to %q for %q", got, want)
			}
			return want
		}
		ask(path1, query1, header1, cookie1)
		ask(path2, query2, header2, cookie2)
	})
}
