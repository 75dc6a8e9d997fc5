package waf

import (
	"cmp"
	"encoding/json"
	"iter"
	"net/http"
	"slices"
	"strings"
)

// source is where statements get texts from: a field of the request, or another
// source after one transformation more. Statements that begin alike share sources,
// so that a request is decoded once whatever the number of its rules.
type source struct {
	index     int
	parent    *source
	extract   func(x *exam) slot // without a parent
	transform func(string) string
}

// slot is what a source has given for one request.
type slot struct {
	done   bool
	over   bool // the field is larger than what is looked at
	broken bool // it is no JSON
	values []value
}

// take returns what the source gives, found at the first call.
func (x *exam) take(from *source) *slot {
	s := &x.slots[from.index]
	if s.done {
		return s
	}
	if from.parent == nil {
		*s = from.extract(x)
		s.done = true
		return s
	}
	p := x.take(from.parent)
	*s = slot{done: true, over: p.over, broken: p.broken, values: make([]value, len(p.values))}
	for i, v := range p.values {
		v.text = from.transform(v.text)
		s.values[i] = v
	}
	return s
}

// sources are those of all web ACLs of a snapshot, by what they do.
type sources struct {
	known map[string]*source
	next  int
}

func (s *sources) get(key string, make func(*source)) *source {
	if known := s.known[key]; known != nil {
		return known
	}
	if s.known == nil {
		s.known = map[string]*source{}
	}
	one := &source{index: s.next}
	make(one)
	s.next++
	s.known[key] = one
	return one
}

// of is the source of a field after its transformations.
func (s *sources) of(f Field, steps []Transformation) (*source, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	key := string(text)
	from := s.get(key, func(one *source) { one.extract = extractor(f) })
	return s.after(from, key, steps), nil
}

// after is the source after transformations, in the order of their priorities.
func (s *sources) after(from *source, key string, steps []Transformation) *source {
	steps = slices.SortedFunc(slices.Values(steps), func(a, b Transformation) int { return cmp.Compare(a.Priority, b.Priority) })
	for _, step := range steps {
		if step.Type == "NONE" {
			continue
		}
		key += "|" + step.Type
		parent := from
		from = s.get(key, func(one *source) { one.parent, one.transform = parent, transformations[step.Type] })
	}
	return from
}

// extractor reads a field. Which member is set has been checked.
func extractor(f Field) func(x *exam) slot {
	switch {
	case f.UriPath != nil:
		return func(x *exam) slot { return single("path", x.http.URL.EscapedPath()) }
	case f.QueryString != nil:
		return func(x *exam) slot { return single("query", x.http.URL.RawQuery) }
	case f.Method != nil:
		return func(x *exam) slot { return single("method", x.http.Method) }
	case f.SingleQueryArgument != nil:
		return func(x *exam) slot { return arguments(x, f.SingleQueryArgument.Name) }
	case f.AllQueryArguments != nil:
		return func(x *exam) slot { return arguments(x, "") }
	case f.SingleHeader != nil:
		return func(x *exam) slot { return header(x, f.SingleHeader.Name) }
	case f.Headers != nil:
		return func(x *exam) slot { return headers(x, f.Headers) }
	case f.Cookies != nil:
		return func(x *exam) slot { return cookies(x, f.Cookies) }
	case f.JsonBody != nil:
		return func(x *exam) slot { return jsonBody(x, f.JsonBody) }
	default: // Body
		return func(x *exam) slot {
			b := x.content()
			return slot{over: b.over, values: []value{{name: "body", text: b.text}}}
		}
	}
}

func single(name, text string) slot { return slot{values: []value{{name: name, text: text}}} }

// arguments are the values of the query's argument of that name, or of all, as they
// were sent.
func arguments(x *exam, only string) (s slot) {
	for pair := range strings.SplitSeq(x.http.URL.RawQuery, "&") {
		name, text, _ := strings.Cut(pair, "=")
		name = percentDecode(name, true)
		if pair == "" || only != "" && !strings.EqualFold(name, only) {
			continue
		}
		s.values = append(s.values, value{name: child("query", name), text: text})
	}
	return s
}

