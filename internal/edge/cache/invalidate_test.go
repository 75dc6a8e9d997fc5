package cache_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropstack/dropstack/internal/edge/cache"
	"github.com/dropstack/dropstack/internal/fault"
)

func TestInvalidate(t *testing.T) {
	for name, c := range map[string]struct {
		stored []string
		header string
		paths  []string
		gone   []bool
	}{
		"a path":                         {[]string{"/a", "/b", "/a/b"}, "", []string{"/a"}, []bool{true, false, false}},
		"without the slash":              {[]string{"/a"}, "", []string{"a"}, []bool{true}},
		"its case counts":                {[]string{"/a", "/A"}, "", []string{"/A"}, []bool{false, true}},
		"several":                        {[]string{"/a", "/b", "/c"}, "", []string{"/a", "/c"}, []bool{true, false, true}},
		"a prefix":                       {[]string{"/a/1", "/a/2/3", "/a", "/b"}, "", []string{"/a/*"}, []bool{true, true, false, false}},
		"a prefix inside a name":         {[]string{"/abc", "/ab", "/aabc"}, "", []string{"/ab*"}, []bool{true, true, false}},
		"a star that is not at the end":  {[]string{"/a/1", "/*/1"}, "", []string{"/*/1"}, []bool{false, true}},
		"everything":                     {[]string{"/", "/a?x=1"}, "", []string{"/*"}, []bool{true, true}},
		"everything, by the star alone":  {[]string{"/", "/a"}, "", []string{"*"}, []bool{true, true}},
		"the query counts":               {[]string{"/a?x=1", "/a?x=2", "/a"}, "", []string{"/a?x=1"}, []bool{true, false, false}},
		"without the query":              {[]string{"/a?x=1", "/a"}, "", []string{"/a"}, []bool{false, true}},
		"every query":                    {[]string{"/a?x=1", "/a?y", "/a", "/b"}, "", []string{"/a*"}, []bool{true, true, true, false}},
		"written another way":            {[]string{"/%61", "/b%20c"}, "", []string{"/a", "/b c"}, []bool{true, true}},
		"every variant":                  {[]string{"/a"}, "X-A: 2", []string{"/a"}, []bool{true}},
		"the same twice and one between": {[]string{"/a", "/b"}, "", []string{"/a", "/c", "/a"}, []bool{true, false}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, answer(200, "Vary: X-A"))
			for _, target := range c.stored {
				g.get(target)
				if c.header != "" {
					g.get(target, c.header)
				}
			}
			if err := g.cache.Invalidate(t.Context(), "E1", c.paths); err != nil {
				t.Fatal(err)
			}
			if err := g.cache.Invalidate(t.Context(), "E2", []string{"/*"}); err != nil { // another zone
				t.Fatal(err)
			}
			for i, target := range c.stored {
				if hit := isHit(g.get(target)); hit == c.gone[i] {
					t.Errorf("%s is gone: %v, want %v", target, !hit, c.gone[i])
				}
				if c.header != "" && isHit(g.get(target, c.header)) == c.gone[i] {
					t.Errorf("%s with %s is there", target, c.header)
				}
				if !isHit(g.get(target)) {
					t.Errorf("%s is not stored again", target)
				}
			}
		})
	}
}

// TestInvalidateInFlight: what was asked for before an invalidation is neither stored
// nor given to those who come after it.
func TestInvalidateInFlight(t *testing.T) {
	for name, invalidate := range map[string]func(*rig){
		"by name": func(g *rig) {
			if err := g.cache.Invalidate(g.t.Context(), "E1", []string{"/a"}); err != nil {
				g.t.Error(err)
			}
		},
		"by a POST": func(g *rig) { g.do(request("POST", "/a")) },
		"by a purge": func(g *rig) {
			if err := g.cache.Purge("E1"); err != nil {
				g.t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wait, state := make(chan struct{}), "old"
				g := newRig(t, func(w http.ResponseWriter, r *http.Request) {
					if r.Method == "POST" {
						state = "new"
						return
					}
					answer := state
					<-wait
					io.WriteString(w, answer)
				})
				first := make(chan string)
				go func() { first <- g.get("/a").Body.String() }()
				synctest.Wait()
				invalidate(g)
				state = "new"
				second := make(chan string)
				go func() { second <- g.get("/a").Body.String() }()
				synctest.Wait()
				if n := g.asked(); name != "by a POST" && n != 2 {
					t.Errorf("%d requests", n)
				}
				close(wait)
				if a, b := <-first, <-second; a != "old" || b != "new" {
					t.Errorf("got %q and %q", a, b)
				}
				if res := g.get("/a"); res.Body.String() != "new" || !isHit(res) {
					t.Errorf("stored is %q, %v", res.Body, res.Header())
				}
			})
		})
	}
}

