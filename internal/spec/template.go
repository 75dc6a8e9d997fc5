package spec

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

// template is what the fragment of CloudFormation under resources says besides its
// resources. Conditions, mappings and parameters are worked out as the file is
// read: a value that depends on them is what it comes to, wherever it stands.
type template struct {
	conditions, parameters map[string]field
	mappings               map[string]*node
	given                  map[string]*node // provider.stackParameters
	decided                map[string]bool
	deciding               []string // conditions, outermost first
}

// fragment takes note of conditions, mappings and parameters, before anything that
// may depend on them is read.
func (r *reader) fragment(n *node) {
	n = r.vars.resolve(n)
	if n == nil {
		return
	}
	if n.kind == list {
		for _, item := range n.items {
			r.fragment(item)
		}
		return
	}
	for _, part := range []struct {
		key  string
		keep func(field)
	}{
		{"Conditions", func(f field) { r.template.conditions[f.key] = f }},
		{"Parameters", func(f field) { r.template.parameters[f.key] = f }},
		{"Mappings", func(f field) { r.template.mappings[f.key] = f.value }},
	} {
		if v := r.vars.resolve(n.get(part.key)); v != nil && v.kind != null && r.is(v, object, "resources."+part.key) {
			for _, f := range v.fields {
				part.keep(f)
			}
		}
	}
}

// stackParameters reads provider.stackParameters: values for Parameters.
func (r *reader) stackParameters(n *node) {
	const what = "provider.stackParameters"
	r.each(n, what, func(item *node) {
		var key string
		var value *node
		r.object(item, what, keys{
			"ParameterKey":   func(v *node) { key = r.str(v, what+".ParameterKey") },
			"ParameterValue": set(&value), "UsePreviousValue": nil, "ResolvedValue": nil,
		}, effects{})
		if key != "" && value != nil {
			r.template.given[key] = value
		}
	})
}

// parameter is what Ref gives for a parameter; ok is false when there is none.
func (r *reader) parameter(id string, pos Pos) (value string, ok bool) {
	f, ok := r.template.parameters[id]
	if !ok {
		return "", false
	}
	what := "resources.Parameters." + id
	v := r.template.given[id]
	if v == nil {
		v = r.vars.resolve(f.value).get("Default")
	}
	if v == nil {
		r.fail(pos, "%s has no Default, and provider.stackParameters gives it no value", what)
		return "", true
	}
	return r.value(v, what), true
}

// conditional tells whether a resource or a function whose condition is n is there.
func (r *reader) conditional(n *node, what string) bool {
	if n = r.vars.resolve(n); n == nil || n.kind == null || n.kind == broken {
		return true
	}
	return r.condition(r.str(n, what), n.pos, what)
}

// condition tells whether a condition holds.
func (r *reader) condition(name string, pos Pos, what string) bool {
	if holds, done := r.template.decided[name]; done {
		return holds
	}
	f, ok := r.template.conditions[name]
	switch {
	case !ok:
		r.fail(pos, "%s: there is no condition %q under resources.Conditions", what, name)
		return true
	case slices.Contains(r.template.deciding, name):
		r.fail(f.pos, "condition %s depends on itself", name)
		return true
	}
	r.template.deciding = append(r.template.deciding, name)
	holds := r.holds(f.value, "condition "+name)
	r.template.deciding = r.template.deciding[:len(r.template.deciding)-1]
	r.template.decided[name] = holds
	return holds
}

// holds works out a condition.
func (r *reader) holds(n *node, what string) bool {
	n = r.vars.resolve(n)
	if n.kind == broken || !r.spend(n) {
		return true
	}
	if n.scalar() && (n.text == "true" || n.text == "false") {
		return n.text == "true"
	}
	if n.kind != object || len(n.fields) != 1 {
		r.fail(n.pos, "%s must be one of Fn::Equals, Fn::And, Fn::Or, Fn::Not and Condition", what)
		return true
	}
	f := n.fields[0]
	arg := r.vars.resolve(f.value)
	if f.key == "Condition" {
		return r.condition(r.str(arg, what), arg.pos, what)
	}
	if !r.is(arg, list, what+": "+f.key) {
		return true
	}
	parts := func() (held int) {
		for _, item := range arg.items {
			if r.holds(item, what) {
				held++
			}
		}
		return held
	}
	switch {
	case f.key == "Fn::Equals" && len(arg.items) == 2:
		return r.value(arg.items[0], what) == r.value(arg.items[1], what)
	case f.key == "Fn::Not" && len(arg.items) == 1:
		return parts() == 0
	case f.key == "Fn::And" && len(arg.items) > 0:
		return parts() == len(arg.items)
	case f.key == "Fn::Or" && len(arg.items) > 0:
		return parts() > 0
	}
	r.fail(f.pos, "%s: %s with %d items is no condition; known are Fn::Equals of two, Fn::Not of one, Fn::And, Fn::Or and Condition", what, f.key, len(arg.items))
	return true
}

