package spec

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Bounds that no honest file reaches.
const (
	maxText  = 1 << 20 // bytes of one value after variables
	maxDepth = 50      // variables within variables
)

// variables resolves ${...}. A value is resolved when it is read, so that what
// dropstack ignores may use variables it does not know.
type variables struct {
	root   *node
	source *source
	report func(Pos, string)
	done   map[*node]*node
	busy   []*node // being resolved now, outermost first
	// structure works out CloudFormation's functions whose value need not be a string;
	// ok is false when n is none. Optional.
	structure func(n *node) (value *node, ok bool)
}

// structured is a map, or what it comes to when it is such a function.
func (v *variables) structured(n *node) *node {
	if out, ok := v.done[n]; ok {
		return out
	}
	out, ok := v.structure(n)
	if !ok {
		return n
	}
	v.done[n] = out
	return out
}

// errReported stops a resolution whose cause is in the list of problems already.
var errReported = errors.New("reported")

// resolve returns n with its own text resolved: a value that is nothing but one
// variable becomes what the variable stands for, of whatever kind. On failure it
// reports and returns a broken node.
func (v *variables) resolve(n *node) *node {
	if n != nil && n.kind == object && v.structure != nil {
		return v.structured(n)
	}
	if n == nil || n.kind != text || n.literal || !strings.Contains(n.text, "${") {
		return n
	}
	if out, ok := v.done[n]; ok {
		return out
	}
	out, err := v.expandOnce(n)
	if err != nil {
		if !errors.Is(err, errReported) {
			v.report(n.pos, err.Error())
		}
		out = &node{pos: n.pos, kind: broken}
	}
	v.done[n] = out
	return out
}

func (v *variables) expandOnce(n *node) (*node, error) {
	if i := slices.Index(v.busy, n); i >= 0 {
		chain := ""
		for _, b := range v.busy[i:] {
			chain += b.text + " -> "
		}
		return nil, fmt.Errorf("variables go round in a circle: %s%s", chain, n.text)
	}
	if len(v.busy) >= maxDepth {
		return nil, fmt.Errorf("variables are nested more than %d deep", maxDepth)
	}
	v.busy = append(v.busy, n)
	defer func() { v.busy = v.busy[:len(v.busy)-1] }()
	out, err := v.expand(n.text, n.pos)
	if err != nil {
		return nil, err
	}
	if out = v.resolve(out); out.kind == broken {
		return nil, errReported
	}
	return out, nil
}

// variable tells ${env:X} from ${AWS::Region} and ${Name}, which are Fn::Sub's.
var variable = regexp.MustCompile(`^\s*[a-zA-Z][\w-]*(\(|:([^:]|$))`)

func (v *variables) expand(s string, pos Pos) (*node, error) {
	var b strings.Builder
	for rest := s; rest != ""; {
		i := strings.Index(rest, "${")
		if i < 0 {
			b.WriteString(rest)
			break
		}
		if i > 0 && rest[i-1] == '\\' {
			b.WriteString(rest[:i-1] + "${")
			rest = rest[i+2:]
			continue
		}
		b.WriteString(rest[:i])
		end := closing(rest[i+2:])
		if end < 0 {
			return nil, fmt.Errorf("%q has no closing }", rest[i:])
		}
		inner := rest[i+2 : i+2+end]
		whole := i == 0 && b.Len() == 0 && len(rest) == len(s) && end+3 == len(rest)
		rest = rest[i+3+end:]
		if !variable.MatchString(inner) {
			b.WriteString("${" + inner + "}")
			continue
		}
		val, err := v.eval(inner, pos)
		if err != nil || whole {
			return val, err
		}
		if !val.scalar() {
			return nil, fmt.Errorf("${%s} is %s, which does not fit into a string", inner, kindNames[val.kind])
		}
		b.WriteString(val.text)
		if b.Len() > maxText {
			return nil, fmt.Errorf("the value is longer than %d bytes", maxText)
		}
	}
	return &node{pos: pos, kind: text, text: b.String(), literal: true}, nil
}

// closing returns where the } is that ends a variable, -1 if nowhere.
func closing(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "${"):
			depth++
			i++
		case s[i] == '}' && depth == 0:
			return i
		case s[i] == '}':
			depth--
		case s[i] == '\'' || s[i] == '"':
			if end := strings.IndexByte(s[i+1:], s[i]); end >= 0 {
				i += end + 1
			}
		}
	}
	return -1
}

// choices splits "env:X, 'fallback'" at the commas of its own level.
func choices(s string) (out []string) {
	start, depth := 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '{' || c == '(':
			depth++
		case c == '}' || c == ')':
			depth--
		case c == '\'' || c == '"':
			if end := strings.IndexByte(s[i+1:], c); end >= 0 {
				i += end + 1
			}
		case c == ',' && depth == 0:
			out = append(out, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	return append(out, strings.TrimSpace(s[start:]))
}

var numeric = regexp.MustCompile(`^-?\d+(\.\d+)?$`)

// eval returns the first choice that has a value.
func (v *variables) eval(inner string, pos Pos) (*node, error) {
	all := choices(inner)
	for _, c := range all {
		val, err := v.choice(c, pos)
		if err != nil {
			return nil, err
		}
		if val = v.resolve(val); val == nil || val.kind == null {
			continue
		}
		if val.kind == broken {
			return nil, errReported
		}
		return val, nil
	}
	last := all[len(all)-1]
	if len(all) > 1 && last == "null" {
		return &node{pos: pos}, nil
	}
	return nil, fmt.Errorf("${%s} has no value; %s", inner, hint(all[0]))
}

func (v *variables) choice(c string, pos Pos) (*node, error) {
	switch {
	case len(c) >= 2 && (c[0] == '\'' || c[0] == '"') && c[len(c)-1] == c[0]:
		return v.sub(&node{pos: pos, kind: text, text: c[1 : len(c)-1]})
	case c == "null":
		return nil, nil
	case c == "true" || c == "false":
		return &node{pos: pos, kind: boolean, text: c}, nil
	case numeric.MatchString(c):
		return &node{pos: pos, kind: number, text: c}, nil
	case strings.HasPrefix(c, "${"):
		return v.sub(&node{pos: pos, kind: text, text: c})
	case !variable.MatchString(c):
		return nil, fmt.Errorf("%q in a variable is neither a 'quoted string' nor a source such as env:NAME", c)
	}
	address, err := v.sub(&node{pos: pos, kind: text, text: c})
	if err != nil {
		return nil, err
	}
	if !address.scalar() {
		return nil, fmt.Errorf("the address of ${%s} is %s", c, kindNames[address.kind])
	}
	return v.source.fetch(v, address.text, pos)
}

// sub resolves the variables within a part of a variable.
func (v *variables) sub(n *node) (*node, error) {
	if out := v.resolve(n); out.kind != broken {
		return out, nil
	}
	return nil, errReported
}

// lookup follows a dotted path; nil when it leads nowhere.
func (v *variables) lookup(n *node, path string) (*node, error) {
	for path != "" {
		var step string
		step, path, _ = strings.Cut(path, ".")
		switch n = v.resolve(n); n.kind {
		case broken:
			return nil, errReported
		case object:
			n = n.get(step)
		case list:
			n = index(n.items, step)
		default:
			n = nil
		}
		if n == nil {
			return nil, nil
		}
	}
	return n, nil
}

func index(items []*node, step string) *node {
	for i, item := range items {
		if fmt.Sprint(i) == step {
			return item
		}
	}
	return nil
}
