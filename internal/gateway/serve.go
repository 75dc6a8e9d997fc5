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
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

// server serves one API.
type server struct {
	gateway   *Gateway
	api       API
	routes    matcher
	cors      *apiCORS // not REST
	guards    map[string]guarded
	responses customised
	line      template // of the access log; nil: none
	logStream string   // in its group
}

func newServer(g *Gateway, api API) *server {
	s := &server{gateway: g, api: api, routes: matcher{rest: api.Kind == REST}}
	s.guards = newGuards(s)
	s.responses, _ = customise(api.Responses) // Check has read them
	if api.AccessLog != nil && g.Logs != nil {
		s.line = parseTemplate(api.AccessLog.Format)
		s.logStream = logStream(api)
	}
	for _, r := range api.Routes {
		s.routes.add(r, s.target(r))
	}
	if api.Kind == REST {
		addCORS(&s.routes, api.Routes)
	} else {
		s.cors = newAPICORS(api)
	}
	return s
}

// target is a route with what stands before it.
func (s *server) target(r Route) *target {
	t := &target{Route: r, key: r.Key(), resourceID: PartID(s.api.ID, r.Path), guard: s.guard(r)}
	t.rules, _ = newRules(r.Validation) // Check has read them
	t.limit = map[string]time.Duration{REST: RESTTimeout, HTTP: HTTPTimeout}[s.api.Kind]
	if own := time.Duration(r.Timeout) * time.Millisecond; own > 0 && (t.limit == 0 || own < t.limit) {
		t.limit = own
	}
	return t
}

// ServeHTTP serves a request whose path is relative to the stage and whose
// RemoteAddr is the client's.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req := &request{Request: r, api: &s.api, at: time.Now().UTC(), ext: extendedID()}
	s.identify(w, req)
	if s.line != nil || s.gateway.Served != nil || s.gateway.Traces != nil {
		w = s.measured(w, req)
		defer s.served(req)
	}
	if s.gateway.Traces != nil {
		defer req.traced()
	}
	s.serve(w, req)
}

