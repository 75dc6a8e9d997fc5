package waf

import (
	"net/http"
	"slices"
	"strings"
	"sync"
)

// value is a text of a request and where it stands there: "query.q", "headers.referer",
// "cookies.sid", "path", "body.note".
type value struct {
	name string
	text string
	of   uint16 // see made
	nth  int    // in a document of JSON, counted from 1, while name is "body": see named
}

// exam is one look at one request. What rules share is found once.
type exam struct {
	q      *Request
	http   *http.Request
	limit  int // of the body
	body   body
	places [placeCount]place
	slots  []slot // by source.index
	labels []string
	insert http.Header
	found  finding
}

// finding is what a statement has matched by.
type finding struct {
	name string
	text string // as it was after transformations
}

var exams = sync.Pool{New: func() any { return new(exam) }}

func (x *exam) begin(q *Request, limit, sources int) {
	x.q, x.http, x.limit = q, q.HTTP, limit
	x.slots = slices.Grow(x.slots[:0], sources)[:sources]
}

// end gives the exam back. Slices keep their room, not what is in it.
func (x *exam) end() {
	for i := range x.places {
		p := &x.places[i]
		clear(p.values)
		*p = place{values: p.values[:0]}
	}
	clear(x.slots)
	*x = exam{places: x.places, slots: x.slots[:0]}
	exams.Put(x)
}

// content is the beginning of the body, read at the first call.
func (x *exam) content() *body {
	if !x.body.read {
		x.body = peek(x.http, x.limit)
	}
	return &x.body
}

// matched remembers what a statement has matched by.
func (x *exam) matched(v *value) {
	x.found = finding{name: v.name, text: v.text}
	if v.nth > 0 {
		x.found.name = x.named(v)
	}
}

// named finds where in a document of JSON a value stands.
func (x *exam) named(v *value) string {
	name, n := "body", 0
	w := &jsonWalk{text: x.body.text}
	w.visit = func(string, bool) bool {
		if n++; n == v.nth {
			name = "body." + w.dotted()
		}
		return n < v.nth
	}
	for w.at < len(w.text) && w.run() == complete { // as lookJSON does
	}
	return strings.TrimSuffix(name, ".")
}

// skipped says whether SQLi and XSS statements are not to look at what has the name.
func (x *exam) skipped(name string) bool {
	for _, s := range x.q.Skip {
		if name == s || len(name) > len(s) && name[len(s)] == '.' && strings.HasPrefix(name, s) {
			return true
		}
	}
	return false
}
