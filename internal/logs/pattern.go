package logs

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

const (
	maxPattern     = 1024
	maxParentheses = 50
)

// Pattern is a compiled filter pattern. Kinds, by how they begin:
//
//	ERROR "two words" -not %regular expression%   all terms, but not those with -
//	?ERROR ?WARN                                  any term
//	{ $.level = "error" && $.ms > 100 }           fields of JSON
//	[ip, ..., status = 4*, bytes]                 fields between spaces
//
// Case matters. A nil Pattern matches everything.
type Pattern struct {
	match func(message string) bool
	parts []string // texts that each message that matches has
}

// needles are texts that each message that matches has.
func (p *Pattern) needles() []string {
	if p == nil {
		return nil
	}
	return p.parts
}

// Match reports whether a message matches.
func (p *Pattern) Match(message string) bool { return p == nil || p.match(message) }

// Compile reads a filter pattern; "" matches everything.
func Compile(text string) (*Pattern, error) {
	if len(text) > maxPattern {
		return nil, invalid("Invalid filter pattern: it has over %d characters.", maxPattern)
	}
	var match func(string) bool
	var parts []string
	var err error
	switch text = strings.TrimSpace(text); {
	case text == "":
		return nil, nil
	case text[0] == '{':
		match, err = compileJSON(text)
	case text[0] == '[':
		match, err = compileFields(text)
	default:
		match, parts, err = compileTerms(text)
	}
	if err != nil {
		return nil, invalid("Invalid filter pattern: %w", err)
	}
	return &Pattern{match, parts}, nil
}

// scanner reads a pattern from left to right.
type scanner struct{ rest string }

func (s *scanner) skip() { s.rest = strings.TrimLeft(s.rest, " \t\r\n") }

// take reads a token if it is next.
func (s *scanner) take(token string) bool {
	s.skip()
	rest, ok := strings.CutPrefix(s.rest, token)
	if ok {
		s.rest = rest
	}
	return ok
}

// text reads what is between two of the same mark, which is next. A backslash
// makes a mark an ordinary character.
func (s *scanner) text(mark byte) (string, error) {
	var b strings.Builder
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '\\' && i+1 < len(s.rest) && (s.rest[i+1] == mark || s.rest[i+1] == '\\' && mark == '"'):
			i++
			b.WriteByte(s.rest[i])
		case c == mark:
			s.rest = s.rest[i+1:]
			return b.String(), nil
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("%c is not closed", mark)
}

// word reads up to any of the characters.
func (s *scanner) word(until string) string {
	i := strings.IndexAny(s.rest, until)
	if i < 0 {
		i = len(s.rest)
	}
	word := s.rest[:i]
	s.rest = s.rest[i:]
	return word
}

// regular reads a regular expression between % and %.
func (s *scanner) regular() (*regexp.Regexp, error) {
	text, err := s.text('%')
	if err != nil {
		return nil, err
	}
	return regexp.Compile(text)
}

// compileTerms reads terms. Those with ? do not matter beside others, as CloudWatch
// has it. parts are the texts that have to be there.
func compileTerms(text string) (match func(string) bool, parts []string, err error) {
	s := &scanner{text}
	var all, not, some []func(string) bool
	for s.skip(); s.rest != ""; s.skip() {
		list := &all
		switch s.rest[0] {
		case '-':
			list, s.rest = &not, s.rest[1:]
		case '?':
			list, s.rest = &some, s.rest[1:]
		}
		term, text, err := s.term()
		if err != nil {
			return nil, nil, err
		}
		if list == &all && text != "" {
			parts = append(parts, text)
		}
		*list = append(*list, term)
	}
	if len(all)+len(not) > 0 {
		some = nil
	}
	return func(message string) bool {
		for _, term := range all {
			if !term(message) {
				return false
			}
		}
		for _, term := range not {
			if term(message) {
				return false
			}
		}
		for _, term := range some {
			if term(message) {
				return true
			}
		}
		return len(some) == 0
	}, parts, nil
}

// term reads one, which has a text unless it is a regular expression.
func (s *scanner) term() (match func(string) bool, text string, err error) {
	switch {
	case strings.HasPrefix(s.rest, "%"):
		re, err := s.regular()
		if err != nil {
			return nil, "", err
		}
		return re.MatchString, "", nil
	case strings.HasPrefix(s.rest, `"`):
		text, err = s.text('"')
	default:
		text = s.word(" \t\r\n")
	}
	if err == nil && text == "" {
		err = errors.New("a term is empty")
	}
	return func(message string) bool { return strings.Contains(message, text) }, text, err
}

// wildcard matches a text with * for any characters.
func wildcard(pattern string) func(string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return func(s string) bool { return s == pattern }
	}
	first, last, middle := parts[0], parts[len(parts)-1], parts[1:len(parts)-1]
	return func(s string) bool {
		if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
			return false
		}
		s = s[len(first) : len(s)-len(last)]
		for _, part := range middle {
			_, after, found := strings.Cut(s, part)
			if !found {
				return false
			}
			s = after
		}
		return true
	}
}
