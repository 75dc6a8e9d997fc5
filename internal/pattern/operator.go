package pattern

import (
	"bytes"
	"encoding/json"
	"math"
	"net/netip"
	"strconv"
	"unicode/utf8"
)

// Numbers that operators compare: AWS's range, to six digits after the point.
const (
	maxNumber = 5e9
	precision = 1e6
)

// scalar is a value of an event that is neither object nor array.
type scalar struct {
	kind   byte   // first byte of its JSON: '"', 't', 'f', 'n'; '0' of numbers
	text   []byte // of a string what it means, of others what is written
	number int64  // in units of the sixth digit after the point
	small  bool   // the number is one that can be compared
}

// test says whether a scalar is what a pattern asks for.
type test func(s *scalar) bool

// operators are the kinds of {"operator": …} besides exists.
var operators map[string]func(arg any) (test, error)

func init() { // they refer to each other through anything-but
	operators = map[string]func(arg any) (test, error){
		"exactly":            textual("exactly", bytes.Equal),
		"prefix":             affix("prefix", bytes.HasPrefix, hasFoldPrefix),
		"suffix":             affix("suffix", bytes.HasSuffix, hasFoldSuffix),
		"equals-ignore-case": textual("equals-ignore-case", bytes.EqualFold),
		"wildcard":           wildcard,
		"anything-but":       anythingBut,
		"numeric":            numeric,
		"cidr":               cidr,
	}
}

// exactly matches one scalar.
func exactly(want any) (test, error) {
	switch want := want.(type) {
	case string:
		return textual("string", bytes.Equal)(want)
	case bool:
		kind := byte('f')
		if want {
			kind = 't'
		}
		return func(s *scalar) bool { return s.kind == kind }, nil
	case nil:
		return func(s *scalar) bool { return s.kind == 'n' }, nil
	case json.Number:
		// One that is out of range, such as an account's, is compared as it is written.
		text := []byte(want.String())
		n, small := scaled(text)
		return func(s *scalar) bool {
			return s.kind == '0' && (small && s.small && s.number == n || bytes.Equal(s.text, text))
		}, nil
	}
	return nil, refusal("Match value must be String, number, true, false, or null")
}

// scaled is a number in units of the sixth digit after the point; false when it is
// out of range.
func scaled(text []byte) (int64, bool) {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.Abs(f) > maxNumber {
		return 0, false
	}
	return int64(math.Round(f * precision)), true
}

// textual makes an operator that compares strings.
func textual(name string, compare func(s, with []byte) bool) func(any) (test, error) {
	return func(arg any) (test, error) {
		text, ok := arg.(string)
		if !ok {
			return nil, refusal("%s match pattern must be a string", name)
		}
		with := []byte(text)
		return func(s *scalar) bool { return s.kind == '"' && compare(s.text, with) }, nil
	}
}

// affix makes an operator that compares one end of strings, or does so in any case:
// {"prefix": {"equals-ignore-case": "a"}}.
func affix(name string, compare, fold func(s, with []byte) bool) func(any) (test, error) {
	return func(arg any) (test, error) {
		o, ok := arg.(map[string]any)
		if !ok {
			return textual(name, compare)(arg)
		}
		inner, with, err := only(o)
		if err != nil {
			return nil, err
		}
		if inner != "equals-ignore-case" {
			return nil, refusal("Unsupported %s pattern: %s", name, inner)
		}
		return textual(name, fold)(with)
	}
}

func hasFoldPrefix(s, with []byte) bool {
	for len(with) > 0 {
		_, n := utf8.DecodeRune(s)
		_, m := utf8.DecodeRune(with)
		if n == 0 || !bytes.EqualFold(s[:n], with[:m]) {
			return false
		}
		s, with = s[n:], with[m:]
	}
	return true
}

func hasFoldSuffix(s, with []byte) bool {
	for len(with) > 0 {
		_, n := utf8.DecodeLastRune(s)
		_, m := utf8.DecodeLastRune(with)
		if n == 0 || !bytes.EqualFold(s[len(s)-n:], with[len(with)-m:]) {
			return false
		}
		s, with = s[:len(s)-n], with[:len(with)-m]
	}
	return true
}

