package accesslog

import (
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/edge"
)

// Header is how an object of the standard log begins.
var Header = header()

func header() string {
	names := make([]string, len(standard))
	for i, f := range standard {
		names[i] = f.name
	}
	return "#Version: 1.0\n#Fields: " + strings.Join(names, " ") + "\n"
}

// AppendLine appends a record as a line of the standard log.
func AppendLine(b []byte, r *edge.AccessRecord) []byte { return appendLine(b, standard, r) }

// AppendRealTime appends a record as a line of the stream.
func AppendRealTime(b []byte, r *edge.AccessRecord) []byte { return appendLine(b, realTime, r) }

func appendLine(b []byte, fields []field, r *edge.AccessRecord) []byte {
	for i := range fields {
		if i > 0 {
			b = append(b, '\t')
		}
		b = fields[i].append(b, r)
	}
	return append(b, '\n')
}

// append appends a field's value as logs have it, "-" for none.
func (f *field) append(b []byte, r *edge.AccessRecord) []byte {
	switch {
	case f.text != nil && f.uri:
		return appendURI(b, *f.text(r))
	case f.text != nil:
		return appendText(b, *f.text(r))
	case f.value != nil:
		return appendText(b, f.value(r))
	case f.span != nil:
		return appendSeconds(b, *f.span(r))
	case f.when == epoch:
		return appendSeconds(b, time.Duration(ended(r).UnixNano()))
	case f.when != "":
		return ended(r).AppendFormat(b, f.when)
	}
	n := f.number(r)
	if n == f.none {
		return append(b, '-')
	}
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], n, 10)
	for range f.width - len(text) {
		b = append(b, '0')
	}
	return append(b, text...)
}

func (f *field) number(r *edge.AccessRecord) int64 {
	if f.small != nil {
		return int64(*f.small(r))
	}
	return *f.whole(r)
}

// ended is the moment that logs give a request.
func ended(r *edge.AccessRecord) time.Time { return r.Time.Add(r.Took).UTC() }

// appendSeconds appends seconds with three decimals.
func appendSeconds(b []byte, d time.Duration) []byte {
	ms := max(d, 0).Milliseconds()
	b = strconv.AppendInt(b, ms/1000, 10)
	return append(b, '.', byte('0'+ms/100%10), byte('0'+ms/10%10), byte('0'+ms%10))
}

const hexDigits = "0123456789ABCDEF"

// plain are the bytes that stand for themselves.
var plain = func() (set [256]bool) {
	for c := byte(33); c < 127; c++ {
		set[c] = !strings.ContainsRune("<>\"#%{}|\\^~[]`'", rune(c))
	}
	return set
}()

// appendText appends what a client sent as it is.
func appendText(b []byte, s string) []byte {
	if s == "" {
		return append(b, '-')
	}
	for i := range len(s) {
		if c := s[i]; plain[c] {
			b = append(b, c)
		} else {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return b
}

// appendURI appends a part of a URL. What is percent-encoded already is not encoded
// once more.
func appendURI(b []byte, s string) []byte {
	if s == "" {
		return append(b, '-')
	}
	for i := range len(s) {
		c := s[i]
		if plain[c] || c == '%' && isHex(s, i+1) && isHex(s, i+2) {
			b = append(b, c)
		} else {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return b
}

func isHex(s string, i int) bool {
	if i >= len(s) {
		return false
	}
	c := s[i] | 0x20
	return '0' <= s[i] && s[i] <= '9' || 'a' <= c && c <= 'f'
}
