package topic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// Scopes of a filter policy.
const (
	ScopeAttributes = "MessageAttributes" // the default
	ScopeBody       = "MessageBody"
)

// Limits of a filter policy, as AWS documents them.
const (
	maxPolicy       = 256 << 10 // bytes
	maxPolicyKeys   = 5         // at the top; nested ones do not count
	maxCombinations = 150
	maxPolicyDepth  = 64 // ours: AWS names none
)

// Filter is a compiled filter policy: it decides which messages a subscription
// gets. All fields of a policy must match; of a field, any of its values. The nil
// Filter lets everything through.
type Filter struct {
	body bool
	all  group
}

// group is what an object of the policy asks for: all fields, and of each $or one
// alternative.
type group struct {
	fields []field
	ors    [][]group
}

// field is what a policy asks of one name: any matcher of a leaf, or the group of
// an object.
type field struct {
	name   string
	leaf   []matcher
	nested *group
}

// refusal is why a policy is none, in AWS's words, which are sentences.
func refusal(format string, args ...any) error { return badPolicy(fmt.Sprintf(format, args...)) }

type badPolicy string

func (p badPolicy) Error() string { return string(p) }

// CheckFilter says what is wrong with a filter policy, fault.Invalid. An empty
// scope is MessageAttributes.
func CheckFilter(policy, scope string) error {
	_, err := compileFilter(policy, scope)
	if err != nil {
		return fault.Coded(fault.Invalid, "InvalidParameter", "FilterPolicy: %w", err)
	}
	return nil
}

// compileFilter reads a policy. None, and the empty one, filter nothing.
func compileFilter(policy, scope string) (*Filter, error) {
	if policy == "" {
		return nil, nil
	}
	if len(policy) > maxPolicy {
		return nil, refusal("%d bytes, at most %d", len(policy), maxPolicy)
	}
	doc, err := decodeNumbers([]byte(policy))
	if err != nil {
		return nil, refusal("failed to parse JSON: %v", err)
	}
	root, ok := doc.(map[string]any)
	if !ok {
		return nil, refusal("Filter policy must be a JSON object")
	}
	if len(root) == 0 {
		return nil, nil
	}
	f := &Filter{body: scope == ScopeBody}
	if n := countKeys(root); n > maxPolicyKeys {
		return nil, refusal("Filter policy can not have more than %d keys, this one has %d", maxPolicyKeys, n)
	}
	c := compiler{body: f.body}
	combinations := 0
	if f.all, combinations, err = c.group(root, 1); err != nil {
		return nil, err
	}
	if combinations > maxCombinations {
		return nil, refusal("Filter policy is too complex: %d combinations of values, at most %d", combinations, maxCombinations)
	}
	if c.points > maxWildcardPoints {
		return nil, refusal("Filter policy is too complex: %d points for wildcards, at most %d", c.points, maxWildcardPoints)
	}
	return f, nil
}

// decodeNumbers decodes exactly one JSON value; numbers stay as written.
func decodeNumbers(doc []byte) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON value")
	}
	return v, nil
}

// alternatives returns the objects of an $or. It is one where it is an array of
// two objects or more; elsewhere $or is a name like any other.
func alternatives(name string, v any) (list []map[string]any, ok bool) {
	items, isList := v.([]any)
	if name != "$or" || !isList || len(items) < 2 {
		return nil, false
	}
	for _, item := range items {
		o, isObject := item.(map[string]any)
		if !isObject || len(o) == 0 {
			return nil, false
		}
		for key := range o {
			if operators[key] != nil || key == "exists" {
				return nil, false
			}
		}
		list = append(list, o)
	}
	return list, true
}

// countKeys counts the names at the top of a policy, those of an $or with them.
func countKeys(root map[string]any) int {
	names := map[string]bool{}
	var add func(o map[string]any)
	add = func(o map[string]any) {
		for name, v := range o {
			if list, ok := alternatives(name, v); ok {
				for _, o := range list {
					add(o)
				}
				continue
			}
			names[name] = true
		}
	}
	add(root)
	return len(names)
}

// compiler compiles one policy.
type compiler struct {
	body   bool
	points int // for wildcards
}

