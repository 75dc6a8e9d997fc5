package query

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// Kind is what a value is.
type Kind uint8

const (
	Null   Kind = iota // the record has no such field
	Text               // which may look like a number, and is then compared as one
	Number             // of an expression
	Moment             // a point in time
	Truth              // 1 or 0
)

// Value is what a field or an expression is for one record or row.
type Value struct {
	kind    Kind
	numeric bool
	n       float64 // of numbers, texts that look like one, truths; of moments milliseconds since 1970
	s       string
}

// TextValue is a field's value.
func TextValue(s string) Value {
	n, ok := parseNumber(s)
	return Value{kind: Text, numeric: ok, n: n, s: s}
}

// NumberValue is a number; one that is none, or endless, is null.
func NumberValue(n float64) Value {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return Value{}
	}
	return Value{kind: Number, numeric: true, n: n}
}

// MomentValue is a point in time, nanoseconds since 1970.
func MomentValue(ns int64) Value {
	ms := math.Floor(float64(ns/1000) / 1000)
	return Value{kind: Moment, numeric: true, n: ms}
}

func millis(ms float64) Value {
	if math.IsNaN(ms) || math.Abs(ms) > maxMillis {
		return Value{}
	}
	return Value{kind: Moment, numeric: true, n: math.Floor(ms)}
}

// maxMillis is the end of the year 9999.
const maxMillis = 253_402_300_799_999

func truth(b bool) Value {
	v := Value{kind: Truth, numeric: true}
	if b {
		v.n = 1
	}
	return v
}

// Kind tells what a value is.
func (v Value) Kind() Kind { return v.kind }

// Float is the number that a value is, or looks like.
func (v Value) Float() (float64, bool) { return v.n, v.numeric }

// String is a value as Logs Insights writes it; null is the empty text.
func (v Value) String() string {
	switch v.kind {
	case Text:
		return v.s
	case Number, Truth:
		return formatNumber(v.n)
	case Moment:
		return time.UnixMilli(int64(v.n)).UTC().Format("2006-01-02 15:04:05.000")
	}
	return ""
}

// MarshalJSON is null, a number, or a text.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case Null:
		return []byte("null"), nil
	case Number, Truth:
		return []byte(formatNumber(v.n)), nil
	}
	return json.Marshal(v.String())
}

// true tells whether a value holds as a condition.
func (v Value) true() bool {
	switch {
	case v.numeric:
		return v.n != 0
	case v.kind == Text:
		return v.s != "" && !strings.EqualFold(v.s, "false")
	}
	return false
}

// formatNumber writes ten digits that count, and no exponent where it need not.
func formatNumber(n float64) string {
	if n == math.Trunc(n) && math.Abs(n) < 1e15 {
		return strconv.FormatInt(int64(n), 10)
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(n, 'g', 10, 64), 64)
	if a := math.Abs(rounded); a < 1e-7 || a >= 1e21 {
		return strconv.FormatFloat(rounded, 'g', -1, 64)
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// parseNumber reads a decimal number: an optional sign, digits, a fraction and an
// exponent, as JSON and logs have them.
func parseNumber(s string) (float64, bool) {
	if s == "" || len(s) > 40 {
		return 0, false
	}
	i := 0
	if s[0] == '-' || s[0] == '+' {
		i++
	}
	digits, n := 0, 0.0
	for ; i < len(s) && s[i]-'0' <= 9; i++ {
		digits++
		n = n*10 + float64(s[i]-'0')
	}
	if i == len(s) && digits > 0 && digits <= 15 {
		if s[0] == '-' {
			n = -n
		}
		return n, true
	}
	if i < len(s) && s[i] == '.' {
		for i++; i < len(s) && s[i]-'0' <= 9; i++ {
			digits++
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') && digits > 0 {
		if i++; i < len(s) && (s[i] == '-' || s[i] == '+') {
			i++
		}
		for first := i; i < len(s) && s[i]-'0' <= 9 || i == first; i++ {
			if i == len(s) || s[i]-'0' > 9 {
				return 0, false
			}
		}
	}
	if digits == 0 || i < len(s) {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil && !math.IsInf(n, 0)
}

// compare tells how two values stand as comparisons see them: as numbers if both are,
// else as texts. ok is false if one of them is missing.
func compare(a, b Value) (order int, ok bool) {
	switch {
	case a.kind == Null || b.kind == Null:
		return 0, false
	case a.kind == Moment && b.kind == Text && !b.numeric:
		return compareMoment(a, b.s)
	case b.kind == Moment && a.kind == Text && !a.numeric:
		order, ok = compareMoment(b, a.s)
		return -order, ok
	case a.numeric && b.numeric:
		return compareFloat(a.n, b.n), true
	}
	return strings.Compare(a.String(), b.String()), true
}

// equal is compare for = and in, which need no order.
func equal(a, b Value) bool {
	if a.kind == Text && b.kind == Text && !(a.numeric && b.numeric) {
		return a.s == b.s
	}
	order, ok := compare(a, b)
	return ok && order == 0
}

func compareFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// compareMoment compares a point in time with a written one.
func compareMoment(a Value, written string) (int, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05.999", "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, written); err == nil {
			return compareFloat(a.n, float64(t.UnixMilli())), true
		}
	}
	return 0, false
}

// sortOrder is the order of sort: of texts by their parts of digits and of others,
// then numbers by their value. What is missing is not compared here.
func sortOrder(a, b Value) int {
	switch {
	case a.numeric && b.numeric:
		return compareFloat(a.n, b.n)
	case a.numeric != b.numeric:
		if a.numeric {
			return 1
		}
		return -1
	}
	return natural(a.s, b.s)
}

// natural compares runs of digits by their length and then their digits, all else
// letter by letter.
func natural(a, b string) int {
	for a != "" && b != "" {
		x, y := digitsOf(a), digitsOf(b)
		if x == 0 || y == 0 {
			if a[0] != b[0] {
				return compareFloat(float64(a[0]), float64(b[0]))
			}
			a, b = a[1:], b[1:]
			continue
		}
		if x != y {
			return compareFloat(float64(x), float64(y))
		}
		if c := strings.Compare(a[:x], b[:y]); c != 0 {
			return c
		}
		a, b = a[x:], b[y:]
	}
	return len(a) - len(b)
}

func digitsOf(s string) int {
	n := 0
	for n < len(s) && s[n]-'0' <= 9 {
		n++
	}
	return n
}
