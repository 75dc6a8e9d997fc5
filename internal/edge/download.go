package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
)

// download streams the object that the origin named, with the origin's headers.
// Ranges and conditions are the standard library's (RFC 9110, sections 13 and 14).
func (s *Server) download(v *visit) {
	bucket, escaped, ok := strings.Cut(v.object, "/")
	key, err := url.PathUnescape(escaped)
	if !ok || err != nil || key == "" || bucket == "" || strings.HasPrefix(bucket, ownBuckets) {
		s.Log.Error("origin named an object that cannot be sent", "request", v.record.Request, "stack", v.record.Stack, "object", v.object)
		v.fail(http.StatusBadGateway, "Something broke", "The service answered with an object that cannot be sent.")
		return
	}
	ctx := v.in.Context()
	object, err := s.Objects.Stat(ctx, bucket, key)
	if err != nil {
		s.missing(v, err)
		return
	}
	object.Bucket, object.Key = bucket, key
	h := v.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	setDefault(h, "Etag", `"`+object.ETag+`"`)
	setDefault(h, "Content-Type", object.ContentType)
	setDefault(h, "Content-Type", "application/octet-stream")
	content := &objectReader{ctx: ctx, objects: s.Objects, object: object}
	defer content.Close()
	http.ServeContent(v, v.in, "", object.Modified, content)
	if content.err != nil && ctx.Err() == nil {
		s.Log.Error("object not sent whole", "request", v.record.Request, "bucket", bucket, "key", key, "sent", v.bytes, "err", content.err)
		panic(http.ErrAbortHandler) // an answer without a length would look whole
	}
}

func (s *Server) missing(v *visit, err error) {
	if fault.KindOf(err) == fault.NotFound {
		v.fail(http.StatusNotFound, "Not found", "What was here is gone.")
		return
	}
	s.Log.Error("object not read", "request", v.record.Request, "object", v.object, "err", err)
	v.fail(http.StatusServiceUnavailable, "Storage does not answer", "Please try again in a moment.")
}

func setDefault(h http.Header, name, value string) {
	if h.Get(name) == "" && value != "" {
		h.Set(name, value)
	}
}

// objectReader reads an object from wherever it is told, and opens it only when a
// byte is wanted: HEAD and "not modified" open nothing.
type objectReader struct {
	ctx     context.Context
	objects engine.ObjectStore
	object  engine.Object
	at      int64
	open    io.ReadCloser
	err     error // the first, other than the end
}

func (o *objectReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.object.Size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start")
	}
	if offset != o.at {
		o.Close()
	}
	o.at = offset
	return offset, nil
}

func (o *objectReader) Read(p []byte) (int, error) {
	if o.at >= o.object.Size {
		return 0, io.EOF
	}
	if o.open == nil {
		got, open, err := o.objects.Get(o.ctx, o.object.Bucket, o.object.Key, o.at, -1)
		if err == nil && got.ETag != o.object.ETag {
			open.Close()
			err = fmt.Errorf("object %s/%s was replaced meanwhile", o.object.Bucket, o.object.Key)
		}
		if err != nil {
			o.err = err
			return 0, err
		}
		o.open = open
	}
	n, err := o.open.Read(p)
	o.at += int64(n)
	if err == io.EOF && o.at < o.object.Size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && err != io.EOF {
		o.err = err
	}
	return n, err
}

// Close lets go of the object; reading again opens it again.
func (o *objectReader) Close() {
	if o.open != nil {
		o.open.Close()
		o.open = nil
	}
}
