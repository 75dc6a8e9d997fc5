package cache_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/dropstack/dropstack/internal/edge/cache"
)

// TestWhatTheCacheSays about a response: Age (RFC 9111, section 5.1), Cache-Status
// (RFC 9211), and CloudFront's X-Cache and outcome.
func TestWhatTheCacheSays(t *testing.T) {
	for name, c := range map[string]struct {
		status  int
		header  []string
		method  string
		request []string
		before  bool // an earlier request was the same
		wait    time.Duration
		want    string // Cache-Status
		x       string
		age     string
		result  string
	}{
		"a miss":             {want: "dropstack;fwd=uri-miss;fwd-status=200;stored", x: "Miss", result: "Miss"},
		"with an Age":        {header: []string{"Age: 7"}, want: "dropstack;fwd=uri-miss;fwd-status=200;stored", x: "Miss", age: "7", result: "Miss"},
		"a hit":              {before: true, wait: 10 * time.Second, want: "dropstack;hit;ttl=50", x: "Hit", age: "10", result: "Hit"},
		"a hit with an Age":  {before: true, header: []string{"Age: 7"}, wait: 10 * time.Second, want: "dropstack;hit;ttl=43", x: "Hit", age: "17", result: "Hit"},
		"another variant":    {before: true, header: []string{"Vary: X-A"}, request: []string{"X-A: 1"}, want: "dropstack;fwd=vary-miss;fwd-status=200;stored", x: "Miss", result: "Miss"},
		"stale":              {before: true, wait: 60 * time.Second, want: "dropstack;fwd=stale;fwd-status=200;stored", x: "Miss", result: "Miss"},
		"not stored":         {header: []string{"Cache-Control: no-store"}, want: "dropstack;fwd=uri-miss;fwd-status=200", x: "Miss", result: "Miss"},
		"an error":           {status: 500, header: []string{"Cache-Control: no-store"}, want: "dropstack;fwd=uri-miss;fwd-status=500", x: "Error", result: "Error"},
		"a stored error":     {status: 404, before: true, want: "dropstack;hit;ttl=60", x: "Error", age: "0", result: "Error"},
		"another method":     {method: "POST", want: "dropstack;fwd=method;fwd-status=200", x: "Miss", result: "Miss"},
		"no-store of it":     {request: []string{"Cache-Control: no-store"}, want: "dropstack;fwd=request;fwd-status=200", x: "Miss", result: "Miss"},
		"only-if-cached":     {request: []string{"Cache-Control: only-if-cached"}, want: "dropstack;detail=only-if-cached", x: "Error", result: "Error"},
		"behind another one": {before: true, header: []string{"Cache-Status: inner; hit"}, want: "inner;hit, dropstack;hit;ttl=60", x: "Hit", age: "0", result: "Hit"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				status := max(c.status, 200)
				header := c.header
				if !strings.Contains(strings.Join(header, ""), "Cache-Control") {
					header = append(header, "Cache-Control: max-age=60")
				}
				g := newRig(t, answer(status, header...))
				if c.before {
					g.get("/a")
					time.Sleep(c.wait)
				}
				method := c.method
				if method == "" {
					method = "GET"
				}
				res, out := g.serve(request(method, "/a", c.request...))
				list, err := httpsfv.UnmarshalList(res.Header()["Cache-Status"])
				if err != nil {
					t.Fatal(err)
				}
				got, err := httpsfv.Marshal(list)
				if err != nil || got != c.want {
					t.Errorf("Cache-Status: got %q, want %q, %v", got, c.want, err)
				}
				if got := res.Header().Get("X-Cache"); got != c.x+" from cloudfront" {
					t.Errorf("X-Cache: got %q", got)
				}
				if got := res.Header().Get("Age"); got != c.age {
					t.Errorf("Age: got %q, want %q", got, c.age)
				}
				if out.Result != c.result {
					t.Errorf("result: got %q, want %q", out.Result, c.result)
				}
				if strings.HasPrefix(name, "only-if-cached") != (res.Code == 504) {
					t.Errorf("got %d", res.Code)
				}
			})
		})
	}
}

// TestFieldsOfAConnection are not stored (RFC 9111, section 3.1).
func TestFieldsOfAConnection(t *testing.T) {
	g := newRig(t, answer(200, "Connection: X-Own, close", "X-Own: 1", "Keep-Alive: x", "Proxy-Authenticate: x",
		"Proxy-Connection: x", "TE: x", "Trailer: X-T", "Upgrade: x", "X-Kept: 1", "Warning: 110 - x", "X-Cache: Hit from another"))
	g.get("/a")
	res := g.get("/a")
	for _, name := range []string{"Connection", "X-Own", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection", "Te", "Trailer", "Upgrade"} {
		if v := res.Header().Get(name); v != "" {
			t.Errorf("%s: %s", name, v)
		}
	}
	if res.Header().Get("X-Kept") != "1" || res.Header().Get("X-Cache") != "Hit from cloudfront" {
		t.Errorf("got %v", res.Header())
	}
	if _, err := http.ParseTime(res.Header().Get("Date")); err != nil {
		t.Error("no Date")
	}
}

