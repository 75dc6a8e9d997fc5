package edge_test

import (
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/engine"
)

const tenTwice = "0123456789abcdefghij"

// sending is an origin that has an object sent.
func sending(t testing.TB, object string, header http.Header) (*edge.Server, *store) {
	t.Helper()
	s, objects := server(t, origins{"drops": func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), header)
		w.Header().Set("Content-Length", "3")
		w.Header().Set("X-Dropstack-Send-Object", object)
		io.WriteString(w, "own")
	}}, all("drops"))
	return s, objects
}

func put(t testing.TB, objects *store, key, content string) engine.Object {
	t.Helper()
	o, err := objects.Put(t.Context(), "drops-files", key, strings.NewReader(content), -1, engine.PutOptions{ContentType: "text/plain; charset=utf-8"})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestDownload(t *testing.T) {
	s, objects := sending(t, "drops-files/in/a%20b%2Fc", http.Header{
		"Content-Disposition": {`inline; filename="x.txt"`}, "Cache-Control": {"private"}, "Content-Security-Policy": {"sandbox"},
	})
	etag := `"` + put(t, objects, "in/a b/c", tenTwice).ETag + `"`
	const modified = "Fri, 02 Jan 2026 03:04:05 GMT"
	for name, c := range map[string]struct {
		method string
		header map[string]string
		status int
		body   string
		rng    string
		opens  int
	}{
		"whole":                   {"GET", nil, 200, tenTwice, "", 1},
		"head":                    {"HEAD", nil, 200, "", "", 0},
		"start":                   {"GET", map[string]string{"Range": "bytes=0-3"}, 206, "0123", "bytes 0-3/20", 1},
		"middle to end":           {"GET", map[string]string{"Range": "bytes=15-"}, 206, "fghij", "bytes 15-19/20", 1},
		"last three":              {"GET", map[string]string{"Range": "bytes=-3"}, 206, "hij", "bytes 17-19/20", 1},
		"beyond the end":          {"GET", map[string]string{"Range": "bytes=10-99"}, 206, "abcdefghij", "bytes 10-19/20", 1},
		"unsatisfiable":           {"GET", map[string]string{"Range": "bytes=20-"}, 416, "", "bytes */20", 0},
		"other unit":              {"GET", map[string]string{"Range": "lines=1-2"}, 416, "", "", 0},
		"if-range holds":          {"GET", map[string]string{"Range": "bytes=0-0", "If-Range": etag}, 206, "0", "bytes 0-0/20", 1},
		"if-range does not":       {"GET", map[string]string{"Range": "bytes=0-0", "If-Range": `"x"`}, 200, tenTwice, "", 1},
		"if-range by date":        {"GET", map[string]string{"Range": "bytes=0-0", "If-Range": modified}, 206, "0", "bytes 0-0/20", 1},
		"not modified":            {"GET", map[string]string{"If-None-Match": etag}, 304, "", "", 0},
		"not modified, weak":      {"GET", map[string]string{"If-None-Match": `"y", W/` + etag}, 304, "", "", 0},
		"modified":                {"GET", map[string]string{"If-None-Match": `"x"`}, 200, tenTwice, "", 1},
		"not modified since":      {"GET", map[string]string{"If-Modified-Since": modified}, 304, "", "", 0},
		"precondition":            {"GET", map[string]string{"If-Match": `"x"`}, 412, "", "", 0},
		"head of a range":         {"HEAD", map[string]string{"Range": "bytes=0-3"}, 206, "", "bytes 0-3/20", 0},
		"client names the object": {"GET", map[string]string{"X-Dropstack-Send-Object": "a/b"}, 200, tenTwice, "", 1},
	} {
		r := httptest.NewRequest(c.method, "/", nil)
		for h, v := range c.header {
			r.Header.Set(h, v)
		}
		objects.opens = 0
		res := do(s, r)
		if res.Code != c.status || (c.status < 300 && res.Body.String() != c.body) || res.Header().Get("Content-Range") != c.rng && c.rng != "" {
			t.Errorf("%s: got %d %q %q", name, res.Code, res.Body, res.Header().Get("Content-Range"))
		}
		if objects.opens != c.opens {
			t.Errorf("%s: opened the object %d times, want %d", name, objects.opens, c.opens)
		}
		h := res.Header()
		if h.Get("X-Dropstack-Send-Object") != "" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: got %v", name, h)
		}
		if c.status == 200 && (h.Get("Etag") != etag || h.Get("Last-Modified") != modified || h.Get("Accept-Ranges") != "bytes" || h.Get("Content-Length") != "20" ||
			h.Get("Content-Type") != "text/plain; charset=utf-8" || h.Get("Content-Disposition") != `inline; filename="x.txt"` || h.Get("Content-Security-Policy") != "sandbox" || h.Get("Cache-Control") != "private") {
			t.Errorf("%s: got %v", name, h)
		}
	}
}