// TestUnsafeMethods: RFC 9111, section 4.4.
func TestUnsafeMethods(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		target string
		status int
		header []string
		gone   []bool // /a, /a?x=1, /b, /c/d
	}{
		"POST":                             {"POST", "/a", 200, nil, []bool{true, true, false, false}},
		"PUT":                              {"PUT", "/a", 204, nil, []bool{true, true, false, false}},
		"DELETE":                           {"DELETE", "/a", 302, nil, []bool{true, true, false, false}},
		"PATCH":                            {"PATCH", "/a", 200, nil, []bool{true, true, false, false}},
		"a method that nobody knows":       {"FROB", "/a", 200, nil, []bool{true, true, false, false}},
		"with a query":                     {"POST", "/a?x=1", 200, nil, []bool{true, true, false, false}},
		"that fails":                       {"POST", "/a", 500, nil, []bool{false, false, false, false}},
		"that is refused":                  {"POST", "/a", 403, nil, []bool{false, false, false, false}},
		"OPTIONS is safe":                  {"OPTIONS", "/a", 200, nil, []bool{false, false, false, false}},
		"Location":                         {"POST", "/x", 201, []string{"Location: /b"}, []bool{false, false, true, false}},
		"Location with the host":           {"POST", "/x", 201, []string{"Location: http://EXAMPLE.org/b"}, []bool{false, false, true, false}},
		"Location of another host":         {"POST", "/x", 201, []string{"Location: http://example.com/b"}, []bool{false, false, false, false}},
		"Content-Location, a relative one": {"POST", "/c/x", 200, []string{"Content-Location: d"}, []bool{false, false, false, true}},
		"Location of a GET means nothing":  {"GET", "/x", 200, []string{"Location: /b"}, []bool{false, false, false, false}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, answer(200))
			targets := []string{"/a", "/a?x=1", "/b", "/c/d"}
			for _, target := range targets {
				g.get(target)
			}
			g.origin = answer(c.status, c.header...)
			if res := g.do(request(c.method, c.target)); res.Code != c.status {
				t.Fatalf("got %d", res.Code)
			}
			g.origin = answer(200)
			for i, target := range targets {
				if hit := isHit(g.get(target)); hit == c.gone[i] {
					t.Errorf("%s is gone: %v, want %v", target, !hit, c.gone[i])
				}
			}
		})
	}
}

func TestInvalidationsAreMany(t *testing.T) {
	dir := t.TempDir()
	g := openRig(t, &cache.Cache{Memory: 1 << 20, Disk: 1 << 20, Dir: dir, Log: logger(t)}, answer(200))
	g.get("/old")
	var paths []string
	for i := range 3001 {
		paths = append(paths, fmt.Sprint("/", i))
		if len(paths) == 100 || i == 3000 {
			if err := g.cache.Invalidate(t.Context(), "E1", paths); err != nil {
				t.Fatal(err)
			}
			paths = nil
		}
	}
	g.get("/new")
	g.end()
	g = openRig(t, &cache.Cache{Memory: 1 << 20, Disk: 1 << 20, Dir: dir, Log: logger(t)}, answer(200))
	if isHit(g.get("/old")) || !isHit(g.get("/new")) {
		t.Error("too many invalidations must take the older responses with them, and no newer")
	}
	if info, err := os.Stat(filepath.Join(dir, "invalidations")); err != nil || info.Size() > 100<<10 {
		t.Errorf("the log has %v bytes, %v", info.Size(), err)
	}
}

func TestALogThatCannotBeReadMeansThatNothingIsTrusted(t *testing.T) {
	for name, c := range map[string]struct {
		add string
		hit bool
	}{
		"a line that was not finished": {`{"number":7,"zo`, true},
		"a line that is broken":        {"{\"number\":7,\"zo\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			g := openRig(t, &cache.Cache{Memory: 1 << 20, Disk: 1 << 20, Dir: dir, Log: logger(t)}, answer(200))
			g.get("/a")
			g.end()
			f, err := os.OpenFile(filepath.Join(dir, "invalidations"), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString(c.add); err != nil {
				t.Fatal(err)
			}
			f.Close()
			g = openRig(t, &cache.Cache{Memory: 1 << 20, Disk: 1 << 20, Dir: dir, Log: logger(t)}, answer(200))
			if isHit(g.get("/a")) != c.hit {
				t.Errorf("hit: %v", !c.hit)
			}
		})
	}
}

func TestInvalidateSaysWhatIsWrong(t *testing.T) {
	g := newRig(t, nil)
	for _, paths := range [][]string{nil, {""}, {"/a", string(make([]byte, 4001))}} {
		if err := g.cache.Invalidate(t.Context(), "E1", paths); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%d paths: %v", len(paths), err)
		}
	}
}

func TestMarksEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, answer(200, "Cache-Control: no-store"))
		g.get("/a")
		g.origin = answer(200)
		g.get("/a") // passes, and shows that there is something to store
		g.get("/a")
		if !isHit(g.get("/a")) {
			t.Error("a response that can be stored is not")
		}
		g.origin = answer(200, "Cache-Control: no-store")
		g.get("/b")
		time.Sleep(3 * time.Minute)
		g.origin = answer(200)
		g.get("/b")
		if !isHit(g.get("/b")) {
			t.Error("a key is passed for ever")
		}
	})
}
