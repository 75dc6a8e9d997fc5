package edge

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// UploadType is the Content-Type under which an origin gets references in the
// place of bytes. Clients may not use it.
const UploadType = "application/vnd.dropstack.upload+json"

// Limits of one upload besides Upload.MaxBytes.
const (
	maxFiles      = 100
	maxFields     = 100
	maxField      = 64 << 10 // bytes of one text field
	maxFieldBytes = 1 << 20  // bytes of all text fields
)

// uploaded is the body that the origin gets.
type uploaded struct {
	Files  []file              `json:"files"`
	Fields map[string][]string `json:"fields"`
}

// file is one stored file.
type file struct {
	Field  string `json:"field"` // of the form; "" for a raw body
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
	Type   string `json:"type"`   // by its first bytes, not by what the client says
	Name   string `json:"name"`   // base name as the client gave it, or ""
}

// upload streams the body's files into the bucket and asks the origin with
// references to them. Before a byte is read the origin is asked whether it wants
// the upload at all, which costs one more call of a warm function and keeps
// strangers from filling the disk. Files that no successful answer covers are
// deleted.
func (s *Server) upload(v *visit, l *lane) {
	u := *l.Upload
	media, params, err := mime.ParseMediaType(v.in.Header.Get("Content-Type"))
	if err != nil {
		media = ""
	}
	if media == "application/json" || media == "application/x-www-form-urlencoded" {
		s.ordinary(v, l)
		return
	}
	if u.MaxBytes > 0 && v.in.ContentLength > u.MaxBytes {
		v.refused(&refusal{http.StatusRequestEntityTooLarge, "Too large", overLimit(u.MaxBytes)})
		return
	}
	out := s.outgoing(v, l)
	if !s.wanted(v, l.bare, out) {
		return
	}
	// Cut uploads show as a body that cannot be read. Once the last byte is here, a
	// client that leaves changes nothing: the origin's answer decides what is kept.
	in := &intake{server: s, ctx: context.WithoutCancel(v.in.Context()), to: u, body: &source{r: v.in.Body, limit: u.MaxBytes}, announced: v.in.ContentLength}
	in.got.Files, in.got.Fields = []file{}, map[string][]string{}
	kept := false
	defer func() {
		if !kept {
			in.discard(v.record.Request)
		}
	}()
	switch {
	case media == "multipart/form-data":
		err = in.form(params["boundary"])
	case v.in.Method == http.MethodPut || v.in.ContentLength != 0 || v.in.Header.Get("Content-Type") != "":
		err = in.raw(v.in)
	default: // a POST of nothing is an upload of no files
		err = nil
	}
	if err != nil {
		v.refused(s.explain(v, in, err))
		return
	}
	if out, err = in.references(out); err != nil {
		s.Log.Error("upload not handed on", "request", v.record.Request, "err", err)
		v.fail(http.StatusInternalServerError, "Something broke", "The upload could not be handed on.")
		return
	}
	answer := &holding{ResponseWriter: v}
	if s.Cache != nil && v.site.caches { // which an upload may change
		q := v.storing(out)
		q.Origin = l.bare
		s.Cache.Serve(answer, q)
	} else {
		l.bare.ServeHTTP(answer, out)
	}
	kept = answer.status < http.StatusBadRequest
	answer.finish(s, out)
}

// ordinary passes on a body that is no file.
func (s *Server) ordinary(v *visit, l *lane) {
	if v.in.ContentLength > MaxOrdinary {
		v.refused(&refusal{http.StatusRequestEntityTooLarge, "Too large", overLimit(MaxOrdinary)})
		return
	}
	s.ask(v, l)
}

