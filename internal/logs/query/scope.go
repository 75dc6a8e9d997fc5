package query

import (
	"github.com/dropstack/dropstack/internal/logs"
)

// fields of a record that are made of others.
const (
	fieldPointer   = "@ptr"
	fieldGroupName = "@logGroup"
)

// slots are the columns that a plan reads.
type slots struct {
	names []string
	at    map[string]int
	asked []int // for, since that was last emptied
}

func (s *slots) all() []int {
	list := make([]int, len(s.names))
	for i := range list {
		list[i] = i
	}
	return list
}

func (s *slots) of(name string) int {
	at, ok := s.at[name]
	defer func() { s.asked = append(s.asked, at) }()
	if !ok {
		at = len(s.names)
		s.names = append(s.names, name)
		s.at[name] = at
	}
	return at
}

// records is the scope of expressions on records: their fields, and those that the
// stages before have made, the last made first.
type records struct {
	slots  *slots
	before *records // nil: only the records' own fields
	name   string   // that this stage made
	expr   Expr
	parse  *parsing
	on     int
	part   int
	needs  []int // slots, of parse
}

// with is the scope after a field was made of an expression.
func (r *records) with(name string, e Expr) *records {
	return &records{slots: r.slots, before: r, name: name, expr: e}
}

func (r *records) leaf(c *compiler, e Expr) (compiled, bool, error) {
	f, ok := e.(*Field)
	if !ok {
		return compiled{}, false, nil
	}
	for s := r; s.before != nil; s = s.before {
		if s.name != f.Name {
			continue
		}
		if s.parse != nil {
			r.slots.asked = append(r.slots.asked, s.needs...)
			return compiled{&parsed{s.parse, s.part}, s.on}, true, nil
		}
		n, err := (&compiler{s.before, c.now}).part(s.expr)
		return n, true, err
	}
	switch f.Name {
	case logs.FieldTimestamp, logs.FieldIngested:
		return compiled{timestamp{}, much}, true, nil
	case logs.FieldGroup:
		return compiled{groupName{}, much}, true, nil
	case fieldGroupName:
		return compiled{groupName{plain: true}, much}, true, nil
	case fieldPointer:
		return compiled{pointer{r.column(logs.FieldMessage), r.column(logs.FieldStream)}, much}, true, nil
	}
	n := r.column(f.Name)
	return compiled{n, n.slot}, true, nil
}

func (r *records) column(name string) *column { return &column{slot: r.slots.of(name)} }

// plain tells whether a field is the records' own, not one that a stage made.
func (r *records) plain(name string) bool {
	for s := r; s.before != nil; s = s.before {
		if s.name == name {
			return false
		}
	}
	return true
}

// table is the scope of expressions on rows: columns are called by their names, or
// by the expressions that made them. What is none is missing.
type table struct {
	columns []string
	at      map[string]int
}

func newTable(columns []string) *table {
	t := &table{columns: columns, at: map[string]int{}}
	for i, name := range columns {
		if _, twice := t.at[name]; !twice {
			t.at[name] = i
		}
	}
	return t
}

func (t *table) leaf(_ *compiler, e Expr) (compiled, bool, error) {
	if _, literal := e.(*Literal); literal {
		return compiled{}, false, nil
	}
	if at, ok := t.at[text(e)]; ok {
		return compiled{cell{at}, much}, true, nil
	}
	if _, ok := e.(*Field); ok {
		return compiled{constant{}, nothing}, true, nil
	}
	return compiled{}, false, nil
}
