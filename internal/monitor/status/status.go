// Package status is the page that tells everybody how public monitors stand.
//
// It is one page without scripts, the same as JSON, and a feed of incidents. All links
// are relative, so that a distribution can have it below any path. What is shown says
// that something is down and since when; why, and where from that was seen, is for
// those who run it.
package status

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/monitor"
)

// Source is what the page needs of monitors.
type Source interface {
	Public(ctx context.Context) (monitor.Public, error)
}

// Page serves the page, below a prefix that has been stripped.
type Page struct {
	Source Source
	Title  string // "": Service status
	Log    *slog.Logger

	mu    sync.Mutex
	made  time.Time
	shown *report
}

// fresh is how long a report is shown again: a page that everybody looks at when
// something is down costs no more than one that nobody does.
const fresh = 5 * time.Second

//go:embed page.html page.css
var files embed.FS

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"clock":  func(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") },
	"rfc":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"length": length,
}).ParseFS(files, "page.html"))

// length is a length of time as people say it.
func length(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return d.String()
	case d < time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return strings.TrimSuffix(strings.TrimSuffix(d.Round(time.Minute).String(), "0s"), "0m")
}

func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the status can be read only", http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=15")
	if r.URL.Path == "/page.css" {
		doc, err := files.ReadFile("page.css")
		p.send(w, r, "text/css; charset=utf-8", doc, err)
		return
	}
	rep, err := p.report(r.Context())
	if err != nil {
		p.Log.Error("the status page cannot be shown", "err", err)
		http.Error(w, "the status is not known just now", http.StatusServiceUnavailable)
		return
	}
	var doc bytes.Buffer
	switch r.URL.Path {
	case "/", "":
		err = page.Execute(&doc, rep)
		p.send(w, r, "text/html; charset=utf-8", doc.Bytes(), err)
	case "/index.json":
		h.Set("Access-Control-Allow-Origin", "*")
		enc := json.NewEncoder(&doc)
		enc.SetIndent("", "  ")
		err = enc.Encode(rep)
		p.send(w, r, "application/json", doc.Bytes(), err)
	case "/feed.atom":
		doc, err := feed(rep)
		p.send(w, r, "application/atom+xml; charset=utf-8", doc, err)
	default:
		http.NotFound(w, r)
	}
}

func (p *Page) send(w http.ResponseWriter, r *http.Request, kind string, doc []byte, err error) {
	if err != nil {
		p.Log.Error("the status page cannot be shown", "path", r.URL.Path, "err", err)
		http.Error(w, "the status is not known just now", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(doc)
}

// report is what is shown, made anew when it is not fresh.
func (p *Page) report(ctx context.Context) (*report, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown != nil && time.Since(p.made) < fresh {
		return p.shown, nil
	}
	public, err := p.Source.Public(ctx)
	if err != nil {
		return nil, err
	}
	p.shown, p.made = newReport(cmp.Or(p.Title, "Service status"), public, time.Now().UTC()), time.Now()
	return p.shown, nil
}