// serve finds the route of a request, and what it answers for.
func (s *server) serve(w http.ResponseWriter, r *request) {
	if s.cors != nil && isPreflight(r.Request) {
		s.cors.preflight(w, r.Request, s.api.Kind)
		return
	}
	found, ok := s.routes.find(r.Method, r.URL.EscapedPath())
	r.match = found
	if ok && found.resource.cors != nil && r.Method == http.MethodOptions && found.resource.routes[http.MethodOptions] == nil {
		found.resource.cors.answer(w, r.Request)
		return
	}
	if !ok || found.target == nil {
		s.fail(w, r, &failure{cause: noRoute})
		return
	}
	if s.api.Throttle != nil && !s.gateway.buckets.take(s.api.ID, *s.api.Throttle) {
		s.fail(w, r, &failure{cause: throttled})
		return
	}
	s.enter(w, r)
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

// enter lets a request in that has a route, if it may, and passes it on. A body is
// read once it is known who sends it, unless that is what the body is needed for.
func (s *server) enter(w http.ResponseWriter, r *request) {
	s.trace(w, r)
	_, signs := r.target.guard.(signed)
	if !signs {
		if err := s.admit(r); err != nil {
			s.refuse(w, r, err)
			return
		}
	}
	if err := s.read(r); err != nil {
		s.refuse(w, r, err)
		return
	}
	if s.api.Auth == AuthIAM && !s.signedURL(w, r) {
		return
	}
	if signs {
		if err := s.admit(r); err != nil {
			s.refuse(w, r, err)
			return
		}
	}
	if r.target.rules != nil {
		if err := r.target.rules.check(r); err != nil {
			s.refuse(w, r, err)
			return
		}
	}
	s.integrate(w, r)
}

// admit asks who it is that sends a request, and which key they have.
func (s *server) admit(r *request) error {
	if g := r.target.guard; g != nil {
		if err := g.admit(r); err != nil {
			return err
		}
	}
	if r.target.KeyRequired {
		return s.unlock(r)
	}
	return nil
}

// read reads a request's body.
func (s *server) read(r *request) error {
	body, err := readBody(r.Request)
	switch {
	case fault.KindOf(err) == fault.TooLarge:
		return &failure{cause: tooLarge, message: err.Error()}
	case err != nil:
		return &failure{cause: unreadable}
	}
	r.body = body
	if s.api.Compress != nil && r.Header.Get("Content-Encoding") != "" {
		return r.decompress()
	}
	return nil
}

// invoke asks the route's function with the request, and answers with what it says.
func (s *server) invoke(w http.ResponseWriter, r *request) {
	event, err := s.event(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	if len(event) > function.MaxSyncPayload {
		s.fail(w, r, &failure{cause: tooLarge, message: fmt.Sprintf(
			"Request Too Long: the event made of this request has %d bytes, over the limit of %d bytes", len(event), function.MaxSyncPayload)})
		return
	}
	inv := function.Invocation{Function: r.target.Function, Payload: event, Marshalled: true, TraceID: r.Header.Get("X-Amzn-Trace-Id"), Trigger: r.trigger()}
	if r.target.Stream {
		s.stream(w, r, inv)
		return
	}
	res, err := s.call(r, inv)
	s.answer(w, r, res, err)
}

// call invokes the function for at most the route's timeout; a function URL has
// none but the function's. A client that leaves does not end the invocation, as on
// AWS.
func (s *server) call(r *request, inv function.Invocation) (function.Result, error) {
	ctx := context.WithoutCancel(r.Context())
	if limit := r.target.limit; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	began := time.Now()
	res, err := s.gateway.Invoker.Invoke(ctx, inv)
	if err != nil && ctx.Err() != nil {
		err = errTimeout
	}
	r.done(res, time.Since(began), err)
	return res, err
}

// done writes down what became of the integration.
func (r *request) done(res function.Result, took time.Duration, err error) {
	r.took, r.integrationStatus = took, http.StatusOK
	r.invoked = function.Result{RequestID: res.RequestID, FunctionError: res.FunctionError, ErrorType: res.ErrorType}
	switch {
	case err != nil:
		r.integrationStatus, r.integrationError = 0, err.Error()
	case res.FunctionError != "":
		r.integrationError = "function error " + res.ErrorType
	}
}

var errTimeout = errors.New("the function did not answer in time")

// answer writes the function's response. Whatever goes wrong is logged here, once.
func (s *server) answer(w http.ResponseWriter, r *request, res function.Result, err error) {
	if err != nil {
		s.refuse(w, r, invokeFailure(err))
		return
	}
	if res.FunctionError != "" {
		s.refuse(w, r, &failure{cause: functionFailed, err: fmt.Errorf("function error %s", res.ErrorType)})
		return
	}
	out, err := s.response(r, res.Payload)
	if err != nil {
		s.refuse(w, r, &failure{cause: functionFailed, err: fmt.Errorf("malformed response: %w", err)})
		return
	}
	s.compressed(r, out).write(w, r.Request, s.cors)
}

func (s *server) log(r *request, res function.Result, err error) {
	s.gateway.Log.Error("request failed", "request", r.id, "invocation", res.RequestID,
		"function", r.target.Function, "route", r.target.Key(), "stack", s.api.Stack, "err", err)
}

func (s *server) event(r *request) ([]byte, error) {
	var event any
	switch {
	case s.api.Kind == REST:
		event = r.rest()
	case s.api.Kind == URL:
		event = r.url()
	case r.target.Payload == "1.0":
		event = r.first()
	default:
		event = r.http()
	}
	var buf bytes.Buffer // is written once, so it gets the size it needs
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(event); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

var tooLong = fault.Errorf(fault.TooLarge, "HTTP content length exceeded %d bytes.", MaxBody)

// readBody reads a body within the limit; REST APIs word the refusal like this.
func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength > MaxBody {
		return nil, tooLong
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
		return nil, tooLong
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
