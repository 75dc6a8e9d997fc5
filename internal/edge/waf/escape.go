package waf

import (
	"strings"
	"unicode/utf8"
)

// unescape goes through the escapes that begin with a backslash: one reads what
// follows it, appends what it stands for and says how many bytes it took; 0 leaves
// the backslash.
func unescape(s string, one func(out []byte, rest string) ([]byte, int)) string {
	at := strings.IndexByte(s, '\\')
	if at < 0 {
		return s
	}
	out := append(make([]byte, 0, len(s)), s[:at]...)
	for i := at; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			var n int
			if out, n = one(out, s[i+1:]); n > 0 {
				i += n
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// scriptDecode undoes the escapes of JavaScript. Full-width forms of ASCII become
// ASCII, as some databases take them.
func scriptDecode(s string) string {
	return unescape(s, func(out []byte, rest string) ([]byte, int) {
		switch c := rest[0]; c {
		case 'x':
			if len(rest) >= 3 {
				if v, ok := hexNumber(rest[1:3]); ok {
					return append(out, byte(v)), 3
				}
			}
		case 'u':
			if strings.HasPrefix(rest, "u{") {
				if end := strings.IndexByte(rest, '}'); end > 2 {
					if v, ok := hexNumber(rest[2:end]); ok && v <= utf8.MaxRune {
						return utf8.AppendRune(out, narrow(rune(v))), end + 1
					}
				}
			}
			if r, n := unicodeEscape(rest[1:]); n > 0 {
				return utf8.AppendRune(out, narrow(r)), n + 1
			}
		case '0', '1', '2', '3', '4', '5', '6', '7':
			v, n := octal(rest)
			return append(out, v), n
		}
		return append(out, control(rest[0])), 1
	})
}

// narrow makes ASCII of full-width forms.
func narrow(r rune) rune {
	if 0xff01 <= r && r <= 0xff5e {
		return r - 0xfee0
	}
	return r
}

// control is the character that a letter after a backslash stands for; most stand for
// themselves.
func control(c byte) byte {
	if at := strings.IndexByte("abfnrtv", c); at >= 0 {
		return "\a\b\f\n\r\t\v"[at]
	}
	return c
}

// octal reads up to three digits that make a byte.
func octal(s string) (v byte, n int) {
	for n < len(s) && n < 3 && '0' <= s[n] && s[n] <= '7' && (n < 2 || s[0] <= '3') {
		v = v<<3 | s[n] - '0'
		n++
	}
	return v, n
}

// cssDecode undoes the escapes of style sheets: up to six digits and a space.
func cssDecode(s string) string {
	return unescape(s, func(out []byte, rest string) ([]byte, int) {
		n := 0
		for n < len(rest) && n < 6 {
			if _, ok := hexDigit(rest[n]); !ok {
				break
			}
			n++
		}
		if n == 0 {
			if rest[0] == '\n' {
				return out, 1
			}
			return append(out, rest[0]), 1
		}
		v, _ := hexNumber(rest[:n])
		if n < len(rest) && isBlank(rest[n]) {
			n++
		}
		if v > utf8.MaxRune {
			v = utf8.RuneError
		}
		return utf8.AppendRune(out, narrow(rune(v))), n
	})
}

// sequenceDecode undoes the escapes of C: \a \b \f \n \r \t \v \\ \? \' \" \xHH
// \0OO. What is none stays.
func sequenceDecode(s string) string {
	return unescape(s, func(out []byte, rest string) ([]byte, int) {
		switch c := rest[0]; {
		case strings.IndexByte("abfnrtv", c) >= 0:
			return append(out, control(c)), 1
		case strings.IndexByte(`\?'"`, c) >= 0:
			return append(out, c), 1
		case c == 'x' && len(rest) >= 3:
			if v, ok := hexNumber(rest[1:3]); ok {
				return append(out, byte(v)), 3
			}
		case '0' <= c && c <= '7':
			v, n := octal(rest)
			return append(out, v), n
		}
		return out, 0
	})
}
