package query

import (
	"regexp"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
)

// What an expression depends on, if not on one column alone, whose slot it is.
const (
	nothing = -1
	much    = -2
)

// compiled is a node and what it depends on.
type compiled struct {
	node
	on int
}

// scope knows what stands for itself in an expression: fields, and what has been
// worked out before. ok is false for what is neither.
type scope interface {
	leaf(c *compiler, e Expr) (n compiled, ok bool, err error)
}

// compiler makes nodes of expressions.
type compiler struct {
	scope
	now float64 // seconds since 1970
}

// whole compiles an expression that is no part of another.
func (c *compiler) whole(e Expr) (compiled, error) {
	n, err := c.part(e)
	return remembered(n), err
}

// remembered evaluates what depends on one column once for each of its values.
func remembered(n compiled) compiled {
	if n.on < 0 {
		return n
	}
	switch n.node.(type) {
	case *column, *memo:
		return n
	}
	return compiled{&memo{of: n.node, slot: n.on}, n.on}
}

// parts compiles operands. If they depend on one column, so does what is made of
// them; else each is remembered by itself.
func (c *compiler) parts(list ...Expr) (nodes []node, on int, err error) {
	all := make([]compiled, len(list))
	on = nothing
	for i, e := range list {
		if all[i], err = c.part(e); err != nil {
			return nil, 0, err
		}
		switch {
		case all[i].on == nothing, all[i].on == on:
		case on == nothing:
			on = all[i].on
		default:
			on = much
		}
	}
	for _, n := range all {
		if on == much {
			n = remembered(n)
		}
		nodes = append(nodes, n.node)
	}
	return nodes, on, nil
}

func (c *compiler) part(e Expr) (compiled, error) {
	if n, ok, err := c.leaf(c, e); ok || err != nil {
		return n, err
	}
	switch e := e.(type) {
	case *Literal:
		return compiled{constant{e.Value}, nothing}, nil
	case *Unary:
		x, on, err := c.parts(e.X)
		if err != nil {
			return compiled{}, err
		}
		if e.Op == "not" {
			return compiled{not{x[0]}, on}, nil
		}
		return compiled{negative{x[0]}, on}, nil
	case *Binary:
		xy, on, err := c.parts(e.X, e.Y)
		if err != nil {
			return compiled{}, err
		}
		return compiled{&operation{e.Op, xy[0], xy[1]}, on}, nil
	case *Like:
		x, on, err := c.parts(e.X)
		if err != nil {
			return compiled{}, err
		}
		return compiled{&matches{x[0], like(e.Pattern), e.Not}, on}, nil
	case *In:
		return c.in(e)
	case *Find:
		return c.find(e)
	case *Call:
		return c.call(e)
	}
	return compiled{}, fault.Coded(fault.Invalid, "MalformedQueryException", "%s has no value here", text(e))
}

// like is what a pattern finds somewhere in a text.
func like(p Pattern) matcher {
	if !p.Regexp {
		return func(s string) bool { return strings.Contains(s, p.Text) }
	}
	re := regexp.MustCompile(p.Text)
	if prefix, whole := re.LiteralPrefix(); whole {
		return func(s string) bool { return strings.Contains(s, prefix) }
	}
	return re.MatchString
}

func (c *compiler) in(e *In) (compiled, error) {
	x, on, err := c.parts(e.X)
	if err != nil {
		return compiled{}, err
	}
	n := &within{of: x[0], not: e.Not}
	for _, l := range e.List {
		member, _, err := c.parts(l)
		if err != nil {
			return compiled{}, err
		}
		n.list = append(n.list, member[0].eval(nil, 0))
	}
	return compiled{n, on}, nil
}

func (c *compiler) find(e *Find) (compiled, error) {
	inMessage := e.Field == "" || e.Field == logs.FieldMessage
	field := e.Field
	if field == "" {
		field = logs.FieldMessage
	}
	xs, on, err := c.parts(&Field{field})
	if err != nil {
		return compiled{}, err
	}
	x := xs[0]
	switch e.Kind {
	case FindPhrase:
		if inMessage {
			return compiled{&matches{of: x, match: like(Pattern{Text: e.Text})}, on}, nil
		}
		return compiled{&matches{of: x, match: func(s string) bool { return s == e.Text }}, on}, nil
	case FindRegexp:
		return compiled{&matches{of: x, match: like(Pattern{Text: e.Text, Regexp: true})}, on}, nil
	case FindCompare:
		return compiled{&tests{x, func(v Value) bool {
			order, ok := compare(v, e.Value)
			return ok && holds(order, e.Op)
		}}, on}, nil
	case FindRange:
		return compiled{&tests{x, e.Range.has}, on}, nil
	}
	if inMessage {
		return compiled{&matches{of: x, match: contains(e.Parts)}, on}, nil
	}
	if len(e.Parts) == 1 {
		want := TextValue(e.Parts[0])
		return compiled{&tests{x, func(v Value) bool {
			if v.numeric && want.numeric {
				return v.n == want.n
			}
			return v.kind != Null && strings.EqualFold(v.String(), want.s)
		}}, on}, nil
	}
	return compiled{&matches{of: x, match: isLike(e.Parts)}, on}, nil
}

// has tells whether a value is within bounds.
func (b *Bounds) has(v Value) bool {
	if v.kind == Null {
		return false
	}
	if b.Low.kind != Null {
		order, ok := compare(v, b.Low)
		if !ok || order < 0 || order == 0 && b.LowExclusive {
			return false
		}
	}
	if b.High.kind != Null {
		order, ok := compare(v, b.High)
		if !ok || order > 0 || order == 0 && b.HighExclusive {
			return false
		}
	}
	return true
}

func (c *compiler) call(e *Call) (compiled, error) {
	name := strings.ToLower(e.Name)
	f := functions[name]
	if f.aggregate != nil {
		return compiled{}, fault.Coded(fault.Invalid, "MalformedQueryException", "%s is no column of the stats before it; name it with as, or repeat it exactly", text(e))
	}
	switch name {
	case "now":
		return compiled{constant{NumberValue(c.now)}, nothing}, nil
	case "bin":
		x, on, err := c.parts(&Field{logs.FieldTimestamp})
		if err != nil {
			return compiled{}, err
		}
		return compiled{&floorNode{of: x[0], period: e.Args[0].(*Period)}, on}, nil
	case "datefloor", "dateceil":
		x, on, err := c.parts(e.Args[0])
		if err != nil {
			return compiled{}, err
		}
		return compiled{&floorNode{of: x[0], period: e.Args[1].(*Period), up: name == "dateceil"}, on}, nil
	}
	args, on, err := c.parts(e.Args...)
	return compiled{&call{do: f.do, args: args, vals: make([]Value, len(args))}, on}, err
}
