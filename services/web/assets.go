package main

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed static
var staticFiles embed.FS

// assets are the files under /static, each named by its content, so that a
// browser may keep them for ever.
type assets struct {
	names map[string]string // app.css → app.0123456789.css
	files map[string][]byte // by hashed name
}

// shared is the module that the others import; it is named first, so that its
// hashed name can be written into them.
const shared = "ui.js"

func loadAssets() (*assets, error) {
	a := &assets{names: map[string]string{}, files: map[string][]byte{}}
	if err := a.add(shared); err != nil {
		return nil, err
	}
	entries, err := staticFiles.ReadDir("static")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Name() == shared {
			continue
		}
		if err := a.add(e.Name()); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *assets) add(name string) error {
	b, err := staticFiles.ReadFile("static/" + name)
	if err != nil {
		return fmt.Errorf("static file: %w", err)
	}
	ext := path.Ext(name)
	if ext == ".js" && name != shared {
		b = []byte(strings.ReplaceAll(string(b), "./"+shared, "./"+a.names[shared]))
	}
	sum := sha256.Sum256(b)
	hashed := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:5]) + ext
	a.names[name], a.files[hashed] = hashed, b
	return nil
}

// path returns the URL path of a static file. An unknown name is a mistake in a
// template, which the page tests find.
func (a *assets) path(name string) string { return "/static/" + a.names[name] }

func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/static/")
	body, ok := a.files[name]
	if !ok {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "no such file", http.StatusNotFound)
		return
	}
	etag := strconv.Quote(strings.Split(name, ".")[1])
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("ETag", etag)
	h.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox") // an SVG opened by itself
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}
