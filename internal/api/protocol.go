package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/wire"
)

// protocol is how a client words calls and reads answers.
type protocol interface {
	// operation is the name of the call, "" when the request has none.
	operation() string
	decode(in any) error
	encode(w http.ResponseWriter, out any) error
	fail(w http.ResponseWriter, f failure)
}

// failure is an error as a client is told of it.
type failure struct {
	status        int
	code, message string
	ours          bool
	members       map[string]any // more that is told in JSON
}

// protocolOf tells which protocol a request speaks.
func protocolOf(r *http.Request, s *Service, id string, body []byte) (protocol, error) {
	switch target := r.Header.Get("X-Amz-Target"); {
	case r.Header.Get("Smithy-Protocol") == cborProtocol:
		return cborOf(r, s, body)
	case target != "":
		kind := r.Header.Get("Content-Type")
		if !strings.HasPrefix(kind, "application/x-amz-json-1.") {
			kind = "application/x-amz-json-1.1"
		}
		// some clients put a namespace before it: com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.
		_, name, ok := strings.Cut("."+target, "."+s.Prefix)
		if !ok {
			return jsonCall{kind: kind, codes: s.Codes, query: s.QueryCodes}, fault.Coded(fault.Invalid, "UnknownOperationException", "X-Amz-Target %q names no operation of %s.", target, s.Scope)
		}
		return jsonCall{name: name, kind: kind, body: body, codes: s.Codes, query: s.QueryCodes, strict: s.Strict}, nil
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"), r.Method == http.MethodGet && r.URL.Query().Has("Action"):
		form, err := url.ParseQuery(string(body))
		if r.Method == http.MethodGet {
			form, err = r.URL.Query(), nil
		}
		q := queryCall{form: form, namespace: s.Namespace, codes: s.Codes, id: id}
		if s.QueryCodes != nil {
			q.codes = s.QueryCodes
		}
		if err != nil {
			return q, fault.Coded(fault.Invalid, "MalformedQueryString", "the request's body is not a form: %w", err)
		}
		return q, nil
	}
	return jsonCall{kind: "application/x-amz-json-1.1"}, fault.Coded(fault.Invalid, "UnknownOperationException",
		"%s: the request is neither AWS JSON (X-Amz-Target) nor AWS Query (a form with Action) nor RPC v2 CBOR (Smithy-Protocol).", s.Scope)
}

// jsonCall is AWS JSON 1.0 and 1.1.
type jsonCall struct {
	name, kind string
	body       []byte
	codes      map[string]string
	query      map[string]string // Service.QueryCodes
	strict     bool
}

func (c jsonCall) operation() string { return c.name }

func (c jsonCall) decode(in any) error {
	dec := json.NewDecoder(bytes.NewReader(c.body))
	if c.strict {
		dec.DisallowUnknownFields()
	}
	if err := dec.Decode(in); err != nil && !errors.Is(err, io.EOF) {
		return fault.Coded(fault.Invalid, "SerializationException", "the request's body: %w", err)
	}
	return nil
}

func (c jsonCall) encode(w http.ResponseWriter, out any) error {
	return writeJSON(w, c.kind, http.StatusOK, out)
}

func (c jsonCall) fail(w http.ResponseWriter, f failure) {
	if code, ok := c.codes[f.code]; ok {
		f.code = code
	}
	w.Header().Set("X-Amzn-ErrorType", f.code)
	queryError(w, c.query, f)
	doc := map[string]any{"__type": f.code, "message": f.message, "Message": f.message}
	maps.Copy(doc, f.members)
	_ = writeJSON(w, c.kind, f.status, doc)
}

func writeJSON(w http.ResponseWriter, kind string, status int, v any) error {
	doc, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(doc) // a caller that has left needs no answer
	return nil
}

// queryCall is AWS Query: forms in, XML out.
type queryCall struct {
	form          url.Values
	namespace, id string
	codes         map[string]string
}

func (c queryCall) operation() string { return c.form.Get("Action") }

func (c queryCall) decode(in any) error {
	if err := wire.DecodeQuery(c.form, in); err != nil {
		return fault.Coded(fault.Invalid, "MalformedInput", "%w", err)
	}
	return nil
}

func (c queryCall) encode(w http.ResponseWriter, out any) error {
	doc, err := wire.EncodeQuery(c.operation(), c.namespace, c.id, out)
	if err != nil {
		return err
	}
	writeXML(w, http.StatusOK, doc)
	return nil
}

// queryCodes are the names that Query has for errors of every service.
var queryCodes = map[string]string{
	"AccessDeniedException": "AccessDenied", "UnrecognizedClientException": "InvalidClientTokenId", "ValidationException": "ValidationError",
	"ExpiredTokenException": "ExpiredToken", "ResourceNotFoundException": "NotFound", "ResourceConflictException": "ConcurrentModification",
	"TooManyRequestsException": "Throttling", "ServiceUnavailableException": "ServiceUnavailable", "InternalFailure": "InternalError",
	"SerializationException": "MalformedInput",
}

func (c queryCall) fail(w http.ResponseWriter, f failure) {
	if code, ok := c.codes[f.code]; ok {
		f.code = code
	} else if code, ok := queryCodes[f.code]; ok {
		f.code = code
	}
	writeXML(w, f.status, wire.EncodeQueryError(c.namespace, f.code, f.message, c.id, f.ours))
}

func writeXML(w http.ResponseWriter, status int, doc []byte) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = w.Write(doc) // a caller that has left needs no answer
}

// failureOf is what a caller sees of an error: of ours only that it happened, and
// under which id the log has it.
func failureOf(err error, id string) failure {
	kind := fault.KindOf(err)
	f := failure{status: statuses[kind], code: fault.CodeOf(err), message: err.Error(), ours: kind == fault.Internal || kind == fault.Unavailable}
	if e, ok := errors.AsType[*fault.Error](err); ok && f.code != "" {
		f.message = e.Error() // without what was wrapped around it on the way
	}
	if e, ok := errors.AsType[interface {
		error
		AWSMembers() map[string]any
	}](err); ok {
		f.members = e.AWSMembers()
	}
	switch {
	case kind == fault.Internal:
		f.code, f.message = "InternalFailure", "internal error; the log has it under request "+id
	case kind == fault.Unavailable && f.code == "":
		f.message = "not possible just now, try again; the log has the reason under request " + id
	}
	if f.code == "" {
		f.code = codes[kind]
	}
	if status, ok := codeStatuses[f.code]; ok {
		f.status = status
	}
	return f
}

var statuses = map[fault.Kind]int{
	fault.Internal: 500, fault.Invalid: 400, fault.NotFound: 404, fault.Conflict: 409, fault.Unauthenticated: 403,
	fault.Denied: 403, fault.Throttled: 429, fault.TooLarge: 413, fault.Unavailable: 503,
}

// codeStatuses are the statuses of errors that have another than their kind's.
var codeStatuses = map[string]int{
	"PreconditionFailedException": http.StatusPreconditionFailed, "ServiceException": http.StatusInternalServerError,
	"AlreadyExistsException": http.StatusBadRequest, "QueueDoesNotExist": http.StatusBadRequest, "QueueNameExists": http.StatusBadRequest,
}

var codes = map[fault.Kind]string{
	fault.Invalid: "ValidationException", fault.NotFound: "ResourceNotFoundException", fault.Conflict: "ResourceConflictException",
	fault.Unauthenticated: "UnrecognizedClientException", fault.Denied: "AccessDeniedException", fault.Throttled: "TooManyRequestsException",
	fault.TooLarge: "RequestTooLargeException", fault.Unavailable: "ServiceUnavailableException",
}