// TestFieldsThatAreLeftOut by no-cache="..." and private="..." (section 5.2.2.4, 5.2.2.7).
func TestFieldsThatAreLeftOut(t *testing.T) {
	g := newRig(t, answer(200, `Cache-Control: max-age=60, no-cache="x-a, X-B", private="x-c"`, "X-A: 1", "X-B: 1", "X-C: 1", "X-D: 1"))
	for i := range 2 {
		res := g.get("/a")
		for _, name := range []string{"X-A", "X-B", "X-C"} {
			if got := res.Header().Get(name); (got != "") != (i == 0) {
				t.Errorf("request %d: %s is %q; it is the first one's only", i, name, got)
			}
		}
		if res.Header().Get("X-D") == "" {
			t.Error("X-D is missing")
		}
	}
}

// TestStoredHeadersAreNotShared with those who change what they are given.
func TestStoredHeadersAreNotShared(t *testing.T) {
	g := newRig(t, answer(200, "Vary: X-A", "X-B: 1"))
	for range 3 {
		res := g.get("/a")
		if len(res.Header()["Vary"]) != 1 || res.Header().Get("X-B") != "1" {
			t.Errorf("got %v", res.Header())
		}
		res.Header().Add("Vary", "Origin")
		res.Header().Set("X-B", "2")
		res.Header().Del("Date")
	}
}

func TestTrailersPass(t *testing.T) {
	g := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-T")
		w.Header().Set("Cache-Control", "no-store")
		io.WriteString(w, "x")
		w.Header().Set("X-T", "1")
		w.Header().Set(http.TrailerPrefix+"X-U", "2")
	})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.cacheServe(w, r) }))
	defer front.Close()
	for range 2 {
		res, err := http.Get(front.URL)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.Trailer.Get("X-T") != "1" || res.Trailer.Get("X-U") != "2" {
			t.Errorf("got %v", res.Trailer)
		}
	}
}

// TestConnectionsThatBecomeAnother pass: an origin can take them over.
func TestConnectionsThatBecomeAnother(t *testing.T) {
	g := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhello")
		rw.Flush()
	})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.cacheServe(w, r) }))
	defer front.Close()
	conn, err := net.Dial("tcp", strings.TrimPrefix(front.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatalf("got %v, %v", res, err)
	}
}

// TestInterimResponses reach the client that the origin answers alone.
func TestInterimResponses(t *testing.T) {
	g := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusAccepted)
	})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.cacheServe(w, r) }))
	defer front.Close()
	for method, want := range map[string]int{"GET": 0, "POST": 1} {
		hints := 0
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error {
			hints++
			return nil
		}})
		r, err := http.NewRequestWithContext(ctx, method, front.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 202 || hints != want {
			t.Errorf("%s: got %d and %d hints, want %d", method, res.StatusCode, hints, want)
		}
	}
}

func TestPoliciesThatStoreNothing(t *testing.T) {
	for name, policy := range map[string]cache.Policy{
		"no TTL":      {},
		"all headers": {MaxTTL: year, DefaultTTL: year, Headers: cache.Selection{Mode: cache.All}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, answer(200, "Cache-Control: max-age=60"))
			g.policy = policy
			for range 2 {
				if got := g.get("/a").Header().Get("Cache-Status"); got != "dropstack; fwd=bypass; fwd-status=200" {
					t.Errorf("got %q", got)
				}
			}
			if n := g.asked(); n != 2 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// TestClose ends fetches, also one that waits for a slow client.
func TestClose(t *testing.T) {
	g := openRig(t, &cache.Cache{Memory: 1 << 20, Log: logger(t)}, sized)
	client, stuck := make(chan struct{}), make(chan struct{})
	var once sync.Once
	go func() {
		defer close(client)
		defer func() { _ = recover() }()
		g.cacheServe(&blocked{ResponseRecorder: httptest.NewRecorder(), first: func() { once.Do(func() { close(stuck) }) }}, request("GET", "/3000000/a?chunked"))
	}()
	<-stuck
	g.end()
	<-client
}

// blocked is a client that takes nothing for a while.
type blocked struct {
	*httptest.ResponseRecorder
	first func()
}

func (b *blocked) Write(p []byte) (int, error) {
	b.first()
	return len(p), context.Canceled
}

func FuzzCacheControl(f *testing.F) {
	for _, s := range []string{`max-age=60`, `max-age="60`, `no-cache="a, b", x`, `,,=`, `private="\"`, "max-age=1\x00"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, control, targeted string) {
		g := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Cache-Control"] = []string{control, "max-age=60"}
			w.Header()["Cdn-Cache-Control"] = []string{targeted}
		})
		g.get("/a")
		res := g.get("/a")
		if !isHit(res) {
			return
		}
		if lower := strings.ToLower(control); targeted == "" && (lower == "no-store" || lower == "private" || strings.HasPrefix(lower, "no-store,")) {
			t.Errorf("reused despite %q", control)
		}
	})
}
