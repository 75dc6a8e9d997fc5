package topic

import (
	"encoding/json"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/pattern"
)

// Bounds of numbers in policies, and of the wildcards in them.
const (
	maxNumber         = 1e9
	precision         = 1e5 // five digits after the point
	maxWildcards      = 3   // in one pattern
	maxWildcardPoints = 100 // of a policy
)

// matcher is one value of a policy's array. absent is that of {"exists": …}; of
// others is says whether a scalar of the message matches: a string, json.Number,
// bool or nil.
type matcher struct {
	is     func(v any) bool
	absent *bool
}

// operators are the kinds of {"operator": …} besides exists.
var operators map[string]func(c *compiler, arg any) (func(v any) bool, error)

func init() { // they refer to each other through anything-but
	operators = map[string]func(c *compiler, arg any) (func(v any) bool, error){
		"prefix":             textual("prefix", strings.HasPrefix),
		"suffix":             textual("suffix", strings.HasSuffix),
		"equals-ignore-case": textual("equals-ignore-case", strings.EqualFold),
		"wildcard":           wildcard,
		"anything-but":       anythingBut,
		"numeric":            numeric,
		"cidr":               cidr,
	}
}

func (c *compiler) matcher(item any) (matcher, error) {
	o, ok := item.(map[string]any)
	if !ok {
		is, err := exactly(item)
		return matcher{is: is}, err
	}
	if len(o) != 1 {
		return matcher{}, refusal("Only one key allowed in match expression")
	}
	for name, arg := range o {
		if name == "exists" {
			b, ok := arg.(bool)
			if !ok {
				return matcher{}, refusal("exists match pattern must be either true or false.")
			}
			absent := !b
			return matcher{absent: &absent}, nil
		}
		op := operators[name]
		if op == nil {
			return matcher{}, refusal("Unrecognized match type %s", name)
		}
		is, err := op(c, arg)
		return matcher{is: is}, err
	}
	panic("unreachable")
}

// exactly matches one scalar.
func exactly(want any) (func(v any) bool, error) {
	switch want := want.(type) {
	case string, bool, nil:
		return func(v any) bool { return v == want }, nil
	case json.Number:
		n, err := number(want)
		if err != nil {
			return nil, err
		}
		return func(v any) bool { got, ok := numberOf(v); return ok && got == n }, nil
	}
	return nil, refusal("Match value must be String, number, true, false, or null")
}

// number is a policy's number in units of the fifth digit after the point.
func number(n json.Number) (int64, error) {
	f, err := strconv.ParseFloat(n.String(), 64)
	if err != nil || math.Abs(f) > maxNumber {
		return 0, refusal("Value of %s must be between -1.0E9 and 1.0E9, inclusive", n)
	}
	return int64(math.Round(f * precision)), nil
}

// numberOf is a message's number; one that no policy can name is none.
func numberOf(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	scaled, err := number(n)
	return scaled, err == nil
}

// textual makes an operator that compares strings.
func textual(name string, compare func(s, with string) bool) func(*compiler, any) (func(any) bool, error) {
	return func(_ *compiler, arg any) (func(any) bool, error) {
		with, ok := arg.(string)
		if !ok || with == "" {
			return nil, refusal("%s match pattern must be a string that is not empty", name)
		}
		return func(v any) bool { s, ok := v.(string); return ok && compare(s, with) }, nil
	}
}

// wildcard matches a pattern in which * stands for any characters, \* for itself
// and \\ for a backslash.
func wildcard(c *compiler, arg any) (func(any) bool, error) {
	text, ok := arg.(string)
	if !ok || text == "" {
		return nil, refusal("wildcard match pattern must be a string that is not empty")
	}
	w, err := pattern.ParseWildcard(text)
	if err != nil {
		return nil, badPolicy(err.Error())
	}
	switch n := w.Stars(); {
	case n > maxWildcards:
		return nil, refusal("Filter policy is too complex: %d wildcards in %q, at most %d", n, text, maxWildcards)
	case n > 1: // several make the match of each longer
		c.points += 3 * n
	default:
		c.points += n
	}
	return func(v any) bool { s, ok := v.(string); return ok && w.Match(s) }, nil
}

// anythingBut matches what one scalar, all of a list, or another operator does not.
func anythingBut(c *compiler, arg any) (func(any) bool, error) {
	var not []func(any) bool
	add := func(list any, op func(any) (func(any) bool, error)) error {
		items, many := list.([]any)
		if !many {
			items = []any{list}
		}
		if len(items) == 0 {
			return refusal("Empty arrays are not allowed")
		}
		for _, item := range items {
			is, err := op(item)
			if err != nil {
				return err
			}
			not = append(not, is)
		}
		return nil
	}
	var err error
	switch arg := arg.(type) {
	case map[string]any:
		if len(arg) != 1 {
			return nil, refusal("Only one key allowed in match expression")
		}
		for name, inner := range arg {
			switch name {
			case "prefix", "suffix", "equals-ignore-case", "wildcard":
				err = add(inner, func(item any) (func(any) bool, error) { return operators[name](c, item) })
			default:
				err = refusal("Unsupported anything-but pattern: %s", name)
			}
		}
	default:
		err = add(arg, exactly)
	}
	if err != nil {
		return nil, err
	}
	return func(v any) bool {
		for _, is := range not {
			if is(v) {
				return false
			}
		}
		return true
	}, nil
}

// numeric matches ["=", n], one bound, or a lower and an upper one.
func numeric(_ *compiler, arg any) (func(any) bool, error) {
	list, ok := arg.([]any)
	if !ok {
		return nil, refusal("Value of numeric must be an array.")
	}
	if len(list) == 0 {
		return nil, refusal("Invalid member in numeric match: ]")
	}
	if len(list)%2 != 0 {
		return nil, refusal("Value of %v must be numeric", list[len(list)-1])
	}
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	for i := 0; i < len(list); i += 2 {
		op, _ := list[i].(string)
		text, isNumber := list[i+1].(json.Number)
		if !isNumber {
			return nil, refusal("Value of %v must be numeric", list[i])
		}
		n, err := number(text)
		if err != nil {
			return nil, err
		}
		switch lower := op == ">" || op == ">="; {
		case op == "=" && len(list) == 2:
			from, to = n, n
		case op == "=", i == 2 && lower, len(list) > 4, i == 0 && len(list) == 4 && !lower:
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
			return nil, refusal("Unrecognized numeric range operator: %v", list[i])
		}
	}
	if from > to {
		return nil, refusal("Bottom must be less than top")
	}
	return func(v any) bool { n, ok := numberOf(v); return ok && from <= n && n <= to }, nil
}

// cidr matches addresses of a block.
func cidr(_ *compiler, arg any) (func(any) bool, error) {
	text, _ := arg.(string)
	block, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, refusal("Malformed CIDR, one is such as 10.0.0.0/24: %v", arg)
	}
	return func(v any) bool {
		s, _ := v.(string)
		addr, err := netip.ParseAddr(s)
		return err == nil && block.Contains(addr)
	}, nil
}
