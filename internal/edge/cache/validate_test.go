package cache_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestClientConditions are answered from the store (RFC 9110, section 13; RFC 9111,
// section 4.3.2), on a miss and on a hit alike.
func TestClientConditions(t *testing.T) {
	const modified, later, earlier = "Sat, 01 Jan 2000 00:00:00 GMT", "Sat, 01 Jan 2000 00:00:01 GMT", "Fri, 31 Dec 1999 23:59:59 GMT"
	for name, c := range map[string]struct {
		header []string
		want   int
	}{
		"If-None-Match, the same":             {[]string{`If-None-Match: "a"`}, 304},
		"If-None-Match, compared weakly":      {[]string{`If-None-Match: W/"a"`}, 304},
		"If-None-Match, in a list":            {[]string{`If-None-Match: "b", "x,y" , "a"`}, 304},
		"If-None-Match, in a second line":     {[]string{`If-None-Match: "b"`, `If-None-Match: "a"`}, 304},
		"If-None-Match, anything":             {[]string{"If-None-Match: *"}, 304},
		"If-None-Match, another":              {[]string{`If-None-Match: "b"`}, 200},
		"If-None-Match, no quotes":            {[]string{`If-None-Match: a`}, 200},
		"If-None-Match, inside another":       {[]string{`If-None-Match: "x, \"a\""`}, 200},
		"If-Modified-Since, the same":         {[]string{"If-Modified-Since: " + modified}, 304},
		"If-Modified-Since, later":            {[]string{"If-Modified-Since: " + later}, 304},
		"If-Modified-Since, earlier":          {[]string{"If-Modified-Since: " + earlier}, 200},
		"If-Modified-Since that is no date":   {[]string{"If-Modified-Since: yes"}, 200},
		"If-None-Match counts alone":          {[]string{`If-None-Match: "b"`, "If-Modified-Since: " + later}, 200},
		"If-Match, the same":                  {[]string{`If-Match: "a"`}, 200},
		"If-Match, compared strongly":         {[]string{`If-Match: W/"a"`}, 412},
		"If-Match, another":                   {[]string{`If-Match: "b"`}, 412},
		"If-Match, anything":                  {[]string{"If-Match: *"}, 200},
		"If-Unmodified-Since, the same":       {[]string{"If-Unmodified-Since: " + modified}, 200},
		"If-Unmodified-Since, earlier":        {[]string{"If-Unmodified-Since: " + earlier}, 412},
		"If-Match counts alone":               {[]string{`If-Match: "a"`, "If-Unmodified-Since: " + earlier}, 200},
		"If-Match before If-None-Match":       {[]string{`If-Match: "b"`, `If-None-Match: "a"`}, 412},
		"a Range, and nothing has changed":    {[]string{"Range: bytes=0-0", `If-None-Match: "a"`}, 304},
		"If-Match and the Range that follows": {[]string{"Range: bytes=0-0", `If-Match: "a"`}, 206},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, answer(200, `ETag: "a"`, "Last-Modified: "+modified, "Content-Type: text/x", "Cache-Control: max-age=60", "Content-Length: 1"))
			for range 2 {
				res := g.get("/a", c.header...)
				if res.Code != c.want {
					t.Errorf("got %d, want %d", res.Code, c.want)
				}
				if res.Code == 412 && (res.Body.Len() > 0 || res.Header().Get("Etag") != "" || res.Header().Get("Content-Type") != "") {
					t.Errorf("412 with %v", res.Header())
				}
				if res.Code == 304 && (res.Body.Len() > 0 || res.Header().Get("Etag") != `"a"` || res.Header().Get("Cache-Control") == "" || res.Header().Get("Content-Length") != "") {
					t.Errorf("304 with %v, %q", res.Header(), res.Body)
				}
			}
			if n := g.asked(); n != 1 {
				t.Errorf("the origin was asked %d times", n)
			}
			for _, h := range []string{"If-None-Match", "If-Match", "If-Modified-Since", "If-Unmodified-Since", "Range"} {
				if v := g.last().Header.Get(h); v != "" {
					t.Errorf("the origin got %s: %s", h, v)
				}
			}
		})
	}
}

