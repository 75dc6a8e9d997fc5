package console

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:generate go run ./bundle

// dist is what bundle makes of the sources in console/.
//
//go:embed dist
var dist embed.FS

// contentPolicy keeps the pages to what is embedded: no script or style of another
// place or in the document itself, no frame around them.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// secured sets what every answer has, and turns away what pages of others ask for.
func (s *Server) secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if public(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		if err := s.checkOrigin(r); err != nil {
			s.refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// public reports whether a path is meant for everybody, from wherever they ask.
func public(path string) bool {
	return path == "/healthz" || path == "/readyz" || strings.HasPrefix(path, "/status/") || strings.HasPrefix(path, "/probe/")
}

// page is an embedded file.
type page struct {
	body, packed []byte
	kind         string
	immutable    bool // its name changes with what is in it
}

// read packs the embedded files when they are asked for first.
var read = sync.OnceValues(func() (map[string]page, error) {
	files := map[string]page{}
	err := fs.WalkDir(dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := dist.ReadFile(name)
		if err != nil {
			return err
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = z.Write(body) // to memory, which does not fail
		_ = z.Close()
		url := strings.TrimPrefix(name, "dist")
		files[url] = page{body, packed.Bytes(), mime.TypeByExtension(path.Ext(name)), strings.HasPrefix(url, "/assets/")}
		return nil
	})
	return files, err
})

// pages serves the embedded files. What a browser opens beside them is a page by its
// path, as links in messages have it.
func pages() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		files, err := read()
		name := r.URL.Path
		if name == "/" {
			name = "/index.html"
		}
		p, ok := files[name]
		if !ok && r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") {
			http.Redirect(w, r, "/#"+r.URL.RequestURI(), http.StatusFound)
			return
		}
		if err != nil || !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", p.kind)
		h.Set("Vary", "Accept-Encoding")
		h.Set("Cache-Control", "no-cache")
		if p.immutable {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		body := p.body
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			body = p.packed
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body) // a reader who has left needs no page
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // likewise
}
