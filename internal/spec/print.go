package spec

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/dropstack/dropstack/internal/fault"
)

// Printing says what of a service Print writes, and how.
type Printing struct {
	Path      string // dotted; "": all
	Transform string // "keys": only the keys
	Format    string // yaml, json or text; "": yaml
}

// Print returns a service, or a part of it, with its variables resolved and with
// what the Serverless Framework fills in. What cannot be resolved is an *Error; what
// else is wrong with the service is among the warnings.
func Print(ctx context.Context, path string, o Options, p Printing) (out []byte, warnings []Problem, err error) {
	r, root, err := open(ctx, path, o)
	if err != nil {
		return nil, nil, err
	}
	defer r.vars.source.close()
	if root.kind != object {
		r.service(root)
		return nil, nil, r.err()
	}
	structure := r.vars.structure
	r.vars.structure = nil // CloudFormation's functions are shown, not worked out
	provider := r.vars.resolve(root.get("provider"))
	r.stage(root, provider)
	r.region(root, provider)
	r.dotenv(root)
	r.plugins(r.vars.resolve(root.get("plugins")), r.vars.resolve(root.get("custom")))
	full := r.vars.whole(root, r.otherStages(root))
	if err := r.err(); err != nil {
		return nil, nil, err
	}
	r.fill(full)
	if out, err = p.write(full); err != nil {
		return nil, nil, err
	}
	r.vars.structure = structure
	r.service(root) // for what it warns of
	return out, byPlace(append(r.warnings, r.problems...)), nil
}

// otherStages are the sections of params that this stage does not read.
func (r *reader) otherStages(root *node) []*node {
	var out []*node
	if params := r.vars.resolve(root.get("params")); params != nil {
		for _, f := range params.fields {
			if f.key != r.svc.Stage && f.key != "default" {
				out = append(out, r.vars.resolve(f.value))
			}
		}
	}
	return out
}

// whole copies a value with the variables in it resolved, but for what is raw.
// CloudFormation's functions stay.
func (v *variables) whole(n *node, raw []*node) *node {
	structure := v.structure
	v.structure = nil
	defer func() { v.structure = structure }()
	w := &walker{v: v, raw: raw}
	return w.walk(n)
}

type walker struct {
	v     *variables
	raw   []*node
	above []*node // that hold the present one
	spent int
}

func (w *walker) walk(n *node) *node {
	at := n.pos
	n = w.v.resolve(n)
	if n == nil || n.kind != object && n.kind != list || slices.Contains(w.raw, n) {
		return n
	}
	if w.spent++; w.spent == maxSpent {
		w.v.report(n.pos, "variables make more than "+strconv.Itoa(maxSpent)+" values")
	}
	if slices.Contains(w.above, n) || w.spent >= maxSpent {
		if w.spent < maxSpent {
			w.v.report(at, "variables go round in a circle: this value holds itself; take a part of it")
		}
		return &node{pos: n.pos, kind: broken}
	}
	w.above = append(w.above, n)
	defer func() { w.above = w.above[:len(w.above)-1] }()
	out := &node{pos: n.pos, kind: n.kind}
	for _, f := range n.fields {
		f.value = w.walk(f.value)
		out.fields = append(out.fields, f)
	}
	for _, item := range n.items {
		out.items = append(out.items, w.walk(item))
	}
	return out
}

// broken tells whether some of a value could not be resolved.
func (n *node) broken() bool {
	return n.kind == broken || slices.ContainsFunc(n.items, (*node).broken) ||
		slices.ContainsFunc(n.fields, func(f field) bool { return f.value.broken() })
}

// fill gives a service what the Serverless Framework fills in: the provider as a
// map, lists of functions and resources as maps, names.
func (r *reader) fill(root *node) {
	provider := root.get("provider")
	if provider != nil && provider.kind == text {
		provider = &node{pos: provider.pos, kind: object, fields: []field{{"name", provider.pos, provider}}}
		root.set("provider", provider)
	}
	provider.fallback("stage", plain("dev", root.pos))
	provider.fallback("region", plain(r.svc.Region, root.pos))
	provider.fallback("versionFunctions", constant(true, root.pos))
	for _, key := range []string{"functions", "resources"} {
		if n := root.get(key); n != nil && n.kind == list {
			all := &node{pos: n.pos, kind: object}
			for _, item := range n.items {
				all.merge(item)
			}
			root.set(key, all)
		}
	}
	functions := root.get("functions")
	if functions == nil || functions.kind != object {
		return
	}
	functions.fields = slices.DeleteFunc(functions.fields, func(f field) bool { return f.value.kind == null })
	for _, f := range functions.fields {
		f.value.fallback("events", &node{pos: f.pos, kind: list})
		if service := root.get("service"); service != nil {
			f.value.fallback("name", plain(service.text+"-"+r.svc.Stage+"-"+f.key, f.pos))
		}
	}
}

