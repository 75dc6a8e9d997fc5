package waf

import (
	"html"
	"strings"
	"unicode/utf8"
)

// percentDecode undoes %41 and, as IIS reads them, %u0041. What is no escape stays as
// it is. plus turns + into a space too, as forms have it.
func percentDecode(s string, plus bool) string {
	at := strings.IndexByte(s, '%')
	if plus {
		at = strings.IndexAny(s, "%+")
	}
	if at < 0 {
		return s
	}
	var out []byte // only if anything changes
	for i := at; i < len(s); i++ {
		c, width := s[i], 1
		switch {
		case c == '+' && plus:
			c = ' '
		case c == '%':
			r, n := percentEscape(s[i:])
			if n == 0 {
				break
			}
			if n == 6 {
				if out == nil {
					out = append(make([]byte, 0, len(s)), s[:i]...)
				}
				out = utf8.AppendRune(out, r)
				i += n - 1
				continue
			}
			c, width = byte(r), n
		}
		if out == nil && (width > 1 || c != s[i]) {
			out = append(make([]byte, 0, len(s)), s[:i]...)
		}
		if out != nil {
			out = append(out, c)
		}
		i += width - 1
	}
	if out == nil {
		return s
	}
	return string(out)
}

// percentEscape reads the escape that s begins with: what it stands for and how long
// it is, 0 if it is none.
func percentEscape(s string) (rune, int) {
	if len(s) >= 6 && (s[1] == 'u' || s[1] == 'U') {
		if v, ok := hexNumber(s[2:6]); ok {
			return rune(v), 6
		}
	}
	if len(s) >= 3 {
		if v, ok := hexNumber(s[1:3]); ok {
			return rune(v), 3
		}
	}
	return 0, 0
}

// hexNumber reads digits that are all hexadecimal, eight at most.
func hexNumber(s string) (v uint32, ok bool) {
	if s == "" || len(s) > 8 {
		return 0, false
	}
	for i := range len(s) {
		d, ok := hexDigit(s[i])
		if !ok {
			return 0, false
		}
		v = v<<4 | uint32(d)
	}
	return v, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// entityDecode undoes &lt;, &#60; and &#x3c;, with or without the semicolon.
func entityDecode(s string) string {
	if strings.IndexByte(s, '&') < 0 {
		return s
	}
	return html.UnescapeString(s)
}
