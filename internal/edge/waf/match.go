package waf

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// fieldMatch tests the texts of a field.
type fieldMatch struct {
	from      *source
	oversize  string // MATCH, NO_MATCH; else what there is is tested
	invalid   string // the same, for what is no JSON
	injection bool   // what a request says to skip is skipped
	test      func(text string) bool
}

func (m *fieldMatch) match(x *exam) bool {
	s := x.take(m.from)
	for _, on := range []struct {
		is bool
		do string
	}{{s.over, m.oversize}, {s.broken, m.invalid}} {
		if on.is && on.do == "MATCH" {
			x.found = finding{name: "body"}
			if len(s.values) > 0 {
				x.found.name = s.values[0].name
			}
			return true
		}
		if on.is && on.do == "NO_MATCH" {
			return false
		}
	}
	for i := range s.values {
		v := &s.values[i]
		if m.injection && len(x.q.Skip) > 0 && x.skipped(v.name) {
			continue
		}
		if m.test(v.text) {
			x.matched(v)
			return true
		}
	}
	return false
}

// oversize is what a field's statement does with what is too large.
func oversize(f Field) (oversize, invalid string) {
	switch {
	case f.Body != nil:
		return f.Body.OversizeHandling, ""
	case f.JsonBody != nil:
		return f.JsonBody.OversizeHandling, f.JsonBody.InvalidFallbackBehavior
	case f.Headers != nil:
		return f.Headers.OversizeHandling, ""
	case f.Cookies != nil:
		return f.Cookies.OversizeHandling, ""
	}
	return "", ""
}

// positions are the constraints of byte matches.
var positions = map[string]func(text, search string) bool{
	"EXACTLY":       func(text, search string) bool { return text == search },
	"STARTS_WITH":   strings.HasPrefix,
	"ENDS_WITH":     strings.HasSuffix,
	"CONTAINS":      strings.Contains,
	"CONTAINS_WORD": containsWord,
}

// containsWord looks for search where no letter, digit or _ stands beside it.
func containsWord(text, search string) bool {
	for from := 0; ; {
		at := strings.Index(text[from:], search)
		if at < 0 {
			return false
		}
		at += from
		end := at + len(search)
		if (at == 0 || !inWord(text[at-1])) && (end == len(text) || !inWord(text[end])) {
			return true
		}
		from = at + 1
	}
}

func inWord(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' }

// comparisons are those of sizes.
var comparisons = map[string]func(size, than int64) bool{
	"EQ": func(size, than int64) bool { return size == than },
	"NE": func(size, than int64) bool { return size != than },
	"LE": func(size, than int64) bool { return size <= than },
	"LT": func(size, than int64) bool { return size < than },
	"GE": func(size, than int64) bool { return size >= than },
	"GT": func(size, than int64) bool { return size > than },
}

// declaredSize compares the size that a request says its body has; only where it says
// none is the body read.
type declaredSize struct {
	than    int64
	compare func(size, than int64) bool
	read    *fieldMatch
}

func (m declaredSize) match(x *exam) bool {
	size := x.http.ContentLength
	if x.http.Body == nil || x.http.Body == http.NoBody {
		size = 0
	}
	if size < 0 {
		return m.read.match(x)
	}
	if !m.compare(size, m.than) {
		return false
	}
	x.found = finding{name: "body"}
	return true
}

// patterns tests for any of some regular expressions.
func patterns(list []*regexp.Regexp) func(string) bool {
	return func(text string) bool {
		return slices.ContainsFunc(list, func(e *regexp.Regexp) bool { return e.MatchString(text) })
	}
}

type allOf []matcher

func (m allOf) match(x *exam) bool {
	for _, one := range m {
		if !one.match(x) {
			return false
		}
	}
	return true
}

type oneOf []matcher

func (m oneOf) match(x *exam) bool {
	return slices.ContainsFunc(m, func(one matcher) bool { return one.match(x) })
}

type not struct{ matcher }

func (m not) match(x *exam) bool {
	before := x.found
	if m.matcher.match(x) {
		return false
	}
	x.found = before
	return true
}

// labelled matches a label that a rule before has given.
type labelled struct {
	key       string // whole
	namespace bool   // key ends in : and begins labels
}

func (m labelled) match(x *exam) bool {
	return slices.ContainsFunc(x.labels, func(l string) bool {
		return l == m.key || m.namespace && strings.HasPrefix(l, m.key)
	})
}
