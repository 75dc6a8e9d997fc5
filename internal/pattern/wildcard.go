package pattern

import (
	"bytes"
	"strings"
)

// Wildcard is a text in which * stands for any characters.
type Wildcard struct{ parts []string }

// ParseWildcard reads a text in which * stands for any characters, \* for itself and
// \\ for a backslash.
func ParseWildcard(text string) (Wildcard, error) {
	var w Wildcard
	var part strings.Builder
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case b == '\\' && i+1 < len(text) && (text[i+1] == '*' || text[i+1] == '\\'):
			i++
			part.WriteByte(text[i])
		case b == '\\':
			return w, refusal("Invalid escape character at pos %d", i)
		case b == '*' && len(w.parts) > 0 && part.Len() == 0:
			return w, refusal("Consecutive wildcard characters at pos %d", i-1)
		case b == '*':
			w.parts = append(w.parts, part.String())
			part.Reset()
		default:
			part.WriteByte(b)
		}
	}
	w.parts = append(w.parts, part.String())
	return w, nil
}

// Stars is how many * there are.
func (w Wildcard) Stars() int { return len(w.parts) - 1 }

// Match reports whether s is the text with anything in place of each *.
func (w Wildcard) Match(s string) bool { return w.match([]byte(s)) }

// match takes the first place for each part, which leaves the most for those that
// follow.
func (w Wildcard) match(s []byte) bool {
	first, last := w.parts[0], w.parts[len(w.parts)-1]
	if len(w.parts) == 1 {
		return string(s) == first
	}
	if len(s) < len(first)+len(last) || string(s[:len(first)]) != first || string(s[len(s)-len(last):]) != last {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range w.parts[1 : len(w.parts)-1] {
		at := bytes.Index(s, []byte(part))
		if at < 0 {
			return false
		}
		s = s[at+len(part):]
	}
	return true
}
