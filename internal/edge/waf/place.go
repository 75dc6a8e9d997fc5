package waf

import (
	"strings"
)

// Places are where the default ACL and the managed groups look for injection. Each
// is taken apart into the values that an application gets to see, and those that it
// gets if it decodes them once more.
const (
	inPath = iota
	inQuery
	inCookies
	inHeaders
	inBody
	placeCount
)

var placeNames = [placeCount]string{"path", "query", "cookies", "headers", "body"}

type place struct {
	done   bool
	values []value
}

// recorded are the headers that applications write into databases and pages.
var recorded = []string{"User-Agent", "Referer", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "True-Client-Ip", "Accept-Language"}

var recordedNames = func() []string {
	names := make([]string, len(recorded))
	for i, name := range recorded {
		names[i] = "headers." + strings.ToLower(name)
	}
	return names
}()

// look returns the values of a place.
func (x *exam) look(at int) []value {
	p := &x.places[at]
	if p.done {
		return p.values
	}
	p.done = true
	if x.skipped(placeNames[at]) {
		return nil
	}
	switch at {
	case inPath:
		x.lookPath(p)
	case inQuery:
		x.lookForm(p, "query", x.http.URL.RawQuery)
	case inCookies:
		x.lookCookies(p)
	case inHeaders:
		for i, name := range recorded {
			for _, text := range x.http.Header[name] {
				x.spread(p, recordedNames[i], text, 0)
			}
		}
	case inBody:
		x.lookBody(p)
	}
	return p.values
}

// rounds is how often a value is decoded to see what is inside.
const rounds = 4

// spread adds a value and what it stands for when its escapes, entities or both are
// undone, and undone again. What an application does with a value is not known
// here, and double encoding is how filters are walked around.
func (x *exam) spread(p *place, name, text string, nth int) {
	for range rounds {
		if text == "" {
			return
		}
		of := made(text)
		p.values = append(p.values, value{name: name, text: text, of: of, nth: nth})
		if of&(hasPercent|hasAmp|hasPlus) == 0 {
			return
		}
		next := text
		if of&hasPercent != 0 {
			next = percentDecode(next, false)
		}
		if of&hasAmp != 0 || next != text {
			next = entityDecode(next)
		}
		if next == text && of&(hasPlus|hasSpace) == hasPlus {
			next = strings.ReplaceAll(text, "+", " ")
		}
		if next == text {
			return
		}
		text = next
	}
}

// lookForm takes a query or a form apart, as browsers write them. Names are looked
// at as values are.
func (x *exam) lookForm(p *place, place, raw string) {
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		name, text, _ := strings.Cut(pair, "=")
		name = percentDecode(name, true)
		full := child(place, name)
		if x.skipped(full) {
			continue
		}
		x.spread(p, full, name, 0)
		x.spread(p, full, percentDecode(text, true), 0)
	}
}

// maxSuffixes is from how many segments on the path is looked at, which takes time by
// the square of their number.
const maxSuffixes = 16

// lookPath looks at each segment, and at the path from each segment on: slashes may
// be part of what is injected, as in comments.
func (x *exam) lookPath(p *place) {
	raw := x.http.URL.EscapedPath()
	if made(raw)&^hasColon == 0 {
		return
	}
	for n := 0; raw != ""; n++ {
		raw = strings.TrimLeft(raw, "/")
		segment, rest, more := strings.Cut(raw, "/")
		x.spread(p, "path", percentDecode(segment, false), 0)
		if more && rest != "" && n < maxSuffixes {
			x.spread(p, "path", percentDecode(raw, false), 0)
		}
		raw = rest
	}
}

// lookCookies looks at all of them: how long a request's head is the edge bounds.
func (x *exam) lookCookies(p *place) {
	for name, text := range cookiePairs(x.http.Header) {
		full := child("cookies", name)
		if len(x.q.Skip) > 0 && x.skipped(full) {
			continue
		}
		x.spread(p, full, name, 0)
		x.spread(p, full, text, 0)
		if inner := unquoted(text); inner != text {
			x.spread(p, full, inner, 0)
		}
	}
}

// unquoted takes away the quotes that a whole cookie may stand in.
func unquoted(text string) string {
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		return text[1 : len(text)-1]
	}
	return text
}

// lookBody takes the beginning of the body apart, by what its type is.
func (x *exam) lookBody(p *place) {
	if x.http.Body == nil || x.http.ContentLength == 0 {
		return
	}
	kind, boundary := kindOf(x.http.Header)
	if kind == opaque {
		return
	}
	text := x.content().text
	if packed(x.http.Header, text) {
		return
	}
	if strings.IndexByte(text[:min(len(text), 4)], 0) >= 0 { // UTF-16 or UTF-32, of which ASCII is enough
		text = strings.ReplaceAll(text, "\x00", "")
	}
	if kind == multipart && x.lookParts(p, text, boundary) {
		return
	}
	if begin := strings.TrimLeft(text, "\ufeff \t\r\n"); kind == jsonKind || begin != "" && (begin[0] == '{' || begin[0] == '[') {
		x.lookJSON(p, text) // whatever it calls itself
	}
	switch kind {
	case form:
		x.lookForm(p, "body", text)
	case multipart, plainText:
		x.lookParts(p, text, boundaryOf(text))
		x.spread(p, "body", text, 0)
	}
}

// lookJSON looks at keys and strings. What follows where the document is broken, or too
// deep, is looked at as it is, and so is every string in it: others may read on.
func (x *exam) lookJSON(p *place, text string) {
	w := &jsonWalk{text: text}
	nth := 0
	w.visit = func(text string, _ bool) bool {
		nth++
		if len(x.q.Skip) > 0 && x.skipped("body."+w.dotted()) {
			return true
		}
		x.spread(p, "body", text, nth)
		return true
	}
	for w.at < len(text) && w.run() == complete { // a line a document
	}
	if w.at < len(text) {
		x.spread(p, "body", text[w.at:], 0)
	}
	for next := 0; next >= 0; next = strings.IndexByte(text[w.at:], '"') {
		if w.at += next; w.at < len(text) && text[w.at] == '"' {
			inner, _ := w.str()
			x.spread(p, "body", inner, 0)
		}
	}
}

// lookParts looks at the fields of a form, and at the names of files; what is in
// files is the application's business. It says whether the text has parts.
func (x *exam) lookParts(p *place, text, boundary string) bool {
	if boundary == "" {
		return false
	}
	return parts(text, boundary, func(field part) {
		full := child("body", field.name)
		if x.skipped(full) {
			return
		}
		x.spread(p, full, field.name, 0)
		x.spread(p, full, field.filename, 0)
		for _, line := range field.rest {
			x.spread(p, full, line, 0)
		}
		if !field.file {
			x.spread(p, full, field.content, 0)
		}
	})
}
