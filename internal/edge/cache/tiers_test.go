package cache_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/dropstack/dropstack/internal/edge/cache"
)

// bytesOf makes a body that is like no other.
func bytesOf(name string, size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8(sha256.Sum256([]byte(name))).Read(b)
	return b
}

// sized answers /SIZE/anything with so many bytes, without saying how many when the
// query is "chunked".
func sized(w http.ResponseWriter, r *http.Request) {
	size, _ := strconv.Atoi(strings.Split(r.URL.Path, "/")[1])
	body := bytesOf(r.URL.Path, size)
	w.Header().Set("Cache-Control", "max-age=3600")
	w.Header().Set("Etag", `"`+strings.ReplaceAll(r.URL.Path, "/", "-")+`"`)
	if r.URL.RawQuery != "chunked" {
		w.Header().Set("Content-Length", strconv.Itoa(size))
	}
	for chunk := range len(body)/50_000 + 1 {
		p := body[chunk*50_000 : min(len(body), (chunk+1)*50_000)]
		if _, err := w.Write(p); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

func (g *rig) wantBody(target string, want []byte) *httptest.ResponseRecorder {
	g.t.Helper()
	res := g.get(target)
	if !bytes.Equal(res.Body.Bytes(), want) {
		g.t.Errorf("%s: got %d and %d bytes, want %d", target, res.Code, res.Body.Len(), len(want))
	}
	return res
}

func isHit(res *httptest.ResponseRecorder) bool {
	return strings.HasPrefix(res.Header().Get("Cache-Status"), "dropstack; hit")
}

func TestSizes(t *testing.T) {
	for name, c := range map[string]struct {
		memory, disk int64
		size         int
		stored       bool
	}{
		"empty":                      {1 << 20, 0, 0, true},
		"one byte":                   {1 << 20, 0, 1, true},
		"as large as memory takes":   {1 << 20, 0, 1 << 16, true},
		"larger than memory takes":   {1 << 20, 0, 1<<16 + 1, false},
		"far larger":                 {1 << 20, 0, 3 << 20, false},
		"in a file":                  {1 << 20, 64 << 20, 1<<16 + 1, true},
		"in a file of whole blocks":  {1 << 20, 64 << 20, 1 << 17, true},
		"in a large file":            {1 << 20, 64 << 20, 5<<20 + 7, true},
		"larger than the disk takes": {1 << 20, 8 << 20, 3 << 20, false},
	} {
		for _, query := range []string{"", "?chunked"} {
			t.Run(name+query, func(t *testing.T) {
				g := openRig(t, &cache.Cache{Memory: c.memory, Disk: c.disk, Dir: t.TempDir(), Log: logger(t)}, sized)
				target := fmt.Sprintf("/%d/x%s", c.size, query)
				want := bytesOf(fmt.Sprintf("/%d/x", c.size), c.size)
				g.wantBody(target, want)
				res := g.wantBody(target, want)
				if isHit(res) != c.stored {
					t.Errorf("stored: got %v, want %v (%v)", isHit(res), c.stored, res.Header())
				}
				if n := g.cache.Counters(); n.Bytes > c.memory || n.DiskBytes > c.disk {
					t.Errorf("over the limits: %+v", n)
				}
			})
		}
	}
}

// TestReadersOfALargeBody read it at their own pace while it arrives, in memory, in a
// file, or with room for neither.
func TestReadersOfALargeBody(t *testing.T) {
	for name, disk := range map[string]int64{"on disk": 64 << 20, "without room": 0, "too large for the disk": 4 << 20} {
		t.Run(name, func(t *testing.T) {
			g := openRig(t, &cache.Cache{Memory: 1 << 20, Disk: disk, Dir: t.TempDir(), Log: logger(t)}, sized)
			want := bytesOf("/3000000/x", 3_000_000)
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() { g.wantBody("/3000000/x?chunked", want) })
			}
			wg.Wait()
		})
	}
}

