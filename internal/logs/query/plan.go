package query

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/logs"
)

// plan is a query made ready. Each worker has its own, as nodes keep what they work
// out.
type plan struct {
	sel   logs.Selection
	slots *slots
	// conditions that a record must meet, those first that do not need its message.
	conditions []*condition
	// One of the two takes the records.
	stats *grouping
	order *ordering
	rest  []Stage  // what is done to the rows then
	shown []string // of the rows; nil: what is shown if nothing says what
	now   float64
}

// planner walks the stages that look at records one by one.
type planner struct {
	*plan
	at      *records
	outputs []output
	display bool // which ends what fields show
	sort    *Sort
}

// output is a column of the result, as it was where its stage stood.
type output struct {
	name string
	expr Expr
	at   *records
}

func newPlan(q *Query, r Range, now time.Time) (*plan, error) {
	s := &slots{at: map[string]int{}}
	p := &planner{plan: &plan{
		slots: s, now: float64(now.Unix()), sel: logs.Selection{Groups: r.Groups, Start: r.Start, End: r.End, Newest: true},
	}, at: &records{slots: s}}
	for i, stage := range q.Stages {
		done, err := p.stage(stage)
		if err != nil {
			return nil, err
		}
		if done {
			p.rest = q.Stages[i+1:]
			break
		}
	}
	if p.stats == nil {
		if err := p.rows(r); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(p.conditions, func(a, b *condition) int { return p.cost(a) - p.cost(b) })
	p.prune()
	return p.plan, nil
}

func (p *planner) compiler() *compiler { return &compiler{p.at, p.now} }

// stage takes one in; done says that what follows it is about rows.
func (p *planner) stage(stage Stage) (done bool, err error) {
	switch s := stage.(type) {
	case *Search:
		return false, p.meet(s.Where)
	case *Filter:
		return false, p.meet(s.Where)
	case *Fields:
		p.show(s.Items)
	case *Display:
		p.outputs, p.display = nil, false
		p.show(s.Items)
		p.display = true
	case *Extract:
		return false, p.parse(s)
	case *Sort:
		p.sort = s
	case *Limit:
		p.order = &ordering{most: s.N}
		return true, nil
	case *Dedup:
		p.order = &ordering{most: -1, distinct: true}
		for _, e := range s.By {
			n, err := p.compiler().whole(e)
			if err != nil {
				return true, err
			}
			p.order.by = append(p.order.by, n.node)
		}
		return true, nil
	case *Stats:
		p.stats, err = newGrouping(p.compiler(), s.Items, s.By)
		return true, err
	case *Top:
		p.stats, err = newGrouping(p.compiler(), []Item{{&Call{Name: "count", Args: []Expr{&Star{}}}, "count"}}, s.By)
		if err == nil {
			p.stats.top = s.N
		}
		return true, err
	}
	return false, nil
}

// meet takes in what records must meet, each of those joined by and by itself.
func (p *planner) meet(e Expr) error {
	if b, ok := e.(*Binary); ok && b.Op == "and" {
		if err := p.meet(b.X); err != nil {
			return err
		}
		return p.meet(b.Y)
	}
	if f, ok := e.(*Find); ok && f.Kind == FindWord && f.Field == "" && strings.Join(f.Parts, "") == "" {
		return nil // anything
	}
	p.slots.asked = nil
	n, err := p.compiler().part(e)
	if err != nil {
		return err
	}
	p.conditions = append(p.conditions, &condition{compiled: n, needs: p.slots.asked})
	p.hint(e)
	return nil
}

// cost orders conditions by what they need.
func (p *planner) cost(n *condition) int {
	switch {
	case n.on >= 0 && p.slots.names[n.on] != logs.FieldMessage:
		return 0
	case n.on == much:
		return 2
	}
	return 1
}

// hint has batches passed over that cannot hold what meets a condition.
func (p *planner) hint(e Expr) {
	switch e := e.(type) {
	case *Find:
		switch {
		case e.Field != "" && e.Field != logs.FieldMessage:
			if e.Kind == FindPhrase && p.at.plain(e.Field) {
				p.equals(e.Field, e.Text)
			}
		case !p.at.plain(logs.FieldMessage):
		case e.Kind == FindWord:
			for _, part := range e.Parts {
				switch {
				case part == "" || !ascii(part):
				case strings.ToLower(part) == strings.ToUpper(part): // it has but one case
					p.sel.Has = append(p.sel.Has, part)
				default:
					p.sel.Fold = append(p.sel.Fold, part)
				}
			}
		case e.Kind == FindPhrase:
			p.has(Pattern{Text: e.Text})
		case e.Kind == FindRegexp:
			p.has(Pattern{Text: e.Text, Regexp: true})
		}
	case *Like:
		if f, ok := e.X.(*Field); ok && !e.Not && f.Name == logs.FieldMessage && p.at.plain(f.Name) {
			p.has(e.Pattern)
		}
	case *Binary:
		f, isField := e.X.(*Field)
		l, isLiteral := e.Y.(*Literal)
		if e.Op == "=" && isField && isLiteral && l.Value.kind == Text && !l.Value.numeric && p.at.plain(f.Name) {
			p.equals(f.Name, l.Value.s)
		}
	}
}

func (p *planner) has(pattern Pattern) {
	s := pattern.Text
	if pattern.Regexp {
		s, _ = regexp.MustCompile(s).LiteralPrefix()
	}
	if s != "" {
		p.sel.Has = append(p.sel.Has, s)
	}
}

// equals asks for a value of a field that the records have themselves.
func (p *planner) equals(field, value string) {
	switch field {
	case logs.FieldTimestamp, logs.FieldIngested, logs.FieldGroup, fieldGroupName, fieldPointer, logs.FieldMessage:
		return
	}
	p.sel.Equal = append(p.sel.Equal, logs.Field{Name: field, Value: value})
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// show takes in the items of fields and display: those with a name make a field.
func (p *planner) show(items []Item) {
	for _, item := range items {
		name := item.As
		if name == "" {
			name = text(item.Expr)
		}
		if !p.display && !slices.ContainsFunc(p.outputs, func(o output) bool { return o.name == name }) {
			p.outputs = append(p.outputs, output{name, item.Expr, p.at})
		}
		if item.As != "" {
			p.at = p.at.with(item.As, item.Expr)
		}
	}
}

func (p *planner) parse(s *Extract) error {
	p.slots.asked = nil
	from, err := p.compiler().part(s.From)
	if err != nil {
		return err
	}
	split := splitter
	if s.Pattern.Regexp {
		split = capturer
	}
	found := &parsing{of: from.node, split: split(s.Pattern.Text), i: -1}
	for i, name := range s.Names {
		p.at = &records{slots: p.slots, before: p.at, name: name, parse: found, on: from.on, part: i, needs: p.slots.asked}
	}
	return nil
}

// rows plans the order of records, how many are kept and which of their fields.
func (p *planner) rows(r Range) error {
	if p.order == nil {
		p.order = &ordering{most: rowsOf(r)}
	}
	o := p.order
	if p.sort != nil {
		for _, k := range p.sort.Keys {
			if f, ok := k.Expr.(*Field); ok && f.Name == logs.FieldTimestamp && p.at.plain(f.Name) {
				o.oldest = !k.Desc
				break // nothing is left for what follows it
			}
			n, err := p.compiler().whole(k.Expr)
			if err != nil {
				return err
			}
			o.keys = append(o.keys, sortKey{n.node, k.Desc})
		}
	}
	p.sel.Newest = !o.oldest
	for _, out := range p.outputs {
		p.shown = append(p.shown, out.name)
	}
	if p.outputs == nil {
		for _, name := range defaults {
			p.outputs = append(p.outputs, output{name, &Field{name}, p.at})
		}
	}
	if r.Pointer {
		p.outputs = append(p.outputs, output{fieldPointer, &Field{fieldPointer}, &records{slots: p.slots}})
	}
	for _, out := range p.outputs {
		if err := p.keep(out); err != nil {
			return err
		}
	}
	for _, name := range mentioned(p.rest) { // what comes may ask for more
		if !slices.Contains(o.columns, name) {
			if err := p.keep(output{name, &Field{name}, p.at}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *planner) keep(out output) error {
	n, err := (&compiler{out.at, p.now}).whole(out.expr)
	if err != nil {
		return err
	}
	p.order.columns = append(p.order.columns, out.name)
	p.order.values = append(p.order.values, n.node)
	return nil
}

func rowsOf(r Range) int {
	if r.MaxRows > 0 {
		return min(r.MaxRows, MaxRows)
	}
	return MaxRows
}

// mentioned are the names of fields that stages use.
func mentioned(stages []Stage) (names []string) {
	visit := func(e Expr) {
		walk(e, func(e Expr) {
			switch e := e.(type) {
			case *Field:
				names = append(names, e.Name)
			case *Find:
				names = append(names, fieldOf(e))
			case *Call:
				if strings.EqualFold(e.Name, "bin") {
					names = append(names, logs.FieldTimestamp)
				}
			}
		})
	}
	for _, s := range stages {
		expressions(s, visit)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func fieldOf(f *Find) string {
	if f.Field == "" {
		return logs.FieldMessage
	}
	return f.Field
}

// expressions visits those of a stage.
func expressions(s Stage, visit func(Expr)) {
	items := func(list []Item) {
		for _, item := range list {
			visit(item.Expr)
		}
	}
	switch s := s.(type) {
	case *Search:
		visit(s.Where)
	case *Filter:
		visit(s.Where)
	case *Fields:
		items(s.Items)
	case *Display:
		items(s.Items)
	case *Extract:
		visit(s.From)
	case *Stats:
		items(s.Items)
		items(s.By)
	case *Top:
		items(s.By)
	case *Sort:
		for _, k := range s.Keys {
			visit(k.Expr)
		}
	case *Dedup:
		for _, e := range s.By {
			visit(e)
		}
	}
}

// prune names the columns that will be asked for.
func (p *planner) prune() {
	p.sel.Columns = slices.Clone(p.slots.names)
	if p.sel.Columns == nil {
		p.sel.Columns = []string{}
	}
}
