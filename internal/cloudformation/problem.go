package cloudformation

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// Problem is one thing that is wrong with a template.
type Problem struct {
	ID      string // logical, of the resource; "": of the template
	Type    string
	Line    int // of a template in YAML
	Message string
}

func (p Problem) String() string {
	var where []string
	if p.ID != "" {
		at := p.ID
		if p.Type != "" {
			at += " (" + p.Type + ")"
		}
		where = append(where, at)
	}
	if p.Line > 0 {
		where = append(where, fmt.Sprintf("line %d", p.Line))
	}
	if len(where) == 0 {
		return p.Message
	}
	return strings.Join(where, ", ") + ": " + p.Message
}

// Problems is everything that is wrong with a template.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// of adds what is wrong with a resource: each part of a joined error is a problem.
func (p *Problems) of(d *declaration, err error) {
	for _, one := range parts(err) {
		next := Problem{ID: d.ID, Type: d.Type, Line: d.line, Message: one.Error()}
		if !slices.Contains(*p, next) {
			*p = append(*p, next)
		}
	}
}

func (p *Problems) add(line int, format string, args ...any) {
	*p = append(*p, Problem{Line: line, Message: fmt.Sprintf(format, args...)})
}

// err is nil when nothing is wrong.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Invalid, Code: "ValidationError", Err: p}
}

// problemsOf are the problems of an error, nil when it is another.
func problemsOf(err error) Problems {
	list, _ := errors.AsType[Problems](err)
	return list
}

// parts are the errors that were joined.
func parts(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, one := range joined.Unwrap() {
			all = append(all, parts(one)...)
		}
		return all
	}
	return []error{err}
}

// invalid is what AWS calls what is wrong with a request to CloudFormation.
func invalid(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "ValidationError", format, args...)
}
