package logs

import (
	"errors"
	"fmt"
	"strings"
)

// field is a part of a message between spaces, which may be a number.
type field string

// compileFields reads [name, name = value, ...]: one entry a field. Three dots
// stand for any number of fields. What is in "" or [] is one field.
func compileFields(text string) (func(string) bool, error) {
	inner, ok := strings.CutSuffix(text[1:], "]")
	if !ok {
		return nil, errors.New("] is missing at the end")
	}
	var tests []func(field) bool // of one field each
	rest := -1                   // where the dots are
	s := &scanner{inner}
	for s.skip(); ; {
		if s.take("...") {
			if rest >= 0 {
				return nil, errors.New("... stands twice")
			}
			rest = len(tests)
		} else {
			test, err := s.entry()
			if err != nil {
				return nil, err
			}
			tests = append(tests, test)
		}
		if s.skip(); s.rest == "" {
			break
		}
		if !s.take(",") {
			return nil, fmt.Errorf("%q is not expected", s.rest)
		}
	}
	return func(message string) bool {
		fields := split(message)
		if len(fields) < len(tests) || rest < 0 && len(fields) > len(tests) {
			return false
		}
		for i, test := range tests {
			if rest >= 0 && i >= rest { // counted from the end
				i += len(fields) - len(tests)
			}
			if !test(fields[i]) {
				return false
			}
		}
		return true
	}, nil
}

// entry reads the name of a field, and what it must be.
func (s *scanner) entry() (func(field) bool, error) {
	c := &conditions[field]{scanner: s}
	named := false
	c.one = func() (func(field) bool, error) {
		s.skip()
		name := s.word(" \t,=!<>()&|")
		if name == "" {
			return nil, fmt.Errorf("a field's name is missing at %q", s.rest)
		}
		s.skip()
		if s.rest == "" || s.rest[0] == ',' {
			named = true
			return func(field) bool { return true }, nil
		}
		return comparison(s, func(f field) (any, bool) { return f, true }, " \t,)&|")
	}
	test, err := c.either()
	if err == nil && named && c.opened > 0 {
		err = errors.New("a name in parentheses is no condition")
	}
	return test, err
}

// split takes a message apart at its spaces.
func split(message string) []field {
	var list []field
	for message = strings.TrimLeft(message, " \t"); message != ""; message = strings.TrimLeft(message, " \t") {
		end := ""
		switch message[0] {
		case '"':
			end = `"`
		case '[':
			end = "]"
		}
		if end != "" {
			if inner, after, ok := strings.Cut(message[1:], end); ok {
				list = append(list, field(inner))
				message = after
				continue
			}
		}
		i := strings.IndexAny(message, " \t")
		if i < 0 {
			i = len(message)
		}
		list = append(list, field(message[:i]))
		message = message[i:]
	}
	return list
}
