package waf

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"path"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// transformations are those of AWS WAF, by their types. Each returns its text as it
// is when there is nothing to do.
var transformations = map[string]func(string) string{
	"NONE":                 func(s string) string { return s },
	"LOWERCASE":            lowercase,
	"URL_DECODE":           func(s string) string { return percentDecode(s, true) },
	"URL_DECODE_UNI":       func(s string) string { return percentDecode(s, true) },
	"HTML_ENTITY_DECODE":   entityDecode,
	"COMPRESS_WHITE_SPACE": compressSpace,
	"CMD_LINE":             commandLine,
	"BASE64_DECODE":        func(s string) string { return base64Decode(s, false) },
	"BASE64_DECODE_EXT":    func(s string) string { return base64Decode(s, true) },
	"HEX_DECODE":           hexDecode,
	"SQL_HEX_DECODE":       sqlHexDecode,
	"JS_DECODE":            scriptDecode,
	"CSS_DECODE":           cssDecode,
	"ESCAPE_SEQ_DECODE":    sequenceDecode,
	"NORMALIZE_PATH":       func(s string) string { return normalPath(s) },
	"NORMALIZE_PATH_WIN":   func(s string) string { return normalPath(strings.ReplaceAll(s, `\`, "/")) },
	"REMOVE_NULLS":         func(s string) string { return strings.ReplaceAll(s, "\x00", "") },
	"REPLACE_NULLS":        func(s string) string { return strings.ReplaceAll(s, "\x00", " ") },
	"REPLACE_COMMENTS":     replaceComments,
	"UTF8_TO_UNICODE":      unicodeEncode,
	"MD5":                  func(s string) string { sum := md5.Sum([]byte(s)); return string(sum[:]) },
}

// lowercase changes ASCII alone, so that bytes which are no UTF-8 stay.
func lowercase(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			out := []byte(s)
			for ; i < len(out); i++ {
				out[i] = lower(out[i])
			}
			return string(out)
		}
	}
	return s
}

// isBlank is what AWS calls white space: the no-break space is.
func isBlank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' || c == 0xa0 }

// compressSpace makes one space of each run of white space.
func compressSpace(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if !isBlank(s[i]) {
			out = append(out, s[i])
		} else if len(out) == 0 || out[len(out)-1] != ' ' {
			out = append(out, ' ')
		}
	}
	return string(out)
}

// commandLine undoes what shells do not see: \ " ' ^ are deleted, spaces before / and
// ( too, commas and semicolons become spaces, spaces one, letters small.
func commandLine(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\', c == '"', c == '\'', c == '^':
		case isBlank(c), c == ',', c == ';':
			if len(out) == 0 || out[len(out)-1] != ' ' {
				out = append(out, ' ')
			}
		default:
			if (c == '/' || c == '(') && len(out) > 0 && out[len(out)-1] == ' ' {
				out = out[:len(out)-1]
			}
			out = append(out, lower(c))
		}
	}
	return string(out)
}

// base64Decode decodes what can be decoded: with ext what is no base64 is left out,
// otherwise it ends there.
func base64Decode(s string, ext bool) string {
	clean := make([]byte, 0, len(s))
	for i := range len(s) {
		c := s[i]
		switch c {
		case '-':
			c = '+'
		case '_':
			c = '/'
		}
		if isLetter(c) || isDigit(c) || c == '+' || c == '/' {
			clean = append(clean, c)
		} else if !ext {
			break
		}
	}
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1]
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, _ := base64.RawStdEncoding.Decode(out, clean)
	return string(out[:n])
}

// hexDecode decodes a text of hexadecimal digits; what is none stays.
func hexDecode(s string) string {
	out := make([]byte, 0, len(s)/2)
	for i := 0; i < len(s); i++ {
		if i+1 < len(s) {
			if v, ok := hexNumber(s[i : i+2]); ok {
				out = append(out, byte(v))
				i++
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// sqlHexDecode decodes 0x414243 where it stands in a text.
func sqlHexDecode(s string) string {
	if !strings.Contains(s, "0x") && !strings.Contains(s, "0X") {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '0' || i+1 >= len(s) || lower(s[i+1]) != 'x' {
			out.WriteByte(s[i])
			continue
		}
		end := i + 2
		for end < len(s) {
			if _, ok := hexDigit(s[end]); !ok {
				break
			}
			end++
		}
		if end -= (end - i) % 2; end == i+2 {
			out.WriteByte(s[i])
			continue
		}
		out.WriteString(hexDecode(s[i+2 : end]))
		i = end - 1
	}
	return out.String()
}

// normalPath takes out //, /./ and what /../ goes back over, not above the beginning.
func normalPath(s string) string {
	if s == "" || !strings.Contains(s, "//") && !strings.Contains(s, "/.") && !strings.HasPrefix(s, ".") {
		return s
	}
	out := path.Clean("/" + s)
	if !strings.HasPrefix(s, "/") {
		out = out[1:]
	}
	if last := s[strings.LastIndexByte(s, '/')+1:]; (last == "" || last == "." || last == "..") && !strings.HasSuffix(out, "/") {
		out += "/"
	}
	return out
}

// replaceComments makes a space of each /* comment */, closed or not.
func replaceComments(s string) string {
	at := strings.Index(s, "/*")
	if at < 0 {
		return strings.ReplaceAll(s, "*/", " ")
	}
	var out strings.Builder
	for ; at >= 0; at = strings.Index(s, "/*") {
		out.WriteString(s[:at])
		out.WriteByte(' ')
		_, rest, _ := strings.Cut(s[at+2:], "*/")
		s = rest
	}
	out.WriteString(s)
	return out.String()
}

// unicodeEncode writes what is not ASCII as %uXXXX, beyond 16 bits as the two halves
// of UTF-16.
func unicodeEncode(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r < utf8.RuneSelf || r == utf8.RuneError && n == 1 {
			out.WriteByte(s[i])
			i++
			continue
		}
		for _, half := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&out, "%%u%04x", half)
		}
		i += n
	}
	return out.String()
}
