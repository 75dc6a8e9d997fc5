package cache_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// gate is an origin that says how many requests it has got and answers when told to.
type gate struct {
	open   chan struct{}
	asked  atomic.Int32
	header http.Header
	body   string
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.asked.Add(1)
	select {
	case <-g.open:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
	for name, values := range g.header {
		w.Header()[name] = values
	}
	io.WriteString(w, g.body)
}

func TestAHundredClientsAreOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &gate{open: make(chan struct{}), body: strings.Repeat("x", 100_000)}
		g := newRig(t, o.ServeHTTP)
		var wg sync.WaitGroup
		var collapsed atomic.Int32
		for range 100 {
			wg.Go(func() {
				res := g.get("/a")
				if res.Body.String() != o.body {
					t.Errorf("got %d and %d bytes", res.Code, res.Body.Len())
				}
				if strings.Contains(res.Header().Get("Cache-Status"), "collapsed") {
					collapsed.Add(1)
				}
			})
		}
		synctest.Wait()
		close(o.open)
		wg.Wait()
		if o.asked.Load() != 1 || collapsed.Load() != 99 {
			t.Errorf("origin asked %d times, %d collapsed", o.asked.Load(), collapsed.Load())
		}
	})
}

func TestUncacheableResponsesDoNotSerialise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &gate{open: make(chan struct{}), body: "x", header: http.Header{"Cache-Control": {"no-store"}}}
		g := newRig(t, o.ServeHTTP)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { g.get("/a") })
		}
		synctest.Wait()
		if n := o.asked.Load(); n != 1 {
			t.Errorf("asked %d times at first", n)
		}
		close(o.open)
		wg.Wait()
		if n := o.asked.Load(); n != 100 {
			t.Errorf("asked %d times", n)
		}
		// Known now: each goes by itself.
		o.open = make(chan struct{})
		for range 100 {
			wg.Go(func() { g.get("/a") })
		}
		synctest.Wait()
		if n := o.asked.Load(); n != 200 {
			t.Errorf("asked %d times at once", n-100)
		}
		close(o.open)
		wg.Wait()
	})
}

func TestTheLeaderLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &gate{open: make(chan struct{}), body: "whole"}
		g := newRig(t, o.ServeHTTP)
		ctx, leave := context.WithCancel(t.Context())
		led := make(chan struct{})
		go func() {
			g.do(request("GET", "/a").WithContext(ctx))
			close(led)
		}()
		synctest.Wait()
		followed := make(chan *httptest.ResponseRecorder)
		go func() { followed <- g.get("/a") }()
		synctest.Wait()
		leave()
		<-led
		close(o.open)
		if res := <-followed; res.Body.String() != "whole" || o.asked.Load() != 1 {
			t.Errorf("got %q after %d requests", res.Body, o.asked.Load())
		}
	})
}

func TestTheOnlyClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &gate{open: make(chan struct{}), body: "whole"}
		g := newRig(t, o.ServeHTTP)
		ctx, leave := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			g.do(request("GET", "/a").WithContext(ctx))
			close(done)
		}()
		synctest.Wait()
		leave()
		<-done
		close(o.open)
		synctest.Wait()
		if res := g.get("/a"); o.asked.Load() != 1 || res.Header().Get("X-Cache") != "Hit from cloudfront" {
			t.Errorf("the fetch was for nothing: %v", res.Header())
		}
	})
}

func TestAFetchThatNobodyWaitsForEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &gate{open: make(chan struct{})}
		g := newRig(t, o.ServeHTTP)
		ctx, leave := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			g.do(request("GET", "/a").WithContext(ctx))
			close(done)
		}()
		synctest.Wait()
		leave()
		<-done
		time.Sleep(31 * time.Second)
		synctest.Wait()
		close(o.open)
		g.get("/a")
		if n := o.asked.Load(); n != 2 {
			t.Errorf("asked %d times", n)
		}
	})
}

// TestBrokenBodies: whatever an origin does to a body, nobody gets a part of it that
// looks whole, and nothing is stored.
func TestBrokenBodies(t *testing.T) {
	for name, origin := range map[string]http.HandlerFunc{
		"it gives up": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "half")
			panic(http.ErrAbortHandler)
		},
		"it panics": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "half")
			panic("oh")
		},
		"it gives up before the head": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"too short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "half")
		},
		"too long": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			io.WriteString(w, "half")
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, origin)
			for range 3 {
				if res := g.get("/a"); res.Code != 0 {
					t.Errorf("looks whole: %d %q", res.Code, res.Body)
				}
			}
			if n := g.cache.Counters().Objects; n != 0 {
				t.Errorf("%d stored", n)
			}
			if n := g.cache.Counters().Bytes; n != 0 {
				t.Errorf("%d bytes are still reserved", n)
			}
		})
	}
}

func TestFollowersOfABrokenBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cut := make(chan struct{})
		g := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "half")
			<-cut
			panic(http.ErrAbortHandler)
		})
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if res := g.get("/a"); res.Code != 0 {
					t.Errorf("looks whole: %d %q", res.Code, res.Body)
				}
			})
		}
		synctest.Wait()
		close(cut)
		wg.Wait()
	})
}

// TestFollowersOfAnotherVariant: two languages are asked for at once, and nobody gets
// the other's.
func TestFollowersOfAnotherVariant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := make(chan struct{})
		var asked atomic.Int32
		g := newRig(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			<-open
			w.Header().Set("Vary", "Accept-Language")
			io.WriteString(w, r.Header.Get("Accept-Language"))
		})
		var wg sync.WaitGroup
		for i := range 100 {
			lang := fmt.Sprint("l", i%4)
			wg.Go(func() {
				if res := g.get("/a", "Accept-Language: "+lang); res.Body.String() != lang {
					t.Errorf("got %q, want %q", res.Body, lang)
				}
			})
		}
		synctest.Wait()
		close(open)
		wg.Wait()
		if n := asked.Load(); n != 4 {
			t.Errorf("asked %d times for 4 variants", n)
		}
	})
}

// TestStreams: what is sent bit by bit arrives bit by bit, stored or not.
func TestStreams(t *testing.T) {
	for _, control := range []string{"no-store", "max-age=60"} {
		t.Run(control, func(t *testing.T) {
			next := make(chan string)
			g := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				w.Header().Set("Cache-Control", control)
				for s := range next {
					io.WriteString(w, s)
					if err := http.NewResponseController(w).Flush(); err != nil {
						t.Error(err)
					}
				}
			})
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				g.cacheServe(w, r)
			}))
			defer front.Close()
			for range 2 {
				go func() { next <- "first\n" }()
				res, err := http.Get(front.URL + "/a" + control)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range []string{"first\n", "second\n"} {
					buf := make([]byte, len(s))
					if _, err := io.ReadFull(res.Body, buf); err != nil || string(buf) != s {
						t.Fatalf("got %q, %v, want %q", buf, err, s)
					}
					if s == "first\n" {
						next <- "second\n"
					}
				}
				close(next)
				if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 {
					t.Errorf("got %q, %v", rest, err)
				}
				res.Body.Close()
				if control != "no-store" {
					return
				}
				next = make(chan string)
			}
		})
	}
}

// TestASlowBody reaches clients as far as it has come, without the origin's asking, the
// head first.
func TestASlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := make(chan string)
		g := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			for s := range next {
				io.WriteString(w, s)
			}
		})
		res := &flushed{header: http.Header{}}
		done := make(chan struct{})
		go func() {
			g.cacheServe(res, request("GET", "/a"))
			close(done)
		}()
		for _, c := range []struct{ send, want string }{{"", "head "}, {"a", "head a "}, {"b", "head a b "}} {
			if c.send != "" {
				next <- c.send
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if res.sent != c.want {
				t.Errorf("got %q, want %q", res.sent, c.want)
			}
		}
		close(next)
		<-done
	})
}

// flushed is a client that gets what is flushed.
type flushed struct {
	header     http.Header
	held, sent string
}

func (f *flushed) Header() http.Header { return f.header }
func (f *flushed) WriteHeader(int)     { f.held += "head" }
func (f *flushed) Write(p []byte) (int, error) {
	f.held += string(p)
	return len(p), nil
}

func (f *flushed) FlushError() error {
	f.sent, f.held = f.sent+f.held+" ", ""
	return nil
}

// TestStaleAsTheyCome: responses that are stale when they arrive are nobody else's, and
// nobody waits twice to learn that.
func TestStaleAsTheyCome(t *testing.T) {
	for name, header := range map[string][]string{
		"by Age":               {"Cache-Control: max-age=60", "Age: 60"},
		"by Age, validated":    {"Cache-Control: max-age=60", "Age: 60", `ETag: "1"`},
		"max-age=0, validated": {"Cache-Control: max-age=0", `ETag: "1"`},
		"no-cache, validated":  {"Cache-Control: no-cache", `ETag: "1"`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				respond := answer(200, header...)
				var mu sync.Mutex
				g := newRig(t, func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(time.Second)
					mu.Lock()
					defer mu.Unlock()
					respond(w, r)
				})
				start := time.Now()
				var wg sync.WaitGroup
				for range 50 {
					wg.Go(func() {
						asked := g.asked()
						g.get("/a")
						if g.asked() == asked {
							t.Error("a response was shared")
						}
					})
				}
				wg.Wait()
				if took := time.Since(start); took > 2500*time.Millisecond || g.asked() != 50 {
					t.Errorf("took %v, %d requests", took, g.asked())
				}
			})
		})
	}
}