// TestRevalidation: RFC 9111, section 4.3.
func TestRevalidation(t *testing.T) {
	type step struct {
		status int
		header []string
		want   int
		cached string // X-Cache
		body   string
		field  string // NAME: VALUE that the client gets
	}
	fresh := step{200, []string{`ETag: "1"`, "Cache-Control: max-age=10", "X-A: old"}, 200, "Miss", "1", ""}
	for name, steps := range map[string][]step{
		"a 304 renews what is stored (4.3.4)":              {fresh, {304, []string{"X-A: new"}, 200, "RefreshHit", "1", "X-A: new"}, {0, nil, 200, "Hit", "1", "X-A: new"}},
		"with the lifetime that it says":                   {fresh, {304, []string{"Cache-Control: max-age=30"}, 200, "RefreshHit", "1", ""}, {0, nil, 200, "Hit", "1", ""}, {0, nil, 200, "Hit", "1", ""}},
		"it does not change what describes the body (3.2)": {fresh, {304, []string{"Content-Encoding: gzip", "Content-Length: 99", "Content-Type: text/x", "Content-Range: bytes 0-1/2"}, 200, "RefreshHit", "1", "Content-Encoding: "}},
		"its cookie is not stored":                         {fresh, {304, []string{"Set-Cookie: a=b"}, 200, "RefreshHit", "1", "Set-Cookie: "}, {0, nil, 200, "Hit", "1", "Set-Cookie: "}},
		"a 304 that forbids storing ends it":               {fresh, {304, []string{"Cache-Control: no-store"}, 200, "RefreshHit", "1", ""}, {200, nil, 200, "Miss", "3", ""}},
		"a 304 of something else does not count":           {fresh, {304, []string{`ETag: "2"`}, 200, "Miss", "3", ""}},
		"a 200 takes its place (4.3.3)":                    {fresh, {200, []string{`ETag: "2"`, "Cache-Control: max-age=10"}, 200, "Miss", "2", `Etag: "2"`}, {304, nil, 200, "RefreshHit", "2", ""}},
		"a 404 does too":                                   {fresh, {404, nil, 404, "Error", "2", ""}, {503, nil, 503, "Error", "3", ""}},
		"a 503 does not: the stale one is served":          {fresh, {503, nil, 200, "Hit", "1", ""}, {304, nil, 200, "RefreshHit", "1", ""}},
		"with must-revalidate a 503 is a 503":              {{200, []string{`ETag: "1"`, "Cache-Control: max-age=10, must-revalidate"}, 200, "Miss", "1", ""}, {503, nil, 503, "Error", "2", ""}},
		"with proxy-revalidate too":                        {{200, []string{`ETag: "1"`, "Cache-Control: max-age=10, proxy-revalidate"}, 200, "Miss", "1", ""}, {503, nil, 503, "Error", "2", ""}},
		"with s-maxage too":                                {{200, []string{`ETag: "1"`, "Cache-Control: s-maxage=10"}, 200, "Miss", "1", ""}, {503, nil, 503, "Error", "2", ""}},
		"with stale-if-error=5 too":                        {{200, []string{`ETag: "1"`, "Cache-Control: max-age=10, stale-if-error=5"}, 200, "Miss", "1", ""}, {503, nil, 503, "Error", "2", ""}},
		"with s-maxage and stale-if-error it is served":    {{200, []string{`ETag: "1"`, "Cache-Control: s-maxage=10, stale-if-error=60"}, 200, "Miss", "1", ""}, {503, nil, 200, "Hit", "1", ""}},
		"with no-cache every request is one (5.2.2.4)":     {{200, []string{`ETag: "1"`, "Cache-Control: no-cache, max-age=60"}, 200, "Miss", "1", ""}, {304, nil, 200, "RefreshHit", "1", ""}, {304, nil, 200, "RefreshHit", "1", ""}},
		"without a validator nothing is asked":             {{200, []string{"Cache-Control: max-age=10"}, 200, "Miss", "1", ""}, {200, []string{"Cache-Control: max-age=10"}, 200, "Miss", "2", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				g := newRig(t, nil)
				for i, s := range steps {
					if i > 0 {
						time.Sleep(pause(s.status != 0, strings.Contains(name, "=5")))
					}
					before := g.asked()
					g.origin = func(w http.ResponseWriter, r *http.Request) {
						n++
						for _, line := range s.header {
							name, value, _ := strings.Cut(line, ": ")
							w.Header().Add(name, value)
						}
						if s.status == 304 && r.Header.Get("If-None-Match") == "" {
							w.WriteHeader(200)
						} else {
							w.WriteHeader(s.status)
						}
						if s.status != 304 || r.Header.Get("If-None-Match") == "" {
							w.Write([]byte{byte('0' + n)})
						}
					}
					res := g.get("/a")
					if res.Code != s.want || res.Body.String() != s.body || !strings.HasPrefix(res.Header().Get("X-Cache"), s.cached+" ") {
						t.Fatalf("step %d: got %d %q %v, want %d %q", i, res.Code, res.Body, res.Header(), s.want, s.body)
					}
					if (s.status == 0) != (g.asked() == before) {
						t.Errorf("step %d: the origin was asked %d times", i, g.asked()-before)
					}
					if name, want, ok := strings.Cut(s.field, ": "); ok && res.Header().Get(name) != want {
						t.Errorf("step %d: got %s: %q, want %q", i, name, res.Header().Get(name), want)
					}
				}
			})
		})
	}
}

