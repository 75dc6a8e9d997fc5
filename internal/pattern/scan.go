package pattern

import (
	"unicode/utf16"
	"unicode/utf8"
)

// maxNesting is how deep an event may be; what is deeper is taken for broken.
const maxNesting = 1000

// skip returns where the value that begins at or after i ends, broken where there is
// no JSON value. It accepts exactly what encoding/json does, but for the depth.
func skip(doc []byte, i, depth int) (end int) {
	i = space(doc, i)
	if i == len(doc) || depth == maxNesting {
		return broken
	}
	switch b := doc[i]; {
	case b == '{':
		return members(doc, i, depth, nil)
	case b == '[':
		return items(doc, i, depth, nil)
	case b == '"':
		end, _ = quoted(doc, i)
		return end
	case b == '-' || '0' <= b && b <= '9':
		return digits(doc, i)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if len(doc)-i >= len(word) && string(doc[i:i+len(word)]) == word {
			return i + len(word)
		}
	}
	return broken
}

// broken is the end of what is no JSON.
const broken = -1

func space(doc []byte, i int) int {
	for i < len(doc) && (doc[i] == ' ' || doc[i] == '\t' || doc[i] == '\n' || doc[i] == '\r') {
		i++
	}
	return i
}

// next is the byte at or after i that is no space, 0 at the end.
func next(doc []byte, i int) (b byte, at int) {
	if i = space(doc, i); i < len(doc) {
		return doc[i], i
	}
	return 0, i
}

// members goes through the object at i and returns its end. visit, if there is one,
// is told of each member: its name in quotes, and its value.
func members(doc []byte, i, depth int, visit func(name, value []byte)) (end int) {
	b, i := next(doc, i+1)
	if b == '}' {
		return i + 1
	}
	for {
		if b, i = next(doc, i); b != '"' {
			return broken
		}
		from := i
		if i, _ = quoted(doc, i); i == broken {
			return broken
		}
		name := doc[from:i]
		if b, i = next(doc, i); b != ':' {
			return broken
		}
		from = space(doc, i+1)
		if i = skip(doc, from, depth+1); i == broken {
			return broken
		}
		if visit != nil {
			visit(name, doc[from:i])
		}
		switch b, i = next(doc, i); b {
		case '}':
			return i + 1
		case ',':
			i++
		default:
			return broken
		}
	}
}

// items goes through the array at i and returns its end. visit, if there is one, is
// told of each value.
func items(doc []byte, i, depth int, visit func(value []byte)) (end int) {
	b, i := next(doc, i+1)
	if b == ']' {
		return i + 1
	}
	for {
		from := space(doc, i)
		if i = skip(doc, from, depth+1); i == broken {
			return broken
		}
		if visit != nil {
			visit(doc[from:i])
		}
		switch b, i = next(doc, i); b {
		case ']':
			return i + 1
		case ',':
			i++
		default:
			return broken
		}
	}
}

// quoted returns where the string at i ends, and whether there are escapes in it.
func quoted(doc []byte, i int) (end int, escaped bool) {
	for i++; i < len(doc); i++ {
		switch b := doc[i]; {
		case b == '"':
			return i + 1, escaped
		case b < ' ':
			return broken, escaped
		case b == '\\':
			escaped = true
			if i++; i == len(doc) {
				return broken, true
			}
			switch doc[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if _, ok := hex(doc[i+1:]); !ok {
					return broken, true
				}
				i += 4
			default:
				return broken, true
			}
		}
	}
	return broken, escaped
}

func hex(doc []byte) (r rune, ok bool) {
	if len(doc) < 4 {
		return 0, false
	}
	for _, b := range doc[:4] {
		switch {
		case '0' <= b && b <= '9':
			b -= '0'
		case 'a' <= b && b <= 'f':
			b -= 'a' - 10
		case 'A' <= b && b <= 'F':
			b -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(b)
	}
	return r, true
}

// digits returns where the number at i ends.
func digits(doc []byte, i int) (end int) {
	run := func() bool {
		from := i
		for i < len(doc) && '0' <= doc[i] && doc[i] <= '9' {
			i++
		}
		return i > from
	}
	at := func(bytes string) bool {
		for j := range len(bytes) {
			if i < len(doc) && doc[i] == bytes[j] {
				i++
				return true
			}
		}
		return false
	}
	at("-")
	if !at("0") && !run() {
		return broken
	}
	if at(".") && !run() {
		return broken
	}
	if at("eE") {
		at("+-")
		if !run() {
			return broken
		}
	}
	return i
}

// unquote appends what a string in quotes, which is one, means.
func unquote(to, s []byte) []byte {
	s = s[1 : len(s)-1]
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			to = append(to, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'b':
			to = append(to, '\b')
		case 'f':
			to = append(to, '\f')
		case 'n':
			to = append(to, '\n')
		case 'r':
			to = append(to, '\r')
		case 't':
			to = append(to, '\t')
		case 'u':
			r, _ := hex(s[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				low, ok := rune(0), len(s) > i+2 && s[i+1] == '\\' && s[i+2] == 'u'
				if ok {
					low, _ = hex(s[i+3:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			to = utf8.AppendRune(to, r)
		default:
			to = append(to, s[i])
		}
	}
	return to
}