// wanted asks the origin whether it takes an upload: same method, path and
// headers, no body, X-Dropstack-Upload-Preflight: 1. 204 is yes; anything else is
// the answer to the client, whose body stays unread.
func (s *Server) wanted(v *visit, origin http.Handler, out *http.Request) bool {
	ask := out.Clone(out.Context())
	ask.Body, ask.ContentLength, ask.TransferEncoding = http.NoBody, 0, nil
	for _, name := range []string{"Content-Length", "Content-Type", "Content-Encoding"} {
		ask.Header.Del(name)
	}
	ask.Header.Set("X-Dropstack-Upload-Preflight", "1")
	answer := &keptAnswer{header: http.Header{}}
	origin.ServeHTTP(answer, ask)
	if answer.status == http.StatusNoContent {
		return true
	}
	for name, values := range answer.header {
		if name != sendObject {
			v.Header()[name] = values
		}
	}
	v.closing()
	v.WriteHeader(max(answer.status, http.StatusOK))
	_, _ = v.Write(answer.body.Bytes()) // the client may have left
	return false
}

// keptAnswer is an origin's answer in memory.
type keptAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *keptAnswer) Header() http.Header { return k.header }

func (k *keptAnswer) WriteHeader(status int) {
	if k.status == 0 && status >= 200 {
		k.status = status
	}
}

func (k *keptAnswer) Write(p []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	return k.body.Write(p)
}

// refusal is an upload's end in words for the client.
type refusal struct {
	status       int
	title, words string
}

func (r *refusal) Error() string { return r.title + ". " + r.words }

func overLimit(limit int64) string {
	return "The request's body is over the limit of " + strconv.FormatInt(limit, 10) + " bytes."
}

// refused answers without reading the rest of the body.
func (v *visit) refused(r *refusal) {
	v.closing()
	v.fail(r.status, r.title, r.words)
}

// explain says whose fault a failed upload is: the client's, or ours, which is
// logged.
func (s *Server) explain(v *visit, in *intake, err error) *refusal {
	if r, ok := errors.AsType[*refusal](in.body.err); ok {
		return r
	}
	if cut := in.body.err; cut != nil && cut != io.EOF {
		if errors.Is(cut, os.ErrDeadlineExceeded) {
			return &refusal{http.StatusRequestTimeout, "Too slow", fmt.Sprintf("Too little arrived within %v.", s.Limits.stall())}
		}
		return &refusal{http.StatusBadRequest, "Incomplete", "The upload ended before it was complete; nothing of it was kept."}
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	s.Log.Error("upload not stored", "request", v.record.Request, "bucket", in.to.Bucket, "err", err)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &refusal{http.StatusInsufficientStorage, "The disk is full", "There is no room for this upload; nothing of it was kept. The operator has to free some space."}
	}
	return &refusal{http.StatusServiceUnavailable, "Storage does not answer", "The upload could not be stored; nothing of it was kept. Please try again."}
}

// discard deletes what was stored. What cannot be deleted is logged with its key,
// for the sweep.
func (in *intake) discard(request string) {
	ctx, cancel := context.WithTimeout(in.ctx, 30*time.Second)
	defer cancel()
	for _, key := range in.keys {
		if err := in.server.Objects.Delete(ctx, in.to.Bucket, key); err != nil {
			in.server.Log.Error("discarded upload not deleted", "request", request, "bucket", in.to.Bucket, "key", key, "err", err)
		}
	}
}

// references puts references in the place of the body.
func (in *intake) references(out *http.Request) (*http.Request, error) {
	text, err := json.Marshal(in.got)
	if err != nil {
		return nil, err
	}
	out = out.WithContext(in.ctx)
	out.Body, out.ContentLength, out.TransferEncoding = io.NopCloser(bytes.NewReader(text)), int64(len(text)), nil
	h := out.Header
	h.Del("Content-Encoding")
	h.Set("Content-Type", UploadType)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	if len(in.got.Files) > 0 {
		f := in.got.Files[0]
		h.Set("X-Dropstack-Upload-Bucket", f.Bucket)
		h.Set("X-Dropstack-Upload-Key", url.PathEscape(f.Key))
		h.Set("X-Dropstack-Upload-Size", strconv.FormatInt(f.Size, 10))
		h.Set("X-Dropstack-Upload-Sha256", f.SHA256)
		h.Set("X-Dropstack-Upload-Type", f.Type)
		h.Set("X-Dropstack-Upload-Name", url.PathEscape(f.Name))
	}
	return out, nil
}

func randomKey() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// reserved says whether a client uses a type that only the edge may.
func reserved(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(media), UploadType)
}
