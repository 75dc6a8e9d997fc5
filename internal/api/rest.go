package api

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// route is where REST with JSON bodies has an operation. Members of its input stand
// in the path, in the query and in the body.
type route struct {
	method, path string // "GET", "/restapis/{RestApiId}": what is in braces is a member
	name         string // of the operation
	status       int    // of its answer
	operation    Operation
}

// members are those that a path has, if it is the route's.
func (r route) members(method string, parts []string) (url.Values, bool) {
	pattern := strings.Split(r.path[1:], "/")
	if method != r.method || len(parts) != len(pattern) {
		return nil, false
	}
	found := url.Values{}
	for i, part := range parts {
		name, is := strings.CutPrefix(pattern[i], "{")
		switch {
		case is && part != "":
			found.Set(strings.TrimSuffix(name, "}"), part)
		case part != pattern[i]:
			return nil, false
		}
	}
	return found, true
}

// written is the path that members make, spelled in one way: policies compare text,
// and routes take a path however it is escaped.
func (r route) written(members url.Values) string {
	parts := strings.Split(r.path, "/")
	for i, part := range parts {
		if name, is := strings.CutPrefix(part, "{"); is {
			value := members.Get(strings.TrimSuffix(name, "}"))
			parts[i] = strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
		}
	}
	return strings.Join(parts, "/")
}

// withQuery adds the members that a query has. What the path says, by which the
// caller was permitted, a query does not change, in whatever case it is written.
func withQuery(members, query url.Values) {
	inPath := slices.Collect(maps.Keys(members))
	for name, values := range query {
		if !slices.ContainsFunc(inPath, func(taken string) bool { return strings.EqualFold(taken, name) }) {
			members[name] = values
		}
	}
}

// findRoute returns the operation of a request, and the members in its path.
func (s *Service) findRoute(r *http.Request) (route, url.Values, error) {
	parts := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if err != nil {
			return route{}, nil, s.noRoute(r)
		}
		parts[i] = text
	}
	for _, route := range s.routes {
		if members, ok := route.members(r.Method, parts); ok {
			return route, members, nil
		}
	}
	return route{}, nil, s.noRoute(r)
}

func (s *Service) noRoute(r *http.Request) error {
	return fault.Coded(fault.NotFound, "UnknownOperationException", "%s: %s %s is not available here", s.Scope, r.Method, r.URL.Path)
}

// restCall is how clients of a service word what stands in bodies.
func (s *Service) restCall(c *call, status int) protocol {
	if s.xml {
		return xmlCall{service: s, id: c.id, status: status, body: c.body}
	}
	return restJSON{jsonCall{kind: "application/json", codes: s.Codes, body: c.body}, status}
}

// restJSON is REST with JSON bodies.
type restJSON struct {
	jsonCall
	status int
}

func (c restJSON) decode(in any) error { return decodeJSON(c.body, in) }

func (c restJSON) encode(w http.ResponseWriter, out any) error {
	if c.status == http.StatusAccepted || c.status == http.StatusNoContent {
		w.WriteHeader(c.status)
		return nil
	}
	return writeJSON(w, c.kind, c.status, out)
}

// serveREST answers a call of a service whose operations are found by method and
// path.
func (s *Server) serveREST(c *call, service *Service) {
	c.service = service
	p := service.restCall(c, 0)
	if err := s.authenticate(c); err != nil {
		s.fail(c, p, err)
		return
	}
	route, members, err := service.findRoute(c.r)
	if err != nil {
		s.fail(c, p, err)
		return
	}
	p = service.restCall(c, route.status)
	c.operation = route.name
	o := route.operation
	c.in = o.new()
	if err := p.decode(c.in); err != nil {
		s.fail(c, p, err)
		return
	}
	path := route.written(members)
	withQuery(members, c.r.URL.Query())
	if err := bind(reflect.ValueOf(c.in).Elem(), members); err != nil {
		s.fail(c, p, err)
		return
	}
	match(c.in, c.r)
	if more := o.need; service.need != nil {
		o.need = func(ctx context.Context, in any) []Need {
			needs := []Need{service.need(c.r.Method, path)}
			if more != nil {
				needs = append(needs, more(ctx, in)...)
			}
			return needs
		}
	}
	if err := s.perform(c, o); err != nil {
		s.fail(c, p, err)
		return
	}
	if err := p.encode(c.w, c.out); err != nil {
		s.fail(c, p, err)
	}
}

// bind sets the fields that members name; case does not matter.
func bind(v reflect.Value, members url.Values) error {
	for name, values := range members {
		f := v.FieldByNameFunc(func(field string) bool { return strings.EqualFold(field, name) })
		if !f.IsValid() || len(values) == 0 {
			continue
		}
		if f.Kind() == reflect.Pointer {
			f.Set(reflect.New(f.Type().Elem()))
			f = f.Elem()
		}
		switch f.Kind() {
		case reflect.String:
			f.SetString(values[0])
		case reflect.Int:
			n, err := strconv.Atoi(values[0])
			if err != nil {
				return fault.Coded(fault.Invalid, "InvalidParameterValueException", "%s %q is no number", name, values[0])
			}
			f.SetInt(int64(n))
		case reflect.Bool:
			on, err := strconv.ParseBool(values[0])
			if err != nil {
				return fault.Coded(fault.Invalid, "InvalidParameterValueException", "%s %q is neither true nor false", name, values[0])
			}
			f.SetBool(on)
		case reflect.Slice:
			if f.Type() == reflect.TypeFor[[]string]() { // others are of bodies alone
				f.Set(reflect.ValueOf(values))
			}
		}
	}
	return nil
}
