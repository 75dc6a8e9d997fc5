package cache_test

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func expand(t *testing.T, encoding string, body []byte) string {
	t.Helper()
	var r io.Reader = bytes.NewReader(body)
	var err error
	switch encoding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "br":
		r = brotli.NewReader(r)
	case "zstd":
		r, err = zstd.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCompression(t *testing.T) {
	text := strings.Repeat("all work and no play ", 200)
	for name, c := range map[string]struct {
		accept string
		offer  string // of the policy; "": br gzip zstd
		size   int
		header []string
		want   string
		etag   string
		vary   string
	}{
		"br before gzip":            {accept: "gzip, deflate, br", want: "br", vary: "Accept-Encoding"},
		"gzip":                      {accept: "gzip", want: "gzip", vary: "Accept-Encoding"},
		"zstd":                      {accept: "zstd", want: "zstd", vary: "Accept-Encoding"},
		"zstd that is not offered":  {accept: "zstd", offer: "br gzip", want: "", vary: "Accept-Encoding"},
		"nothing":                   {want: "", vary: "Accept-Encoding"},
		"too small":                 {accept: "br", size: 999, want: ""},
		"just large enough":         {accept: "br", size: 1000, want: "br", vary: "Accept-Encoding"},
		"without Content-Length":    {accept: "br", size: -1, want: ""},
		"an image":                  {accept: "br", header: []string{"Content-Type: image/png"}, want: ""},
		"JSON with a parameter":     {accept: "br", header: []string{"Content-Type: Application/JSON; charset=utf-8"}, want: "br", vary: "Accept-Encoding"},
		"encoded by the origin":     {accept: "gzip", header: []string{"Content-Encoding: x"}, want: "x"},
		"no-transform":              {accept: "br", header: []string{"Cache-Control: max-age=60, no-transform"}, want: ""},
		"a strong tag becomes weak": {accept: "br", header: []string{`ETag: "a"`}, want: "br", etag: `W/"a"`, vary: "Accept-Encoding"},
		"a weak one stays":          {accept: "br", header: []string{`ETag: W/"a"`}, want: "br", etag: `W/"a"`, vary: "Accept-Encoding"},
		"one that is none goes":     {accept: "br", header: []string{`ETag: a`}, want: "br", vary: "Accept-Encoding"},
		"it stays where nothing is": {header: []string{`ETag: "a"`}, etag: `"a"`, vary: "Accept-Encoding"},
		"Vary is added to":          {accept: "br", header: []string{"Vary: X-A"}, want: "br", vary: "X-A|Accept-Encoding"},
		"Vary that has it stays":    {accept: "br", header: []string{"Vary: accept-encoding"}, want: "br", vary: "accept-encoding"},
		"404 too":                   {accept: "br", header: []string{"Status: 404", "Cache-Control: max-age=60"}, want: "br", vary: "Accept-Encoding"},
	} {
		t.Run(name, func(t *testing.T) {
			body := text
			if c.size > 0 {
				body = text[:c.size]
			}
			g := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
				h, status := w.Header(), 200
				h.Set("Content-Type", "text/plain")
				h.Set("Digest", "x")
				if c.size >= 0 {
					h.Set("Content-Length", strconv.Itoa(len(body)))
				}
				for _, line := range c.header {
					name, value, _ := strings.Cut(line, ": ")
					if name == "Status" {
						status = 404
						continue
					}
					h.Set(name, value)
				}
				w.WriteHeader(status)
				io.WriteString(w, body)
			})
			g.policy.Encodings = []string{"br", "gzip", "zstd"}
			if c.offer != "" {
				g.policy.Encodings = strings.Fields(c.offer)
			}
			var header []string
			if c.accept != "" {
				header = []string{"Accept-Encoding: " + c.accept}
			}
			for i := range 2 {
				res := g.get("/a", header...)
				if got := expand(t, res.Header().Get("Content-Encoding"), res.Body.Bytes()); got != body {
					t.Errorf("got %d bytes, want %d", len(got), len(body))
				}
				got := []string{res.Header().Get("Content-Encoding"), res.Header().Get("Etag"), strings.Join(res.Header()["Vary"], "|")}
				if diff := cmp.Diff([]string{c.want, c.etag, c.vary}, got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				if squeezed := c.want != "" && c.want != "x"; squeezed == (res.Header().Get("Digest") != "") {
					t.Errorf("Digest is %q", res.Header().Get("Digest"))
				}
				if i == 1 && (!isHit(res) || res.Header().Get("Content-Length") != strconv.Itoa(res.Body.Len())) {
					t.Errorf("got %v with %d bytes", res.Header(), res.Body.Len())
				}
			}
			if n := g.asked(); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// TestRevalidationOfWhatIsCompressed keeps its own tag and encoding.
func TestRevalidationOfWhatIsCompressed(t *testing.T) {
	body := strings.Repeat("x", 5000)
	g := newRig(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/css")
		h.Set("Etag", `"a"`)
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Length", "5000")
		if strings.Contains(r.Header.Get("If-None-Match"), `"a"`) {
			w.WriteHeader(304)
			return
		}
		io.WriteString(w, body)
	})
	g.policy.Encodings = []string{"br", "gzip"}
	for i := range 3 {
		res := g.get("/a", "Accept-Encoding: br")
		if expand(t, "br", res.Body.Bytes()) != body || res.Header().Get("Etag") != `W/"a"` || res.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%d: %v", i, res.Header())
		}
	}
	if g.last().Header.Get("If-None-Match") != `W/"a"` {
		t.Errorf("the origin got %v", g.last().Header)
	}
}
