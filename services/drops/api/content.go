package api

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dropstack/dropstack/services/drops/blob"
	"github.com/dropstack/dropstack/services/drops/drop"
	"github.com/dropstack/dropstack/services/drops/media"
	"github.com/dropstack/dropstack/services/drops/process"
	"github.com/dropstack/dropstack/services/drops/store"
	"github.com/dropstack/dropstack/services/wire"
)

// Content handles GET and HEAD of /raw/{code}, /raw/{code}/{name} and
// /thumb/{code}.
//
// A token stands for a view that was counted. Without one, /raw counts a view
// itself, but for parts of an unlimited drop. A drop with limited views then
// redirects to a URL with a token, so that seeking in a video is not a view
// each time. The owner has no way around this: their pages get tokens, and a
// limit that the owner tries out should hold.
func (a *API) Content(ctx context.Context, r Request) (Response, error) {
	if strings.HasPrefix(r.RawPath, "/thumb/") {
		return a.serve(ctx, &r, a.thumb)
	}
	return a.serve(ctx, &r, a.raw)
}

func (a *API) raw(ctx context.Context, r *Request) (Response, error) {
	d, err := a.living(ctx, r.PathParameters["code"])
	if err != nil {
		return Response{}, err
	}
	token := r.QueryStringParameters[wire.TokenParam]
	if !a.Key.CheckContent(token, d.Code, d.Version, time.Now()) {
		out, err := a.admit(ctx, r, &d)
		if err != nil || out.StatusCode != 0 {
			return out, err
		}
	}
	if d.Type == wire.TypeLink {
		return redirect(d.Target), nil
	}
	if d, err = a.clean(ctx, d); err != nil {
		return Response{}, err
	}
	return a.send(ctx, r, &d, d.Key, headers(&d, r.QueryStringParameters["download"] != ""))
}

// admit counts a view for a request without a token. A set status means that
// the answer is complete.
func (a *API) admit(ctx context.Context, r *Request, d *drop.Drop) (Response, error) {
	peek := r.RequestContext.HTTP.Method == http.MethodHead || d.MaxViews == 0 && partial(r)
	v, err := a.view(ctx, wire.ViewRequest{
		Code: d.Code, Password: password(r), Unlock: r.QueryStringParameters["unlock"], Peek: peek,
		SourceIP: r.RequestContext.HTTP.SourceIP,
	}, "", "")
	if err != nil {
		return Response{}, err
	}
	if err := stateError(v); err != nil {
		return Response{}, err
	}
	*d = v.drop
	switch {
	case d.MaxViews == 0 || d.Type == wire.TypeLink && !peek:
		return Response{}, nil
	case peek: // HEAD of limited views: neither the bytes nor a view
		h := headers(d, false)
		delete(h, "Content-Disposition")
		return Response{StatusCode: http.StatusOK, Headers: h}, nil
	}
	q := url.Values{wire.TokenParam: {v.Token}}
	if r.QueryStringParameters["download"] != "" {
		q.Set("download", "1")
	}
	base := a.base(r)
	return redirect(drop.RawLink(a.content(base), d) + "?" + q.Encode()), nil
}

// partial reports whether the request continues an earlier one.
func partial(r *Request) bool {
	h := r.Headers["range"]
	return h != "" && !strings.HasPrefix(h, "bytes=0-")
}

func redirect(to string) Response {
	return Response{StatusCode: http.StatusFound, Headers: map[string]string{
		"Location": to, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
	}}
}

// clean makes sure that nobody gets an image with its metadata because they were
// faster than the metadata function: the step is run here then.
func (a *API) clean(ctx context.Context, d drop.Drop) (drop.Drop, error) {
	if d.Type != wire.TypeImage || !media.CanStrip(d.Media) || !strings.HasPrefix(d.Key, "uploads/") {
		return d, nil
	}
	done, err := a.Store.StepDone(ctx, d.Code, 1, process.Metadata)
	if err != nil || done {
		return d, err
	}
	e := d.Event(d.CreatedAt)
	e.Version = 1 // bytes do not change after the first
	if err := a.Steps.Run(ctx, process.Metadata, wire.TopicDropCreated, e); err != nil {
		return d, err
	}
	d, err = a.Store.Get(ctx, d.Code)
	if err == nil && d.Expired(time.Now()) {
		err = store.ErrGone
	}
	return d, known(err)
}

