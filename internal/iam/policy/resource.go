package policy

import (
	"errors"
	"strings"
)

// segments are the parts of an ARN between its first five colons.
type segments [6]string

// split parts an ARN; ok is false for what is none.
func split(s string) (a segments, ok bool) {
	if !strings.HasPrefix(s, "arn:") {
		return a, false
	}
	for i := range 5 {
		a[i], s, ok = strings.Cut(s, ":")
		if !ok {
			return a, false
		}
	}
	a[5] = s
	return a, true
}

// resource is a pattern of ARNs. A wildcard stays within its segment, but for the
// last segment, which holds the resource with whatever colons and slashes it has.
type resource struct {
	text string
	all  bool // "*"
	arn  [6]pattern
	// whole is of a condition's value that begins with a variable, whose value is
	// the ARN.
	whole pattern
}

// compileResource reads "*" or an ARN. One with fewer segments is completed with
// wildcards when it ends in one.
func compileResource(text string, variables bool) (resource, error) {
	r := resource{text: text}
	if text == "*" {
		r.all = true
		return r, nil
	}
	parts := splitOutside(text)
	if parts[0] != "arn" {
		return r, errors.New(`must be an ARN or "*"`)
	}
	if len(parts) < 6 && !strings.HasSuffix(text, "*") {
		return r, errors.New("must be an ARN of the form arn:partition:service:region:account:resource")
	}
	for len(parts) < 6 {
		parts = append(parts, "*")
	}
	for i, part := range parts {
		var err error
		if r.arn[i], err = compile(part, true, variables); err != nil {
			return r, err
		}
	}
	return r, nil
}

// splitOutside parts text at its first five colons that are not inside a ${}.
func splitOutside(text string) []string {
	var parts []string
	from, inside := 0, false
	for i := range len(text) {
		switch {
		case strings.HasPrefix(text[i:], "${"):
			inside = true
		case text[i] == '}':
			inside = false
		case text[i] == ':' && !inside && len(parts) < 5:
			parts = append(parts, text[from:i])
			from = i + 1
		}
	}
	return append(parts, text[from:])
}

// match tells whether an ARN, parted when it is one, matches.
func (r *resource) match(a *segments, isARN bool, keys Keys) bool {
	if r.all {
		return true
	}
	if !isARN {
		return false
	}
	if r.whole.parts != nil {
		return r.matchWhole(a, keys)
	}
	for i := range r.arn {
		if !r.arn[i].match(a[i], false, keys) {
			return false
		}
	}
	return true
}

func (r *resource) matchWhole(a *segments, keys Keys) bool {
	glob, ok := r.whole.resolve(keys)
	want, isARN := split(glob)
	if !ok || !isARN {
		return false
	}
	for i := range want {
		if !match(want[i], a[i], false) {
			return false
		}
	}
	return true
}

// undefined tells whether a variable of the pattern has no value.
func (r *resource) undefined(keys Keys) bool {
	for i := range r.arn {
		if _, ok := r.arn[i].resolve(keys); !ok {
			return true
		}
	}
	return false
}

func (r *resource) variables(yield func(string)) {
	r.whole.variables(yield)
	for i := range r.arn {
		r.arn[i].variables(yield)
	}
}
