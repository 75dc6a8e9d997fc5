package pattern

import (
	"maps"
	"slices"
	"strings"
)

// object is what a pattern asks of an object of the event. names are all members
// that it looks at, those of alternatives too, each with its slot.
type object struct {
	names map[string]int
	need
}

// need is what must hold: every field, and of each $or one alternative.
type need struct {
	fields []field
	ors    [][]need
}

// field is what is asked of one member: any of a leaf's tests, or an object.
type field struct {
	slot   int
	leaf   *leaf
	nested *object
}

// leaf is the array of a pattern: any of what is in it may hold.
type leaf struct {
	there, absent bool                // {"exists": …}
	texts         map[string]struct{} // strings to be equal to
	tests         []test
}

// compiler compiles one pattern; path is where it is.
type compiler struct{ path []string }

func (c *compiler) at(err error) error {
	return refusal("%w (at %q)", err, strings.Join(c.path, "."))
}

// object compiles an object. The number is how many combinations its alternatives
// make.
func (c *compiler) object(o map[string]any) (object, int, error) {
	out := object{names: map[string]int{}}
	n, combinations, err := c.need(o, out.names)
	out.need = n
	return out, combinations, err
}

func (c *compiler) need(o map[string]any, names map[string]int) (n need, combinations int, err error) {
	if len(o) == 0 {
		return need{}, 0, c.at(refusal("Empty objects are not allowed"))
	}
	if len(c.path) > maxDepth {
		return need{}, 0, refusal("Rule is too complex: over %d levels", maxDepth)
	}
	combinations = 1
	times := func(n int) { combinations = min(combinations*n, 1<<20) } // no overflow
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if list, ok := alternatives(name, o[name]); ok {
			var or []need
			sum := 0
			for _, o := range list {
				one, count, err := c.need(o, names)
				if err != nil {
					return need{}, 0, err
				}
				or, sum = append(or, one), sum+count
			}
			n.ors = append(n.ors, or)
			times(sum)
			continue
		}
		slot, known := names[name]
		if !known {
			slot = len(names)
			names[name] = slot
		}
		c.path = append(c.path, name)
		f, count, err := c.field(slot, o[name])
		if err != nil {
			return need{}, 0, err
		}
		c.path = c.path[:len(c.path)-1]
		n.fields = append(n.fields, f)
		times(count)
	}
	return n, combinations, nil
}

func (c *compiler) field(slot int, v any) (f field, combinations int, err error) {
	f.slot = slot
	switch v := v.(type) {
	case map[string]any:
		nested, count, err := c.object(v)
		f.nested = &nested
		return f, count, err
	case []any:
		f.leaf, err = newLeaf(v)
		if err != nil {
			return f, 0, c.at(err)
		}
		return f, 1, nil
	}
	return f, 0, c.at(refusal("%q must be an object or an array", c.path[len(c.path)-1]))
}

// alternatives returns the objects of an $or. It is one where it is an array of two
// objects or more, none of which is a match expression; elsewhere $or is a name like
// any other.
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
			if _, operator := operators[key]; operator || key == "exists" {
				return nil, false
			}
		}
		list = append(list, o)
	}
	return list, true
}

func newLeaf(items []any) (*leaf, error) {
	if len(items) == 0 {
		return nil, refusal("Empty arrays are not allowed")
	}
	l := &leaf{texts: map[string]struct{}{}}
	for _, item := range items {
		if err := l.add(item); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *leaf) add(item any) error {
	o, ok := item.(map[string]any)
	if !ok {
		if text, ok := item.(string); ok {
			l.texts[text] = struct{}{}
			return nil
		}
		is, err := exactly(item)
		return l.test(is, err)
	}
	name, arg, err := only(o)
	if err != nil {
		return err
	}
	if name == "exists" {
		switch arg {
		case true:
			l.there = true
		case false:
			l.absent = true
		default:
			return refusal("exists match pattern must be either true or false.")
		}
		return nil
	}
	op := operators[name]
	if op == nil {
		return refusal("Unrecognized match type %s", name)
	}
	is, err := op(arg)
	return l.test(is, err)
}

func (l *leaf) test(is test, err error) error {
	l.tests = append(l.tests, is)
	return err
}

// only is the one member of a match expression.
func only(o map[string]any) (name string, arg any, err error) {
	if len(o) == 0 {
		return "", nil, refusal("Match expression name not found")
	}
	if len(o) > 1 {
		return "", nil, refusal("Only one key allowed in match expression")
	}
	for name, arg = range o {
	}
	return name, arg, nil
}
