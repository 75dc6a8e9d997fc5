// Package api is the AWS endpoint: one port for every service, told apart by the
// credential scope of the signature.
//
// Every call takes the same walk: who signed it, which operation it is (Service,
// Operation), what its protocol says (protocol), may the caller do that (Need), the
// room's method, the audit record, the answer. The endpoint decides nothing itself.
// Our own control plane is the service "dropstack", spoken as AWS JSON 1.1: POST /
// with X-Amz-Target: Dropstack.ACTION.
package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/dropstack/dropstack/internal/logs/tail"
	"github.com/dropstack/dropstack/internal/trace"
)

// maxBody bounds the body of every call but those of S3: a synchronous payload
// of 6 MB and some room for its envelope.
const maxBody = 8 << 20

// Authority knows who signed a request and what they may do.
type Authority interface {
	Verify(r *http.Request, body []byte) (who iam.Principal, service, region string, err error)
	// AuthorizeWith is nil when the caller in ctx may do the action, by their own
	// policies or by the resource's, else fault.Denied with the reason.
	AuthorizeWith(ctx context.Context, action, resource string, conditions map[string][]string, resourcePolicies ...policy.Document) error
}

// Server is the AWS endpoint's handler. All fields but Tunnel are required.
type Server struct {
	Authority Authority
	Trail     Trail
	Services  []*Service
	Lambda    *Lambda
	Objects   *Objects
	// Certificate is a file that messages refer their receivers to. Optional.
	Certificate func() (name string, doc []byte)
	Tunnel      *Tunnel       // nil: AWS's own host names are not answered
	Answers     Answers       // about custom resources; nil: there are none
	Traces      *trace.Traces // takes a span of each call that a trace comes with; optional
	Region      string
	Log         *slog.Logger
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" && r.Method == http.MethodGet {
		_, _ = io.WriteString(w, "ok\n")
		return
	}
	if r.Method == http.MethodConnect && s.Tunnel != nil {
		if err := s.Tunnel.connect(w, r); err != nil {
			s.fail(&call{w: w, r: r}, jsonCall{kind: "application/json"}, err)
		}
		return
	}
	if s.servedCertificate(w, r) || s.answered(w, r) {
		return
	}
	scope, signed := iam.Scope(r)
	service := s.service(r, scope)
	if service == nil && scope != "lambda" && (!signed || scope == "s3") {
		s.serveObjects(w, r)
		return
	}
	c := &call{w: w, r: r, id: uuid.NewString(), at: r.Context(), scope: scope}
	w.Header().Set("X-Amzn-Requestid", c.id)
	var err error
	if c.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, limitOf(r, scope))); err != nil {
		err = fault.Coded(fault.TooLarge, "RequestEntityTooLargeException", "the request's body is over %d bytes, or was cut off", limitOf(r, scope))
	}
	switch {
	case err != nil:
		s.fail(c, jsonCall{kind: "application/json"}, err)
	case scope == "lambda":
		s.serveLambda(c)
	case service == nil:
		s.fail(c, jsonCall{kind: "application/x-amz-json-1.1"}, fault.Coded(fault.Invalid, "NotImplemented", "The service %q is not available here; available are %s.", scope, s.names()))
	case service.routes != nil:
		s.serveREST(c, service)
	default:
		s.serve(c, service)
	}
}

// servedCertificate answers a request for the certificate of messages.
func (s *Server) servedCertificate(w http.ResponseWriter, r *http.Request) bool {
	if s.Certificate == nil || r.Method != http.MethodGet {
		return false
	}
	name, doc := s.Certificate()
	if r.URL.Path != "/"+name {
		return false
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(doc)
	return true
}

// call is one request on its way.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	id    string
	at    context.Context // the request's, later with who calls
	scope string
	body  []byte

	who       iam.Principal
	service   *Service
	operation string
	in, out   any
	needs     []Need
}

// service returns the service of a scope. A request without a signature is SNS's
// if it is one that a subscriber follows.
func (s *Server) service(r *http.Request, scope string) *Service {
	if scope == "" && r.Method == http.MethodGet && r.URL.Query().Has("Action") {
		scope = "sns"
	}
	for _, service := range s.Services {
		if service.Scope == scope {
			return service
		}
	}
	return nil
}

