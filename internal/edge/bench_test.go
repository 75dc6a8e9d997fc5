package edge_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/cache"
)

// discard is a client without a connection.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkWalk is what the edge itself costs, without connections: a stored
// response, an answer of an API passed on, one behind a policy that selects, a request
// of a banned client.
func BenchmarkWalk(b *testing.B) {
	s, _ := server(b, origins{"web": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600")
		io.WriteString(w, "hello")
	}}, edge.Distribution{Stack: "web", ID: "main", Default: true, Behaviours: []edge.Behaviour{
		{Path: "/hit", Origin: "web", Cache: &cache.Policy{MaxTTL: time.Hour}},
		{Path: "/select", Origin: "web", Forward: &edge.Forward{Headers: cache.Selection{Mode: cache.Only, Names: []string{"Accept"}}}},
		{Path: "*", Origin: "web"},
	}})
	withCache(b, s)
	s.Bans = bans{}
	s.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	s.Access = func(edge.AccessRecord) {}
	for _, c := range []struct{ name, path, from string }{
		{"hit", "/hit", "192.0.2.1:1"}, {"pass", "/pass", "192.0.2.1:1"}, {"select", "/select?x=1", "192.0.2.1:1"}, {"ban", "/", "198.51.100.1:1"},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := httptest.NewRequest("GET", c.path, nil)
			r.RemoteAddr = c.from
			r.Header = http.Header{
				"Accept": {"text/html,application/xhtml+xml"}, "Accept-Encoding": {"gzip, deflate, br"}, "Accept-Language": {"en"},
				"Cookie": {"a=1; b=2"}, "User-Agent": {"Mozilla/5.0 (X11; Linux x86_64)"}, "Referer": {"https://shop.example/"},
			}
			w := &discard{http.Header{}}
			s.ServeHTTP(w, r)
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				s.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkElsewhere is a whole request to an HTTP server, beside the same one asked
// directly.
func BenchmarkElsewhere(b *testing.B) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	defer other.Close()
	s, _ := server(b, nil, edge.Distribution{
		Stack: "x", ID: "x", Default: true, Origins: []edge.Origin{elsewhere(b, "o", other)}, Behaviours: []edge.Behaviour{{Path: "*", Origin: "o"}},
	})
	for _, c := range []struct{ name, url string }{{"edge", start(b, s)}, {"direct", other.URL}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				res, err := http.Get(c.url)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
}
