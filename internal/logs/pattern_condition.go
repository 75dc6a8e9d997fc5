package logs

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// reader finds what a condition is about in a message of type M: a selector's
// value, or none. Conditions of JSON and of fields differ by nothing else.
type reader[M any] func(message M) (value any, there bool)

// conditions reads a combination of conditions: || binds looser than &&, and
// parentheses group. one reads a single condition.
type conditions[M any] struct {
	*scanner
	opened int // parentheses so far
	one    func() (func(M) bool, error)
}

func (c *conditions[M]) either() (func(M) bool, error) {
	left, err := c.both()
	for err == nil && c.take("||") {
		var right func(M) bool
		if right, err = c.both(); err != nil {
			break
		}
		before := left
		left = func(m M) bool { return before(m) || right(m) }
	}
	return left, err
}

func (c *conditions[M]) both() (func(M) bool, error) {
	left, err := c.part()
	for err == nil && c.take("&&") {
		var right func(M) bool
		if right, err = c.part(); err != nil {
			break
		}
		before := left
		left = func(m M) bool { return before(m) && right(m) }
	}
	return left, err
}

func (c *conditions[M]) part() (func(M) bool, error) {
	if !c.take("(") {
		return c.one()
	}
	if c.opened++; c.opened > maxParentheses {
		return nil, errors.New("it has too many parentheses")
	}
	inner, err := c.either()
	if err == nil && !c.take(")") {
		err = errors.New("a parenthesis is not closed")
	}
	return inner, err
}

// comparison reads an operator and what to compare with, which ends at any of the
// characters. A value that is not there compares with nothing.
func comparison[M any](s *scanner, read reader[M], end string) (func(M) bool, error) {
	op := ""
	for _, o := range []string{"!=", ">=", "<=", "=", ">", "<"} {
		if s.take(o) {
			op = o
			break
		}
	}
	if op == "" {
		return nil, fmt.Errorf("an operator is missing before %q", s.rest)
	}
	test, err := s.operand(op, end)
	if err != nil {
		return nil, err
	}
	return func(m M) bool {
		value, there := read(m)
		return there && test(value)
	}, nil
}

// operand reads what to compare with: a number, a text, a wildcard or a regular
// expression.
func (s *scanner) operand(op, end string) (func(value any) bool, error) {
	s.skip()
	equal := op == "="
	if !equal && op != "!=" {
		word := strings.TrimSpace(s.word(end))
		n, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number, as %s needs", word, op)
		}
		return func(value any) bool {
			v, ok := numberOf(value)
			return ok && (op == ">" && v > n || op == "<" && v < n || op == ">=" && v >= n || op == "<=" && v <= n)
		}, nil
	}
	if strings.HasPrefix(s.rest, "%") {
		re, err := s.regular()
		if err != nil {
			return nil, err
		}
		return textual(re, nil, equal), nil
	}
	quoted := strings.HasPrefix(s.rest, `"`)
	var word string
	var err error
	if quoted {
		word, err = s.text('"')
	} else if word = strings.TrimSpace(s.word(end)); word == "" {
		err = errors.New("a value is missing")
	}
	if err != nil {
		return nil, err
	}
	if n, err := strconv.ParseFloat(word, 64); err == nil && !quoted {
		return func(value any) bool {
			v, ok := numberOf(value)
			if ok {
				return (v == n) == equal
			}
			_, comparable := textOf(value)
			return comparable && !equal
		}, nil
	}
	return textual(nil, wildcard(word), equal), nil
}

func textual(re *regexp.Regexp, match func(string) bool, equal bool) func(any) bool {
	if re != nil {
		match = re.MatchString
	}
	return func(value any) bool {
		text, ok := textOf(value)
		return ok && match(text) == equal
	}
}
