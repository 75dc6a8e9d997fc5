package gateway

import (
	"encoding/json"
	"net/http"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

// How a function URL finds out who asks.
const (
	AuthNone = "NONE"    // anybody may
	AuthIAM  = "AWS_IAM" // whoever signs (Signature Version 4, service lambda) and is permitted
)

// Verifier checks a request's signature; iam.Authority is one.
type Verifier interface {
	Verify(r *http.Request, body []byte) (who iam.Principal, service, region string, err error)
}

// FunctionURL is the URL of a function or, with a qualifier, of its alias. Auth,
// CORS and Routes[0].Stream (invoke mode RESPONSE_STREAM) are the caller's to set.
func FunctionURL(stack, fn, qualifier string) API {
	name := fn
	if qualifier != "" {
		name += ":" + qualifier
	}
	return API{
		Stack: stack, ID: URLID(stack, name), Kind: URL, Name: name, Stage: catchAll,
		Routes: []Route{{Method: "ANY", Path: catchAll, Function: name}},
	}
}

// URLID is the id of a function's URL: 32 characters of 0-9 and a-z, which stay the
// same across deployments and restarts.
func URLID(stack, fn string) string {
	return arn.ID(32, stack, URL, fn)
}

// URLHost is the host name, without port, by which the edge knows a function's URL.
func URLHost(id, region string) string { return id + ".lambda-url." + region + ".on.localhost" }

// URL serves the function URL with the id. Of an id that does not exist it says
// what Lambda says, as recorded by others against it: 403 {"Message":null}.
func (g *Gateway) URL(id string) http.Handler {
	if s, ok := g.snapshot().ids[id]; ok && s.api.Kind == URL {
		return s
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-Requestid", uuid())
		refuseURL(w, http.StatusForbidden, "AccessDeniedException", nil)
	})
}

func checkURL(api API, add func(string, ...any)) {
	if api.Kind != URL {
		if api.Auth != "" {
			add("API %q: auth %q is for function URLs", api.Name, api.Auth)
		}
		return
	}
	if len(api.Routes) != 1 || api.Routes[0].Path != catchAll {
		add("function URL %q must have one route, $default", api.Name)
	}
	if api.Auth != "" && api.Auth != AuthNone && api.Auth != AuthIAM {
		add("function URL %q: auth %q must be NONE or AWS_IAM", api.Name, api.Auth)
	}
}

// url is format 2.0 as function URLs give it: the path as it was sent, and nobody's
// account unless somebody has signed.
func (r *request) url() httpEvent {
	e := r.second(r.URL.EscapedPath())
	e.RequestContext.AccountID = "anonymous"
	if r.who != nil {
		e.RequestContext.AccountID = r.who.AccountID
	}
	return e
}

// signedURL finds out who has signed a request to a function URL, or refuses it.
func (s *server) signedURL(w http.ResponseWriter, r *request) bool {
	service, signed := iam.Scope(r.Request)
	if !signed {
		forbidden := "Forbidden"
		refuseURL(w, http.StatusForbidden, "AccessDeniedException", &forbidden)
		return false
	}
	var who iam.Principal
	var err error
	if service == "lambda" {
		who, _, _, err = s.gateway.Verify.Verify(r.Request, r.body)
	} else {
		err = fault.Coded(fault.Unauthenticated, "InvalidSignatureException", "Credential should be scoped to correct service: 'lambda'.")
	}
	if err != nil {
		message := err.Error()
		refuseURL(w, http.StatusForbidden, fault.CodeOf(err), &message)
		return false
	}
	if err := s.permitted(r, who); err != nil {
		s.gateway.Log.Info("function URL refused", "function", s.api.Name, "caller", who.ARN, "err", err)
		forbidden := "Forbidden"
		refuseURL(w, http.StatusForbidden, "AccessDeniedException", &forbidden)
		return false
	}
	r.who = &who
	return true
}

// permitted asks whether a caller may call the URL's function.
func (s *server) permitted(r *request, who iam.Principal) error {
	if s.gateway.Permit == nil {
		return fault.Errorf(fault.Denied, "nothing here knows who may call")
	}
	return s.gateway.Permit(r.calledBy(who), s.api.Name)
}

// refuseURL answers in the words of Lambda's front end.
func refuseURL(w http.ResponseWriter, status int, kind string, message *string) {
	body, err := json.Marshal(map[string]*string{"Message": message})
	if err != nil {
		body = []byte("{}")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Errortype", kind)
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has left needs no answer
}