func (s *Server) names() string {
	names := "lambda, s3"
	for _, service := range s.Services {
		names += ", " + service.Scope
	}
	return names
}

// serve answers a call of a service with a table of operations.
func (s *Server) serve(c *call, service *Service) {
	c.service = service
	body, err := inflate(c.r, c.body)
	if err != nil {
		s.fail(c, jsonCall{kind: "application/x-amz-json-1.1"}, err)
		return
	}
	p, err := protocolOf(c.r, service, c.id, body)
	if err != nil {
		s.fail(c, p, err)
		return
	}
	c.operation = p.operation()
	o, unknown := service.find(c.operation)
	if _, signed := iam.Scope(c.r); signed || !o.open {
		if err := s.authenticate(c); err != nil {
			s.fail(c, p, err)
			return
		}
	}
	if unknown != nil { // told only to those who have a key
		s.fail(c, p, unknown)
		return
	}
	c.in = o.new()
	if err := p.decode(c.in); err != nil {
		s.fail(c, p, err)
		return
	}
	if err := s.perform(c, o); err != nil {
		s.fail(c, p, err)
		return
	}
	if live, ok := c.out.(*tail.LiveTail); ok {
		s.live(c, live)
		return
	}
	if err := p.encode(c.w, c.out); err != nil {
		s.fail(c, p, fmt.Errorf("answer: %w", err))
	}
}

// inflate is a body as it was before the client compressed it, which SDKs do with
// long ones of some operations. What is signed is what was sent.
func inflate(r *http.Request, body []byte) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return body, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(z, maxBody+1))
	}
	switch {
	case err != nil:
		return nil, fault.Coded(fault.Invalid, "SerializationException", "the request's body is not gzip, as its Content-Encoding says: %w", err)
	case len(body) > maxBody:
		return nil, fault.Coded(fault.TooLarge, "RequestEntityTooLargeException", "the request's body is over %d bytes when it is not compressed", maxBody)
	}
	return body, nil
}

// authenticate puts the caller into the call's context.
func (s *Server) authenticate(c *call) error {
	who, _, region, err := s.Authority.Verify(c.r, c.body)
	if err != nil {
		return err
	}
	c.who = who
	c.at = iam.With(c.at, who, requestOf(c, region))
	return nil
}

// perform asks for permission, calls the room and records what came of it, in
// this order: what cannot be recorded is answered as a failure.
func (s *Server) perform(c *call, o Operation) error {
	err := s.authorize(c, o)
	if err == nil {
		if !o.data && !s.Trail.Healthy() {
			return fault.Errorf(fault.Unavailable, "the audit log cannot be written, and what cannot be recorded is not done")
		}
		end := s.trace(c)
		c.out, err = o.do(c.at, c.in)
		end(err)
	}
	if o.data && fault.KindOf(err) != fault.Denied {
		return err
	}
	if recorded := s.record(c, o.data, err); recorded != nil {
		return fault.Errorf(fault.Unavailable, "%s may have been carried out, but could not be recorded: %w", c.operation, recorded)
	}
	return err
}

// authorize asks for everything that the operation needs.
func (s *Server) authorize(c *call, o Operation) error {
	if _, known := iam.Caller(c.at); o.open && !known {
		return nil
	}
	c.needs = []Need{{}}
	if o.need != nil {
		c.needs = o.need(c.at, c.in)
	}
	for i := range c.needs {
		n := &c.needs[i]
		if n.Action == "" {
			n.Action = c.service.actionPrefix() + ":" + c.operation
		}
		if n.Resource == "" {
			n.Resource = "*"
		}
		if err := s.Authority.AuthorizeWith(c.at, n.Action, n.Resource, n.Conditions, n.Policies...); err != nil {
			return err
		}
	}
	return nil
}

// fail answers an error in the words of the protocol. What is internal goes to
// the log with the request's id, and to the caller as that id alone.
func (s *Server) fail(c *call, p protocol, err error) {
	f := failureOf(err, c.id)
	if f.ours {
		s.Log.Error("call failed", "service", c.scope, "operation", c.operation, "path", c.r.URL.Path, "request", c.id, "err", err)
	}
	p.fail(c.w, f)
}
