package policy

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// comparison is what an operator compares as.
type comparison uint8

const (
	asText comparison = iota
	asFoldedText
	asWildText
	asARN
	asNumber
	asDate
	asBool
	asBinary
	asAddress
	asNull
)

// Relations of numbers and dates, to be added up.
const (
	less = 1 << iota
	equal
	greater
)

// operator is a condition operator without its ForAnyValue: and IfExists.
type operator struct {
	name     string
	compare  comparison
	relation int
	negated  bool
}

// operators are AWS's, by name in lower case.
var operators = func() map[string]operator {
	m := map[string]operator{}
	for _, o := range []operator{
		{"StringEquals", asText, 0, false},
		{"StringNotEquals", asText, 0, true},
		{"StringEqualsIgnoreCase", asFoldedText, 0, false},
		{"StringNotEqualsIgnoreCase", asFoldedText, 0, true},
		{"StringLike", asWildText, 0, false},
		{"StringNotLike", asWildText, 0, true},
		{"ArnEquals", asARN, 0, false}, // the two behave alike
		{"ArnLike", asARN, 0, false},
		{"ArnNotEquals", asARN, 0, true},
		{"ArnNotLike", asARN, 0, true},
		{"NumericEquals", asNumber, equal, false},
		{"NumericNotEquals", asNumber, equal, true},
		{"NumericLessThan", asNumber, less, false},
		{"NumericLessThanEquals", asNumber, less | equal, false},
		{"NumericGreaterThan", asNumber, greater, false},
		{"NumericGreaterThanEquals", asNumber, greater | equal, false},
		{"DateEquals", asDate, equal, false},
		{"DateNotEquals", asDate, equal, true},
		{"DateLessThan", asDate, less, false},
		{"DateLessThanEquals", asDate, less | equal, false},
		{"DateGreaterThan", asDate, greater, false},
		{"DateGreaterThanEquals", asDate, greater | equal, false},
		{"Bool", asBool, 0, false},
		{"BinaryEquals", asBinary, 0, false},
		{"IpAddress", asAddress, 0, false},
		{"NotIpAddress", asAddress, 0, true},
		{"Null", asNull, 0, false},
	} {
		m[strings.ToLower(o.name)] = o
	}
	return m
}()

// value is one of a condition's values, compiled for its comparison.
type value struct {
	text   pattern // text, and binary once decoded
	arn    resource
	number float64
	date   time.Time
	truth  bool
	within netip.Prefix
}

func (o *operator) value(text string, variables bool) (v value, err error) {
	if strings.Contains(text, "${") && variables && o.compare > asARN {
		return v, fmt.Errorf("%s takes no variables; String and Arn operators do", o.name)
	}
	ok := true
	switch o.compare {
	case asText, asFoldedText:
		v.text, err = compile(text, false, variables)
	case asWildText:
		v.text, err = compile(text, true, variables)
	case asARN:
		if variables && strings.HasPrefix(text, "${") { // the whole ARN is the variable's
			v.arn.whole, err = compile(text, true, variables)
		} else {
			v.arn, err = compileResource(text, variables)
		}
	case asNumber:
		v.number, ok = number(text)
	case asDate:
		v.date, ok = date(text)
	case asBool, asNull:
		v.truth, ok = truth(text)
	case asBinary:
		var b []byte
		b, err = base64.StdEncoding.DecodeString(text)
		v.text, ok = pattern{text: text, glob: string(b)}, err == nil
		err = nil
	case asAddress:
		v.within, ok = prefix(text)
	}
	if !ok {
		return v, fmt.Errorf("%q is not %s", text, [...]string{
			asNumber: "a number", asDate: "a date such as 2026-01-31T12:00:00Z", asBool: "true or false", asNull: "true or false",
			asBinary: "base64", asAddress: "an address or a range such as 203.0.113.0/24",
		}[o.compare])
	}
	return v, err
}

// any tells whether a request's value is one of a condition's, or stands in the
// operator's relation to one.
func (o *operator) any(values []value, got string, keys Keys) bool {
	switch o.compare {
	case asText, asWildText:
		for i := range values {
			if values[i].text.match(got, false, keys) {
				return true
			}
		}
	case asFoldedText:
		for i := range values {
			if want, ok := values[i].text.resolve(keys); ok && strings.EqualFold(want, got) {
				return true
			}
		}
	case asARN:
		a, isARN := split(got)
		for i := range values {
			if values[i].arn.match(&a, isARN, keys) {
				return true
			}
		}
	case asBinary:
		b, err := base64.StdEncoding.DecodeString(got)
		for i := range values {
			if err == nil && values[i].text.glob == string(b) {
				return true
			}
		}
	case asBool:
		b, ok := truth(got)
		for i := range values {
			if ok && values[i].truth == b {
				return true
			}
		}
	case asAddress:
		ip, err := netip.ParseAddr(got)
		for i := range values {
			if err == nil && values[i].within.Contains(ip.Unmap().WithZone("")) {
				return true
			}
		}
	case asNumber, asDate:
		return o.compares(values, got)
	}
	return false
}

func (o *operator) compares(values []value, got string) bool {
	var n float64
	var at time.Time
	var ok bool
	if o.compare == asNumber {
		n, ok = number(got)
	} else {
		at, ok = date(got)
	}
	for i := range values {
		relation := equal
		switch c := at.Compare(values[i].date); {
		case c < 0 || o.compare == asNumber && n < values[i].number:
			relation = less
		case c > 0 || o.compare == asNumber && n > values[i].number:
			relation = greater
		}
		if ok && relation&o.relation != 0 {
			return true
		}
	}
	return false
}

func number(s string) (float64, bool) {
	if strings.Trim(s, "0123456789.eE+-") != "" {
		return 0, false // neither hexadecimal nor infinite
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil
}

// date reads ISO 8601 as W3C profiles it, or seconds since 1970.
func date(s string) (time.Time, bool) {
	for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly, "2006-01", "20060102T150405Z"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	if len(s) == len("2006") {
		t, err := time.Parse("2006", s)
		return t, err == nil
	}
	seconds, err := strconv.ParseInt(s, 10, 64)
	return time.Unix(seconds, 0), err == nil
}

func truth(s string) (b, ok bool) {
	b = strings.EqualFold(s, "true")
	return b, b || strings.EqualFold(s, "false")
}

func prefix(s string) (netip.Prefix, bool) {
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err == nil
}
