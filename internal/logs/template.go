package logs

import (
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/wire"
)

// template is what messages of one form have in common. A message is its texts with
// the values of columns between them.
type template struct {
	texts []string // one more than slots
	slots []slot
}

// slot is the place of a value in a template.
type slot struct {
	column int  // by its number in the block
	quoted bool // a string of JSON, of which the quotation marks are in the texts
}

func (t *template) key() string {
	var b strings.Builder
	for i, text := range t.texts {
		b.WriteString(strconv.Itoa(len(text)))
		b.WriteByte(' ')
		b.WriteString(text)
		if i < len(t.slots) {
			b.WriteString(strconv.Itoa(t.slots[i].column))
		}
	}
	return b.String()
}

// append writes a message.
func (t *template) append(b []byte, value func(column int) string) []byte {
	b = append(b, t.texts[0]...)
	for i, s := range t.slots {
		if v := value(s.column); s.quoted && escaped(v) {
			b = appendEscaped(b, v)
		} else {
			b = append(b, v...)
		}
		b = append(b, t.texts[i+1]...)
	}
	return b
}

// escaped says whether a string is another in JSON.
func escaped(s string) bool {
	for i := range len(s) {
		if inEscapes[s[i]] {
			return true
		}
	}
	return false
}

var inEscapes = func() (set [256]bool) {
	for c := range byte(' ') {
		set[c] = true
	}
	set['"'], set['\\'] = true, true
	return set
}()

// appendEscaped writes a string as in JSON, without the quotation marks.
func appendEscaped(b []byte, s string) []byte {
	at := len(b)
	b = wire.AppendString(b, s)
	copy(b[at:], b[at+1:])
	return b[:len(b)-2]
}

// read finds the values of a message of JSON that has this form, one for each slot.
// It takes simple values only: others are read from the ground up.
func (t *template) read(message string, values []string) ([]string, bool) {
	rest, ok := strings.CutPrefix(message, t.texts[0])
	for i := 0; ok && i < len(t.slots); i++ {
		n := 0
		if t.slots[i].quoted {
			for n < len(rest) && rest[n] != '"' {
				if c := rest[n]; c < ' ' || c == '\\' {
					return values, false
				}
				n++
			}
		} else {
			for n < len(rest) && bare[rest[n]] {
				n++
			}
			if !scalar(rest[:n]) {
				return values, false
			}
		}
		values = append(values, rest[:n])
		rest, ok = strings.CutPrefix(rest[n:], t.texts[i+1])
	}
	return values, ok && rest == ""
}

// fits says whether a message has this form, with values that are known.
func (t *template) fits(message string, value func(column int) (string, bool)) bool {
	rest, ok := strings.CutPrefix(message, t.texts[0])
	for i := 0; ok && i < len(t.slots); i++ {
		v, there := value(t.slots[i].column)
		if !there || !strings.HasPrefix(rest, v) {
			return false
		}
		rest, ok = strings.CutPrefix(rest[len(v):], t.texts[i+1])
	}
	return ok && rest == ""
}

// bare are the characters of numbers, true and false.
var bare = func() (set [256]bool) {
	for _, c := range "+-.0123456789Eaeflrstu" {
		set[c] = true
	}
	return set
}()

// scalar says whether a text is a number of JSON, true or false.
func scalar(s string) bool {
	if s == "true" || s == "false" {
		return true
	}
	s = strings.TrimPrefix(s, "-")
	n := digits(s)
	if n == 0 || n > 1 && s[0] == '0' {
		return false
	}
	if s = s[n:]; strings.HasPrefix(s, ".") {
		if n = digits(s[1:]); n == 0 {
			return false
		}
		s = s[1+n:]
	}
	if s == "" || s[0] != 'e' && s[0] != 'E' {
		return s == ""
	}
	if s = s[1:]; s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	return s != "" && digits(s) == len(s)
}

// digits is the number of digits that a text begins with.
func digits(s string) int {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return i
		}
	}
	return len(s)
}
