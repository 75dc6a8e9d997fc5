package gateway

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Host is the host name, without port, by which the edge knows an API, with the
// stage in front of the path.
func Host(id, region string) string { return id + ".execute-api." + region + ".localhost" }

// Base is what paths begin with at the API's own host: its stage, or nothing for
// the stage $default.
func (a API) Base() string {
	if a.Stage == catchAll {
		return ""
	}
	return "/" + a.Stage
}

// API serves the API with the id by paths that begin with its stage, as API Gateway
// does by an API's own host name; the stage $default of an HTTP API has no part in
// the path. Of an id or a stage that does not exist it says what API Gateway says.
func (g *Gateway) API(id string) http.Handler {
	s, ok := g.snapshot().ids[id]
	if !ok || s.api.Kind == URL {
		return http.HandlerFunc(forbidden)
	}
	if s.api.Base() == "" {
		return s
	}
	return staged{s}
}

// Stage is the API and the stage that a handler serves.
func (s *server) Stage() (api, stage string) { return s.api.ID, s.api.Stage }

// WebACL is the ARN of the web ACL of an API's stage, "" when it has none.
func (g *Gateway) WebACL(api, stage string) string {
	if s, ok := g.snapshot().ids[api]; ok && s.api.Stage == stage {
		return s.api.WebACL
	}
	return ""
}

// staged takes the stage off a path.
type staged struct{ *server }

func (s staged) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/"+url.PathEscape(s.api.Stage))
	if ok && rest == "" {
		rest = "/"
	}
	plain, err := url.PathUnescape(rest)
	switch {
	case (!ok || rest[0] != '/' || err != nil) && s.api.Kind == REST:
		forbidden(w, r)
	case !ok || rest[0] != '/' || err != nil:
		req := &request{Request: r, api: &s.api, at: time.Now().UTC(), ext: extendedID()}
		s.identify(w, req)
		s.fail(w, req, &failure{cause: noRoute})
	default:
		out := r.WithContext(r.Context())
		u := *r.URL
		u.Path, u.RawPath = plain, rest
		out.URL = &u
		s.server.ServeHTTP(w, out)
	}
}

// forbidden answers for what is not there.
func forbidden(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amzn-Requestid", uuid())
	w.Header().Set("X-Amzn-Errortype", "ForbiddenException")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusForbidden)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(`{"message":"Forbidden"}`)) // a client that has left needs no answer
	}
}
