package cache

import (
	"compress/flate"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Sizes that CloudFront compresses, by Content-Length.
const (
	leastCompressed = 1_000
	mostCompressed  = 10_000_000
)

// compressible are the media types that CloudFront compresses.
var compressible = func() map[string]bool {
	types := map[string]bool{}
	for _, t := range []string{
		"application/dash+xml", "application/eot", "application/font", "application/font-sfnt", "application/javascript",
		"application/json", "application/opentype", "application/otf", "application/pdf", "application/pkcs7-mime",
		"application/protobuf", "application/rss+xml", "application/truetype", "application/ttf", "application/vnd.apple.mpegurl",
		"application/vnd.mapbox-vector-tile", "application/vnd.ms-fontobject", "application/wasm", "application/xhtml+xml",
		"application/xml", "application/x-font-opentype", "application/x-font-truetype", "application/x-font-ttf",
		"application/x-httpd-cgi", "application/x-javascript", "application/x-mpegurl", "application/x-opentype",
		"application/x-otf", "application/x-perl", "application/x-ttf", "font/eot", "font/opentype", "font/otf", "font/ttf",
		"image/svg+xml", "text/css", "text/csv", "text/html", "text/javascript", "text/js", "text/plain", "text/richtext",
		"text/tab-separated-values", "text/xml", "text/x-component", "text/x-java-source", "text/x-script", "vnd.apple.mpegurl",
		"application/manifest+json", "application/ld+json", "application/problem+json", // not CloudFront's, but text like the rest
	} {
		types[t] = true
	}
	return types
}()

// encode chooses the encoding in which a response is stored, "" for as it is, and
// changes its header accordingly.
//
// A response is compressed once, while it arrives, and the first client gets it
// compressed too. That it might have been is said in Vary either way, for the caches
// behind this one.
func (x *exchange) encode(status int, h http.Header, length int64, j judgement) string {
	if len(x.policy.Encodings) == 0 || j.noTransform || len(h["Content-Encoding"]) > 0 || len(h["Content-Range"]) > 0 {
		return ""
	}
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil && media == "" || !compressible[media] {
		return ""
	}
	if status != http.StatusOK && status != http.StatusForbidden && status != http.StatusNotFound ||
		length < leastCompressed || length > mostCompressed {
		return ""
	}
	if !slices.Contains(varyNames(h["Vary"]), "Accept-Encoding") {
		h["Vary"] = append(slices.Clip(h["Vary"]), "Accept-Encoding")
	}
	encoding, _, _ := strings.Cut(x.accept[0], ",")
	if encoding == "" {
		return ""
	}
	h["Content-Encoding"] = []string{encoding}
	for _, name := range []string{"Content-Md5", "Digest", "Content-Digest", "Repr-Digest"} {
		delete(h, name) // of bytes that are not sent
	}
	weaken(h)
	return encoding
}

// weaken makes the entity tag a weak one: the bytes are others now (RFC 9110, section
// 8.8.3). One that is none is dropped.
func weaken(h http.Header) {
	switch etag := h.Get("Etag"); {
	case etag == "":
	case strings.HasPrefix(etag, `W/"`) && strings.IndexByte(etag[3:], '"') == len(etag)-4:
	case strings.HasPrefix(etag, `"`) && strings.IndexByte(etag[1:], '"') == len(etag)-2:
		h["Etag"] = []string{"W/" + etag}
	default:
		delete(h, "Etag")
	}
}

// encoder compresses into what it was made with.
type encoder interface {
	io.WriteCloser
	Flush() error
}

type resettable interface {
	encoder
	Reset(w io.Writer)
}

// Their buffers are large; a miss should not pay for them.
var encoders = map[string]*sync.Pool{
	"br": {New: func() any { return brotli.NewWriterLevel(nil, 5) }},
	"gzip": {New: func() any {
		w, _ := gzip.NewWriterLevel(nil, flate.DefaultCompression) // the level exists
		return w
	}},
	"zstd": {New: func() any {
		w, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
		return w
	}},
}

// pooled gives its encoder back when it is closed.
type pooled struct {
	resettable
	pool *sync.Pool
}

func newEncoder(encoding string, to io.Writer) encoder {
	pool := encoders[encoding]
	e := pool.Get().(resettable)
	e.Reset(to)
	return &pooled{e, pool}
}

func (p *pooled) Close() error {
	err := p.resettable.Close()
	p.Reset(nil)
	p.pool.Put(p.resettable)
	return err
}
