package edge

import (
	"cmp"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/dropstack/dropstack/internal/edge/cache"
	"github.com/dropstack/dropstack/internal/edge/origin"
	"github.com/dropstack/dropstack/internal/edge/private"
	"github.com/dropstack/dropstack/internal/pattern"
)

// site is a distribution made ready to serve.
type site struct {
	*Distribution
	lanes   []*lane
	closers []io.Closer
	caches  bool // a lane of it has what is stored
}

// lane is a behaviour made ready to serve.
type lane struct {
	*Behaviour
	origin  http.Handler          // may have objects sent
	bare    http.Handler          // the same before objects are sent in its answers' place
	name    string                // of the origin, for the record
	inside  bool                  // the origin is an API of this platform, and gets X-Dropstack-* headers
	apis    []func() http.Handler // the APIs that may answer, whose stages may have web ACLs of their own
	forward forwarding
	keys    private.Keys  // of whom one has to have signed; nil: it is for everybody
	policy  *cache.Policy // what tells stored responses apart; nil: nothing is stored
	errors  func(status int) (time.Duration, bool)
}

// open makes a checked distribution ready.
func (s *Server) open(d Distribution) *site {
	out := &site{Distribution: &d}
	at := map[string]*lane{}
	for i := range d.Origins {
		l := s.openOrigin(&d.Origins[i])
		if c, ok := l.bare.(io.Closer); ok {
			out.closers = append(out.closers, c)
		}
		l.origin, l.bare = dressed(&d.Origins[i], l.origin), dressed(&d.Origins[i], l.bare)
		at[d.Origins[i].ID] = l
	}
	for _, g := range d.Groups {
		first, second := at[g.Members[0]], at[g.Members[1]]
		group := &origin.Group{First: first.origin, Second: second.origin, Statuses: g.Statuses}
		at[g.ID] = &lane{origin: group, bare: group, name: g.ID, inside: first.inside && second.inside, apis: slices.Concat(first.apis, second.apis)}
	}
	for i := range d.Behaviours {
		b := &d.Behaviours[i]
		l := at[b.Origin]
		if l == nil {
			l = s.openOrigin(&Origin{ID: b.Origin, Stack: b.Origin})
		}
		own := *l
		own.Behaviour, own.errors, own.keys = b, d.errorTTL, keysOf(b.Signers)
		own.forward = forwards(b, own.inside)
		own.policy = own.keyed(b.Cache)
		out.caches = out.caches || own.policy != nil
		out.lanes = append(out.lanes, &own)
	}
	return out
}

// close lets go of connections to origins that are idle.
func (d *site) close() {
	for _, c := range d.closers {
		_ = c.Close() // nothing to be done about it
	}
}

// openOrigin makes a handler of one origin.
func (s *Server) openOrigin(o *Origin) *lane {
	switch {
	case o.Stack != "":
		h := stackOrigin{s, o.Stack}
		api := func() http.Handler {
			api, _ := s.Origins.Handler(o.Stack, "")
			return api
		}
		return &lane{origin: sender{s, h}, bare: h, name: o.Stack, inside: true, apis: []func() http.Handler{api}}
	case o.API != "":
		api := func() http.Handler { return s.Origins.API(o.API) }
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { api().ServeHTTP(w, r) })
		return &lane{origin: sender{s, h}, bare: h, name: o.API, inside: true, apis: []func() http.Handler{api}}
	case o.URL != "":
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.Origins.URL(o.URL).ServeHTTP(w, r) })
		return &lane{origin: sender{s, h}, bare: h, name: o.URL, inside: true}
	case o.Bucket != "":
		h := &origin.Bucket{Name: o.Bucket, Objects: s.Objects, Log: s.Log}
		return &lane{origin: h, bare: h, name: o.ID}
	default:
		h := &origin.Domain{
			Host: o.Domain, HTTPPort: o.HTTPPort, HTTPSPort: o.HTTPSPort, Attempts: o.Attempts,
			ConnectTimeout: o.ConnectTimeout, Timeout: o.Timeout, KeepAlive: o.KeepAlive,
			RootCAs: s.RootCAs, Answer: s.unanswered, Log: s.Log,
		}
		switch cmp.Or(o.Protocol, HTTPSOnly) {
		case HTTPOnly:
			h.Scheme = "http"
		case HTTPSOnly:
			h.Scheme = "https"
		}
		return &lane{origin: domainOrigin{h}, bare: domainOrigin{h}, name: o.ID}
	}
}

// domainOrigin is a Domain; it closes.
type domainOrigin struct{ *origin.Domain }

func (d domainOrigin) Close() error {
	d.Domain.Close()
	return nil
}

// dressed gives requests the origin's own path and headers.
func dressed(o *Origin, h http.Handler) http.Handler {
	if o.Path == "" && len(o.Headers) == 0 {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := r.WithContext(r.Context())
		if o.Path != "" {
			u := *r.URL
			u.Path = o.Path + u.Path
			if u.RawPath != "" {
				u.RawPath = o.Path + u.RawPath
			}
			out.URL = &u
		}
		if len(o.Headers) > 0 {
			out.Header = r.Header.Clone()
			for _, h := range o.Headers {
				out.Header.Set(h.Name, h.Value)
			}
		}
		h.ServeHTTP(w, out)
	})
}

// stackOrigin is the main API of a stack, whichever is deployed when it is asked.
type stackOrigin struct {
	server *Server
	stack  string
}

func (o stackOrigin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, ok := o.server.Origins.Handler(o.stack, "")
	if !ok {
		say(w, r, http.StatusServiceUnavailable, "Not deployed", "The service "+o.stack+" that should answer here has no API at the moment.")
		return
	}
	h.ServeHTTP(w, r)
}

// unanswered tells clients that a server elsewhere does not answer.
func (s *Server) unanswered(w http.ResponseWriter, r *http.Request, f origin.Failure) {
	s.Log.Warn("origin did not answer", "request", origin.From(r.Context()).ID, "host", r.URL.Host, "detail", f.Detail, "err", f.Err)
	title, words := "The origin does not answer", "The server that should answer this request cannot be reached. Please try again in a moment."
	if f.Status == http.StatusGatewayTimeout {
		title, words = "The origin takes too long", "The server that should answer this request did not do so in time. Please try again in a moment."
	}
	say(w, r, f.Status, title, words)
}

// behaviour returns the first that takes the path and the method.
func (d *site) behaviour(method, at string) *lane {
	at = normal(at)
	for _, l := range d.lanes {
		if len(l.Methods) > 0 && !slices.Contains(l.Methods, method) {
			continue
		}
		if p := l.Path; pattern.Glob(p, at) || p[0] != '/' && p[0] != '*' && pattern.Glob("/"+p, at) {
			return l
		}
	}
	return nil
}

// allows says whether a request with the method is not to be refused.
func (l *lane) allows(method string) bool {
	return len(l.Allowed) == 0 || slices.Contains(l.Allowed, method)
}

// Error statuses that are stored for ten seconds unless the distribution says
// otherwise; the rest only when it does, or when their own headers do.
const errorTTL = 10 * time.Second

func (d *Distribution) errorTTL(status int) (time.Duration, bool) {
	for _, e := range d.Errors {
		if e.Status == status {
			return e.TTL, true
		}
	}
	switch status {
	case 404, 414, 500, 501, 502, 503, 504:
		return errorTTL, true
	}
	return 0, false
}
