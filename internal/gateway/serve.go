package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

// server serves one API.
type server struct {
	gateway *Gateway
	api     API
	routes  matcher
	cors    *apiCORS // not REST
}

func newServer(g *Gateway, api API) *server {
	s := &server{gateway: g, api: api, routes: matcher{rest: api.Kind == REST}}
	for _, r := range api.Routes {
		s.routes.add(api, r)
	}
	if api.Kind == REST {
		addCORS(&s.routes, api.Routes)
	} else {
		s.cors = newAPICORS(api)
	}
	return s
}

// ServeHTTP serves a request whose path is relative to the stage and whose
// RemoteAddr is the client's.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req := &request{Request: r, api: s.api, at: time.Now().UTC(), ext: extendedID()}
	s.identify(w, req)
	if s.cors != nil && isPreflight(r) {
		s.cors.preflight(w, r, s.api.Kind)
		return
	}
	found, ok := s.routes.find(r.Method, r.URL.EscapedPath())
	req.match = found
	if ok && found.resource.cors != nil && r.Method == http.MethodOptions && found.resource.routes[http.MethodOptions] == nil {
		found.resource.cors.answer(w, r)
		return
	}
	if !ok || found.target == nil {
		s.fail(w, r, failNoRoute)
		return
	}
	s.invoke(w, req)
}

func (s *server) identify(w http.ResponseWriter, r *request) {
	if s.api.Kind == HTTP {
		r.id = r.ext
		w.Header().Set("Apigw-Requestid", r.id)
		return
	}
	r.id = uuid()
	w.Header().Set("X-Amzn-Requestid", r.id)
	if s.api.Kind == REST {
		w.Header().Set("X-Amz-Apigw-Id", r.ext)
	}
}

func (s *server) invoke(w http.ResponseWriter, r *request) {
	body, err := readBody(r.Request)
	switch {
	case fault.KindOf(err) == fault.TooLarge:
		s.fail(w, r.Request, failure{status: http.StatusRequestEntityTooLarge, message: err.Error()})
		return
	case err != nil:
		s.fail(w, r.Request, failure{http.StatusBadRequest, "The request's body could not be read"})
		return
	}
	r.body = body
	if s.api.Auth == AuthIAM && !s.authorize(w, r) {
		return
	}
	trace := r.Header.Get("X-Amzn-Trace-Id")
	if trace == "" {
		trace = traceID(r.at)
		r.Request = r.WithContext(r.Context())
		r.Header = r.Header.Clone()
		r.Header.Set("X-Amzn-Trace-Id", trace)
	}
	event, err := s.event(r)
	if err != nil {
		s.log(r, function.Result{}, err)
		s.fail(w, r.Request, failInternal)
		return
	}
	if len(event) > function.MaxSyncPayload {
		s.fail(w, r.Request, failure{http.StatusRequestEntityTooLarge, fmt.Sprintf(
			"Request Too Long: the event made of this request has %d bytes, over the limit of %d bytes", len(event), function.MaxSyncPayload)})
		return
	}
	inv := function.Invocation{Function: r.target.Function, Payload: event, Marshalled: true, TraceID: trace}
	if r.target.Stream {
		s.stream(w, r, inv)
		return
	}
	res, err := s.call(r, inv)
	s.answer(w, r, res, err)
}

// call invokes the function for at most the API's timeout; a function URL has
// none but the function's. A client that leaves does not end the invocation, as on
// AWS.
func (s *server) call(r *request, inv function.Invocation) (function.Result, error) {
	ctx := context.WithoutCancel(r.Context())
	if limit := map[string]time.Duration{REST: RESTTimeout, HTTP: HTTPTimeout}[s.api.Kind]; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	res, err := s.gateway.Invoker.Invoke(ctx, inv)
	if err != nil && ctx.Err() != nil {
		err = errTimeout
	}
	return res, err
}

var errTimeout = errors.New("the function did not answer in time")

// answer writes the function's response. Whatever goes wrong is logged here, once.
func (s *server) answer(w http.ResponseWriter, r *request, res function.Result, err error) {
	if err != nil {
		s.log(r, res, err)
		s.fail(w, r.Request, invokeFailure(err))
		return
	}
	if res.FunctionError != "" {
		s.log(r, res, fmt.Errorf("function error %s", res.ErrorType))
		s.fail(w, r.Request, failFunction)
		return
	}
	out, err := s.response(r, res.Payload)
	if err != nil {
		s.log(r, res, fmt.Errorf("malformed response: %w", err))
		s.fail(w, r.Request, failFunction)
		return
	}
	out.write(w, r.Request, s.cors)
}

func (s *server) log(r *request, res function.Result, err error) {
	s.gateway.Log.Error("request failed", "request", r.id, "invocation", res.RequestID,
		"function", r.target.Function, "route", r.target.Key(), "stack", s.api.Stack, "err", err)
}

func (s *server) event(r *request) ([]byte, error) {
	var event any
	switch s.api.Kind {
	case REST:
		event = r.rest()
	case HTTP:
		event = r.http()
	case URL:
		event = r.url()
	}
	var buf bytes.Buffer // is written once, so it gets the size it needs
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(event); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// readBody reads a body within the limit; REST APIs word the refusal like this.
func readBody(r *http.Request) ([]byte, error) {
	tooLarge := fault.Errorf(fault.TooLarge, "HTTP content length exceeded %d bytes.", MaxBody)
	if r.ContentLength > MaxBody {
		return nil, tooLarge
	}
	if r.Body == nil || r.ContentLength == 0 {
		return nil, nil
	}
	var buf bytes.Buffer
	buf.Grow(int(max(r.ContentLength, 0)) + bytes.MinRead)
	if _, err := buf.ReadFrom(io.LimitReader(r.Body, MaxBody+1)); err != nil {
		return nil, err
	}
	if buf.Len() > MaxBody {
		return nil, tooLarge
	}
	return buf.Bytes(), nil
}

func uuid() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// extendedID looks like "JJbxmEZzIAMFsdg=".
func extendedID() string {
	var b [11]byte
	rand.Read(b[:])
	return base64.URLEncoding.EncodeToString(b[:])
}

// traceID is an X-Ray trace header.
func traceID(at time.Time) string {
	var b [12]byte
	rand.Read(b[:])
	return "Root=1-" + strconv.FormatInt(at.Unix(), 16) + "-" + hex.EncodeToString(b[:])
}
