package edge

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/edge/cache"
	"github.com/dropstack/dropstack/internal/edge/waf"
)

// route finds the origin: by the path of an API, by host name, or the default.
func (s *Server) route(v *visit) {
	r := v.in
	if rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/restapis/"); ok {
		s.api(v, rest)
		return
	}
	if rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/_aws/execute-api/"); ok { // the same, as local stacks spell it lately
		id, path, _ := strings.Cut(rest, "/")
		stage, path, _ := strings.Cut(path, "/")
		s.api(v, id+"/"+stage+"/_user_request_/"+path)
		return
	}
	host, now := hostOf(r.Host), s.snapshot()
	d := now.find(host)
	if d == nil {
		if id, ok := apiID(host); ok {
			s.direct(v, id, s.Origins.API(id), "")
			return
		}
		if id, ok := urlID(host); ok {
			s.direct(v, id, s.Origins.URL(id), "")
			return
		}
		if stack, ok := strings.CutSuffix(host, ".localhost"); ok {
			if origin, ok := s.Origins.Handler(stack, ""); ok {
				s.direct(v, stack, origin, r.URL.EscapedPath())
				return
			}
		}
		d = now.other
	}
	if d == nil {
		v.fail(http.StatusNotFound, "Nothing here yet", "No service is deployed here yet, or none answers to the name "+host+". Deploy one with \"dropstack deploy\".")
		return
	}
	s.enter(v, d)
}

// enter serves a request to a distribution.
func (s *Server) enter(v *visit, d *site) {
	v.site = d
	v.record.Distribution, v.record.Domain = d.ID, d.Domain
	if d.Log != nil && d.Log.Cookies {
		v.record.Cookie = strings.Join(v.in.Header["Cookie"], "; ")
	}
	if d.Disabled {
		v.fail(http.StatusForbidden, "Not enabled", "The distribution that should answer here is disabled.")
		return
	}
	v.reply.head = v.head
	if s.admit(v) {
		s.try(v)
	}
	s.settle(v)
}

// try is answer; an answer that is dropped for the edge's own may break off.
func (s *Server) try(v *visit) {
	defer func() {
		if cause := recover(); cause != nil && (cause != http.ErrAbortHandler || v.dropped == 0 || v.in.Context().Err() != nil) {
			panic(cause)
		}
	}()
	s.answer(v)
}

// admit finds the behaviour and lets the request in, or answers that it may not.
func (s *Server) admit(v *visit) bool {
	r, d := v.in, v.site
	if d.Root != "" && r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		u := *r.URL
		u.Path, u.RawPath = "/"+d.Root, ""
		r.URL = &u
	}
	l := d.behaviour(r.Method, r.URL.Path)
	if l == nil {
		v.fail(http.StatusNotFound, "Not found", "Nothing answers "+r.Method+" at this address.")
		return false
	}
	v.lane, v.record.Stack = l, l.name
	v.body.limit = l.MaxBody // before anybody reads of it
	if s.blocked(v, d.WebACL, l.Firewall) || s.stopped(v, l) {
		return false
	}
	if !l.allows(v.in.Method) {
		v.record.Detail = "InvalidRequestMethod"
		v.refused(&refusal{http.StatusForbidden, "Method not allowed", "This distribution is not configured to allow " + v.in.Method + " requests here; it allows " + strings.Join(l.Allowed, ", ") + "."})
		return false
	}
	if s.insecure(v, l) || v.preflight(l.Respond) || v.unsigned(l) {
		return false
	}
	if l.MaxBody > 0 && v.in.ContentLength > l.MaxBody {
		v.overLimit("Too large", overLimit(l.MaxBody))
		return false
	}
	return true
}

// answer has a request answered by an upload, the cache or the origin.
func (s *Server) answer(v *visit) {
	if l := v.lane; l.Upload != nil && (v.in.Method == http.MethodPost || v.in.Method == http.MethodPut) {
		s.upload(v, l)
		return
	}
	s.ask(v, v.lane)
}

// ask has the cache answer where it has to do with the request, else the origin.
func (s *Server) ask(v *visit, l *lane) {
	if s.Cache == nil || v.socket || !v.stores() {
		s.pass(v, l)
		return
	}
	done := s.Cache.Serve(v, v.storing(s.outgoing(v, l)))
	v.record.Result, v.record.Detail = done.Result, done.Detail
}

// stores says whether the cache has to do with the request: its answer may be stored,
// or it changes something that a behaviour of the distribution has stored.
func (v *visit) stores() bool {
	switch v.in.Method {
	case http.MethodGet, http.MethodHead:
		return v.lane.policy != nil
	case http.MethodOptions:
		return v.lane.policy != nil && slices.Contains(v.lane.Cached, http.MethodOptions)
	}
	return v.site.caches
}

