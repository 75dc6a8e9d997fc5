package query

import (
	"math"
	"strings"
)

// aggregator is a statistic of each group.
type aggregator interface {
	// grow makes room for groups up to n.
	grow(n int)
	// add takes in the records rows, of which the k-th is of groups[k].
	add(e *env, groups, rows []int32)
	// merge takes in what another of the same kind gathered, of groups that are here
	// those of to.
	merge(from aggregator, to []int32)
	value(group int) Value
	// held is how many bytes are kept, beside what each group has.
	held() int
}

// statistics are the functions of groups.
var statistics = map[string]function{
	"count":          {least: 1, star: true, aggregate: func(arg node, _ *Call) aggregator { return &count{of: arg} }},
	"count_distinct": {least: 1, aggregate: func(arg node, _ *Call) aggregator { return &distinct{of: arg} }},
	"sum":            {least: 1, aggregate: func(arg node, _ *Call) aggregator { return &moments{of: arg, result: (*sums).sum} }},
	"avg":            {least: 1, aggregate: func(arg node, _ *Call) aggregator { return &moments{of: arg, result: (*sums).average} }},
	"stddev":         {least: 1, aggregate: func(arg node, _ *Call) aggregator { return &moments{of: arg, result: (*sums).deviation} }},
	"min":            {least: 1, aggregate: func(arg node, _ *Call) aggregator { return &best{of: arg, better: lesser} }},
	"max":            {least: 1, aggregate: func(arg node, _ *Call) aggregator { return &best{of: arg, better: greater} }},
	"sortsfirst":     {least: 1, aggregate: func(arg node, _ *Call) aggregator { return &best{of: arg, better: sortsFirst} }},
	"sortslast":      {least: 1, aggregate: func(arg node, _ *Call) aggregator { return &best{of: arg, better: sortsLast} }},
	"earliest":       {least: 1, aggregate: func(arg node, _ *Call) aggregator { return &best{of: arg, better: earlier} }},
	"latest":         {least: 1, aggregate: func(arg node, _ *Call) aggregator { return &best{of: arg, better: later} }},
	"median":         {least: 1, aggregate: func(arg node, _ *Call) aggregator { return &quantile{of: arg, at: 0.5} }},
	"pct": {least: 2, fixed: 2, aggregate: func(arg node, e *Call) aggregator {
		return &quantile{of: arg, at: e.Args[1].(*Literal).Value.n / 100}
	}},
}

// grown is a slice with room for n.
func grown[T any](list []T, n int) []T {
	for len(list) < n {
		var zero T
		list = append(list, zero)
	}
	return list
}

// count counts records, or those that have a value.
type count struct {
	of node // nil: all
	n  []int64
}

func (a *count) grow(n int) { a.n = grown(a.n, n) }
func (a *count) held() int  { return 8 * len(a.n) }

func (a *count) add(e *env, groups, rows []int32) {
	if a.of == nil {
		for _, g := range groups {
			a.n[g]++
		}
		return
	}
	for k, g := range groups {
		if a.of.eval(e, int(rows[k])).kind != Null {
			a.n[g]++
		}
	}
}

func (a *count) merge(from aggregator, to []int32) {
	for i, n := range from.(*count).n {
		a.n[to[i]] += n
	}
}

func (a *count) value(group int) Value { return NumberValue(float64(a.n[group])) }

// moments are statistics of numbers; what is none is left out.
type moments struct {
	of     node
	result func(*sums) Value
	groups []sums
}

// sums are the number of values, their mean, and the sum of the squares of their
// distances from it, which lose less than sums of squares do.
type sums struct {
	n, total, mean, squares float64
}

func (a *moments) grow(n int)            { a.groups = grown(a.groups, n) }
func (a *moments) held() int             { return 32 * len(a.groups) }
func (a *moments) value(group int) Value { return a.result(&a.groups[group]) }

func (a *moments) add(e *env, groups, rows []int32) {
	for k, g := range groups {
		v := a.of.eval(e, int(rows[k]))
		if !v.numeric {
			continue
		}
		s := &a.groups[g]
		s.n++
		s.total += v.n
		distance := v.n - s.mean
		s.mean += distance / s.n
		s.squares += distance * (v.n - s.mean)
	}
}

func (a *moments) merge(from aggregator, to []int32) {
	for i, f := range from.(*moments).groups {
		s := &a.groups[to[i]]
		if f.n == 0 {
			continue
		}
		n, distance := s.n+f.n, f.mean-s.mean
		s.squares += f.squares + distance*distance*s.n*f.n/n
		s.mean += distance * f.n / n
		s.n, s.total = n, s.total+f.total
	}
}

func (s *sums) sum() Value {
	if s.n == 0 {
		return Value{}
	}
	return NumberValue(s.total)
}

func (s *sums) average() Value {
	if s.n == 0 {
		return Value{}
	}
	return NumberValue(s.total / s.n)
}

func (s *sums) deviation() Value {
	if s.n < 2 {
		return Value{}
	}
	return NumberValue(math.Sqrt(s.squares / (s.n - 1)))
}

// best is the value that is better than all others.
type best struct {
	of     node
	better func(a, b chosen) bool
	groups []chosen
	bytes  int
}

// chosen is a value and when its record was made.
type chosen struct {
	Value
	time int64
}

func (a *best) grow(n int)            { a.groups = grown(a.groups, n) }
func (a *best) held() int             { return 40*len(a.groups) + a.bytes }
func (a *best) value(group int) Value { return a.groups[group].Value }

func (a *best) add(e *env, groups, rows []int32) {
	for k, g := range groups {
		i := int(rows[k])
		if v := a.of.eval(e, i); v.kind != Null {
			a.take(g, chosen{v, timeOf(e, i)})
		}
	}
}

// timeOf is when a record was made. A row has no time.
func timeOf(e *env, i int) int64 {
	if e.batch == nil {
		return 0
	}
	return e.batch.Time(i)
}

func (a *best) take(g int32, c chosen) {
	if now := &a.groups[g]; now.kind == Null || a.better(c, *now) {
		a.bytes += len(c.s) - len(now.s)
		*now = c
		now.s = strings.Clone(c.s)
	}
}

func (a *best) merge(from aggregator, to []int32) {
	for i, c := range from.(*best).groups {
		if c.kind != Null {
			a.take(to[i], c)
		}
	}
}

// lesser and greater prefer numbers to texts, such as the - of a log for nothing.
func lesser(a, b chosen) bool {
	if a.numeric != b.numeric {
		return a.numeric
	}
	return sortOrder(a.Value, b.Value) < 0
}

func greater(a, b chosen) bool {
	if a.numeric != b.numeric {
		return a.numeric
	}
	return sortOrder(a.Value, b.Value) > 0
}

func sortsFirst(a, b chosen) bool { return sortOrder(a.Value, b.Value) < 0 }
func sortsLast(a, b chosen) bool  { return sortOrder(a.Value, b.Value) > 0 }

// earlier and later settle what is of one time by the order of values.
func earlier(a, b chosen) bool {
	return a.time < b.time || a.time == b.time && sortOrder(a.Value, b.Value) < 0
}

func later(a, b chosen) bool {
	return a.time > b.time || a.time == b.time && sortOrder(a.Value, b.Value) > 0
}
