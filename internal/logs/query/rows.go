package query

import (
	"slices"

	"github.com/dropstack/dropstack/internal/logs"
)

// rows are what stages do to the rows that are made of records.
type rows struct {
	columns []string
	list    [][]Value
	shown   []string // nil: those of records by default, of statistics all
	display bool
	records bool
	by      int // columns, from the first, that tell groups apart
	now     float64
}

func (t *rows) compiler() *compiler { return &compiler{newTable(t.columns), t.now} }

// do carries out stages.
func (t *rows) do(stages []Stage) error {
	for i := 0; i < len(stages); i++ {
		var next Stage
		if i+1 < len(stages) {
			next = stages[i+1]
		}
		if sort, ok := stages[i].(*Sort); ok { // of which only so many may be wanted
			most := -1
			if limit, ok := next.(*Limit); ok {
				most = limit.N
			}
			if err := t.sort(sort, most); err != nil {
				return err
			}
			continue
		}
		if err := t.stage(stages[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *rows) stage(stage Stage) error {
	switch s := stage.(type) {
	case *Search:
		return t.filter(s.Where)
	case *Filter:
		return t.filter(s.Where)
	case *Fields:
		return t.show(s.Items)
	case *Display:
		t.shown, t.display = []string{}, false
		err := t.show(s.Items)
		t.display = true
		return err
	case *Extract:
		return t.parse(s)
	case *Limit:
		t.list = t.list[:min(s.N, len(t.list))]
	case *Dedup:
		return t.dedup(s)
	case *Stats:
		return t.stats(s.Items, s.By)
	case *Top:
		if err := t.stats([]Item{{&Call{Name: "count", Args: []Expr{&Star{}}}, "count"}}, s.By); err != nil {
			return err
		}
		t.top(s.N)
	}
	return nil
}

func (t *rows) filter(where Expr) error {
	n, err := t.compiler().whole(where)
	if err != nil {
		return err
	}
	e := &env{rows: t.list}
	kept := make([][]Value, 0, len(t.list))
	for i, row := range t.list {
		if n.eval(e, i).true() {
			kept = append(kept, row)
		}
	}
	t.list = kept
	return nil
}

// show adds columns for the items, and shows them and no others but those of a fields
// before.
func (t *rows) show(items []Item) error {
	for _, item := range items {
		name := nameOf(item)
		n, err := t.compiler().whole(item.Expr)
		if err != nil {
			return err
		}
		e := &env{rows: t.list}
		t.set(name, func(i int) Value { return n.eval(e, i) })
		if !t.display && !slices.Contains(t.shown, name) {
			t.shown = append(t.shown, name)
		}
	}
	return nil
}

// set makes a column of a name, in new rows.
func (t *rows) set(name string, value func(i int) Value) {
	at := slices.Index(t.columns, name)
	if at < 0 {
		at = len(t.columns)
		t.columns = append(slices.Clone(t.columns), name)
	}
	list := make([][]Value, len(t.list))
	for i, row := range t.list {
		list[i] = append(slices.Clone(row), make([]Value, len(t.columns)-len(row))...)
		list[i][at] = value(i)
	}
	t.list = list
}

func (t *rows) parse(s *Extract) error {
	n, err := t.compiler().whole(s.From)
	if err != nil {
		return err
	}
	split := splitter(s.Pattern.Text)
	if s.Pattern.Regexp {
		split = capturer(s.Pattern.Text)
	}
	e := &env{rows: t.list}
	found := make([][]string, len(t.list))
	for i := range t.list {
		if v := n.eval(e, i); v.kind != Null {
			found[i] = split(v.String())
		}
	}
	for j, name := range s.Names {
		t.set(name, func(i int) Value {
			if found[i] == nil {
				return Value{}
			}
			return TextValue(found[i][j])
		})
	}
	return nil
}

// sort puts rows in an order; of more than most, if that is not negative, the others
// are left out.
func (t *rows) sort(s *Sort, most int) error {
	var keys []sortKey
	for _, k := range s.Keys {
		n, err := t.compiler().whole(k.Expr)
		if err != nil {
			return err
		}
		keys = append(keys, sortKey{n.node, k.Desc})
	}
	e := &env{rows: t.list}
	type keyed struct {
		keys []Value
		row  []Value
		at   int
	}
	list := make([]keyed, len(t.list))
	for i, row := range t.list {
		list[i] = keyed{make([]Value, len(keys)), row, i}
		for j, k := range keys {
			list[i].keys[j] = k.eval(e, i)
		}
	}
	list = first(list, most, func(a, b keyed) int {
		for j, k := range keys {
			if c := keyOrder(a.keys[j], b.keys[j], k.desc); c != 0 {
				return c
			}
		}
		for j := range t.by { // groups come in no order
			if c := keyOrder(a.row[j], b.row[j], false); c != 0 {
				return c
			}
		}
		return a.at - b.at
	})
	t.list = make([][]Value, len(list))
	for i, k := range list {
		t.list[i] = k.row
	}
	return nil
}

// first are the first n of a list in an order, all if n is negative.
func first[T any](list []T, n int, compare func(a, b T) int) []T {
	if n < 0 || n >= len(list) {
		slices.SortFunc(list, compare)
		return list
	}
	best := list[:n]
	slices.SortFunc(best, compare)
	for _, row := range list[n:] {
		if compare(row, best[n-1]) < 0 {
			at, _ := slices.BinarySearchFunc(best, row, compare)
			copy(best[at+1:], best[at:n-1])
			best[at] = row
		}
	}
	return best
}

// top leaves the n rows of the most records, whose number is the last column.
func (t *rows) top(n int) {
	last := len(t.columns) - 1
	t.list = first(t.list, n, func(a, b []Value) int {
		if c := sortOrder(b[last], a[last]); c != 0 {
			return c
		}
		for i := range last {
			if c := keyOrder(a[i], b[i], false); c != 0 {
				return c
			}
		}
		return 0
	})
}

// dedup keeps the first row of each combination of values; those that lack one are
// all kept.
func (t *rows) dedup(s *Dedup) error {
	var by []node
	for _, e := range s.By {
		n, err := t.compiler().whole(e)
		if err != nil {
			return err
		}
		by = append(by, n.node)
	}
	e, seen := &env{rows: t.list}, map[string]bool{}
	var kept [][]Value
	for i, row := range t.list {
		key, known := keyOf(e, i, by)
		if !known || !seen[key] {
			kept = append(kept, row)
		}
		seen[key] = known
	}
	t.list = kept
	return nil
}

func (t *rows) stats(items, by []Item) error {
	g, err := newGrouping(t.compiler(), items, by)
	if err != nil {
		return err
	}
	e, all := &env{rows: t.list}, make([]int32, len(t.list))
	for i := range all {
		all[i] = int32(i)
	}
	if err := g.add(e, all); err != nil {
		return err
	}
	t.columns, t.list, t.shown, t.display, t.records, t.by = g.columns, g.rows(true), nil, false, false, len(g.by)
	return nil
}

// result is what is shown of the rows.
func (t *rows) result(most int, pointer bool, s Statistics) Result {
	shown := t.shown
	switch {
	case shown == nil && t.records:
		shown = defaults
	case shown == nil:
		shown = t.columns
	}
	if pointer && t.records && !slices.Contains(shown, fieldPointer) {
		shown = append(slices.Clone(shown), fieldPointer)
	}
	r := Result{Columns: shown, Rows: [][]Value{}, Statistics: s}
	at := make([]int, len(shown))
	for i, name := range shown {
		at[i] = slices.Index(t.columns, name)
	}
	for _, row := range t.list[:min(most, len(t.list))] {
		out := make([]Value, len(at))
		for i, column := range at {
			if column >= 0 {
				out[i] = row[column]
			}
		}
		r.Rows = append(r.Rows, out)
	}
	return r
}

// defaults are what is shown of records if nothing says what.
var defaults = []string{logs.FieldTimestamp, logs.FieldMessage}