func (a *API) thumb(ctx context.Context, r *Request) (Response, error) {
	d, err := a.living(ctx, r.PathParameters["code"])
	if err != nil {
		return Response{}, err
	}
	token := r.QueryStringParameters[wire.TokenParam]
	if d.Guarded() && !a.Key.CheckContent(token, d.Code, d.Version, time.Now()) {
		return Response{}, drop.Errorf(http.StatusForbidden, "ReadDrop.TokenRequired", "the thumbnail of this drop is shown only on its page")
	}
	if d.ThumbKey == "" {
		return Response{}, drop.Errorf(http.StatusNotFound, "ReadDrop.NoThumbnail", "this drop has no thumbnail, or not yet")
	}
	h := headers(&d, false)
	h["Content-Type"], h["Content-Disposition"] = "image/jpeg", "inline"
	if strings.HasSuffix(d.ThumbKey, ".png") {
		h["Content-Type"] = "image/png"
	}
	return a.send(ctx, r, &d, d.ThumbKey, h)
}

// presigned is how long a URL of the object store works.
const presigned = 5 * time.Minute

// send answers with the object: the edge streams it, or the client is sent to
// the object store.
func (a *API) send(ctx context.Context, r *Request, d *drop.Drop, key string, h map[string]string) (Response, error) {
	if r.Headers[headerEdge] == "1" {
		h[headerSend] = d.Bucket + "/" + blob.EscapeKey(key)
		return Response{StatusCode: http.StatusOK, Headers: h}, nil
	}
	to, err := a.Blobs.Presign(ctx, d.Bucket, key, h["Content-Type"], h["Content-Disposition"], presigned)
	if err != nil {
		return Response{}, fmt.Errorf("presign: %w", err)
	}
	return redirect(to), nil
}

// sandbox lets a document show its own pictures and styles and do nothing.
const sandbox = "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'"

// headers make the bytes harmless wherever they are opened.
func headers(d *drop.Drop, download bool) map[string]string {
	kind, inline := served(d)
	h := map[string]string{
		"Content-Type":                 kind,
		"Content-Disposition":          disposition(d.Name, inline && !download),
		"Content-Security-Policy":      sandbox,
		"X-Content-Type-Options":       "nosniff",
		"Cross-Origin-Resource-Policy": "cross-origin",
		"Referrer-Policy":              "no-referrer",
		"X-Robots-Tag":                 "noindex",
		"Cache-Control":                "public, no-cache", // deletion and expiry hold at once
	}
	if kind == "application/pdf" { // viewers of browsers do not run in a sandbox
		h["Content-Security-Policy"] = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'"
	}
	if d.Guarded() {
		h["Cache-Control"] = "private, no-store"
	}
	return h
}

// active are types that run as pages; they are only ever downloaded.
var active = map[string]bool{
	"text/html": true, "application/xhtml+xml": true, "image/svg+xml": true, "multipart/related": true,
	"application/x-shockwave-flash": true, "application/vnd.adobe.flash.movie": true,
}

// served is the media type to answer with and whether browsers may show it.
func served(d *drop.Drop) (kind string, inline bool) {
	switch kind, _, _ := strings.Cut(d.Media, "/"); {
	case active[d.Media]:
		return d.Media, false
	case d.Type == wire.TypeNote || kind == "text":
		return "text/plain; charset=utf-8", true
	case kind == "image" || kind == "video" || kind == "audio" || d.Media == "application/pdf":
		return d.Media, true
	case d.Media == "" || strings.Contains(d.Media, "xml") || strings.Contains(d.Media, "javascript"):
		return "application/octet-stream", false
	}
	return d.Media, false
}

// disposition names the file as RFC 6266 says: an ASCII name for old clients and
// the whole one in RFC 5987's form.
func disposition(name string, inline bool) string {
	kind := "attachment"
	if inline {
		kind = "inline"
	}
	if name == "" {
		return kind
	}
	ascii := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' || r == '%' {
			return '_'
		}
		return r
	}, name)
	if ascii == name {
		return mime.FormatMediaType(kind, map[string]string{"filename": name})
	}
	return kind + `; filename="` + ascii + `"; filename*=UTF-8''` + extended(name)
}

// extended is RFC 5987's ext-value, which allows fewer characters than URLs do.
func extended(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}
