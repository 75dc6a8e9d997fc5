package waf

import (
	"bytes"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

const (
	// DefaultBody is how much of a body is looked at.
	DefaultBody = 16 << 10
	// MaxBody is how much may be.
	MaxBody = 64 << 10
	// maxHeaders and maxHeaderBytes bound which headers and cookies are looked at.
	maxHeaders     = 200
	maxHeaderBytes = 8 << 10
)

// body is the beginning of a request's body, read when a rule asks for it first.
type body struct {
	read bool
	text string
	over bool // there is more, or may be
}

// peeked is a body of which the beginning has been read already.
type peeked struct {
	begin bytes.Reader
	rest  io.ReadCloser
	err   error // that reading the beginning has ended with
}

func (p *peeked) Read(b []byte) (int, error) {
	if p.begin.Len() > 0 {
		return p.begin.Read(b)
	}
	if p.err != nil {
		return 0, p.err
	}
	return p.rest.Read(b)
}

func (p *peeked) Close() error { return p.rest.Close() }

// peek reads the first limit bytes of the body, no more than that, and puts them
// back. A body that ends or fails within them ends or fails so for the next reader
// too.
func peek(r *http.Request, limit int) body {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return body{read: true}
	}
	size := limit
	if r.ContentLength > 0 && r.ContentLength < int64(limit) {
		size = int(r.ContentLength)
	}
	text := make([]byte, size)
	n := 0
	p := &peeked{rest: r.Body}
	for n < size && p.err == nil {
		var m int
		m, p.err = r.Body.Read(text[n:])
		n += m
	}
	text = text[:n]
	p.begin.Reset(text)
	r.Body = p
	return body{read: true, text: string(text), over: n == limit && p.err == nil && r.ContentLength != int64(limit)}
}

// kind is what a body is made of.
type kind uint8

const (
	opaque kind = iota // images, archives: nothing to look at
	form
	jsonKind
	multipart
	plainText // all other text, and what nobody says anything of
)

// kindOf reads the Content-Type of a request. A type that is not known is text, and so
// is what has several: a client that lies about it is looked at rather than not.
func kindOf(h http.Header) (of kind, boundary string) {
	if len(h["Content-Type"]) > 1 {
		return plainText, ""
	}
	header := h.Get("Content-Type")
	media, params, err := mime.ParseMediaType(header)
	if err != nil {
		media, _, _ = strings.Cut(header, ";")
		media = strings.ToLower(strings.TrimSpace(media))
	}
	top, sub, _ := strings.Cut(media, "/")
	switch {
	case media == "application/x-www-form-urlencoded":
		return form, ""
	case sub == "json", strings.HasSuffix(sub, "+json"), sub == "x-ndjson", media == "application/csp-report":
		return jsonKind, ""
	case top == "multipart":
		return multipart, params["boundary"]
	case strings.HasSuffix(sub, "xml"):
		return plainText, ""
	case top == "image", top == "video", top == "audio", top == "font", top == "model", top == "application" && archived(sub):
		return opaque, ""
	}
	return plainText, ""
}

// archived says whether an application's type is one of bytes rather than text.
func archived(sub string) bool {
	switch strings.TrimPrefix(sub, "x-") {
	case "octet-stream", "zip", "zip-compressed", "gzip", "tar", "gtar", "bzip", "bzip2", "xz", "zstd", "7z-compressed", "rar", "rar-compressed",
		"pdf", "msword", "wasm", "java-archive", "protobuf", "msgpack", "cbor", "grpc", "apple-diskimage", "iso9660-image", "binary":
		return true
	}
	return strings.HasPrefix(sub, "vnd.") || strings.HasPrefix(sub, "grpc")
}

// packed says whether a body is compressed. That it says so is not enough: few
// applications heed Content-Encoding, and whoever wants to hide could write it.
func packed(h http.Header, text string) bool {
	coding := strings.Join(h["Content-Encoding"], ",")
	if coding == "" {
		return false
	}
	for _, begin := range []string{"\x1f\x8b", "\x28\xb5\x2f\xfd", "\x78\x01", "\x78\x5e", "\x78\x9c", "\x78\xda"} {
		if strings.HasPrefix(text, begin) { // gzip, zstd, deflate
			return true
		}
	}
	return strings.EqualFold(coding, "br") && !utf8.ValidString(text[:min(len(text), 64)])
}
