package cloudformation

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// source is a template as values, with the lines on which its parts begin, by
// their path (Resources.Topic).
type source struct {
	root  map[string]any
	lines map[string]int
}

// read reads a template in JSON or YAML.
func read(text string) (*source, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return readJSON(text)
	}
	return readYAML(text)
}

// readJSON reads JSON by its own rules: to YAML, tabs are errors.
func readJSON(text string) (*source, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	s := &source{}
	err := dec.Decode(&s.root)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			return nil, invalid("Template format error: JSON not well-formed. (line %d): there is more after the template", lineAt(text, dec.InputOffset()))
		}
		return s, nil
	}
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		return nil, invalid("Template format error: JSON not well-formed. (line %d): %w", lineAt(text, wrong.Offset), err)
	}
	return nil, invalid("Template format error: JSON not well-formed: %w", err)
}

func lineAt(text string, offset int64) int {
	return 1 + strings.Count(text[:min(int(offset), len(text))], "\n")
}

func readYAML(text string) (*source, error) {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, invalid("Template format error: the template is empty")
		}
		return nil, invalid("Template format error: YAML not well-formed: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	s := &source{lines: map[string]int{}}
	var wrong Problems
	root, ok := s.value(doc.Content[0], "", &wrong).(map[string]any)
	if !ok {
		wrong.add(doc.Content[0].Line, "Template format error: a template is a map of sections, such as Resources")
	}
	s.root = root
	return s, wrong.err()
}

// remembered is how deep paths are whose lines are kept: Resources.ID.Properties.
const remembered = 3

// value is what a node says, in the long form of functions.
func (s *source) value(n *yaml.Node, path string, wrong *Problems) any {
	if strings.Count(path, ".") < remembered {
		s.lines[path] = n.Line
	}
	if n.Kind == yaml.AliasNode {
		wrong.add(n.Line, "Template format error: aliases (*%s) are not supported; write the value again", n.Value)
		return nil
	}
	tag := n.Tag
	if strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!") && tag != "!" {
		return s.short(n, path, wrong)
	}
	switch n.Kind {
	case yaml.MappingNode:
		return s.mapping(n, path, wrong)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = s.value(item, path+"."+strconv.Itoa(i), wrong)
		}
		return list
	default:
		return scalar(n)
	}
}

func (s *source) mapping(n *yaml.Node, path string, wrong *Problems) any {
	m := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch _, twice := m[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			wrong.add(key.Line, "Template format error: a key must be text")
			continue
		case key.Tag == "!!merge":
			wrong.add(key.Line, "Template format error: merges (<<) are not supported; write the keys again")
			continue
		case twice:
			wrong.add(key.Line, "Template format error: %q is there twice", key.Value)
		}
		at := key.Value
		if path != "" {
			at = path + "." + at
		}
		m[key.Value] = s.value(n.Content[i+1], at, wrong)
		if _, kept := s.lines[at]; kept {
			s.lines[at] = key.Line
		}
	}
	return m
}

// shorts are the functions that have a short form, in YAML alone.
var shorts = []string{
	"And", "Base64", "Cidr", "Condition", "Equals", "FindInMap", "ForEach", "GetAZs", "GetAtt", "If", "ImportValue", "Join", "Length",
	"Not", "Or", "Ref", "Select", "Split", "Sub", "ToJsonString", "Transform",
}

// short is a function's short form: !Sub text is {"Fn::Sub": text}.
func (s *source) short(n *yaml.Node, path string, wrong *Problems) any {
	name := n.Tag[1:]
	if !slices.Contains(shorts, name) {
		wrong.add(n.Line, "Template format error: %s is no function; there are !%s", n.Tag, strings.Join(shorts, ", !"))
		return nil
	}
	plain := *n
	switch plain.Tag = ""; n.Kind {
	case yaml.ScalarNode:
		plain.Tag = "!!str"
	case yaml.SequenceNode:
		plain.Tag = "!!seq"
	case yaml.MappingNode:
		plain.Tag = "!!map"
	}
	argument := s.value(&plain, path, wrong)
	switch name {
	case "Ref", "Condition":
		return map[string]any{name: argument}
	case "GetAtt":
		if text, ok := argument.(string); ok {
			id, attribute, _ := strings.Cut(text, ".")
			argument = []any{id, attribute}
		}
	}
	return map[string]any{"Fn::" + name: argument}
}

// scalar is text unless it is a number, a boolean or null. A date stays as it is
// written, and so does what a number would lose: the zeros before an account's.
func scalar(n *yaml.Node) any {
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		if b, err := strconv.ParseBool(strings.ToLower(n.Value)); err == nil {
			return b
		}
	case "!!int", "!!float":
		f, err := strconv.ParseFloat(n.Value, 64)
		if digits := strings.TrimLeft(n.Value, "+-"); err == nil && (len(digits) < 2 || digits[0] != '0' || digits[1] == '.') {
			return f
		}
	}
	return n.Value
}

// line is where a part begins, 0 in JSON.
func (s *source) line(path ...string) int { return s.lines[strings.Join(path, ".")] }

// section is a part of the template that is a map.
func (s *source) section(name string, wrong *Problems) map[string]any {
	v, there := s.root[name]
	if !there || v == nil {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		wrong.add(s.line(name), "Template format error: %s is not a map", name)
	}
	return m
}

func names[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
