package policy

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// In a compiled pattern these bytes, which no UTF-8 text has, stand for * and ?.
const (
	star = '\xff'
	one  = '\xfe'
)

// pattern is text with wildcards and variables.
type pattern struct {
	text  string // as written
	glob  string // compiled; of one with variables, unused
	wild  bool   // glob has wildcards
	parts []part // of one with variables
}

// part is literal text (with compiled wildcards) or a variable.
type part struct {
	glob     string
	variable string // key in lower case
	name     string // as written
	fallback string
	defaults bool // fallback is given
}

// compile reads a pattern. Wildcards are wild when wild, variables are variables
// when variables.
func compile(text string, wild, variables bool) (pattern, error) {
	p := pattern{text: text, wild: wild && strings.ContainsAny(text, "*?")}
	if !variables || !strings.Contains(text, "${") {
		p.glob = wildcards(text, wild)
		return p, nil
	}
	rest := text
	for rest != "" {
		before, after, found := strings.Cut(rest, "${")
		if before != "" {
			p.parts = append(p.parts, part{glob: wildcards(before, wild)})
		}
		if !found {
			break
		}
		inner, tail, closed := strings.Cut(after, "}")
		if !closed {
			return p, errors.New("a variable ${ is not closed by }")
		}
		v, err := variable(inner)
		if err != nil {
			return p, err
		}
		p.parts = append(p.parts, v)
		rest = tail
	}
	p.simplify()
	return p, nil
}

// variable reads what stands between ${ and }: *, ? or $ for themselves, or a key
// with an optional default, as in aws:username, 'anonymous'.
func variable(inner string) (part, error) {
	switch inner {
	case "*", "?", "$":
		return part{glob: inner}, nil
	}
	name, fallback, defaults := strings.Cut(inner, ",")
	name = strings.TrimSpace(name)
	v := part{variable: strings.ToLower(name), name: name, defaults: defaults}
	if defaults {
		fallback = strings.TrimSpace(fallback)
		if len(fallback) < 2 || fallback[0] != '\'' || fallback[len(fallback)-1] != '\'' {
			return v, fmt.Errorf("the default of ${%s} must stand in single quotes, as in ${%s, 'nobody'}", name, name)
		}
		v.fallback = fallback[1 : len(fallback)-1]
	}
	k, ok := lookup(v.variable)
	if !ok {
		return v, fmt.Errorf("${%s} is no variable that is known here", name)
	}
	if k.many {
		return v, fmt.Errorf("${%s} has many values and can be no variable", name)
	}
	return v, nil
}

// simplify joins the parts when none is a variable.
func (p *pattern) simplify() {
	glob := ""
	for _, q := range p.parts {
		if q.variable != "" {
			return
		}
		glob += q.glob
	}
	p.glob, p.parts = glob, nil
	p.wild = strings.ContainsAny(glob, string([]byte{star, one}))
}

func wildcards(text string, wild bool) string {
	if !wild || !strings.ContainsAny(text, "*?") {
		return text
	}
	b := []byte(text)
	for i, c := range b {
		switch c {
		case '*':
			b[i] = star
		case '?':
			b[i] = one
		}
	}
	return string(b)
}

// resolve is the compiled text for this request; not ok when a variable has no
// value. A value's own * and ? are no wildcards.
func (p *pattern) resolve(keys Keys) (glob string, ok bool) {
	if p.parts == nil {
		return p.glob, true
	}
	var b strings.Builder
	for _, q := range p.parts {
		if q.variable == "" {
			b.WriteString(q.glob)
			continue
		}
		value := q.fallback
		if values := keys.Values(q.variable); len(values) == 1 && utf8.ValidString(values[0]) {
			value = values[0]
		} else if !q.defaults {
			return "", false
		}
		b.WriteString(value)
	}
	return b.String(), true
}

func (p *pattern) match(s string, fold bool, keys Keys) bool {
	glob, ok := p.resolve(keys)
	switch {
	case !ok:
		return false
	case p.parts != nil || p.wild:
		return match(glob, s, fold)
	case fold:
		return strings.EqualFold(glob, s)
	}
	return glob == s
}

func (p *pattern) variables(yield func(string)) {
	for _, q := range p.parts {
		if q.variable != "" {
			yield(q.name)
		}
	}
}

// match tells whether s matches a compiled glob, with ASCII letters of any case
// when fold. It goes back only to the last star, so its work is at most the
// product of the lengths, and it allocates nothing.
func match(glob, s string, fold bool) bool {
	g, i := 0, 0
	lastStar, resume := -1, 0
	for i < len(s) {
		switch {
		case g < len(glob) && glob[g] == star:
			lastStar, resume = g, i
			g++
			continue
		case g < len(glob) && glob[g] == one:
			_, n := utf8.DecodeRuneInString(s[i:])
			g, i = g+1, i+n
			continue
		case g < len(glob) && (glob[g] == s[i] || fold && lower(glob[g]) == lower(s[i])):
			g, i = g+1, i+1
			continue
		case lastStar < 0:
			return false
		}
		resume++
		g, i = lastStar+1, resume
	}
	for g < len(glob) && glob[g] == star {
		g++
	}
	return g == len(glob)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
