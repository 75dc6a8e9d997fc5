package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"time"

	"github.com/dropstack/dropstack/internal/function"
)

// A function may stream an HTTP response: a prelude {statusCode, headers,
// multiValueHeaders, cookies} as JSON, eight NUL bytes, then the body, sent under
// preludeType (runtime interface clients; "Set up a Lambda proxy integration with
// payload response streaming in API Gateway").
//
// A REST API reads a prelude whatever the type, and wants it whole within
// maxRESTPrelude. A function URL takes a stream of another type, or of none, as the
// body of a 200.
const (
	preludeType    = "application/vnd.awslambda.http-integration-response"
	maxRESTPrelude = 16 << 10
	maxURLPrelude  = 128 << 10 // not documented; it bounds what one request can make us hold
)

var delimiter = make([]byte, 8)

// prelude reads what stands before the body.
func (s *server) prelude(raw []byte) (response, error) {
	var p proxyResult
	if err := json.Unmarshal(raw, &p); err != nil {
		return response{}, fmt.Errorf("the prelude: %w", err)
	}
	if len(p.StatusCode) == 0 || string(p.StatusCode) == "null" {
		p.StatusCode = json.RawMessage("200")
	}
	out, err := s.head(p)
	if err == nil && s.api.Kind == REST && len(p.Cookies) > 0 { // unlike in format 1.0
		out.headers = append(out.headers, header{"Set-Cookie", p.Cookies})
		err = checkHeaders(out.headers)
	}
	return out, err
}

// stream invokes a function that may stream, and passes on what it writes, at
// once. An error after the first byte cuts the connection, for nothing else tells
// the client that the answer is not whole.
func (s *server) stream(w http.ResponseWriter, r *request, inv function.Invocation) {
	ctx, moved, cancel := s.limits(context.WithoutCancel(r.Context()))
	defer cancel()
	out := &sink{server: s, w: w, r: r, moved: moved, flush: http.NewResponseController(w).Flush}
	inv.Stream = out
	began := time.Now()
	res, err := s.gateway.Invoker.Invoke(ctx, inv)
	if err != nil && ctx.Err() != nil {
		err = errTimeout
	}
	r.done(res, time.Since(began), err)
	failed := err
	if err == nil && res.FunctionError != "" {
		failed = fmt.Errorf("function error %s", res.ErrorType)
	}
	switch {
	case out.started && failed != nil:
		s.log(r, res, fmt.Errorf("cut off in the midst of the response: %w", failed))
		panic(http.ErrAbortHandler)
	case out.started:
		s.finish(r, res, out)
	case failed != nil:
		s.answer(w, r, res, err)
	case out.err == nil && !res.Streamed:
		s.unstreamed(w, r, res)
	case out.err == nil && !out.preluded: // a stream of nothing
		out.start(out.plain())
	default:
		if out.err == nil {
			out.err = errors.New("it ended within the prelude")
		}
		s.log(r, res, fmt.Errorf("malformed response: %w", out.err))
		s.fail(w, r, &failure{cause: functionFailed})
	}
}

// finish logs a response that did not reach the client as the function meant it. A
// client that has left is no such thing.
func (s *server) finish(r *request, res function.Result, out *sink) {
	if errors.Is(out.err, http.ErrContentLength) {
		s.log(r, res, errors.New("the response is longer than its Content-Length: the rest was dropped"))
	}
}

// unstreamed answers for a function that does not stream behind a route that does:
// a function URL sends its result as it is, as recorded against Lambda; a REST API
// finds no prelude in it.
func (s *server) unstreamed(w http.ResponseWriter, r *request, res function.Result) {
	if s.api.Kind == URL {
		response{status: http.StatusOK, body: res.Payload, media: "application/json"}.write(w, r.Request, s.cors)
		return
	}
	s.log(r, res, errors.New("malformed response: the route streams, but the function answered without streaming; wrap its handler in awslambda.streamifyResponse or the like, or set the route's transferMode to BUFFERED"))
	s.fail(w, r, &failure{cause: functionFailed})
}

// limits are those of a REST API's streams; moved is to be called for each byte's
// sake. Function URLs have none.
func (s *server) limits(ctx context.Context) (_ context.Context, moved, cancel func()) {
	if s.api.Kind != REST {
		return ctx, func() {}, func() {}
	}
	ctx, stop := context.WithTimeout(ctx, StreamTimeout)
	idle := time.AfterFunc(StreamIdle, stop)
	return ctx, func() { idle.Reset(StreamIdle) }, func() { idle.Stop(); stop() }
}

// sink is a streamed response on its way to the client; it is an instance.Stream.
// The invoker's calls are over when Invoke returns, so there is nothing to lock.
type sink struct {
	server *server
	w      http.ResponseWriter
	r      *request
	moved  func()
	flush  func() error

	media    string // the stream's type
	preluded bool   // it begins with a prelude
	head     []byte // the prelude so far
	started  bool   // status and headers are sent
	silent   bool   // the response has no body
	err      error  // why nothing more is taken
}

// Begin learns the stream's type.
func (o *sink) Begin(contentType string) {
	media, _, err := mime.ParseMediaType(contentType)
	o.media, o.preluded = contentType, o.server.api.Kind == REST || err == nil && media == preludeType
	o.moved()
}

// Write sends p on. An error means that nobody takes the rest.
func (o *sink) Write(p []byte) (int, error) {
	if o.err == nil && o.r.Context().Err() != nil {
		o.err = context.Cause(o.r.Context()) // the client has left
	}
	if o.err != nil {
		return 0, o.err
	}
	o.moved()
	body := p
	if !o.started {
		if body = o.begin(p); o.err != nil || !o.started {
			return len(p), o.err
		}
	}
	if len(body) > 0 && !o.silent {
		if _, o.err = o.w.Write(body); o.err != nil {
			return 0, o.err
		}
	}
	if err := o.flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		o.err = err
		return 0, err
	}
	return len(p), nil
}

// begin sends the headers once they are known and returns what p holds of the body.
func (o *sink) begin(p []byte) (body []byte) {
	if !o.preluded {
		if len(p) > 0 {
			o.start(o.plain())
		}
		return p
	}
	from := max(0, len(o.head)-len(delimiter)+1)
	o.head = append(o.head, p...)
	at := bytes.Index(o.head[from:], delimiter)
	limit := maxURLPrelude
	if o.server.api.Kind == REST {
		limit = maxRESTPrelude
	}
	if at < 0 {
		if len(o.head) > limit {
			o.err = fmt.Errorf("no prelude within the first %d bytes", limit)
		}
		return nil
	}
	head, err := o.server.prelude(o.head[:from+at])
	if err != nil {
		o.err = err
		return nil
	}
	body, o.head = o.head[from+at+len(delimiter):], nil
	if o.server.api.Kind == URL {
		head.media = "application/octet-stream"
	}
	o.start(head)
	return body
}

// plain is the response of a stream without a prelude.
func (o *sink) plain() response {
	if o.media == "" {
		o.media = "application/octet-stream"
	}
	return response{status: http.StatusOK, media: o.media}
}

// start sends status and headers. A length that the function gives stands: a body
// that falls short of it is then seen to.
func (o *sink) start(head response) {
	h := o.w.Header()
	length := head.set(h, o.r.Request, o.server.cors)
	o.started, o.silent = true, head.bodiless() || o.r.Method == http.MethodHead
	if length != "" && !head.bodiless() {
		h.Set("Content-Length", length)
	}
	o.w.WriteHeader(head.status)
}
