package query

import (
	"slices"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/logs"
)

// env is what expressions are evaluated on: the records of a batch, or rows. Nodes
// keep what they have worked out of a batch; none is used by two workers.
type env struct {
	batch   logs.Batch
	turn    int            // counts batches
	columns []*logs.Column // by slot
	rows    [][]Value
	stats   []aggregator // of which row i is group i
}

// node evaluates an expression on a record or row.
type node interface {
	eval(e *env, i int) Value
}

// column is a field of the records. Of a value that several may have, the number that
// it looks like is read once.
type column struct {
	slot  int
	turn  int
	cache []Value // by code
	known []bool
}

func (n *column) eval(e *env, i int) Value {
	c := e.columns[n.slot]
	if c == nil || c.Codes == nil {
		if c == nil {
			return Value{}
		}
		return TextValue(c.Values[i])
	}
	code := c.Codes[i]
	if code == 0 {
		return Value{}
	}
	if n.turn != e.turn {
		n.turn = e.turn
		n.cache, n.known = fresh(n.cache, n.known, len(c.Values)+1)
	}
	if !n.known[code] {
		n.cache[code], n.known[code] = TextValue(c.Values[code-1]), true
	}
	return n.cache[code]
}

// fresh makes room for n values, of which none is known.
func fresh(cache []Value, known []bool, n int) ([]Value, []bool) {
	if cap(cache) < n {
		return make([]Value, n), make([]bool, n)
	}
	cache, known = cache[:n], known[:n]
	clear(known)
	return cache, known
}

// memo evaluates what depends on one column once for each value of it.
type memo struct {
	of    node
	slot  int
	turn  int
	cache []Value
	known []bool
}

func (n *memo) eval(e *env, i int) Value {
	c := e.columns[n.slot]
	if c != nil && c.Codes == nil {
		return n.of.eval(e, i)
	}
	code, values := uint32(0), 0
	if c != nil {
		code, values = c.Codes[i], len(c.Values)
	}
	if n.turn != e.turn {
		n.turn = e.turn
		n.cache, n.known = fresh(n.cache, n.known, values+1)
	}
	if !n.known[code] {
		n.cache[code], n.known[code] = n.of.eval(e, i), true
	}
	return n.cache[code]
}

// cell is a column of rows.
type cell struct{ at int }

func (n cell) eval(e *env, i int) Value { return e.rows[i][n.at] }

// statistic is one of a group.
type statistic struct{ at int }

func (n statistic) eval(e *env, i int) Value { return e.stats[n.at].value(i) }

type constant struct{ v Value }

func (n constant) eval(*env, int) Value { return n.v }

// timestamp is when a record was made.
type timestamp struct{}

func (timestamp) eval(e *env, i int) Value { return MomentValue(e.batch.Time(i)) }

// groupName is the log group of a batch, as Logs Insights names it in @log.
type groupName struct{ plain bool }

func (n groupName) eval(e *env, _ int) Value {
	if n.plain {
		return TextValue(e.batch.Group())
	}
	return TextValue(arn.Account + ":" + e.batch.Group())
}

// pointer names a record.
type pointer struct{ message, stream node }

func (n pointer) eval(e *env, i int) Value {
	return TextValue(pointerTo(e.batch.Group(), e.batch.Time(i), n.stream.eval(e, i).String(), n.message.eval(e, i).String()))
}

// call is a function of values.
type call struct {
	do   func([]Value) Value
	args []node
	vals []Value
}

func (n *call) eval(e *env, i int) Value {
	for j, a := range n.args {
		n.vals[j] = a.eval(e, i)
	}
	return n.do(n.vals)
}

// floorNode is bin, datefloor and dateceil. Records that stand together are often of
// one period.
type floorNode struct {
	of          node
	period      *Period
	up          bool
	begin, next int64
}

func (n *floorNode) eval(e *env, i int) Value {
	v := n.of.eval(e, i)
	if v.kind != Moment {
		return Value{}
	}
	if ms := int64(v.n); ms < n.begin || ms >= n.next {
		n.begin, n.next = n.period.floor(ms)
	}
	if n.up && n.begin != int64(v.n) {
		return millis(float64(n.next))
	}
	return millis(float64(n.begin))
}

type negative struct{ of node }

func (n negative) eval(e *env, i int) Value { return arithmetic("-", NumberValue(0), n.of.eval(e, i)) }

type not struct{ of node }

func (n not) eval(e *env, i int) Value { return truth(!n.of.eval(e, i).true()) }

// operation is an operator between two operands.
type operation struct {
	op   string
	x, y node
}

func (n *operation) eval(e *env, i int) Value {
	x := n.x.eval(e, i)
	switch n.op {
	case "and":
		return truth(x.true() && n.y.eval(e, i).true())
	case "or":
		return truth(x.true() || n.y.eval(e, i).true())
	}
	y := n.y.eval(e, i)
	switch n.op {
	case "=":
		return truth(equal(x, y))
	case "!=":
		return truth(x.kind != Null && y.kind != Null && !equal(x, y))
	case "<", "<=", ">", ">=":
		order, ok := compare(x, y)
		return truth(ok && holds(order, n.op))
	}
	return arithmetic(n.op, x, y)
}

func holds(order int, op string) bool {
	switch op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// within is in.
type within struct {
	of   node
	list []Value
	not  bool
}

func (n *within) eval(e *env, i int) Value {
	v := n.of.eval(e, i)
	return truth(slices.ContainsFunc(n.list, func(m Value) bool { return equal(v, m) }) != n.not)
}

// matches tests a value by its text. What is missing does not match.
type matches struct {
	of    node
	match matcher
	not   bool
}

func (n *matches) eval(e *env, i int) Value {
	v := n.of.eval(e, i)
	return truth((v.kind != Null && n.match(v.String())) != n.not)
}

// tests tests a value.
type tests struct {
	of   node
	test func(Value) bool
}

func (n *tests) eval(e *env, i int) Value { return truth(n.test(n.of.eval(e, i))) }

// parsed is a part of a text. The nodes of one parse share what was found in the last
// record.
type parsed struct {
	found *parsing
	part  int
}

type parsing struct {
	of      node
	split   func(string) []string
	turn, i int
	parts   []string
}

func (n *parsed) eval(e *env, i int) Value {
	p := n.found
	if p.turn != e.turn || p.i != i {
		p.turn, p.i, p.parts = e.turn, i, nil
		if v := p.of.eval(e, i); v.kind != Null {
			p.parts = p.split(v.String())
		}
	}
	if p.parts == nil {
		return Value{}
	}
	return TextValue(p.parts[n.part])
}