func wildcard(arg any) (test, error) {
	text, ok := arg.(string)
	if !ok {
		return nil, refusal("wildcard match pattern must be a string")
	}
	w, err := ParseWildcard(text)
	if err != nil {
		return nil, err
	}
	return func(s *scalar) bool { return s.kind == '"' && w.match(s.text) }, nil
}

// anythingBut matches what one scalar, all of a list, or another operator does not.
func anythingBut(arg any) (test, error) {
	op, list, operator := exactly, arg, ""
	if o, ok := arg.(map[string]any); ok {
		name, inner, err := only(o)
		if err != nil {
			return nil, err
		}
		switch name {
		case "prefix", "suffix", "equals-ignore-case", "wildcard":
		default:
			return nil, refusal("Unsupported anything-but pattern: %s", name)
		}
		op, list, operator = operators[name], inner, name
	}
	items, many := list.([]any)
	if !many {
		items = []any{list}
	}
	if len(items) == 0 {
		return nil, refusal("Empty arrays are not allowed")
	}
	not := make([]test, len(items))
	for i, item := range items {
		switch item := item.(type) {
		case string, json.Number:
			if item == "" && (operator == "prefix" || operator == "suffix") {
				return nil, refusal("Null prefix/suffix not allowed")
			}
		case map[string]any: // which the operator knows, or refuses
		default:
			return nil, refusal("Value of anything-but must be an array or single string/number value.")
		}
		var err error
		if not[i], err = op(item); err != nil {
			return nil, err
		}
	}
	return func(s *scalar) bool {
		for _, is := range not {
			if is(s) {
				return false
			}
		}
		return true
	}, nil
}

// numeric matches ["=", n], one bound, or a lower and an upper one.
func numeric(arg any) (test, error) {
	list, ok := arg.([]any)
	if !ok {
		return nil, refusal("Value of numeric must be an array.")
	}
	if len(list) == 0 {
		return nil, refusal("Invalid member in numeric match: ]")
	}
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	for i := 0; i < len(list); i += 2 {
		op, isText := list[i].(string)
		if !isText {
			return nil, refusal("Invalid member in numeric match: %v", list[i])
		}
		n, err := operand(op, list[i+1:])
		if err != nil {
			return nil, err
		}
		switch lower := op == ">" || op == ">="; {
		case op == "=" && len(list) == 2:
			from, to = n, n
		case op == "=", i == 2 && lower, i > 2, i == 0 && len(list) > 2 && !lower:
			return nil, refusal("Too many terms in numeric range expression")
		case op == ">":
			from = n + 1
		case op == ">=":
			from = n
		case op == "<":
			to = n - 1
		case op == "<=":
			to = n
		default:
			return nil, refusal("Unrecognized numeric range operator: %s", op)
		}
	}
	if from > to {
		return nil, refusal("Bottom must be less than top")
	}
	return func(s *scalar) bool { return s.small && from <= s.number && s.number <= to }, nil
}

// operand is the number that follows an operator of numeric.
func operand(op string, rest []any) (int64, error) {
	if len(rest) == 0 {
		return 0, refusal("Value of %s must be numeric", op)
	}
	text, isNumber := rest[0].(json.Number)
	if !isNumber {
		return 0, refusal("Value of %s must be numeric", op)
	}
	n, small := scaled([]byte(text))
	if !small {
		return 0, refusal("Value of %s must be between -5.0E9 and 5.0E9, inclusive", op)
	}
	return n, nil
}

// cidr matches addresses of a block.
func cidr(arg any) (test, error) {
	text, ok := arg.(string)
	if !ok {
		return nil, refusal("cidr match pattern must be a string")
	}
	block, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, refusal("Malformed CIDR, one is such as 10.0.0.0/24: %s", text)
	}
	return func(s *scalar) bool {
		if s.kind != '"' {
			return false
		}
		addr, err := netip.ParseAddr(string(s.text))
		return err == nil && block.Contains(addr)
	}, nil
}