// structural are the functions whose value need not be a string.
var structural = map[string]func(*reader, *node) *node{
	"Fn::If":        (*reader).ifElse,
	"Fn::FindInMap": (*reader).findInMap,
	"Fn::Select":    (*reader).pick,
	"Fn::Split":     (*reader).split,
}

// structure works out a map that is such a function; ok is false when n is none.
func (r *reader) structure(n *node) (value *node, ok bool) {
	if n.kind != object || len(n.fields) != 1 {
		return nil, false
	}
	work := structural[n.fields[0].key]
	if work == nil {
		return nil, false
	}
	arg := r.vars.resolve(n.fields[0].value)
	if arg.kind == broken || !r.spend(n) {
		return &node{pos: n.pos, kind: broken}, true
	}
	if value = work(r, arg); value == nil {
		value = &node{pos: n.pos, kind: broken}
	}
	return value, true
}

// args are the items of a function's list, nil when they are not as many.
func (r *reader) args(n *node, name string, count int, form string) []*node {
	if n.kind != list || len(n.items) != count {
		r.fail(n.pos, "%s wants %s", name, form)
		return nil
	}
	return n.items
}

func (r *reader) ifElse(n *node) *node {
	args := r.args(n, "Fn::If", 3, "a condition and two values")
	if args == nil {
		return nil
	}
	branch := args[2]
	if r.condition(r.str(args[0], "Fn::If"), args[0].pos, "Fn::If") {
		branch = args[1]
	}
	if branch = r.vars.resolve(branch); branch.kind == object && len(branch.fields) == 1 && branch.fields[0].key == "Ref" && branch.fields[0].value.text == "AWS::NoValue" {
		return &node{pos: branch.pos}
	}
	return branch
}

func (r *reader) findInMap(n *node) *node {
	args := r.args(n, "Fn::FindInMap", 3, "the name of a mapping and two keys")
	if args == nil {
		return nil
	}
	name := r.value(args[0], "Fn::FindInMap")
	found := r.vars.resolve(r.template.mappings[name])
	for _, key := range args[1:] {
		k := r.value(key, "Fn::FindInMap")
		if found == nil || found.kind != object || found.get(k) == nil {
			r.fail(key.pos, "Fn::FindInMap: the mapping %q has no such key as %q", name, k)
			return nil
		}
		found = r.vars.resolve(found.get(k))
	}
	return found
}

func (r *reader) pick(n *node) *node {
	args := r.args(n, "Fn::Select", 2, "an index and a list")
	if args == nil {
		return nil
	}
	from := r.vars.resolve(args[1])
	if from.kind == object { // a list that is a parameter's
		from = commas(r.value(from, "Fn::Select"), from.pos)
	}
	i, err := strconv.Atoi(r.value(args[0], "Fn::Select"))
	if err != nil || from.kind != list || i < 0 || i >= len(from.items) {
		if from.kind != broken {
			r.fail(n.pos, "Fn::Select: there is no item %s in a list of %d", args[0].text, len(from.items))
		}
		return nil
	}
	return r.vars.resolve(from.items[i])
}

func (r *reader) split(n *node) *node {
	args := r.args(n, "Fn::Split", 2, "a separator and a string")
	if args == nil {
		return nil
	}
	out := &node{pos: n.pos, kind: list}
	for part := range strings.SplitSeq(r.value(args[1], "Fn::Split"), r.str(args[0], "Fn::Split")) {
		out.items = append(out.items, plain(part, n.pos))
	}
	return out
}

// commas is a list as parameters write it.
func commas(s string, pos Pos) *node {
	out := &node{pos: pos, kind: list}
	for part := range strings.SplitSeq(s, ",") {
		out.items = append(out.items, plain(strings.TrimSpace(part), pos))
	}
	return out
}

// imported is what Fn::ImportValue gives.
func (r *reader) imported(n *node, what string) string {
	name := r.value(n, what)
	if name == "" {
		return ""
	}
	if i, asked := slices.BinarySearch(r.svc.Imports, name); !asked {
		r.svc.Imports = slices.Insert(r.svc.Imports, i, name)
	}
	ask := r.vars.source.opts.Import
	if ask == nil {
		r.fail(n.pos, "%s: Fn::ImportValue %s: no platform is there to ask for the export", what, name)
		return ""
	}
	value, ok, err := ask(name)
	switch {
	case err != nil:
		r.fail(n.pos, "%s: Fn::ImportValue %s: %v", what, name, err)
	case !ok:
		r.fail(n.pos, "%s: no stack exports %q; deploy the one that does first", what, name)
	}
	return value
}

func (r *reader) base64(n *node, what string) string {
	return base64.StdEncoding.EncodeToString([]byte(r.value(n, what)))
}
