package edge

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/dropstack/dropstack/internal/edge/origin"
	"github.com/dropstack/dropstack/internal/fault"
)

// sendObject is the response header by which an origin has an object sent, as
// BUCKET/KEY, the key percent-encoded.
const sendObject = "X-Dropstack-Send-Object"

// sender is an API of this platform whose answers may name objects to send. To a
// cache in front of it the object is the answer.
type sender struct {
	server *Server
	origin http.Handler
}

func (s sender) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := &holding{ResponseWriter: w}
	s.origin.ServeHTTP(h, r)
	h.finish(s.server, r)
}

// holding holds back an answer that names an object.
type holding struct {
	http.ResponseWriter
	status int
	object string // to be sent in place of the origin's body
}

// Unwrap lets http.ResponseController reach the connection.
func (w *holding) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *holding) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	if status < 200 {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.status = status
	h := w.Header()
	if object := h.Get(sendObject); object != "" {
		h.Del(sendObject)
		if status == http.StatusOK {
			h.Del("Content-Length")
			w.object = object
			return
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *holding) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.object != "" {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// FlushError sends what has been written. What is held back stays so.
func (w *holding) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.object != "" {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// finish streams the object that the origin named, with the origin's headers.
// Ranges and conditions are the standard library's (RFC 9110, sections 13 and 14).
func (w *holding) finish(s *Server, r *http.Request) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK) // an origin that has nothing to say but headers
	}
	if w.object == "" {
		return
	}
	to, request := w.ResponseWriter, origin.From(r.Context()).ID
	bucket, escaped, ok := strings.Cut(w.object, "/")
	key, err := url.PathUnescape(escaped)
	if !ok || err != nil || key == "" || bucket == "" || strings.HasPrefix(bucket, ownBuckets) {
		s.Log.Error("origin named an object that cannot be sent", "request", request, "object", w.object)
		say(to, r, http.StatusBadGateway, "Something broke", "The service answered with an object that cannot be sent.")
		return
	}
	object, err := s.Objects.Stat(r.Context(), bucket, key)
	if err != nil {
		s.missing(to, r, w.object, err)
		return
	}
	object.Bucket, object.Key = bucket, key
	h := to.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	setDefault(h, "Etag", `"`+object.ETag+`"`)
	setDefault(h, "Content-Type", object.ContentType)
	setDefault(h, "Content-Type", "application/octet-stream")
	content := &origin.Reader{Ctx: r.Context(), Objects: s.Objects, Object: object}
	defer content.Close()
	http.ServeContent(to, r, "", object.Modified, content)
	if content.Err != nil {
		if r.Context().Err() == nil {
			s.Log.Error("object not sent whole", "request", request, "bucket", bucket, "key", key, "err", content.Err)
		}
		panic(http.ErrAbortHandler) // an answer without a length would look whole
	}
}

func (s *Server) missing(w http.ResponseWriter, r *http.Request, object string, err error) {
	if fault.KindOf(err) == fault.NotFound {
		say(w, r, http.StatusNotFound, "Not found", "What was here is gone.")
		return
	}
	s.Log.Error("object not read", "request", origin.From(r.Context()).ID, "object", object, "err", err)
	say(w, r, http.StatusServiceUnavailable, "Storage does not answer", "Please try again in a moment.")
}

func setDefault(h http.Header, name, value string) {
	if h.Get(name) == "" && value != "" {
		h.Set(name, value)
	}
}
