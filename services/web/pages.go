package main

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/a-h/templ"
	"github.com/dropstack/dropstack/services/wire"
)

// pages answers every route of the service but /static.
type pages struct {
	Drops         Drops
	Assets        *assets
	Log           *slog.Logger
	ContentOrigin string // where bytes are served from; "": by the request's host
}

// ownerHeader is set by the edge on requests of the installation's owner, and
// stripped from all others.
const ownerHeader = "X-Dropstack-Owner"

var (
	codePattern = regexp.MustCompile(`^(?:[0-9A-Za-z]{7}|[0-9A-Za-z]{16})$`)
	hostPattern = regexp.MustCompile(`^[0-9A-Za-z.-]+(?::[0-9]+)?$|^\[[0-9A-Fa-f:]+\](?::[0-9]+)?$`)
	botPattern  = regexp.MustCompile(`(?i)(?:^|[^u])bot\b|crawler|spider|slurp|unfurl|preview|facebookexternalhit|whatsapp|embedly|iframely|mastodon|pinterest|snapchat|vkshare`) // not CUBOT, a phone
)

func (p *pages) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.upload)
	mux.HandleFunc("GET /my", p.my)
	mux.HandleFunc("GET /oembed", p.oembed)
	mux.HandleFunc("GET /robots.txt", robots)
	mux.HandleFunc("GET /favicon.ico", p.favicon)
	mux.HandleFunc("GET /favicon.svg", p.favicon)
	mux.HandleFunc("GET /embed/{code}", p.embed)
	mux.HandleFunc("GET /{code}", p.drop)
	mux.HandleFunc("GET /{code}/{name}", p.drop)
	mux.HandleFunc("POST /{code}", p.unlock)
	mux.HandleFunc("GET /", p.notFound)
	return mux
}

// visit is what a page knows about the request it answers.
type visit struct {
	Assets  *assets
	Base    string // scheme and host, without a slash at the end
	Content string // origin of bytes; "" is the page's own
	Owner   bool
}

func (p *pages) visit(r *http.Request) visit {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	host := r.Host
	if !hostPattern.MatchString(host) {
		host = "localhost"
	}
	return visit{
		Assets:  p.Assets,
		Base:    scheme + "://" + host,
		Content: p.contentOrigin(scheme, host),
		Owner:   r.Header.Get(ownerHeader) == "1",
	}
}

// contentOrigin keeps uploaded bytes off the pages' own origin. On a loopback
// address with a port the content distribution's alias does that without set-up.
func (p *pages) contentOrigin(scheme, host string) string {
	if p.ContentOrigin != "" {
		return strings.TrimRight(p.ContentOrigin, "/")
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil || port == "" {
		return ""
	}
	switch name {
	case "127.0.0.1", "localhost", "::1":
		return scheme + "://content.localhost:" + port
	}
	return ""
}

// policy is the CSP of a page. Scripts and styles come from hashed files only,
// so markup that slips through escaping stays markup.
func (v visit) policy(formAction, frameAncestors string) string {
	origin := strings.TrimSpace("'self' " + v.Content)
	return "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'" +
		"; img-src " + origin + " data: blob:; media-src " + origin + " blob:" +
		"; form-action " + formAction + "; frame-ancestors " + frameAncestors
}

// show writes a page. What the caller has set in the header stays.
func (p *pages) show(w http.ResponseWriter, r *http.Request, v visit, status int, page templ.Component) {
	h := w.Header()
	setDefault(h, "Content-Security-Policy", v.policy("'self'", "'none'"))
	setDefault(h, "Cache-Control", "private, no-cache")
	setDefault(h, "Referrer-Policy", "strict-origin-when-cross-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Content-Type", "text/html; charset=utf-8")
	var body strings.Builder
	if err := page.Render(r.Context(), &body); err != nil {
		p.Log.Error("render page", "path", r.URL.Path, "err", err)
		http.Error(w, "the page could not be rendered", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(body.String()))
	}
}

func setDefault(h http.Header, key, value string) {
	if h.Get(key) == "" {
		h.Set(key, value)
	}
}

func (p *pages) upload(w http.ResponseWriter, r *http.Request) {
	v := p.visit(r)
	p.show(w, r, v, http.StatusOK, uploadPage(v))
}

func (p *pages) notFound(w http.ResponseWriter, r *http.Request) {
	v := p.visit(r)
	p.show(w, r, v, http.StatusNotFound, messagePage(v, notFoundMessage))
}

// fail answers for a drops service that did not.
func (p *pages) fail(w http.ResponseWriter, r *http.Request, v visit, err error) {
	w.Header().Set("Cache-Control", "no-store")
	if errors.Is(err, errBusy) {
		w.Header().Set("Retry-After", "2")
		p.show(w, r, v, http.StatusServiceUnavailable, messagePage(v, busyMessage))
		return
	}
	p.Log.Error("ask drops service", "path", r.URL.Path, "err", err)
	p.show(w, r, v, http.StatusBadGateway, messagePage(v, brokenMessage))
}

func robots(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=86400")
	// Drop pages stay open to robots: they unfurl links, and every page says noindex.
	_, _ = w.Write([]byte("User-agent: *\nDisallow: /my\nAllow: /\n"))
}

func (p *pages) favicon(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "public, max-age=86400")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, _ = w.Write(p.Assets.files[p.Assets.names["mark.svg"]])
}

// pageOfDrops is how many drops the list shows at once.
const pageOfDrops = 48

func (p *pages) my(w http.ResponseWriter, r *http.Request) {
	v := p.visit(r)
	w.Header().Set("Cache-Control", "no-store")
	if !v.Owner {
		p.show(w, r, v, http.StatusForbidden, messagePage(v, ownerOnlyMessage))
		return
	}
	q := listQuery(r.URL.Query())
	reply, err := p.Drops.List(r.Context(), q)
	if err != nil {
		p.fail(w, r, v, err)
		return
	}
	p.show(w, r, v, http.StatusOK, myPage(v, newShelf(v, q, reply)))
}

// listQuery reads the page's own parameters; nonsense counts as absent.
func listQuery(q url.Values) wire.ListRequest {
	req := wire.ListRequest{Amount: pageOfDrops, Query: strings.TrimSpace(q.Get("q"))}
	if len(req.Query) > 200 {
		req.Query = req.Query[:200]
	}
	for _, f := range typeFilters {
		if f.Type == q.Get("type") {
			req.Type = f.Type
		}
	}
	req.Offset = number(q.Get("offset"), 1_000_000)
	return req
}

// number reads a count of at most limit; anything else is 0.
func number(s string, limit int) int {
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0
		}
		if n = n*10 + int(c-'0'); n > limit {
			return 0
		}
	}
	return n
}