func TestRestart(t *testing.T) {
	dir := t.TempDir()
	open := func() *rig {
		return openRig(t, &cache.Cache{Memory: 1 << 20, Disk: 64 << 20, Dir: dir, Log: logger(t)}, sized)
	}
	targets := []string{"/10/a", "/10/b", "/70000/a", "/1000000/a"}
	body := func(target string) []byte {
		size, _ := strconv.Atoi(strings.Split(target, "/")[1])
		return bytesOf(target, size)
	}
	g := open()
	for _, target := range targets {
		g.wantBody(target, body(target))
	}
	g.end()
	g = open()
	for _, target := range targets {
		if res := g.wantBody(target, body(target)); !isHit(res) {
			t.Errorf("%s: %v", target, res.Header())
		}
	}
	if n := g.asked(); n != 0 {
		t.Errorf("the origin was asked %d times", n)
	}
	if res := g.get("/1000000/a", "Range: bytes=131071-131080"); res.Code != 206 || !bytes.Equal(res.Body.Bytes(), body("/1000000/a")[131071:131081]) {
		t.Errorf("a range out of a file: %d %d bytes", res.Code, res.Body.Len())
	}
	// What is invalidated stays so, and so does what a POST has changed.
	if err := g.cache.Invalidate(t.Context(), "E1", []string{"/10/a", "/7*"}); err != nil {
		t.Fatal(err)
	}
	g.origin = func(http.ResponseWriter, *http.Request) {}
	g.do(request("POST", "/1000000/a"))
	g.end()
	g = open()
	for _, target := range targets {
		if got, want := isHit(g.wantBody(target, body(target))), target == "/10/b"; got != want {
			t.Errorf("%s: hit %v, want %v", target, got, want)
		}
	}
}

// TestDamagedFiles: whatever happens to a file, nothing of it that is wrong is served.
func TestDamagedFiles(t *testing.T) {
	damage := map[string]func(b []byte) []byte{
		"a bit at the start": func(b []byte) []byte { b[0] ^= 1; return b },
		"a bit of the body":  func(b []byte) []byte { b[100_000] ^= 1; return b },
		"a bit of the head":  func(b []byte) []byte { b[len(b)-60] ^= 1; return b },
		"a bit at the end":   func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"cut":                func(b []byte) []byte { return b[:len(b)/2] },
		"empty":              func([]byte) []byte { return nil },
		"longer":             func(b []byte) []byte { return append(b, 0) },
		"doubled":            func(b []byte) []byte { return append(b, b...) },
	}
	for name, spoil := range damage {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			open := func() *rig {
				return openRig(t, &cache.Cache{Memory: 1 << 20, Disk: 64 << 20, Dir: dir, Log: logger(t)}, sized)
			}
			g := open()
			want := bytesOf("/300000/a", 300_000)
			g.wantBody("/300000/a", want)
			g.end()
			n := 0
			err := filepath.WalkDir(filepath.Join(dir, "responses"), func(path string, e fs.DirEntry, err error) error {
				if err != nil || e.IsDir() || e.Name() == "boot" {
					return err
				}
				n++
				b, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				return os.WriteFile(path, spoil(b), 0o600)
			})
			if err != nil || n != 1 {
				t.Fatalf("%d files, %v", n, err)
			}
			g = open()
			defer func() { // nothing is left reserved by those who were cut off
				g.cache.Invalidate(t.Context(), "E1", []string{"/*"})
				g.get("/300000/a")
				if n := g.cache.Counters(); n.Objects != 1 || n.Bytes > 2000 {
					t.Errorf("got %+v", n)
				}
			}()
			if res := g.get("/300000/a"); res.Code != 0 && !bytes.Equal(res.Body.Bytes(), want) {
				t.Errorf("got %d, %d bytes that are wrong", res.Code, res.Body.Len())
			}
			g.wantBody("/300000/a", want)
		})
	}
}

