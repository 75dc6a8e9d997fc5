package origin

import (
	"encoding/xml"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
)

// Bucket is the objects of a bucket by their keys, to be read only. It answers as S3
// does to a distribution with an origin access control: of what is not there it says
// AccessDenied, because such a reader may not list, unless List is set.
type Bucket struct {
	Name    string
	List    bool // missing objects are 404 NoSuchKey
	Objects engine.ObjectStore
	Log     *slog.Logger
}

// ServeHTTP implements http.Handler.
func (b *Bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "AmazonS3")
	w.Header().Set("X-Amz-Request-Id", From(r.Context()).ID)
	key := strings.TrimPrefix(r.URL.Path, "/")
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, r, http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
		return
	case key == "": // a listing, which nobody may have
		b.missing(w, r)
		return
	}
	object, err := b.Objects.Stat(r.Context(), b.Name, key)
	switch {
	case err == nil:
		object.Bucket, object.Key = b.Name, key
		b.send(w, r, object)
	case fault.KindOf(err) == fault.NotFound || fault.KindOf(err) == fault.Invalid:
		b.missing(w, r)
	case r.Context().Err() != nil:
		panic(http.ErrAbortHandler)
	default:
		b.Log.Error("object not read", "request", From(r.Context()).ID, "bucket", b.Name, "key", key, "err", err)
		From(r.Context()).Failed("OriginReadError")
		refuse(w, r, http.StatusServiceUnavailable, "ServiceUnavailable", "Please reduce your request rate.")
	}
}

func (b *Bucket) missing(w http.ResponseWriter, r *http.Request) {
	if b.List {
		refuse(w, r, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
		return
	}
	refuse(w, r, http.StatusForbidden, "AccessDenied", "Access Denied")
}

// send answers with the object, within the conditions and ranges of the request.
func (b *Bucket) send(w http.ResponseWriter, r *http.Request, object engine.Object) {
	h := w.Header()
	h.Set("Etag", `"`+object.ETag+`"`)
	h.Set("Content-Type", or(object.ContentType, "binary/octet-stream"))
	for name, value := range map[string]string{
		"Cache-Control": object.CacheControl, "Content-Disposition": object.ContentDisposition, "Content-Encoding": object.ContentEncoding,
		"Content-Language": object.ContentLanguage, "Expires": object.Expires,
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	for name, value := range object.Metadata {
		h.Set("X-Amz-Meta-"+name, value)
	}
	content := &Reader{Ctx: r.Context(), Objects: b.Objects, Object: object}
	defer content.Close()
	http.ServeContent(w, r, "", object.Modified, content)
	if content.Err != nil {
		if r.Context().Err() == nil && !errors.Is(content.Err, r.Context().Err()) {
			b.Log.Error("object not sent whole", "request", From(r.Context()).ID, "bucket", b.Name, "key", object.Key, "err", content.Err)
		}
		From(r.Context()).Failed("OriginReadError")
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
}

// refusal is S3's error document.
type refusal struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string   `xml:"Code"`
	Message   string   `xml:"Message"`
	RequestID string   `xml:"RequestId"`
}

func refuse(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	doc, err := xml.Marshal(refusal{Code: code, Message: message, RequestID: From(r.Context()).ID})
	if err != nil { // of three strings: it cannot be
		panic(err)
	}
	doc = append([]byte(xml.Header), doc...)
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(doc)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(doc) // the client may have left
	}
}
