package apigateway

import (
	"strconv"
	"strings"
)

// PatchOperation changes one thing of what a call is about.
type PatchOperation struct {
	Op    string `json:"op"` // add, remove or replace
	Path  string `json:"path"`
	Value string `json:"value,omitempty"`
	From  string `json:"from,omitempty"`
}

// The operations that are known.
const (
	add     = "add"
	remove  = "remove"
	replace = "replace"
)

// parts is the path: "/variables/a~1b" is "variables", "a/b".
func (p PatchOperation) parts() ([]string, error) {
	if p.Op != add && p.Op != remove && p.Op != replace {
		return nil, invalid("Invalid patch operation %q: it must be add, remove or replace", p.Op)
	}
	if !strings.HasPrefix(p.Path, "/") {
		return nil, p.unknown()
	}
	parts := strings.Split(p.Path[1:], "/")
	for i := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(parts[i])
	}
	return parts, nil
}

func (p PatchOperation) unknown() error {
	return invalid("Invalid patch path %q for the operation %q: it is not known here", p.Path, p.Op)
}

// on sets a switch.
func (p PatchOperation) on(into *bool) error {
	if p.Op == remove {
		*into = false
		return nil
	}
	v, err := strconv.ParseBool(p.Value)
	if err != nil {
		return invalid("Invalid value %q for %s: it must be true or false", p.Value, p.Path)
	}
	*into = v
	return nil
}

// text sets a text.
func (p PatchOperation) text(into *string) error {
	if *into = p.Value; p.Op == remove {
		*into = ""
	}
	return nil
}

// number sets a number that is not negative.
func (p PatchOperation) number(into *float64) error {
	v, err := strconv.ParseFloat(p.Value, 64)
	if err != nil || v < 0 || v > 1e9 {
		return invalid("Invalid value %q for %s: it must be a number that is not negative", p.Value, p.Path)
	}
	*into = v
	return nil
}

// whole sets a whole number that is not negative.
func (p PatchOperation) whole(into *int) error {
	v, err := strconv.Atoi(p.Value)
	if err != nil || v < 0 {
		return invalid("Invalid value %q for %s: it must be a whole number that is not negative", p.Value, p.Path)
	}
	*into = v
	return nil
}
