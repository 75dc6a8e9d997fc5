package console

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/network"
)

// Access is who may ask for something: by default whoever is signed in by a session,
// by HTTP basic authentication with an access key, or by a signature.
type Access struct {
	All    bool   // whoever reaches the port
	Local  bool   // on a port that only this machine reaches, anybody who reads
	Action string // that the caller must be allowed; "": none of its own
	Change string // likewise, of a request that changes something; "": Action
}

// Anybody asks nobody who they are.
var Anybody = Access{All: true}

// caller is who has been let in, and the access key that they are known by.
type caller struct {
	who        iam.Principal
	key, token string
}

type callerKey struct{}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// guard lets in who may.
func (s *Server) guard(a Access, next http.Handler) http.Handler {
	if a.All {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.Local && s.Loopback && reads(r) && !network.Proxied(r.Header) {
			next.ServeHTTP(w, r)
			return
		}
		c, err := s.identify(r)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		ctx := iam.With(context.WithValue(r.Context(), callerKey{}, c), c.who, s.requestOf(r))
		action := a.Action
		if a.Change != "" && !reads(r) {
			action = a.Change
		}
		if action != "" {
			if err := s.Authority.Authorize(ctx, action, "*", nil); err != nil {
				s.refuse(w, r, err)
				return
			}
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// reads reports whether a request changes nothing. Clients of Prometheus send their
// questions by POST, for they may be long.
func reads(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	question, ok := strings.CutPrefix(r.URL.Path, "/api/v1/")
	return ok && r.Method == http.MethodPost && slices.Contains([]string{
		"query", "query_range", "query_exemplars", "series", "labels", "format_query", "parse_query",
	}, question)
}

var errNobody = fault.Coded(fault.Unauthenticated, "SignInRequired", "sign in to the console: `dropstack console` makes a link. Programs send an access key by HTTP basic authentication (its ID as the user, its secret as the password) or sign requests (Signature Version 4)")

// identify finds out who makes a request.
func (s *Server) identify(r *http.Request) (caller, error) {
	if id, secret, ok := r.BasicAuth(); ok {
		who, err := s.authenticate(r, id, secret, "")
		return caller{who, id, ""}, err
	}
	if _, signed := iam.Scope(r); signed {
		return s.verify(r)
	}
	return s.resume(r)
}

// authenticate checks an access key's secret, not as often as one likes to guess.
func (s *Server) authenticate(r *http.Request, id, secret, token string) (iam.Principal, error) {
	if wait := s.attempts.wait(address(r), time.Now()); wait > 0 {
		return iam.Principal{}, tooMany{wait}
	}
	who, err := s.Authority.Authenticate(id, secret, token)
	if err != nil {
		s.attempts.failed(address(r), time.Now())
		return iam.Principal{}, fault.Coded(fault.Unauthenticated, "SignInFailed", "this access key and secret do not belong together, or the key is not active")
	}
	return who, nil
}

// maxSigned bounds the body of a signed request, which is read before it is served.
const maxSigned = 8 << 20

func (s *Server) verify(r *http.Request) (caller, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxSigned+1))
	if err != nil {
		return caller{}, fault.Errorf(fault.Invalid, "the request's body was cut off: %w", err)
	}
	if len(body) > maxSigned {
		return caller{}, fault.Errorf(fault.TooLarge, "the body of a signed request is over %d bytes", maxSigned)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	who, _, _, err := s.Authority.Verify(r, body)
	return caller{who, who.AccessKeyID, r.Header.Get("X-Amz-Security-Token")}, err
}

// requestOf is what policies may ask about a request.
func (s *Server) requestOf(r *http.Request) iam.Request {
	return iam.Request{
		SourceIP: address(r), UserAgent: r.UserAgent(), Referer: r.Referer(), Region: s.Region,
		SecureTransport: r.TLS != nil, Time: time.Now(),
	}
}

func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// checkOrigin refuses what a page of somebody else's makes a browser ask for. A name
// that is made to lead here (DNS rebinding) is told by Host; on a port that others
// reach too, everything takes a sign-in, which such a page does not have.
func (s *Server) checkOrigin(r *http.Request) error {
	if s.Loopback && !localName(r.Host) {
		return fault.Errorf(fault.Denied, "the host %q is not this machine's: open the console as %s", r.Host, s.Endpoints.Console)
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Host != r.Host {
			return fault.Errorf(fault.Denied, "requests from pages of %s are not answered", origin)
		}
	}
	if site := r.Header.Get("Sec-Fetch-Site"); (site == "cross-site" || site == "same-site") && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
		return fault.Errorf(fault.Denied, "requests from pages of other sites are not answered")
	}
	return nil
}

// localName reports whether a host cannot be anything but this machine, whatever name
// servers say.
func localName(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// refusal is an error as the pages and clients of Prometheus read it.
type refusal struct {
	Status    string `json:"status"` // "error"
	ErrorType string `json:"errorType"`
	Error     string `json:"error"`
}

var statuses = map[fault.Kind]int{
	fault.Internal: 500, fault.Invalid: 400, fault.NotFound: 404, fault.Conflict: 409, fault.Unauthenticated: 401,
	fault.Denied: 403, fault.Throttled: 429, fault.TooLarge: 413, fault.Unavailable: 503,
}

// refuse answers an error. What is internal goes to the log.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	kind, message := fault.KindOf(err), err.Error()
	if wait, ok := errors.AsType[tooMany](err); ok {
		kind = fault.Throttled
		w.Header().Set("Retry-After", wait.seconds())
	}
	if kind == fault.Internal {
		s.Log.Error("console request failed", "path", r.URL.Path, "err", err)
		message = "internal error; the platform's log has it"
	}
	if kind == fault.Unauthenticated && r.Header.Get("Sec-Fetch-Mode") == "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="dropstack"`) // a browser would ask in a window of its own
	}
	code := fault.CodeOf(err)
	if code == "" {
		code = kind.String()
	}
	writeJSON(w, statuses[kind], refusal{"error", code, message})
}
