package edge

import (
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/edge/origin"
)

// page is what people see when the edge itself has to say something.
var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{{.Title}}</title><style>
:root{color-scheme:light dark}
body{font:17px/1.55 system-ui,sans-serif;max-width:34rem;margin:18vh auto 2rem;padding:0 1.25rem}
h1{font-size:1.5rem;margin:0 0 .5rem}p{margin:.25rem 0;overflow-wrap:anywhere}small{opacity:.6}
</style></head><body><h1>{{.Title}}</h1><p>{{.Words}}</p><p><small>{{.Status}} · request {{.Request}}</small></p></body></html>
`))

// fail answers with a status and words of the edge's own.
func (v *visit) fail(status int, title, words string) { say(v, v.in, status, title, words) }

// say answers with a status and words of the edge's own: a page for browsers, JSON
// for everybody else. What an origin may have set for its own answer is forgotten.
func say(w http.ResponseWriter, r *http.Request, status int, title, words string) {
	h, id := w.Header(), origin.From(r.Context()).ID
	forget(h)
	var body strings.Builder
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_ = page.Execute(&body, map[string]any{"Title": title, "Words": words, "Status": status, "Request": id}) // to memory
	} else {
		h.Set("Content-Type", "application/json")
		text, err := json.Marshal(map[string]string{"message": title + ". " + words})
		if err == nil {
			body.Write(text)
		}
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(body.String())) // the client may have left
	}
}

// forget drops what has been set for an answer that is not given.
func forget(h http.Header) {
	for name := range h {
		if name != "X-Amz-Cf-Id" && name != "Connection" {
			delete(h, name)
		}
	}
}