// storing is the request to the cache.
func (v *visit) storing(out *http.Request) cache.Request {
	l := v.lane
	return cache.Request{
		In: v.in, Out: out, Zone: v.site.ID, Policy: l.policy, Origin: l.origin, ErrorTTL: l.errors,
		Options: slices.Contains(l.Cached, http.MethodOptions),
	}
}

// pass asks the origin and sends its answer.
func (s *Server) pass(v *visit, l *lane) {
	v.passes = true
	l.origin.ServeHTTP(v, s.outgoing(v, l))
}

// direct serves an API or a function URL that is not reached through a distribution.
// Of an API at is the escaped path below the stage, "" when the API knows its stage by
// the path itself.
func (s *Server) direct(v *visit, name string, h http.Handler, at string) {
	v.record.Stack = name
	plain, err := url.PathUnescape(at)
	if err != nil { // the address as a whole has been read already
		plain = ""
	}
	acl, own := s.inFront(h, v.in.Method, plain)
	if s.blocked(v, acl, own) || s.blocked(v, s.aclOf(h), nil) {
		return
	}
	out := s.outgoing(v, nil)
	if at != "" {
		out.URL.Path, out.URL.RawPath = plain, at
	}
	sender{s, h}.ServeHTTP(v, out)
}

// blocked asks the web ACL, and answers the requests that it blocks.
func (s *Server) blocked(v *visit, acl string, own *Firewall) bool {
	if s.Firewall == nil || acl == "" && (own == nil || !own.CRS) {
		return false
	}
	q := &waf.Request{ACL: acl, HTTP: v.in, Client: v.client, ID: v.record.Request}
	if own != nil {
		q.CRS, q.Skip = own.CRS, own.Skip
	}
	verdict := s.Firewall.Decide(v.in.Context(), q)
	v.record.Rule, v.record.Labels = cmp.Or(verdict.Rule, v.record.Rule), append(v.record.Labels, verdict.Labels...)
	if v.insert == nil {
		v.insert = verdict.Insert
	} else {
		maps.Copy(v.insert, verdict.Insert) // of a distribution's web ACL and an API's
	}
	if !verdict.Block {
		return false
	}
	v.record.Refused = true
	if v.in.ContentLength != 0 {
		v.closing()
	}
	status := verdict.Status
	if status == 0 {
		status = http.StatusForbidden
	}
	if verdict.Body == nil && len(verdict.Header) == 0 {
		v.fail(status, "Request blocked", "This request looks like an attack, or comes from where none are taken. If it should have been let through, tell the operator its number, which is below or in X-Amz-Cf-Id.")
		return true
	}
	h := v.Header()
	for name, values := range verdict.Header {
		h[name] = values
	}
	if verdict.ContentType != "" {
		h.Set("Content-Type", verdict.ContentType)
	}
	v.WriteHeader(status)
	if v.in.Method != http.MethodHead {
		_, _ = v.Write(verdict.Body) // the client may have left
	}
	return true
}

// apiID is the id in an API's own host, ID.execute-api.REGION.SUFFIX. Templates put
// such names together with a suffix of their own, and some leave the region out: any
// will do.
func apiID(host string) (string, bool) {
	id, rest, _ := strings.Cut(host, ".")
	return id, id != "" && strings.HasPrefix(rest, "execute-api.")
}

// urlID is the id in a function URL's host, ID.lambda-url.REGION.on.localhost:
// AWS's own form with localhost for its domain.
func urlID(host string) (string, bool) {
	rest, ok := strings.CutSuffix(host, ".on.localhost")
	id, rest, cut := strings.Cut(rest, ".")
	region, named := strings.CutPrefix(rest, "lambda-url.")
	return id, ok && cut && named && id != "" && region != ""
}

// api serves ID/STAGE/_user_request_/PATH, as local stacks spell it. The path is
// still escaped.
func (s *Server) api(v *visit, rest string) {
	parts := strings.SplitN(rest, "/", 4)
	if len(parts) >= 3 && parts[2] == "_user_request_" {
		path := "/"
		if len(parts) == 4 {
			path += parts[3]
		}
		stage, err := url.PathUnescape(parts[1])
		_, bad := url.PathUnescape(path)
		if origin, ok := s.Origins.Stage(parts[0], stage); ok && err == nil && bad == nil {
			s.direct(v, parts[0], origin, path)
			return
		}
	}
	v.fail(http.StatusNotFound, "Not found", "There is no such API; addresses look like /restapis/ID/STAGE/_user_request_/PATH and \"dropstack info\" prints them.")
}
