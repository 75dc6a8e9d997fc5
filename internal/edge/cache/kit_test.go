package cache_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/edge/cache"
)

// rig is a cache in front of an origin that the test writes.
type rig struct {
	t      testing.TB
	end    func() // closes the cache
	cache  *cache.Cache
	policy cache.Policy
	origin http.HandlerFunc
	errors func(int) (time.Duration, bool)
	host   string // that the origin is asked by; "": the client's

	quiet bool // nothing is recorded

	mu   sync.Mutex
	seen []*http.Request // that the origin got
}

type logged struct{ t testing.TB }

func (l logged) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func logger(t testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(logged{t}, nil)) }

// year is CloudFront's greatest and default MaxTTL.
const year = 365 * 24 * time.Hour

func newRig(t testing.TB, origin http.HandlerFunc) *rig {
	t.Helper()
	return openRig(t, &cache.Cache{Memory: 16 << 20, Log: logger(t)}, origin)
}

func openRig(t testing.TB, c *cache.Cache, origin http.HandlerFunc) *rig {
	t.Helper()
	if err := c.Open(context.Background()); err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return &rig{
		t: t, end: end, host: "origin.internal", cache: c, origin: origin,
		policy: cache.Policy{DefaultTTL: 24 * time.Hour, MaxTTL: year, Query: cache.Selection{Mode: cache.All}},
	}
}

// request makes one that clients would send; the origin gets the same.
func request(method, target string, header ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "example.org"
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// do has a request answered. An answer that was cut off has the status 0.
func (g *rig) do(in *http.Request) *httptest.ResponseRecorder {
	res, _ := g.serve(in)
	return res
}

func (g *rig) serve(in *http.Request) (res *httptest.ResponseRecorder, out cache.Outcome) {
	res = httptest.NewRecorder()
	defer func() {
		if v := recover(); v != nil {
			if v != http.ErrAbortHandler {
				panic(v)
			}
			res.Code = 0
		}
	}()
	return res, g.cacheServe(res, in)
}

// cacheServe forwards everything but, unless told to, the host.
func (g *rig) cacheServe(w http.ResponseWriter, in *http.Request) cache.Outcome {
	forward := in.Clone(in.Context())
	if g.host != "" {
		forward.Host = g.host
	}
	return g.cache.Serve(w, cache.Request{
		In: in, Out: forward, Zone: "E1", Policy: &g.policy, ErrorTTL: g.errors,
		Origin: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !g.quiet {
				g.mu.Lock()
				g.seen = append(g.seen, r)
				g.mu.Unlock()
			}
			g.origin(w, r)
		}),
	})
}

func (g *rig) get(target string, header ...string) *httptest.ResponseRecorder {
	return g.do(request("GET", target, header...))
}

func (g *rig) asked() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.seen)
}

func (g *rig) last() *http.Request {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seen[len(g.seen)-1]
}

// answer is an origin that always says the same, with a number in front of the body.
func answer(status int, header ...string) http.HandlerFunc {
	n := 0
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, line := range header {
			name, value, _ := strings.Cut(line, ": ")
			w.Header().Add(name, value)
		}
		n++
		w.WriteHeader(status)
		if status != 204 && status != 304 {
			w.Write([]byte{byte('0' + n)})
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