func TestSeveralRanges(t *testing.T) {
	s, objects := sending(t, "drops-files/k", nil)
	put(t, objects, "k", tenTwice)
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Range", "bytes=0-1,10-12,-1")
	res := do(s, r)
	media, params, err := mime.ParseMediaType(res.Header().Get("Content-Type"))
	if err != nil || res.Code != 206 || media != "multipart/byteranges" {
		t.Fatalf("got %d %v", res.Code, res.Header())
	}
	var got []string
	parts := multipart.NewReader(res.Body, params["boundary"])
	for {
		p, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(p)
		got = append(got, p.Header.Get("Content-Range")+" "+string(text))
	}
	if fmt.Sprint(got) != "[bytes 0-1/20 01 bytes 10-12/20 abc bytes 19-19/20 j]" {
		t.Errorf("got %v", got)
	}
}

func TestDownloadsThatCannotBe(t *testing.T) {
	for object, want := range map[string]int{
		"drops-files/none": 404, "dropstack-artifacts/k": 502, "drops-files": 502, "drops-files/": 502, "drops-files/%zz": 502,
	} {
		s, objects := sending(t, object, http.Header{"Content-Disposition": {"attachment"}, "Cache-Control": {"max-age=9"}, "Content-Type": {"image/png"}})
		objects.objects["dropstack-artifacts/k"] = stored{}
		res := do(s, httptest.NewRequest("GET", "/", nil))
		if res.Code != want || res.Header().Get("Content-Disposition") != "" || res.Header().Get("Cache-Control") != "no-store" || res.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: got %d %v", object, res.Code, res.Header())
		}
	}
	// Only a 200 has an object sent.
	s, objects := server(t, origins{"drops": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Dropstack-Send-Object", "drops-files/k")
		w.WriteHeader(403)
		io.WriteString(w, "no")
	}}, all("drops"))
	put(t, objects, "k", tenTwice)
	if res := do(s, httptest.NewRequest("GET", "/", nil)); res.Code != 403 || res.Body.String() != "no" || res.Header().Get("X-Dropstack-Send-Object") != "" {
		t.Errorf("got %d %s %v", res.Code, res.Body, res.Header())
	}
}

// TestHugeDownload takes a gigabyte over a connection and looks at the heap.
func TestHugeDownload(t *testing.T) {
	const size = 1 << 30
	s, objects := sending(t, "drops-files/k", nil)
	objects.objects["drops-files/k"] = stored{Object: engine.Object{Size: size, ETag: "e"}}
	res, err := http.Get(start(t, s))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	probe := &heapProbe{r: res.Body}
	n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{probe}, make([]byte, 256<<10))
	if n != size || err != nil || res.ContentLength != size {
		t.Errorf("got %d bytes of %d, %v", n, res.ContentLength, err)
	}
	if probe.peak > probe.first+32<<20 {
		t.Errorf("heap grew from %d MB to %d MB", probe.first>>20, probe.peak>>20)
	}
	runtime.KeepAlive(res)
}

// BenchmarkPass compares a request through the edge with one through the standard
// library's reverse proxy, which has a second HTTP hop to its origin, and with the
// bare origin.
func BenchmarkPass(b *testing.B) {
	page := func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }
	s, _ := server(b, origins{"web": page}, all("web"))
	bare := httptest.NewServer(http.HandlerFunc(page))
	defer bare.Close()
	target, err := url.Parse(bare.URL)
	if err != nil {
		b.Fatal(err)
	}
	proxy := httptest.NewServer(httputil.NewSingleHostReverseProxy(target))
	defer proxy.Close()
	for _, c := range []struct{ name, url string }{{"edge", start(b, s)}, {"bare", bare.URL}, {"reverseproxy", proxy.URL}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				res, err := http.Get(c.url)
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
}

// BenchmarkHandler is the edge without a connection.
func BenchmarkHandler(b *testing.B) {
	s, _ := server(b, origins{"web": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }}, all("web"))
	r := httptest.NewRequest("GET", "/some/path?x=1", nil)
	b.ReportAllocs()
	for b.Loop() {
		do(s, r)
	}
}
