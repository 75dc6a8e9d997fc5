package cache

import (
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
)

// directives are those of Cache-Control, or of a targeted field, that a shared cache
// obeys. Durations are -1 when absent; one that cannot be read is 0: a response with
// freshness that makes no sense is stale (RFC 9111, section 4.2.1).
type directives struct {
	present bool // any directive at all

	maxAge, sMaxAge  time.Duration
	whileRevalidate  time.Duration // RFC 5861, section 3
	ifError          time.Duration // section 4
	public, private  bool
	noCache, noStore bool
	mustRevalidate   bool
	proxyRevalidate  bool
	mustUnderstand   bool
	noTransform      bool
	noCacheFields    []string // of no-cache="..."
	privateFields    []string // of private="..."
	onlyIfCached     bool     // of requests
	maxStale         time.Duration
}

func unset() directives {
	return directives{maxAge: -1, sMaxAge: -1, whileRevalidate: -1, ifError: -1, maxStale: -1}
}

// forever is what a number of seconds too large to count with means.
const forever = math.MaxInt32 * time.Second

// parseCacheControl reads Cache-Control (RFC 9111, section 5.2). Both forms of a value,
// token and quoted string, are taken, unknown directives are skipped, names count in
// any case.
func parseCacheControl(lines []string) directives {
	d := unset()
	for _, line := range lines {
		for line != "" {
			var name, value string
			var has, fine bool
			name, value, has, fine, line = nextDirective(line)
			if name == "" {
				continue
			}
			d.present = true
			d.set(strings.ToLower(name), value, has, fine)
		}
	}
	return d
}

// nextDirective cuts the first of a list of directives off. fine is false when
// it cannot be read, such as a quoted string that does not end.
func nextDirective(s string) (name, value string, has, fine bool, rest string) {
	s = strings.TrimLeft(s, " \t,")
	end := strings.IndexAny(s, ",=")
	if end < 0 {
		return strings.TrimSpace(s), "", false, true, ""
	}
	name = strings.TrimSpace(s[:end])
	if s[end] == ',' {
		return name, "", false, true, s[end+1:]
	}
	tight := len(name) == end // no white space belongs around the sign
	s = s[end+1:]
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ",")
		value = strings.TrimRight(value, " \t")
		return name, value, true, tight && strings.TrimLeft(value, " \t") == value, rest
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case c == '"':
			after, next, _ := strings.Cut(s[i+1:], ",")
			return name, b.String(), true, tight && strings.TrimSpace(after) == "", next
		default:
			b.WriteByte(c)
		}
	}
	return name, b.String(), true, false, ""
}

func (d *directives) set(name, value string, has, fine bool) {
	seconds := func(to *time.Duration) {
		t, ok := deltaSeconds(value)
		if !ok || !fine {
			t = 0
		}
		if *to < 0 || t < *to { // of several the strictest
			*to = t
		}
	}
	// A field list that cannot be read is taken for the directive without one, which
	// is stricter.
	fields := func(all *bool, list *[]string) {
		names := fieldNames(value)
		if !has || !fine || len(names) == 0 {
			*all = true
			return
		}
		*list = append(*list, names...)
	}
	switch name {
	case "max-age":
		seconds(&d.maxAge)
	case "s-maxage":
		seconds(&d.sMaxAge)
	case "stale-while-revalidate":
		seconds(&d.whileRevalidate)
	case "stale-if-error":
		seconds(&d.ifError)
	case "max-stale":
		if !has {
			value = "2147483647"
		}
		seconds(&d.maxStale)
	case "no-cache":
		fields(&d.noCache, &d.noCacheFields)
	case "private":
		fields(&d.private, &d.privateFields)
	default:
		d.flag(name)
	}
}

// flag sets a directive that has no value; one that was given is ignored.
func (d *directives) flag(name string) {
	switch name {
	case "public":
		d.public = true
	case "no-store":
		d.noStore = true
	case "must-revalidate":
		d.mustRevalidate = true
	case "proxy-revalidate":
		d.proxyRevalidate = true
	case "must-understand":
		d.mustUnderstand = true
	case "no-transform":
		d.noTransform = true
	case "only-if-cached":
		d.onlyIfCached = true
	}
}

// deltaSeconds reads the number of seconds of RFC 9111, section 1.2.2: digits only,
// and what overflows is as long as can be.
func deltaSeconds(s string) (time.Duration, bool) {
	if s == "" {
		return 0, false
	}
	n := int64(0)
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), math.MaxInt32)
	}
	return time.Duration(n) * time.Second, true
}

func fieldNames(list string) (names []string) {
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, http.CanonicalHeaderKey(name))
		}
	}
	return names
}

// targeted is the field that speaks to caches like this one and to no other (RFC 9213).
const targeted = "Cdn-Cache-Control"

// parseTargeted reads CDN-Cache-Control, a structured dictionary. Without it, or when
// it is empty or cannot be parsed, ok is false and Cache-Control counts (section 2.2).
// A directive whose value has the wrong type is taken as one that cannot be read.
func parseTargeted(lines []string) (d directives, ok bool) {
	d = unset()
	if len(lines) == 0 {
		return d, false
	}
	dict, err := httpsfv.UnmarshalDictionary(lines)
	if err != nil || len(dict.Names()) == 0 {
		return d, false
	}
	d.present = true
	for _, name := range dict.Names() {
		member, _ := dict.Get(name)
		item, isItem := member.(httpsfv.Item)
		if !isItem {
			d.set(name, "", true, false)
			continue
		}
		switch v := item.Value.(type) {
		case bool:
			if v {
				d.set(name, "", false, true)
			}
		case int64:
			d.setSeconds(name, v)
		case string:
			d.set(name, fieldsOnly(name, v), true, true)
		default:
			d.set(name, "", true, false)
		}
	}
	return d, true
}

// fieldsOnly lets a string through for the directives that list field names; elsewhere
// an Integer is due and a String, whatever it holds, is no number.
func fieldsOnly(name, v string) string {
	if name == "no-cache" || name == "private" {
		return v
	}
	return ""
}

func (d *directives) setSeconds(name string, n int64) {
	text := "" // negative: cannot be read
	if n >= 0 {
		text = itoa(min(n, math.MaxInt32))
	}
	d.set(name, text, true, true)
}
