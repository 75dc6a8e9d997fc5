package logs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// compileJSON reads { $.selector = value && … }. Besides comparisons there are IS
// NULL, IS TRUE, IS FALSE, EXISTS and NOT EXISTS. A message that is no JSON object
// or array matches nothing.
func compileJSON(text string) (func(string) bool, error) {
	inner, ok := strings.CutSuffix(text[1:], "}")
	if !ok {
		return nil, errors.New("} is missing at the end")
	}
	s := &scanner{inner}
	c := &conditions[any]{scanner: s}
	c.one = func() (func(any) bool, error) { return oneOfJSON(s) }
	match, err := c.either()
	if err != nil {
		return nil, err
	}
	if s.skip(); s.rest != "" {
		return nil, fmt.Errorf("%q is not expected", s.rest)
	}
	return func(message string) bool {
		if message = strings.TrimSpace(message); message == "" || message[0] != '{' && message[0] != '[' {
			return false
		}
		dec := json.NewDecoder(strings.NewReader(message))
		dec.UseNumber()
		var doc any
		return dec.Decode(&doc) == nil && !dec.More() && match(doc)
	}, nil
}

// Words after a selector, the longer first.
var states = []struct {
	words string
	holds func(value any, there bool) bool
}{
	{"NOT EXISTS", func(_ any, there bool) bool { return !there }},
	{"EXISTS", func(_ any, there bool) bool { return there }},
	{"IS NULL", func(v any, there bool) bool { return there && v == nil }},
	{"IS TRUE", func(v any, _ bool) bool { return v == true }},
	{"IS FALSE", func(v any, _ bool) bool { return v == false }},
}

func oneOfJSON(s *scanner) (func(any) bool, error) {
	path, err := s.selector()
	if err != nil {
		return nil, err
	}
	read := func(doc any) (any, bool) { return path.find(doc) }
	for _, state := range states {
		if s.take(state.words) {
			return func(doc any) bool { return state.holds(path.find(doc)) }, nil
		}
	}
	if !path.any {
		return comparison(s, read, " \t)&|")
	}
	test, err := comparison(s, func(v any) (any, bool) { return v, true }, " \t)&|")
	if err != nil {
		return nil, err
	}
	return func(doc any) bool {
		for value := range path.all(doc) {
			if test(value) {
				return true
			}
		}
		return false
	}, nil
}

// path is a selector: $.name, $.["a name"], $.list[0], $.list[*].
type path struct {
	steps []step
	any   bool // it has a *
}

type step struct {
	name  string
	index int // with name "": of an array; -1: all of it
}

func (s *scanner) selector() (p path, err error) {
	if !s.take("$") {
		return p, fmt.Errorf("a selector, which begins with $, is missing at %q", s.rest)
	}
	for {
		switch {
		case strings.HasPrefix(s.rest, `.["`), strings.HasPrefix(s.rest, `["`):
			s.rest = s.rest[strings.IndexByte(s.rest, '"'):]
			name, err := s.text('"')
			if err != nil || !strings.HasPrefix(s.rest, "]") {
				return p, errors.New("a selector's [ is not closed")
			}
			s.rest = s.rest[1:]
			p.steps = append(p.steps, step{name: name})
		case strings.HasPrefix(s.rest, "."):
			s.rest = s.rest[1:]
			name := s.word(" \t.[=!<>()&|")
			if name == "" {
				return p, errors.New("a selector has an empty name")
			}
			p.steps = append(p.steps, step{name: name})
		case strings.HasPrefix(s.rest, "["):
			s.rest = s.rest[1:]
			digits := s.word("]")
			if s.rest == "" {
				return p, errors.New("a selector's [ is not closed")
			}
			s.rest = s.rest[1:]
			at := step{index: -1}
			if digits == "*" {
				p.any = true
			} else if at.index, err = strconv.Atoi(digits); err != nil || at.index < 0 {
				return p, fmt.Errorf("%q is no place in an array", digits)
			}
			p.steps = append(p.steps, at)
		default:
			if len(p.steps) == 0 {
				return p, errors.New("a selector names nothing")
			}
			return p, nil
		}
	}
}

// find is the first value that the path leads to.
func (p path) find(doc any) (value any, there bool) {
	for v := range p.all(doc) {
		return v, true
	}
	return nil, false
}

// all yields the values that the path leads to.
func (p path) all(doc any) func(yield func(any) bool) {
	return func(yield func(any) bool) { walk(doc, p.steps, yield) }
}

func walk(v any, steps []step, yield func(any) bool) (more bool) {
	if len(steps) == 0 {
		return yield(v)
	}
	at, rest := steps[0], steps[1:]
	if at.name != "" {
		object, _ := v.(map[string]any)
		inner, there := object[at.name]
		return !there || walk(inner, rest, yield)
	}
	list, _ := v.([]any)
	if at.index >= 0 {
		return at.index >= len(list) || walk(list[at.index], rest, yield)
	}
	for _, inner := range list {
		if !walk(inner, rest, yield) {
			return false
		}
	}
	return true
}

// numberOf is the number that a value of JSON is, or that a field reads as.
func numberOf(value any) (float64, bool) {
	switch v := value.(type) {
	case json.Number:
		n, err := v.Float64()
		return n, err == nil
	case field:
		n, err := strconv.ParseFloat(string(v), 64)
		return n, err == nil
	}
	return 0, false
}

// textOf is the text of a value that has one: neither null nor array nor object.
func textOf(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case field:
		return string(v), true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}
