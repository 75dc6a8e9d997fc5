package edge

import (
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

// page is what people see when the edge itself has to say something.
var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{{.Title}}</title><style>
:root{color-scheme:light dark}
body{font:17px/1.55 system-ui,sans-serif;max-width:34rem;margin:18vh auto 2rem;padding:0 1.25rem}
h1{font-size:1.5rem;margin:0 0 .5rem}p{margin:.25rem 0}small{opacity:.6}
</style></head><body><h1>{{.Title}}</h1><p>{{.Words}}</p><p><small>{{.Status}} · request {{.Request}}</small></p></body></html>
`))

// fail answers with a status and words of the edge's own: a page for browsers,
// JSON for everybody else. What an origin may have set for its own answer is
// forgotten.
func (v *visit) fail(status int, title, words string) {
	h := v.Header()
	for _, name := range []string{
		"Content-Disposition", "Content-Encoding", "Content-Length", "Content-Range", "Etag",
		"Last-Modified", "Accept-Ranges", "Cache-Control", "Expires", "Content-Security-Policy",
	} {
		h.Del(name)
	}
	var body strings.Builder
	if strings.Contains(v.in.Header.Get("Accept"), "text/html") {
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_ = page.Execute(&body, map[string]any{"Title": title, "Words": words, "Status": status, "Request": v.record.Request}) // to memory
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
	v.WriteHeader(status)
	if v.in.Method != http.MethodHead {
		_, _ = v.Write([]byte(body.String())) // the client may have left
	}
}
