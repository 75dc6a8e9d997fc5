package cloudformation

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/dropstack/dropstack/internal/wire"
)

// properties reads the properties of a resource, each as what it is wanted as:
// templates have numbers as strings and strings as numbers. What is wrong is
// collected, so that the author sees all of it at once.
//
// A property that nobody has read is one that the type does not have.
type properties struct {
	values map[string]any
	path   string // "" or "Code."
	read   map[string]bool
	*findings
}

// findings are what reading a resource came to.
type findings struct {
	id      string
	wrong   []error
	without []string // effect
	inner   []*properties
}

func propertiesOf(r Resource) *properties {
	f := &findings{id: r.ID}
	return f.below("", r.Properties)
}

func (f *findings) below(path string, values map[string]any) *properties {
	p := &properties{values: values, path: path, read: map[string]bool{}, findings: f}
	f.inner = append(f.inner, p)
	return p
}

// done is the error of all that is wrong, nil if nothing is; warnings go to the
// plan.
func (p *properties) done(to *plan) error {
	for _, in := range p.inner {
		for _, name := range slices.Sorted(maps.Keys(in.values)) {
			if !in.read[name] {
				in.fail(name, "Encountered unsupported property; remove it")
			}
		}
	}
	for _, message := range p.without {
		to.warnings = append(to.warnings, Warning{p.id, message})
	}
	return errors.Join(p.wrong...)
}

// fail says what is wrong with a property.
func (p *properties) fail(name, format string, args ...any) {
	p.wrong = append(p.wrong, fault.Coded(fault.Invalid, "ValidationError", "%s%s: %w", p.path, name, fmt.Errorf(format, args...)))
}

// get is the value of a property, nil when it is not there.
func (p *properties) get(name string) any {
	p.read[name] = true
	return p.values[name]
}

func (p *properties) has(name string) bool { return p.get(name) != nil }

// known are properties that change nothing here.
func (p *properties) known(names ...string) {
	for _, name := range names {
		p.read[name] = true
	}
}

// idle are properties without an effect, which is said.
func (p *properties) idle(why string, names ...string) {
	for _, name := range names {
		if v := p.get(name); !wire.Empty(v) {
			p.without = append(p.without, p.path+name+" has no effect: "+why)
		}
	}
}

// refuse are properties that would have no effect, and would be missed.
func (p *properties) refuse(why string, names ...string) {
	for _, name := range names {
		if v := p.get(name); !wire.Empty(v) {
			p.fail(name, "it is not supported here: %s", why)
		}
	}
}

// need says which of some properties are missing.
func (p *properties) need(names ...string) {
	for _, name := range names {
		if v := p.get(name); v == nil || v == "" {
			p.fail(name, "it is required")
		}
	}
}

// text reads a string.
func (p *properties) text(name string) string {
	v := p.get(name)
	if v == nil {
		return ""
	}
	s, ok := wire.Plain(v)
	if !ok {
		p.fail(name, "it must be a string")
	}
	return s
}

// choice reads a string that is one of some; the first is what it is unless said.
func (p *properties) choice(name string, choices ...string) string {
	s := p.text(name)
	if s == "" {
		return choices[0]
	}
	if !slices.Contains(choices, s) {
		p.fail(name, "%q is none of %s", s, strings.Join(choices, ", "))
	}
	return s
}

// number reads a whole number from lo to hi; nil when it is not there.
func (p *properties) number(name string, lo, hi int) *int {
	v := p.get(name)
	if v == nil || v == "" {
		return nil
	}
	s, _ := wire.Plain(v)
	n, err := strconv.Atoi(s)
	if err != nil || n < lo || n > hi {
		p.fail(name, "it must be a whole number from %d to %d, not %v", lo, hi, v)
		return nil
	}
	return &n
}

// numberOr is number with what it is unless said.
func (p *properties) numberOr(name string, lo, hi, otherwise int) int {
	if n := p.number(name, lo, hi); n != nil {
		return *n
	}
	return otherwise
}

// decimal reads a number that is not negative.
func (p *properties) decimal(name string) float64 {
	v := p.get(name)
	if v == nil || v == "" {
		return 0
	}
	s, _ := wire.Plain(v)
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0 || math.IsInf(f, 0) || math.IsNaN(f) {
		p.fail(name, "it must be a number, not %v", v)
	}
	return f
}

// flag reads true or false, false unless said.
func (p *properties) flag(name string) bool { return p.flagOr(name, false) }