// group compiles an object at a depth. The number is how many combinations of
// values it stands for: values of fields multiply, and those of the alternatives
// of an $or add up. A value counts as often as it is deep.
func (c *compiler) group(o map[string]any, depth int) (g group, combinations int, err error) {
	if depth > maxPolicyDepth {
		return group{}, 0, refusal("Filter policy is too complex: over %d levels", maxPolicyDepth)
	}
	combinations = 1
	times := func(n int) { combinations = min(combinations*n, 1<<20) } // no overflow
	for name, v := range o {
		if list, ok := alternatives(name, v); ok {
			var or []group
			sum := 0
			for _, o := range list {
				one, n, err := c.group(o, depth)
				if err != nil {
					return group{}, 0, err
				}
				or, sum = append(or, one), sum+n
			}
			g.ors = append(g.ors, or)
			times(sum)
			continue
		}
		f, n, err := c.field(name, v, depth)
		if err != nil {
			return group{}, 0, err
		}
		g.fields = append(g.fields, f)
		times(n)
	}
	return g, combinations, nil
}

func (c *compiler) field(name string, v any, depth int) (f field, combinations int, err error) {
	f.name = name
	switch v := v.(type) {
	case []any:
		if len(v) == 0 {
			return f, 0, refusal("Empty arrays are not allowed")
		}
		for _, item := range v {
			m, err := c.matcher(item)
			if err != nil {
				return f, 0, fmt.Errorf("%w (at %q)", err, name)
			}
			f.leaf = append(f.leaf, m)
		}
		return f, len(v) * depth, nil
	case map[string]any:
		if !c.body {
			return f, 0, refusal("Filter policy scope MessageAttributes does not support nested filter policy")
		}
		if len(v) == 0 {
			return f, 0, refusal("Empty objects are not allowed (at %q)", name)
		}
		nested, n, err := c.group(v, depth+1)
		f.nested = &nested
		return f, n, err
	}
	return f, 0, refusal("%q must be an object or an array", name)
}

// Match reports whether a message with these attributes and this body passes.
func (f *Filter) Match(attributes map[string]Attribute, body string) bool {
	if f == nil {
		return true
	}
	if !f.body {
		return f.all.match(values(attributes))
	}
	doc, err := decodeNumbers([]byte(body))
	if err != nil {
		return false
	}
	o, ok := doc.(map[string]any)
	return ok && f.all.match(o)
}

// values are attributes as a filter sees them: without the binary ones.
func values(attributes map[string]Attribute) map[string]any {
	out := map[string]any{}
	for name, a := range attributes {
		switch {
		case a.Type == "String.Array":
			if list, err := decodeNumbers([]byte(a.Value)); err == nil {
				out[name] = list
			}
		case kind(a.Type) == "Number":
			out[name] = json.Number(strings.TrimPrefix(a.Value, "+"))
		case kind(a.Type) == "String":
			out[name] = a.Value
		}
	}
	return out
}

func (g *group) match(o map[string]any) bool {
	for _, f := range g.fields {
		if !f.match(o[f.name], o) {
			return false
		}
	}
	for _, or := range g.ors {
		if !anyGroup(or, o) {
			return false
		}
	}
	return true
}

func anyGroup(list []group, o map[string]any) bool {
	for _, g := range list {
		if g.match(o) {
			return true
		}
	}
	return false
}

func (f *field) match(v any, in map[string]any) bool {
	if f.nested != nil {
		return f.nested.within(v)
	}
	var scalars []any
	if _, there := in[f.name]; there {
		scalars = leaves(v, nil)
	}
	for _, m := range f.leaf {
		if m.absent != nil {
			if *m.absent == (len(scalars) == 0) {
				return true
			}
			continue
		}
		for _, s := range scalars {
			if m.is(s) {
				return true
			}
		}
	}
	return false
}

// within matches an object, or any object of an array. What is neither has no
// names, which is what exists: false asks for.
func (g *group) within(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return g.match(v)
	case []any:
		for _, item := range v {
			if g.within(item) {
				return true
			}
		}
		if len(v) > 0 {
			return false
		}
	}
	return g.match(nil)
}

// leaves appends the scalars of a value and of the arrays in it. Objects have none.
func leaves(v any, list []any) []any {
	switch v := v.(type) {
	case map[string]any:
	case []any:
		for _, item := range v {
			list = leaves(item, list)
		}
	default:
		list = append(list, v)
	}
	return list
}
