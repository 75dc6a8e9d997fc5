// Package cloudfront reads what templates say of CloudFront and of AWS WAF and makes
// of it what the edge has.
//
// Properties come as they stand in a template, decoded: maps, lists, texts, numbers
// and booleans, of which templates mix the last three. A property that is there and
// not known is wrong; so is one that would be missed if it did nothing. What can do
// without it is told as having no effect. Who asks knows the lines; here findings
// have the path of a property, such as DistributionConfig.Origins[0].DomainName.
package cloudfront

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/wire"
)

// Finding is what is said of a property.
type Finding struct{ Path, Message string }

func (f Finding) String() string { return strings.TrimPrefix(f.Path+": "+f.Message, ": ") }

// Findings are what reading a resource came to.
type Findings struct {
	Wrong []Finding
	Idle  []Finding // what has no effect here, and why
}

// Err is all that is wrong, with the code that callers of the API know; nil when
// nothing is.
func (f *Findings) Err(code string) error {
	var list []error
	for _, w := range f.Wrong {
		list = append(list, fault.Coded(fault.Invalid, code, "%s", w))
	}
	return errors.Join(list...)
}

func (f *Findings) fail(path, format string, args ...any) {
	f.Wrong = append(f.Wrong, Finding{path, fmt.Sprintf(format, args...)})
}

func (f *Findings) idle(path, why string) {
	f.Idle = append(f.Idle, Finding{path, why})
}

// said takes over what the edge or the firewall says of a thing that has a name.
func (f *Findings) said(path string, err error) {
	if err == nil {
		return
	}
	all := []error{err}
	if joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		all = joined.Unwrap()
	}
	for _, one := range all {
		_, message, _ := strings.Cut(one.Error(), `": `) // after its kind and name
		f.fail(path, "%s", message)
	}
}

// refuse says of a value that is there why it is not supported.
func (f *Findings) refuse(path string, v any, why string) {
	if !wire.Empty(v) {
		f.fail(path, "it is not supported here: %s", why)
	}
}

// need says that something is required.
func (f *Findings) need(path, value string) bool {
	if value == "" {
		f.fail(path, "it is required")
	}
	return value != ""
}