// pause is how long after a response the next request comes: at once if it is to be a
// hit, else when the response has been stale for a moment, or for more than 5 s.
func pause(asks, long bool) time.Duration {
	switch {
	case long:
		return 16 * time.Second
	case asks:
		return 10 * time.Second
	}
	return 9 * time.Second
}

func TestStaleWhileRevalidate(t *testing.T) { // RFC 5861, section 3
	synctest.Test(t, func(t *testing.T) {
		o := answer(200, "Cache-Control: max-age=10, stale-while-revalidate=60")
		wait := make(chan struct{})
		close(wait)
		g := newRig(t, func(w http.ResponseWriter, r *http.Request) {
			<-wait
			o(w, r)
		})
		g.get("/a")
		wait = make(chan struct{})
		time.Sleep(20 * time.Second)
		for range 10 { // nobody waits for the origin
			if res := g.get("/a"); res.Body.String() != "1" || res.Header().Get("Age") != "20" {
				t.Errorf("got %q, age %s", res.Body, res.Header().Get("Age"))
			}
		}
		synctest.Wait()
		if n := g.asked(); n != 2 {
			t.Errorf("%d requests", n)
		}
		close(wait)
		synctest.Wait()
		if res := g.get("/a"); res.Body.String() != "2" || g.asked() != 2 {
			t.Errorf("got %q after %d requests", res.Body, g.asked())
		}
		time.Sleep(71 * time.Second)
		if res := g.get("/a"); res.Body.String() != "3" {
			t.Errorf("after all of it got %q", res.Body)
		}
	})
}

func TestAHeadThatFindsSomethingStaleFetchesAllOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, answer(200, "Cache-Control: max-age=10, stale-while-revalidate=60"))
		g.get("/a")
		time.Sleep(20 * time.Second)
		g.do(request("HEAD", "/a"))
		synctest.Wait()
		if res := g.get("/a"); g.last().Method != "GET" || res.Body.String() != "2" || g.asked() != 2 {
			t.Errorf("the origin got a %s; got %q after %d requests", g.last().Method, res.Body, g.asked())
		}
	})
}

// TestAnOriginThatFails is asked once per error TTL (contract of CloudFront: the
// expired response is served for that long).
func TestAnOriginThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, answer(200, "Cache-Control: max-age=10"))
		g.errors = func(int) (time.Duration, bool) { return 10 * time.Second, true }
		g.get("/a")
		time.Sleep(10 * time.Second)
		g.origin = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) } // no answer at all
		for range 5 {
			if res := g.get("/a"); res.Code != 200 || res.Body.String() != "1" {
				t.Errorf("got %d %q", res.Code, res.Body)
			}
		}
		if n := g.asked(); n != 2 {
			t.Errorf("%d requests", n)
		}
		time.Sleep(10 * time.Second)
		g.origin = answer(503)
		if res := g.get("/a"); res.Code != 200 || g.asked() != 3 {
			t.Errorf("got %d after %d requests", res.Code, g.asked())
		}
		time.Sleep(10 * time.Second)
		g.origin = answer(200, "X-A: back")
		if res := g.get("/a"); res.Header().Get("X-A") != "back" {
			t.Errorf("got %v", res.Header())
		}
	})
}

func TestRevalidationIsCollapsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := make(chan struct{})
		close(open)
		g := newRig(t, func(w http.ResponseWriter, r *http.Request) {
			<-open
			w.Header().Set("Cache-Control", "max-age=10")
			w.Header().Set("Etag", `"1"`)
			if r.Header.Get("If-None-Match") != "" {
				w.WriteHeader(304)
				return
			}
			io.WriteString(w, "body")
		})
		g.get("/a")
		time.Sleep(10 * time.Second)
		open = make(chan struct{})
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if res := g.get("/a"); res.Body.String() != "body" || res.Header().Get("X-Cache") != "RefreshHit from cloudfront" {
					t.Errorf("got %q %v", res.Body, res.Header())
				}
			})
		}
		synctest.Wait()
		close(open)
		wg.Wait()
		if n := g.asked(); n != 2 {
			t.Errorf("%d requests", n)
		}
	})
}

// TestHead: RFC 9111, section 4 and 4.3.5.
func TestHead(t *testing.T) {
	head := func(g *rig) string {
		res := g.do(request("HEAD", "/a"))
		return res.Header().Get("X-A") + "/" + res.Header().Get("Content-Length") + "/" + res.Body.String()
	}
	synctest.Test(t, func(t *testing.T) {
		say := func(header ...string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				answer(200, append(header, "Cache-Control: max-age=10", "Content-Length: 1")...)(w, r)
			}
		}
		g := newRig(t, say("X-A: 1", `ETag: "1"`))
		g.get("/a")
		if got := head(g); got != "1/1/" || g.asked() != 1 {
			t.Errorf("from the stored GET: %q", got)
		}
		time.Sleep(10 * time.Second)
		g.origin = func(w http.ResponseWriter, r *http.Request) {
			if r.Method != "HEAD" {
				t.Errorf("the origin got a %s", r.Method)
			}
			h := w.Header()
			h.Set("X-A", "2")
			h.Set("Etag", `"1"`)
			h.Set("Content-Length", "1")
			h.Set("Cache-Control", "max-age=10")
		}
		if got := head(g); got != "2/1/" {
			t.Errorf("of a stale one: %q", got)
		}
		if res := g.get("/a"); res.Body.String() != "1" || res.Header().Get("X-A") != "2" {
			t.Errorf("not renewed by it: %q %v", res.Body, res.Header())
		}
		time.Sleep(10 * time.Second)
		g.origin = say(`ETag: "2"`, "X-A: 3")
		head(g)
		g.origin = answer(200, "X-A: 4")
		if res := g.get("/a"); res.Header().Get("X-A") != "4" {
			t.Errorf("still used after a HEAD said otherwise: %v", res.Header())
		}
	})
}

func TestAClientThatLeavesABodyDoesNotCutIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		more := make(chan struct{})
		g := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "8")
			io.WriteString(w, "half")
			http.NewResponseController(w).Flush()
			<-more
			io.WriteString(w, "full")
		})
		ctx, leave := context.WithCancel(t.Context())
		led := make(chan struct{})
		go func() {
			g.do(request("GET", "/a").WithContext(ctx))
			close(led)
		}()
		synctest.Wait()
		body := make(chan string)
		go func() { body <- g.get("/a").Body.String() }()
		synctest.Wait()
		leave()
		<-led
		close(more)
		if got := <-body; got != "halffull" {
			t.Errorf("got %q", got)
		}
		if res := g.get("/a"); res.Body.String() != "halffull" || g.asked() != 1 {
			t.Errorf("stored %q", res.Body)
		}
	})
}