func (n *node) set(key string, value *node) {
	for i := range n.fields {
		if n.fields[i].key == key {
			n.fields[i].value = value
			return
		}
	}
	n.fields = append(n.fields, field{key, value.pos, value})
}

// fallback sets a key of a map that has no value yet.
func (n *node) fallback(key string, value *node) {
	if n != nil && n.kind == object {
		if now := n.get(key); now == nil || now.kind == null {
			n.set(key, value)
		}
	}
}

// merge takes over what another map holds, and merges the maps that both have.
func (n *node) merge(other *node) {
	if other == nil || other.kind != object {
		return
	}
	for _, f := range other.fields {
		if mine := n.get(f.key); mine != nil && mine.kind == object && f.value.kind == object {
			both := &node{pos: mine.pos, kind: object, fields: slices.Clone(mine.fields)}
			both.merge(f.value)
			n.set(f.key, both)
			continue
		}
		n.set(f.key, f.value)
	}
}

// write picks a part of a resolved service and formats it.
func (p Printing) write(n *node) ([]byte, error) {
	for rest := p.Path; rest != ""; {
		var step string
		step, rest, _ = strings.Cut(rest, ".")
		switch {
		case n.kind == object:
			n = n.get(step)
		case n.kind == list:
			n = index(n, step)
		default:
			n = nil
		}
		if n == nil {
			return nil, fault.Errorf(fault.Invalid, "the service has no %s", p.Path)
		}
	}
	switch p.Transform {
	case "":
	case "keys":
		n = n.keys()
	default:
		return nil, fault.Errorf(fault.Invalid, "--transform is keys, not %q", p.Transform)
	}
	switch p.Format {
	case "json":
		var b bytes.Buffer
		if err := json.Indent(&b, n.json(nil), "", "  "); err != nil {
			return nil, err
		}
		return append(b.Bytes(), '\n'), nil
	case "yaml", "":
		var b bytes.Buffer
		e := yaml.NewEncoder(&b)
		e.SetIndent(2)
		err := e.Encode(n.yaml())
		return b.Bytes(), err
	case "text":
		return n.lines()
	}
	return nil, fault.Errorf(fault.Invalid, "--format is yaml, json or text, not %q", p.Format)
}

func (n *node) keys() *node {
	out := &node{pos: n.pos, kind: list}
	for _, f := range n.fields {
		out.items = append(out.items, plain(f.key, f.pos))
	}
	for i := range n.items {
		out.items = append(out.items, plain(strconv.Itoa(i), n.pos))
	}
	return out
}

// lines is a value, or a list of values, as text.
func (n *node) lines() ([]byte, error) {
	items := n.items
	if n.kind != list {
		items = []*node{n}
	}
	var b bytes.Buffer
	for _, item := range items {
		if !item.scalar() && item.kind != null {
			return nil, fault.Errorf(fault.Invalid, "%s cannot be printed as text; use --path or --transform keys, or another --format", kindNames[item.kind])
		}
		b.WriteString(item.text + "\n")
	}
	return b.Bytes(), nil
}

// json appends a resolved value.
func (n *node) json(b []byte) []byte {
	switch n.kind {
	case object:
		b = append(b, '{')
		for i, f := range n.fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(quoteJSON(b, f.key), ':'), f.value.json(nil)...)
		}
		return append(b, '}')
	case list:
		b = append(b, '[')
		for i, item := range n.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.json(b)
		}
		return append(b, ']')
	case text:
		return quoteJSON(b, n.text)
	case number, boolean:
		if !notFinite.MatchString(n.text) {
			return append(b, n.text...)
		}
	}
	return append(b, "null"...)
}

func quoteJSON(b []byte, s string) []byte {
	var quoted bytes.Buffer
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string has JSON
	return append(b, bytes.TrimSpace(quoted.Bytes())...)
}

var yamlTags = map[kind]string{null: "!!null", boolean: "!!bool", number: "!!float", text: "!!str"}

func (n *node) yaml() *yaml.Node {
	out := &yaml.Node{Kind: yaml.ScalarNode, Tag: yamlTags[n.kind], Value: n.text}
	switch n.kind {
	case null:
		out.Value = "null"
	case number:
		if integer.MatchString(n.text) {
			out.Tag = "!!int"
		}
	case text:
		out.SetString(n.text)
	case object:
		out = &yaml.Node{Kind: yaml.MappingNode}
		for _, f := range n.fields {
			key := &yaml.Node{}
			key.SetString(f.key)
			out.Content = append(out.Content, key, f.value.yaml())
		}
	case list:
		out = &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range n.items {
			out.Content = append(out.Content, item.yaml())
		}
	}
	return out
}
