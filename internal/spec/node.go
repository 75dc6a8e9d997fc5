package spec

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	list
	object
	broken // could not be read or resolved, and has been reported
)

var kindNames = [...]string{"nothing", "true or false", "a number", "a string", "a list", "a map", "nothing"}

// node is a YAML value with its place. Anchors and merge keys are followed;
// CloudFormation's short tags have become their long form ({Ref: x}).
type node struct {
	pos     Pos
	kind    kind
	text    string // of scalars
	literal bool   // "${" in text stands for itself
	items   []*node
	fields  []field
}

type field struct {
	key   string
	pos   Pos
	value *node
}

func (n *node) scalar() bool { return n.kind >= boolean && n.kind <= text }

// get returns the value of a key, or nil.
func (n *node) get(key string) *node {
	for _, f := range n.fields {
		if f.key == key {
			return f.value
		}
	}
	return nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:unmarshal errors:\n\s*)?line (\d+): `)

// yamlBlock are errors for which the library gives the line, counted from 0, at
// which the block around them begins, or for the outermost block their own.
var yamlBlock = regexp.MustCompile(`^did not find expected (node content|'-' indicator|key|',' or)`)

// parse reads one YAML or JSON document.
func parse(file string, data []byte) (*node, []Problem) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, []Problem{syntaxProblem(file, data, err)}
	}
	p := &parser{file: file, seen: map[*yaml.Node]*node{}}
	if len(doc.Content) == 0 {
		return &node{pos: Pos{File: file, Line: 1}}, nil
	}
	return p.node(doc.Content[0]), p.problems
}

// syntaxProblem words an error of the YAML library with its line. A tab that
// indents is named first: it is the usual cause, and the library's words for it
// help nobody.
func syntaxProblem(file string, data []byte, err error) Problem {
	for i, line := range strings.Split(string(data), "\n") {
		body := strings.TrimLeft(line, " \t")
		if indent := line[:len(line)-len(body)]; strings.TrimSpace(body) != "" && strings.Contains(indent, "\t") {
			return Problem{Pos{file, i + 1, strings.Index(indent, "\t") + 1}, "tab indents; YAML wants spaces"}
		}
	}
	pos, message := Pos{File: file, Line: 1}, err.Error()
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil {
			pos.Line = line
		}
		message = message[len(m[0]):]
		if yamlBlock.MatchString(message) {
			pos.Line++
			message += " (here or further down in this block)"
		}
	}
	return Problem{pos, "not valid YAML: " + strings.TrimPrefix(message, "yaml: ")}
}

type parser struct {
	file     string
	problems []Problem
	seen     map[*yaml.Node]*node // what anchors stand for; nil while being read
}

func (p *parser) pos(n *yaml.Node) Pos { return Pos{p.file, n.Line, n.Column} }

func (p *parser) fail(n *yaml.Node, format string, args ...any) *node {
	p.problems = append(p.problems, Problem{p.pos(n), fmt.Sprintf(format, args...)})
	return &node{pos: p.pos(n), kind: broken}
}

func (p *parser) node(n *yaml.Node) *node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if done, ok := p.seen[n]; ok {
		if done == nil {
			return p.fail(n, "anchor &%s contains itself; remove the alias", n.Anchor)
		}
		return done
	}
	p.seen[n] = nil
	out := p.value(n)
	if tag := n.ShortTag(); strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!") {
		out = intrinsic(tag[1:], out)
	}
	p.seen[n] = out
	return out
}

func (p *parser) value(n *yaml.Node) *node {
	out := &node{pos: p.pos(n), text: n.Value}
	switch n.Kind {
	case yaml.SequenceNode:
		out.kind = list
		for _, c := range n.Content {
			out.items = append(out.items, p.node(c))
		}
	case yaml.MappingNode:
		out.kind = object
		p.object(n, out)
	default:
		out.kind, out.text = scalar(n)
	}
	return out
}

func scalar(n *yaml.Node) (kind, string) {
	switch n.ShortTag() {
	case "!!null":
		return null, ""
	case "!!bool":
		return boolean, strings.ToLower(n.Value)
	case "!!int", "!!float":
		return numeral(n.Value)
	}
	return text, n.Value
}

// numeral is a number of YAML 1.2 as JavaScript writes it. Digits are kept, all of
// them; what only YAML 1.1 takes for a number is a string.
func numeral(s string) (kind, string) {
	switch digits := strings.TrimLeft(strings.TrimLeft(s, "+-"), "0"); {
	case integer.MatchString(s) && digits == "":
		return number, "0"
	case integer.MatchString(s):
		if s[0] == '-' {
			return number, "-" + digits
		}
		return number, digits
	}
	if n, ok := jsNumber(s); ok {
		return number, formatNumber(n)
	}
	if notFinite.MatchString(s) {
		return number, s
	}
	return text, s
}

var (
	integer   = regexp.MustCompile(`^[+-]?\d+$`)
	notFinite = regexp.MustCompile(`(?i)^[+-]?\.(inf|nan)$`)
)

func (p *parser) object(n *yaml.Node, out *node) {
	lines := map[string]int{}
	var merged []*node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		switch {
		case k.Kind != yaml.ScalarNode:
			p.fail(k, "a key must be a plain word")
		case k.ShortTag() == "!!merge":
			m := p.node(v)
			if m.kind == list {
				merged = append(merged, m.items...)
			} else {
				merged = append(merged, m)
			}
		case lines[k.Value] != 0:
			p.fail(k, "key %q is there twice; the first is in line %d: remove one", k.Value, lines[k.Value])
		default:
			lines[k.Value] = k.Line
			out.fields = append(out.fields, field{k.Value, p.pos(k), p.node(v)})
		}
	}
	for _, m := range merged {
		if m.kind != object && m.kind != broken {
			p.fail(n, "<< merges maps, not %s", kindNames[m.kind])
		}
		for _, f := range m.fields {
			if lines[f.key] == 0 {
				lines[f.key] = f.pos.Line
				out.fields = append(out.fields, f)
			}
		}
	}
}

// intrinsic turns !Ref x into {Ref: x} and so on.
func intrinsic(tag string, arg *node) *node {
	key := "Fn::" + tag
	switch tag {
	case "Ref", "Condition":
		key = tag
	case "GetAtt":
		if name, att, ok := strings.Cut(arg.text, "."); ok && arg.kind == text {
			arg = &node{pos: arg.pos, kind: list, items: []*node{
				{pos: arg.pos, kind: text, text: name}, {pos: arg.pos, kind: text, text: att},
			}}
		}
	}
	return &node{pos: arg.pos, kind: object, fields: []field{{key, arg.pos, arg}}}
}
