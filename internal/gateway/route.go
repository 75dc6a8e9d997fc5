package gateway

import (
	"errors"
	"net/url"
	"strings"
	"time"
)

// catchAll is the HTTP API's route for whatever no other route takes.
const catchAll = "$default"

type segmentKind uint8

const (
	static segmentKind = iota
	parameter
	greedy
)

type segment struct {
	kind segmentKind
	name string // of the parameter
}

func parseSegment(p string) (segment, error) {
	inner, opened := strings.CutPrefix(p, "{")
	inner, closed := strings.CutSuffix(inner, "}")
	if !opened || !closed {
		if p == "" {
			return segment{}, errors.New("the path has an empty part")
		}
		if strings.ContainsAny(p, "{}?# ") {
			return segment{}, errors.New("part " + p + " must be plain text or one {name} or {name+}")
		}
		return segment{kind: static}, nil
	}
	s := segment{kind: parameter, name: inner}
	if name, plus := strings.CutSuffix(inner, "+"); plus {
		s = segment{kind: greedy, name: name}
	}
	if !parameterName.MatchString(s.name) {
		return segment{}, errors.New("part " + p + " needs a name of letters, digits and . _ - :")
	}
	return s, nil
}

// segments splits a path that begins with "/"; "/" has none.
func segments(path string) []string {
	if path == "/" || path == "" {
		return nil
	}
	return strings.Split(path[1:], "/")
}

// node is one place in the tree of resources.
type node struct {
	statics  map[string]*node
	param    *node
	greedy   *node
	resource *resource // nil when no route ends here
}

// static finds the place of a plain part, however it is escaped.
func (n *node) static(part string) *node {
	if next := n.statics[part]; next != nil || !strings.Contains(part, "%") {
		return next
	}
	plain, err := url.PathUnescape(part)
	if err != nil {
		return nil
	}
	return n.statics[plain]
}

// resource holds the routes of one path, by method.
type resource struct {
	path   string
	routes map[string]*target
	cors   *preflight // REST only
}

// target is a route that a request can end at.
type target struct {
	Route
	key        string
	resource   *resource
	names      []string
	resourceID string
	guard      guard // nil: anybody may
	rules      *rules
	limit      time.Duration // of the integration; 0: none
}

// matcher finds the route of a request. The zero value matches nothing.
type matcher struct {
	root     node
	fallback *target // $default
	rest     bool
}

func (m *matcher) add(r Route, t *target) {
	if r.Path == catchAll {
		t.resource, m.fallback = &resource{path: catchAll}, t
		return
	}
	n := &m.root
	for _, p := range segments(r.Path) {
		s, err := parseSegment(p)
		if err != nil {
			continue // Check has refused it
		}
		var next **node
		switch s.kind {
		case parameter:
			next = &n.param
		case greedy:
			next = &n.greedy
		default:
			if n.statics == nil {
				n.statics = map[string]*node{}
			}
			if n.statics[p] == nil {
				n.statics[p] = &node{}
			}
			n = n.statics[p]
			continue
		}
		t.names = append(t.names, s.name)
		if *next == nil {
			*next = &node{}
		}
		n = *next
	}
	if n.resource == nil {
		n.resource = &resource{path: r.Path, routes: map[string]*target{}}
	}
	t.resource = n.resource
	n.resource.routes[r.Method] = t
}

// match is where a path leads. Values are those of the parameters in order,
// still escaped.
type match struct {
	resource *resource
	target   *target
	values   []string
}

// find returns the most specific resource: plain text before {name} before
// {name+}, part by part from the left. An HTTP API passes over resources that do
// not take the method; in a REST API the path alone decides, and a resource
// without the method is an error (so target is nil). A REST API ignores one slash
// at the end.
func (m *matcher) find(method, path string) (match, bool) {
	if m.rest && len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	var buf [8]string
	rest := strings.TrimPrefix(path, "/")
	if path == "/" || path == "" {
		if found, ok := m.accept(m.root.resource, method, buf[:0]); ok {
			return found, true
		}
	} else if found, ok := m.walk(&m.root, method, rest, buf[:0]); ok {
		return found, true
	}
	if m.fallback != nil {
		return match{resource: m.fallback.resource, target: m.fallback}, true
	}
	return match{}, false
}

// walk tries the path's next part below n. Trees are as deep as routes are long,
// and each place has at most three ways on, so going back stays cheap: a route's
// parts bound it, not the request's.
func (m *matcher) walk(n *node, method, rest string, values []string) (match, bool) {
	part, more, any := strings.Cut(rest, "/")
	step := func(next *node, values []string) (match, bool) {
		if !any {
			return m.accept(next.resource, method, values)
		}
		return m.walk(next, method, more, values)
	}
	if next := n.static(part); next != nil {
		if found, ok := step(next, values); ok {
			return found, true
		}
	}
	if n.param != nil && part != "" {
		if found, ok := step(n.param, append(values, part)); ok {
			return found, true
		}
	}
	if n.greedy != nil && rest != "" {
		return m.accept(n.greedy.resource, method, append(values, rest))
	}
	return match{}, false
}

func (m *matcher) accept(r *resource, method string, values []string) (match, bool) {
	if r == nil {
		return match{}, false
	}
	t := r.routes[method]
	if t == nil {
		t = r.routes["ANY"]
	}
	if t == nil && !m.rest {
		return match{}, false
	}
	return match{resource: r, target: t, values: values}, true
}

// parameters names the values and decodes them.
func (m match) parameters() map[string]string {
	if len(m.values) == 0 || m.target == nil {
		return nil
	}
	out := make(map[string]string, len(m.values))
	for i, name := range m.target.names {
		value := m.values[i]
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
		out[name] = value
	}
	return out
}