// headerValues are those of one header; Go keeps Host elsewhere.
func headerValues(x *exam, name string) []string {
	if strings.EqualFold(name, "Host") {
		return []string{x.http.Host}
	}
	return x.http.Header.Values(name)
}

func header(x *exam, name string) (s slot) {
	full := child("headers", strings.ToLower(name))
	for _, text := range headerValues(x, name) {
		s.values = append(s.values, value{name: full, text: text})
	}
	return s
}

// picks says whether a name is one that the pattern is about.
func picks(all bool, included, excluded []string, name string) bool {
	same := func(other string) bool { return strings.EqualFold(name, other) }
	switch {
	case all:
		return true
	case len(included) > 0:
		return slices.ContainsFunc(included, same)
	}
	return !slices.ContainsFunc(excluded, same)
}

// scoped adds a key, its value or both.
func (s *slot) scoped(scope, full, key, text string) {
	if scope != "VALUE" {
		s.values = append(s.values, value{name: full, text: key})
	}
	if scope != "KEY" {
		s.values = append(s.values, value{name: full, text: text})
	}
}

// headers are those that the pattern picks, by their names: HTTP/2 and proxies do not
// keep their order.
func headers(x *exam, f *SeveralFields) (s slot) {
	names := make([]string, 0, len(x.http.Header)+1)
	names = append(names, "Host")
	for name := range x.http.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	n, size := 0, 0
	for _, name := range names {
		for _, text := range headerValues(x, name) {
			if n, size = n+1, size+len(name)+len(text); n > maxHeaders || size > maxHeaderBytes {
				s.over = true
				return s
			}
			if p := f.MatchPattern; picks(p.All != nil, p.IncludedHeaders, p.ExcludedHeaders, name) {
				low := strings.ToLower(name)
				s.scoped(f.MatchScope, child("headers", low), low, text)
			}
		}
	}
	return s
}

// cookiePairs are the cookies, leniently read.
func cookiePairs(h http.Header) iter.Seq2[string, string] {
	return func(yield func(name, text string) bool) {
		for _, line := range h["Cookie"] {
			for pair := range strings.SplitSeq(line, ";") {
				name, text, ok := strings.Cut(strings.TrimSpace(pair), "=")
				if !ok {
					name, text = "", name
				}
				if !yield(name, text) {
					return
				}
			}
		}
	}
}

func cookies(x *exam, f *SeveralFields) (s slot) {
	n, size := 0, 0
	for name, text := range cookiePairs(x.http.Header) {
		if n, size = n+1, size+len(name)+len(text)+1; n > maxHeaders || size > maxHeaderBytes {
			s.over = true
			return s
		}
		if p := f.MatchPattern; picks(p.All != nil, p.IncludedCookies, p.ExcludedCookies, name) {
			s.scoped(f.MatchScope, child("cookies", name), name, text)
		}
	}
	return s
}

// jsonBody is the keys and values of the body that the pattern picks.
func jsonBody(x *exam, f *JSONField) slot {
	b := x.content()
	s := slot{over: b.over}
	if strings.TrimSpace(b.text) == "" {
		return s
	}
	w := &jsonWalk{text: b.text}
	w.visit = func(text string, key bool) bool {
		if key && f.MatchScope == "VALUE" || !key && f.MatchScope == "KEY" {
			return true
		}
		if f.MatchPattern.All != nil || pointed(w.pointer(), f.MatchPattern.IncludedPaths) {
			s.values = append(s.values, value{name: strings.TrimSuffix("body."+w.dotted(), "."), text: text})
		}
		return true
	}
	s.broken = w.run() != complete && !b.over
	if s.broken && f.InvalidFallbackBehavior == "EVALUATE_AS_STRING" {
		s.values = []value{{name: "body", text: b.text}}
	}
	return s
}

// pointed says whether a place is one that a pointer leads to, or within it.
func pointed(at string, pointers []string) bool {
	return slices.ContainsFunc(pointers, func(p string) bool {
		p = strings.TrimSuffix(p, "/")
		return at == p || len(at) > len(p) && at[len(p)] == '/' && strings.HasPrefix(at, p)
	})
}