func (p *properties) flagOr(name string, otherwise bool) bool {
	v := p.get(name)
	if v == nil || v == "" {
		return otherwise
	}
	s, _ := wire.Plain(v)
	switch strings.ToLower(s) {
	case "true", "1":
		return true
	case "false", "0":
		return false
	}
	p.fail(name, "it must be true or false, not %v", v)
	return otherwise
}

// texts reads a list of strings; a string is a list of one.
func (p *properties) texts(name string) (list []string) {
	v := p.get(name)
	if s, ok := wire.Plain(v); ok {
		return []string{s}
	}
	items, ok := v.([]any)
	if !ok && v != nil {
		p.fail(name, "it must be a list of strings")
	}
	for i, item := range items {
		s, ok := wire.Plain(item)
		if !ok {
			p.fail(fmt.Sprintf("%s[%d]", name, i), "it must be a string")
			continue
		}
		list = append(list, s)
	}
	return list
}

// object reads a map, empty when it is not there.
func (p *properties) object(name string) *properties {
	v := p.get(name)
	values, ok := v.(map[string]any)
	if !ok && !wire.Empty(v) {
		p.fail(name, "it must be a map")
	}
	for _, in := range p.inner { // it may be read bit by bit
		if in.path == p.path+name+"." {
			return in
		}
	}
	return p.below(p.path+name+".", values)
}

// each reads a list of maps.
func (p *properties) each(name string) (list []*properties) {
	v := p.get(name)
	items, ok := v.([]any)
	if !ok && !wire.Empty(v) {
		p.fail(name, "it must be a list")
	}
	for i, item := range items {
		at := fmt.Sprintf("%s[%d]", name, i)
		values, ok := item.(map[string]any)
		if !ok {
			p.fail(at, "it must be a map")
			continue
		}
		list = append(list, p.below(p.path+at+".", values))
	}
	return list
}

// pairs reads a map of strings.
func (p *properties) pairs(name string) map[string]string {
	in := p.object(name)
	if len(in.values) == 0 {
		return nil
	}
	out := map[string]string{}
	for key := range in.values {
		out[key] = in.text(key)
	}
	return out
}

// tags reads a list of Key and Value, or a map.
func (p *properties) tags(name string) map[string]string {
	if _, ok := p.get(name).(map[string]any); ok {
		return p.pairs(name)
	}
	var out map[string]string
	for _, tag := range p.each(name) {
		if out == nil {
			out = map[string]string{}
		}
		tag.known("PropagateAtLaunch")
		out[tag.text("Key")] = tag.text("Value")
	}
	return out
}

// json reads what is JSON: a value, or the text of one.
func (p *properties) json(name string) string {
	v := p.get(name)
	if s, ok := v.(string); ok {
		if s != "" && !json.Valid([]byte(s)) {
			p.fail(name, "it is not valid JSON")
		}
		return s
	}
	if v == nil {
		return ""
	}
	doc, err := jsonOf(v)
	if err != nil {
		p.fail(name, "it cannot be written as JSON: %v", err)
	}
	return doc
}

// jsonOf is a value as JSON, with its characters as they are.
func jsonOf(v any) (string, error) {
	var doc strings.Builder
	enc := json.NewEncoder(&doc)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSuffix(doc.String(), "\n"), err
}

// document reads a policy. Operators of conditions that name no key, which the
// Serverless Framework writes, say nothing and are left out.
func (p *properties) document(name string, kind policy.Kind) string {
	var doc map[string]any
	if text := p.json(name); text == "" || json.Unmarshal([]byte(text), &doc) != nil {
		p.fail(name, "it must be a policy")
		return ""
	}
	statements, ok := doc["Statement"].([]any)
	if !ok {
		statements = []any{doc["Statement"]}
	}
	for _, s := range statements {
		if s, ok := s.(map[string]any); ok {
			sweep(s)
		}
	}
	text, err := jsonOf(doc)
	if err == nil {
		_, err = policy.Parse(kind, text)
	}
	if err != nil {
		p.fail(name, "%v", err)
	}
	return text
}

func sweep(statement map[string]any) {
	conditions, ok := statement["Condition"].(map[string]any)
	if !ok {
		return
	}
	maps.DeleteFunc(conditions, func(_ string, keys any) bool { return wire.Empty(keys) })
	if len(conditions) == 0 {
		delete(statement, "Condition")
	}
}
