// Package api is the AWS endpoint: one port for every service, told apart by the
// credential scope of the signature.
//
// It authenticates, decodes, calls a room's method and encodes what comes back;
// it decides nothing itself. Our own control plane is the service "dropstack",
// spoken as AWS JSON 1.1: POST / with X-Amz-Target: Dropstack.ACTION.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

// maxBody bounds the body of every call but those of S3: a synchronous payload
// of 6 MB and some room for its envelope.
const maxBody = 8 << 20

// Server is the AWS endpoint's handler. All fields are required.
type Server struct {
	Verify interface {
		Verify(r *http.Request, body []byte) (iam.Principal, string, string, error)
	}
	S3      http.Handler // authenticates by itself, because bodies stream
	SNS     *SNS
	Lambda  *Lambda
	Logs    *Logs
	Actions Actions // of the service "dropstack"
	Log     *slog.Logger
}

// Actions is the control plane's table: action → method.
type Actions map[string]func(ctx context.Context, body []byte) (any, error)

// Action makes an entry of the table from a room's method.
func Action[In, Out any](method func(context.Context, In) (Out, error)) func(context.Context, []byte) (any, error) {
	return func(ctx context.Context, body []byte) (any, error) {
		var in In
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
			return nil, fault.Coded(fault.Invalid, "SerializationException", "the request's body: %w", err)
		}
		return method(ctx, in)
	}
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" && r.Method == http.MethodGet {
		_, _ = io.WriteString(w, "ok\n")
		return
	}
	service, signed := iam.Scope(r)
	if !signed || service == "s3" {
		s.S3.ServeHTTP(w, r)
		return
	}
	id := newRequestID()
	w.Header().Set("X-Amzn-RequestId", id)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		s.fail(w, r, service, id, fault.Coded(fault.TooLarge, "RequestEntityTooLargeException", "the request's body is over %d bytes, or was cut off", maxBody))
		return
	}
	who, service, _, err := s.Verify.Verify(r, body)
	if err != nil {
		s.fail(w, r, service, id, err)
		return
	}
	if err := s.serve(w, r, call{who, service, id, body}); err != nil {
		s.fail(w, r, service, id, err)
	}
}

// call is an authenticated request.
type call struct {
	who     iam.Principal
	service string
	id      string
	body    []byte
}

// serve passes a call on. Functions may publish and invoke; everything else is
// the administrator's until there are policies.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, c call) error {
	switch {
	case c.service == "sns":
		form, err := url.ParseQuery(string(c.body))
		if err != nil {
			return fault.Coded(fault.Invalid, "MalformedQueryString", "the request's body is not a form: %w", err)
		}
		s.SNS.ServeQuery(r.Context(), w, form, c.id)
		return nil
	case c.service == "lambda":
		return s.Lambda.serve(w, r, c)
	case !c.who.Root():
		return fault.Coded(fault.Denied, "AccessDeniedException", "functions may not call %s; use the administrator's keys", c.service)
	case c.service == "logs":
		return s.json(w, r, c, "Logs_20140328.", s.Logs.actions())
	case c.service == "dropstack":
		return s.json(w, r, c, "Dropstack.", s.Actions)
	}
	return fault.Coded(fault.Invalid, "NotImplemented", "service %q is not available here; available are dropstack, lambda, logs, s3 and sns", c.service)
}

// json answers an AWS JSON 1.1 call from a table.
func (s *Server) json(w http.ResponseWriter, r *http.Request, c call, prefix string, table Actions) error {
	target := r.Header.Get("X-Amz-Target")
	name, ok := strings.CutPrefix(target, prefix)
	action, known := table[name]
	if !ok || !known {
		return fault.Coded(fault.Invalid, "UnknownOperationException", "X-Amz-Target %q names no action of %s", target, c.service)
	}
	out, err := action(r.Context(), c.body)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, out)
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	doc, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_, _ = w.Write(doc) // a caller that has left needs no answer
	return nil
}

// fail answers an error in the words of the service's protocol. What is internal
// goes to the log with the request's id, and to the caller as that id alone.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, service, id string, err error) {
	if service == "sns" || strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		// whatever the service, a caller of a Query API reads only such errors
		s.SNS.fail(w, r.URL.Path, id, err)
		return
	}
	kind, code, message := fault.KindOf(err), fault.CodeOf(err), err.Error()
	if kind == fault.Internal {
		s.Log.Error("call failed", "service", service, "target", r.Header.Get("X-Amz-Target"), "path", r.URL.Path, "request", id, "err", err)
		code, message = "InternalFailure", "internal error; the log has it under request "+id
	}
	if code == "" {
		code = codes[kind]
	}
	w.Header().Set("X-Amzn-ErrorType", code)
	_ = writeJSON(w, statuses[kind], map[string]string{"__type": code, "message": message, "Message": message})
}

var statuses = map[fault.Kind]int{
	fault.Internal: 500, fault.Invalid: 400, fault.NotFound: 404, fault.Conflict: 409, fault.Unauthenticated: 403,
	fault.Denied: 403, fault.Throttled: 429, fault.TooLarge: 413, fault.Unavailable: 503,
}

var codes = map[fault.Kind]string{
	fault.Invalid: "ValidationException", fault.NotFound: "ResourceNotFoundException", fault.Conflict: "ResourceConflictException",
	fault.Unauthenticated: "UnrecognizedClientException", fault.Denied: "AccessDeniedException", fault.Throttled: "TooManyRequestsException",
	fault.TooLarge: "RequestTooLargeException", fault.Unavailable: "ServiceUnavailableException",
}

// Error is a call's error as the client sees it; it keeps the kind.
func clientError(status int, doc []byte) error {
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if json.Unmarshal(doc, &e) != nil || e.Message == "" {
		e.Message = strings.TrimSpace(string(doc))
	}
	for kind, s := range statuses {
		if s == status && kind != fault.Unauthenticated {
			return fault.Coded(kind, e.Type, "%s", e.Message)
		}
	}
	return fmt.Errorf("the platform answered %d: %s", status, e.Message)
}
