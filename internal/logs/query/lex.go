package query

import (
	"strings"
	"unicode/utf8"
)

// scanner reads a query from left to right. Searches and expressions have different
// words; the parser asks for those it expects.
type scanner struct {
	text string
	pos  int
}

// space passes over white space and comments.
func (s *scanner) space() {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == ' ', c == '\t', c == '\n', c == '\r':
			s.pos++
		case c == '#':
			end := strings.IndexByte(s.text[s.pos:], '\n')
			if end < 0 {
				s.pos = len(s.text)
				return
			}
			s.pos += end
		default:
			return
		}
	}
}

func (s *scanner) rest() string { return s.text[s.pos:] }

// at is the next byte, 0 at the end.
func (s *scanner) at() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *scanner) end() bool { return s.pos >= len(s.text) }

// sees tells whether a text comes next.
func (s *scanner) sees(text string) bool { return strings.HasPrefix(s.rest(), text) }

// seesWord tells whether a word comes next, in any case.
func (s *scanner) seesWord(word string) bool {
	rest := s.rest()
	return len(rest) >= len(word) && strings.EqualFold(rest[:len(word)], word) && (len(rest) == len(word) || !nameByte(rest[len(word)]))
}

func nameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '@' || c >= utf8.RuneSelf
}

func nameByte(c byte) bool { return nameStart(c) || c >= '0' && c <= '9' || c == '.' || c == '$' }

// nameLength is how much of the beginning of a text is a field's name. A hyphen
// belongs to it if it stands between a letter or a digit and a letter: c-ip. A header
// in CloudFront's way is a name: cs(User-Agent).
func nameLength(text string) int {
	if text == "" || !nameStart(text[0]) {
		return 0
	}
	if strings.HasPrefix(text, "cs(") || strings.HasPrefix(text, "sc(") {
		if n := strings.IndexByte(text, ')'); n > 3 && headerName(text[3:n]) {
			return n + 1
		}
	}
	n := 1
	for n < len(text) {
		switch c := text[n]; {
		case nameByte(c):
		case c == '-' && n+1 < len(text) && nameStart(text[n+1]) && text[n+1] != '@' && text[n-1] != '.':
		default:
			return n
		}
		n++
	}
	return n
}

func headerName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '-' && !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
			return false
		}
	}
	return true
}

// name reads a field's name, in backquotes or not; false if there is none.
func (s *scanner) name() (string, bool) {
	prefix, rest := "", s.rest()
	if strings.HasPrefix(rest, "@`") { // Logs Insights' way of system fields
		prefix, rest = "@", rest[1:]
	}
	if !strings.HasPrefix(rest, "`") {
		n := nameLength(rest)
		s.pos += n
		return rest[:n], n > 0
	}
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		if rest[i] != '`' {
			b.WriteByte(rest[i])
			continue
		}
		if i+1 < len(rest) && rest[i+1] == '`' {
			b.WriteByte('`')
			i++
			continue
		}
		if b.Len() == 0 {
			return "", false
		}
		s.pos += len(prefix) + i + 1
		return prefix + b.String(), true
	}
	return "", false
}

// quoted reads a text in quotes, single or double.
func (s *scanner) quoted() (string, bool) {
	quote, rest := s.at(), s.rest()
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		c := rest[i]
		switch {
		case c == quote:
			s.pos += i + 1
			return b.String(), true
		case c == '\\' && i+1 < len(rest):
			i++
			switch next := rest[i]; next {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case '"', '\'', '\\':
				b.WriteByte(next)
			default: // as \d in a pattern
				b.WriteByte('\\')
				b.WriteByte(next)
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// slashed reads a regular expression between slashes.
func (s *scanner) slashed() (string, bool) {
	rest := s.rest()
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '/':
			s.pos += i + 1
			return b.String(), true
		case c == '\\' && i+1 < len(rest):
			i++
			if rest[i] != '/' {
				b.WriteByte('\\')
			}
			b.WriteByte(rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// number reads the digits, the fraction and the exponent of a number, and what
// letters stand at its end: the unit of a period.
func (s *scanner) number() (digits, unit string) {
	rest, n := s.rest(), 0
	digit := func() bool { return n < len(rest) && rest[n]-'0' <= 9 }
	for digit() {
		n++
	}
	if n < len(rest) && rest[n] == '.' {
		for n++; digit(); {
			n++
		}
	}
	if n+1 < len(rest) && (rest[n] == 'e' || rest[n] == 'E') {
		mark := n
		if n++; rest[n] == '+' || rest[n] == '-' {
			n++
		}
		if !digit() {
			n = mark
		}
		for digit() {
			n++
		}
	}
	end := n
	for end < len(rest) && (rest[end] >= 'a' && rest[end] <= 'z' || rest[end] >= 'A' && rest[end] <= 'Z') {
		end++
	}
	s.pos += end
	return rest[:n], rest[n:end]
}

// word is the next word as it is told in an error.
func (s *scanner) word() string {
	rest := s.rest()
	if rest == "" {
		return ""
	}
	n := nameLength(rest)
	for n < len(rest) && rest[n]-'0' <= 9 {
		n++
	}
	if n == 0 {
		_, n = utf8.DecodeRuneInString(rest)
		for n < len(rest) && rest[n] > ' ' && !nameByte(rest[n]) && strings.IndexByte("()|,\"'`", rest[n]) < 0 && n < 3 {
			n++
		}
	}
	return rest[:n]
}