func TestAnotherBootTrustsNoFiles(t *testing.T) {
	dir := t.TempDir()
	g := openRig(t, &cache.Cache{Memory: 1 << 20, Disk: 64 << 20, Dir: dir, Log: logger(t)}, sized)
	g.get("/10/a")
	g.end()
	if err := os.WriteFile(filepath.Join(dir, "responses", "boot"), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	g = openRig(t, &cache.Cache{Memory: 1 << 20, Disk: 64 << 20, Dir: dir, Log: logger(t)}, sized)
	if isHit(g.get("/10/a")) {
		t.Error("a file of another boot was served")
	}
}

// TestEviction: more than both tiers hold goes through them, and what is stored is
// never over either limit.
func TestEviction(t *testing.T) {
	g := openRig(t, &cache.Cache{Memory: 1 << 20, Disk: 4 << 20, Dir: t.TempDir(), Log: logger(t)}, sized)
	for i := range 300 {
		target := fmt.Sprintf("/%d/%d", 1000+i*200, i)
		g.wantBody(target, bytesOf(target, 1000+i*200))
		if n := g.cache.Counters(); n.Bytes > 1<<20 || n.DiskBytes > 4<<20 {
			t.Fatalf("over the limits after %d: %+v", i, n)
		}
	}
	n := g.cache.Counters()
	if n.Evicted == 0 || n.DiskObjects == 0 {
		t.Errorf("got %+v", n)
	}
	hits := 0
	for i := 299; i >= 0; i-- { // the latest first
		target := fmt.Sprintf("/%d/%d", 1000+i*200, i)
		if isHit(g.wantBody(target, bytesOf(target, 1000+i*200))) {
			hits++
		}
	}
	if hits == 0 {
		t.Error("nothing was found again")
	}
}

// TestNoDirectory: when the disk fails, clients get their answers all the same.
func TestNoDirectory(t *testing.T) {
	dir := t.TempDir()
	g := openRig(t, &cache.Cache{Memory: 1 << 20, Disk: 64 << 20, Dir: dir, Log: logger(t)}, sized)
	if err := os.RemoveAll(filepath.Join(dir, "responses")); err != nil {
		t.Fatal(err)
	}
	want := bytesOf("/300000/a", 300_000)
	for range 2 {
		g.wantBody("/300000/a", want)
		g.wantBody("/300000/a?chunked", want)
	}
	g.wantBody("/10/a", bytesOf("/10/a", 10))
}

func TestASlowClientOfAStoredBodyKeepsItsMemory(t *testing.T) {
	g := openRig(t, &cache.Cache{Memory: 1 << 20, Log: logger(t)}, sized)
	g.get("/60000/a")
	pr, pw := io.Pipe()
	done := make(chan struct{})
	go func() {
		g.cacheServe(&slow{ResponseRecorder: httptest.NewRecorder(), w: pw}, request("GET", "/60000/a"))
		close(done)
	}()
	first := make([]byte, 1)
	if _, err := io.ReadFull(pr, first); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		g.get(fmt.Sprintf("/60000/%d", i))
		if n := g.cache.Counters().Bytes; n > 1<<20 {
			t.Fatalf("%d bytes", n)
		}
	}
	rest := make([]byte, 59_999)
	if _, err := io.ReadFull(pr, rest); err != nil || !bytes.Equal(append(first, rest...), bytesOf("/60000/a", 60_000)) {
		t.Errorf("another body: %v", err)
	}
	<-done
}

// slow is a client that takes what it likes.
type slow struct {
	*httptest.ResponseRecorder
	w io.Writer
}

func (s *slow) Write(p []byte) (int, error) { return s.w.Write(p) }

// TestLeftovers of a process that was killed are cleared away.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	open := func() *rig {
		return openRig(t, &cache.Cache{Memory: 1 << 20, Disk: 64 << 20, Dir: dir, Log: logger(t)}, sized)
	}
	g := open()
	g.get("/300000/a")
	g.end()
	for _, name := range []string{"arriving/123", "ab/half", "ab/0-0-0-0"} {
		path := filepath.Join(dir, "responses", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g = open()
	if n := g.cache.Counters(); n.DiskObjects != 1 || n.DiskBytes < 300_000 {
		t.Errorf("got %+v", n)
	}
	for _, name := range []string{"arriving/123", "ab/half", "ab/0-0-0-0"} {
		if _, err := os.Stat(filepath.Join(dir, "responses", name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	if !isHit(g.wantBody("/300000/a", bytesOf("/300000/a", 300_000))) {
		t.Error("what was whole is gone")
	}
}
