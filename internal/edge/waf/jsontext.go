package waf

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep JSON is followed; what is deeper counts as broken.
const maxDepth = 64

// jsonWalk goes through the keys and values of a document that may be cut off. It
// is no validator: what a lenient parser would take, it takes.
type jsonWalk struct {
	text  string
	at    int
	depth int
	path  []step // where it is
	// visit is called for every key and every value, with the text that it stands
	// for. It says whether to go on.
	visit func(text string, key bool) bool
}

// step is one level of a path: a key, or in an array the place.
type step struct {
	key   string
	place int // -1: key counts
}

// pointer is where the walk is, as a JSON pointer.
func (w *jsonWalk) pointer() string {
	var out strings.Builder
	for _, s := range w.path {
		out.WriteByte('/')
		if s.place >= 0 {
			out.WriteString(strconv.Itoa(s.place))
			continue
		}
		out.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(s.key))
	}
	return out.String()
}

// dotted is the keys to where the walk is, places in arrays left out: a.b.c.
func (w *jsonWalk) dotted() string {
	var out strings.Builder
	for _, s := range w.path {
		if s.place >= 0 {
			continue
		}
		if out.Len() > 0 {
			out.WriteByte('.')
		}
		out.WriteString(s.key)
	}
	return out.String()
}

// whole is how a walk has ended.
type whole uint8

const (
	complete whole = iota
	stopped        // visit has said so
	broken         // this is no JSON, or cut off
)

// run walks through the text: one value and nothing after it.
func (w *jsonWalk) run() whole {
	end := w.value()
	if end != complete {
		return end
	}
	if w.space(); w.at < len(w.text) {
		return broken
	}
	return complete
}

func (w *jsonWalk) space() {
	for w.at < len(w.text) {
		switch w.text[w.at] {
		case ' ', '\t', '\n', '\r':
			w.at++
		default:
			return
		}
	}
}

func (w *jsonWalk) value() whole {
	w.space()
	if w.at >= len(w.text) || w.depth > maxDepth {
		return broken
	}
	switch w.text[w.at] {
	case '{':
		return w.object()
	case '[':
		return w.array()
	case '"':
		text, ok := w.str()
		if !w.visit(text, false) {
			return stopped
		}
		if !ok {
			return broken
		}
		return complete
	}
	from := w.at
	for w.at < len(w.text) && !strings.ContainsRune(",]} \t\r\n\"{[", rune(w.text[w.at])) {
		w.at++
	}
	word := w.text[from:w.at]
	if word == "" || !w.visit(word, false) {
		return stopped.or(word == "", broken)
	}
	switch c := word[0]; {
	case word == "true", word == "false", word == "null", c == '-', '0' <= c && c <= '9':
		return complete
	}
	return broken
}

func (s whole) or(other bool, than whole) whole {
	if other {
		return than
	}
	return s
}

func (w *jsonWalk) object() whole {
	w.at++
	w.depth++
	defer func() { w.depth-- }()
	w.path = append(w.path, step{place: -1})
	defer func() { w.path = w.path[:len(w.path)-1] }()
	for first := true; ; first = false {
		w.space()
		if w.at >= len(w.text) {
			return broken
		}
		if w.text[w.at] == '}' && first {
			w.at++
			return complete
		}
		if w.text[w.at] != '"' {
			return broken
		}
		key, ok := w.str()
		w.path[len(w.path)-1].key = key
		if !w.visit(key, true) {
			return stopped
		}
		w.space()
		if !ok || w.at >= len(w.text) || w.text[w.at] != ':' {
			return broken
		}
		w.at++
		if end := w.value(); end != complete {
			return end
		}
		if end, more := w.next('}'); !more {
			return end
		}
	}
}

func (w *jsonWalk) array() whole {
	w.at++
	w.depth++
	defer func() { w.depth-- }()
	w.path = append(w.path, step{})
	defer func() { w.path = w.path[:len(w.path)-1] }()
	if w.space(); w.at < len(w.text) && w.text[w.at] == ']' {
		w.at++
		return complete
	}
	for {
		if end := w.value(); end != complete {
			return end
		}
		if end, more := w.next(']'); !more {
			return end
		}
		w.path[len(w.path)-1].place++
	}
}

// next reads what stands after an element: a comma, or what closes.
func (w *jsonWalk) next(closing byte) (end whole, more bool) {
	if w.space(); w.at >= len(w.text) {
		return broken, false
	}
	switch w.text[w.at] {
	case ',':
		w.at++
		return complete, true
	case closing:
		w.at++
		return complete, false
	}
	return broken, false
}

// str reads a string; false says that it is cut off.
func (w *jsonWalk) str() (text string, ok bool) {
	rest := w.text[w.at+1:]
	end := strings.IndexByte(rest, '"')
	if end >= 0 && strings.IndexByte(rest[:end], '\\') < 0 {
		w.at += end + 2
		return rest[:end], true
	}
	i := 0
	for i < len(rest) && rest[i] != '"' {
		if rest[i] == '\\' {
			i++
		}
		i++
	}
	if i >= len(rest) {
		w.at = len(w.text)
		return unescapeJSON(rest), false
	}
	w.at += i + 2
	return unescapeJSON(rest[:i]), true
}

// unescapeJSON undoes the escapes of a string, which are JavaScript's too.
func unescapeJSON(s string) string {
	at := strings.IndexByte(s, '\\')
	if at < 0 {
		return s
	}
	out := append(make([]byte, 0, len(s)), s[:at]...)
	for i := at; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'u':
			r, n := unicodeEscape(s[i+1:])
			if n == 0 {
				out = append(out, c)
				break
			}
			out = utf8.AppendRune(out, r)
			i += n
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// unicodeEscape reads the digits after \u, and the second half of a pair.
func unicodeEscape(s string) (rune, int) {
	if len(s) < 4 {
		return 0, 0
	}
	v, ok := hexNumber(s[:4])
	if !ok {
		return 0, 0
	}
	if r := rune(v); !utf16.IsSurrogate(r) {
		return r, 4
	}
	if len(s) >= 10 && s[4] == '\\' && s[5] == 'u' {
		if low, ok := hexNumber(s[6:10]); ok {
			if r := utf16.DecodeRune(rune(v), rune(low)); r != utf8.RuneError {
				return r, 10
			}
		}
	}
	return utf8.RuneError, 4
}
