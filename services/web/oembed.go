package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"
	"github.com/dropstack/dropstack/services/wire"
)

// embedding is an oEmbed 1.0 answer (https://oembed.com, section 2.3.4).
type embedding struct {
	Type            string `json:"type"` // photo, video, rich or link
	Version         string `json:"version"`
	Title           string `json:"title,omitempty"`
	ProviderName    string `json:"provider_name"`
	ProviderURL     string `json:"provider_url"`
	CacheAge        int    `json:"cache_age"` // seconds
	URL             string `json:"url,omitempty"`
	HTML            string `json:"html,omitempty"`
	Width           int    `json:"width,omitempty"`
	Height          int    `json:"height,omitempty"`
	ThumbnailURL    string `json:"thumbnail_url,omitempty"`
	ThumbnailWidth  int    `json:"thumbnail_width,omitempty"`
	ThumbnailHeight int    `json:"thumbnail_height,omitempty"`
}

// oembed describes a drop to those who show its link. A drop that is private is
// answered exactly like one that does not exist.
func (p *pages) oembed(w http.ResponseWriter, r *http.Request) {
	v, q := p.visit(r), r.URL.Query()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	if f := q.Get("format"); f != "" && f != "json" {
		http.Error(w, "format: only json is supported", http.StatusNotImplemented)
		return
	}
	code, ok := v.codeIn(q.Get("url"))
	if !ok {
		http.Error(w, "url: no drop of this site", http.StatusNotFound)
		return
	}
	reply, err := p.Drops.View(r.Context(), wire.ViewRequest{Code: code, Peek: true, SourceIP: sourceIP(r)})
	if err != nil {
		p.Log.Error("ask drops service", "path", r.URL.Path, "err", err)
		http.Error(w, "the drops service does not answer, try again", http.StatusBadGateway)
		return
	}
	if reply.State != wire.StateOK || reply.Drop == nil || private(reply.Drop) {
		http.Error(w, "url: no drop of this site", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	e := describe(newPoster(v, reply), number(q.Get("maxwidth"), 1<<16), number(q.Get("maxheight"), 1<<16))
	if err := json.NewEncoder(w).Encode(e); err != nil {
		p.Log.Warn("write oembed", "err", err)
	}
}

// codeIn reads the code out of the URL of one of our pages.
func (v visit) codeIn(page string) (string, bool) {
	u, err := url.Parse(page)
	if err != nil || u.Scheme+"://"+u.Host != v.Base {
		return "", false
	}
	code, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return code, codePattern.MatchString(code)
}

// describe words a drop as oEmbed, within a box; a side of the box that is 0 is open.
func describe(p poster, maxWidth, maxHeight int) embedding {
	e := embedding{Type: "link", Version: "1.0", Title: p.Title, ProviderName: siteName, ProviderURL: p.Visit.Base + "/", CacheAge: 60}
	switch p.Kind {
	case kindImage:
		if p.Drop.Width > 0 && p.Drop.Height > 0 {
			e.Type, e.URL = "photo", absolute(p.Visit, p.Raw)
		}
	case kindVideo:
		e.Type = "video"
	case kindAudio, kindText, kindProse:
		e.Type = "rich"
	}
	if e.Type != "link" {
		e.Width, e.Height = fit(p.embedSize())
		e.Width, e.Height = within(e.Width, e.Height, maxWidth, maxHeight)
	}
	if e.Type == "video" || e.Type == "rich" {
		e.HTML = frame(p, e.Width, e.Height)
	}
	if p.Thumb != "" {
		e.ThumbnailURL = absolute(p.Visit, p.Thumb)
		e.ThumbnailWidth, e.ThumbnailHeight = within(p.Drop.Width, p.Drop.Height, 480, 480)
	}
	return e
}

func frame(p poster, width, height int) string {
	var b strings.Builder
	b.WriteString(`<iframe src="` + templ.EscapeString(p.Visit.Base+"/embed/"+p.Drop.Code) + `"`)
	b.WriteString(` width="` + decimal(width) + `" height="` + decimal(height) + `"`)
	b.WriteString(` title="` + templ.EscapeString(p.Title) + `" frameborder="0" loading="lazy" allowfullscreen></iframe>`)
	return b.String()
}

func (p poster) embedSize() (width, height int) {
	switch {
	case p.Kind == kindAudio:
		return 640, 120
	case p.Drop.Width > 0 && p.Drop.Height > 0:
		return p.Drop.Width, p.Drop.Height
	}
	return 960, 540
}

// fit keeps an embed to a size that pages can use; photos keep theirs.
func fit(width, height int) (int, int) { return within(width, height, 4096, 4096) }

// within scales a size down into a box; a side of the box that is 0 is open.
func within(width, height, maxWidth, maxHeight int) (int, int) {
	if maxWidth > 0 && width > maxWidth {
		width, height = maxWidth, max(1, height*maxWidth/width)
	}
	if maxHeight > 0 && height > maxHeight {
		width, height = max(1, width*maxHeight/height), maxHeight
	}
	return width, height
}
