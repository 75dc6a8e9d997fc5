package spec

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
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
		if out.kind == object && v.structure != nil {
			return v.structured(out)
		}
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
		return nil, fmt.Errorf("variables go round in a circle: %s%s; write the value of one of them", chain, n.text)
	}
	if len(v.busy) >= maxDepth {
		return nil, fmt.Errorf("variables are nested more than %d deep", maxDepth)
	}
	v.busy = append(v.busy, n)
	defer func() { v.busy = v.busy[:len(v.busy)-1] }()
	pieces, err := parseVariables(n.text)
	if err != nil {
		return nil, err
	}
	out, err := v.join(pieces, n.pos)
	if err != nil {
		return nil, err
	}
	if out = v.resolve(out); out.kind == broken {
		return nil, errReported
	}
	return out, nil
}

// join makes one value of pieces. What a variable brings into a string has been
// resolved by itself, so that no variable arises from two that meet.
func (v *variables) join(pieces []piece, pos Pos) (*node, error) {
	if len(pieces) == 1 && pieces[0].variable != nil {
		return v.eval(pieces[0].variable, pos)
	}
	var b strings.Builder
	for _, p := range pieces {
		if p.variable == nil {
			b.WriteString(p.text)
			continue
		}
		val, err := v.eval(p.variable, pos)
		if err != nil {
			return nil, err
		}
		if !val.scalar() {
			return nil, fmt.Errorf("${%s} is %s, which does not fit into a string", p.variable.text, kindNames[val.kind])
		}
		if b.WriteString(val.text); b.Len() > maxText {
			return nil, fmt.Errorf("the value is longer than %d bytes", maxText)
		}
	}
	return plain(b.String(), pos), nil
}

// eval returns the first choice that has a value.
func (v *variables) eval(ref *reference, pos Pos) (*node, error) {
	for _, c := range ref.choices {
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
	if last := ref.choices[len(ref.choices)-1]; last.kind == "" {
		return &node{pos: pos}, nil // null, as it is written
	}
	return nil, fmt.Errorf("${%s} has no value; %s", ref.text, v.source.hint(ref.choices[0]))
}

func (v *variables) choice(c choice, pos Pos) (*node, error) {
	switch c.kind {
	case "":
		return constant(c.value, pos), nil
	case "${":
		return v.join(c.address.pieces, pos)
	}
	a := address{kind: c.kind, text: c.text, pos: pos}
	for _, o := range c.params {
		param, err := v.operand(c, o, pos)
		if err != nil {
			return nil, err
		}
		a.params = append(a.params, param)
	}
	var err error
	if a.key, err = v.operand(c, c.address, pos); err != nil {
		return nil, err
	}
	return v.source.fetch(v, a)
}

// operand is a parameter or an address as a string.
func (v *variables) operand(c choice, o operand, pos Pos) (string, error) {
	n, err := v.join(o.pieces, pos)
	if err != nil {
		return "", err
	}
	switch n = v.resolve(n); {
	case n.kind == broken:
		return "", errReported
	case !n.scalar():
		return "", fmt.Errorf("the address of ${%s} is %s", c.text, kindNames[n.kind])
	}
	return n.text, nil
}

// constant is a value written into a variable. Variables within a quoted string
// are resolved.
func constant(value any, pos Pos) *node {
	switch value := value.(type) {
	case string:
		return &node{pos: pos, kind: text, text: value}
	case bool:
		return &node{pos: pos, kind: boolean, text: strconv.FormatBool(value)}
	case float64:
		return &node{pos: pos, kind: number, text: formatNumber(value)}
	}
	return &node{pos: pos}
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
			n = index(n, step)
		default:
			n = nil
		}
		if n == nil {
			return nil, nil
		}
	}
	return n, nil
}

// index returns an item of a list, or how many there are.
func index(n *node, step string) *node {
	if step == "length" {
		return &node{pos: n.pos, kind: number, text: strconv.Itoa(len(n.items))}
	}
	for i, item := range n.items {
		if strconv.Itoa(i) == step {
			return item
		}
	}
	return nil
}
