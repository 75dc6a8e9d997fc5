package metric

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// value is what an expression comes to: a number, or time series, which have a
// number a period or NaN.
type value struct {
	num    float64
	series [][]float64 // nil: a number
	array  bool        // of several, as METRICS() is, if it has but one
}

func number(v float64) value        { return value{num: v} }
func single(s []float64) value      { return value{series: [][]float64{s}} }
func (v value) scalar() bool        { return v.series == nil }
func missingValue(x float64) bool   { return math.IsNaN(x) }
func truth(b bool) (number float64) { return map[bool]float64{true: 1}[b] }

// scope is what an expression can refer to.
type scope struct {
	ctx     context.Context
	values  map[string]value
	metrics []named // of the query, not the expressions
	n       int     // periods
	seconds float64 // of one
}

type named struct {
	id     string
	series []float64
}

// functions that make something of their arguments. Each has checked how many
// there are.
var functions map[string]func(s *scope, n *node, args []value) (value, error)

func init() { // for they refer to each other
	functions = map[string]func(s *scope, n *node, args []value) (value, error){
		"SUM": fold(func(a, b float64) float64 { return a + b }, nil),
		"MIN": fold(func(a, b float64) float64 { return min(a, b) }, nil),
		"MAX": fold(func(a, b float64) float64 { return max(a, b) }, nil),
		"AVG": fold(func(a, b float64) float64 { return a + b }, func(sum, n float64) float64 { return sum / n }),
		"ABS": each(math.Abs), "CEIL": each(math.Ceil), "FLOOR": each(math.Floor),
		"METRICS": metrics, "FILL": fill, "PERIOD": period, "IF": conditional,
		"RATE": change(func(d, seconds float64) float64 { return d / seconds }),
		"DIFF": change(func(d, _ float64) float64 { return d }),
	}
}

func supported() string {
	var names []string
	for name := range functions {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// evaluate computes an expression.
func (s *scope) evaluate(n *node) (value, error) {
	switch {
	case s.ctx.Err() != nil:
		return value{}, s.ctx.Err()
	case n.id != "":
		v, ok := s.values[n.id]
		if !ok {
			return value{}, fmt.Errorf("no query has the id %q", n.id)
		}
		return v, nil
	case n.text != nil:
		return value{}, fmt.Errorf("the text %q is not expected", *n.text)
	case n.name == "":
		return number(n.num), nil
	}
	f, known := functions[n.name]
	op := arithmetic[n.name]
	if !known && op == nil && n.name != "[" {
		return value{}, fmt.Errorf("the function %s is not supported; there are %s", n.name, supported())
	}
	var args []value
	for i, arg := range n.args {
		if arg.text != nil && n.name == "METRICS" || n.name == "FILL" && i == 1 && (arg.id == "REPEAT" || arg.id == "LINEAR") {
			continue
		}
		v, err := s.evaluate(arg)
		if err != nil {
			return value{}, err
		}
		args = append(args, v)
	}
	switch {
	case op != nil:
		return combine(args[0], args[1], op)
	case n.name == "[":
		return array(args)
	}
	return f(s, n, args)
}

var arithmetic = map[string]func(a, b float64) float64{
	"+": func(a, b float64) float64 { return a + b }, "-": func(a, b float64) float64 { return a - b },
	"*": func(a, b float64) float64 { return a * b }, "^": math.Pow,
	"/": func(a, b float64) float64 {
		if b == 0 {
			return math.NaN() // CloudWatch has no datapoint there
		}
		return a / b
	},
	"==": func(a, b float64) float64 { return truth(a == b) }, "!=": func(a, b float64) float64 { return truth(a != b) },
	"<": func(a, b float64) float64 { return truth(a < b) }, ">": func(a, b float64) float64 { return truth(a > b) },
	"<=": func(a, b float64) float64 { return truth(a <= b) }, ">=": func(a, b float64) float64 { return truth(a >= b) },
	"AND": func(a, b float64) float64 { return truth(a != 0 && b != 0) }, "OR": func(a, b float64) float64 { return truth(a != 0 || b != 0) },
}

// combine applies an operator: where one side has no number there is none.
func combine(a, b value, op func(a, b float64) float64) (value, error) {
	if a.scalar() && b.scalar() {
		return number(op(a.num, b.num)), nil
	}
	count := max(len(a.series), len(b.series))
	if !a.scalar() && !b.scalar() && len(a.series) != len(b.series) && len(a.series) != 1 && len(b.series) != 1 {
		return value{}, fmt.Errorf("arrays of %d and %d time series cannot be combined", len(a.series), len(b.series))
	}
	out := value{array: a.array || b.array, series: make([][]float64, count)}
	for i := range out.series {
		s := make([]float64, max(a.periods(), b.periods()))
		for t := range s {
			x, y := a.at(i, t), b.at(i, t)
			s[t] = math.NaN()
			if !missingValue(x) && !missingValue(y) {
				s[t] = op(x, y)
			}
		}
		out.series[i] = s
	}
	return out, nil
}

func (v value) periods() int {
	if len(v.series) == 0 {
		return 0
	}
	return len(v.series[0])
}

// at is the number of the i-th series in a period; one series is beside all.
func (v value) at(i, t int) float64 {
	switch {
	case v.scalar():
		return v.num
	case len(v.series) == 1:
		i = 0
	}
	return v.series[i][t]
}

func array(args []value) (value, error) {
	if len(args) == 0 {
		return value{}, errors.New("an array is empty")
	}
	out := value{array: true, series: [][]float64{}}
	for _, v := range args {
		if v.scalar() {
			return value{}, errors.New("an array may have time series only")
		}
		out.series = append(out.series, v.series...)
	}
	return out, nil
}

func one(name string, args []value) error {
	if len(args) != 1 {
		return fmt.Errorf("%s has one argument, not %d", name, len(args))
	}
	return nil
}

// fold makes a number of one time series, and one time series of an array.
func fold(join func(a, b float64) float64, end func(v, n float64) float64) func(*scope, *node, []value) (value, error) {
	all := func(list func(yield func(float64) bool)) float64 {
		v, n := math.NaN(), 0.0
		for x := range list {
			switch {
			case missingValue(x):
				continue
			case n == 0:
				v = x
			default:
				v = join(v, x)
			}
			n++
		}
		if end != nil && n > 0 {
			v = end(v, n)
		}
		return v
	}
	return func(_ *scope, n *node, args []value) (value, error) {
		if err := one(n.name, args); err != nil {
			return value{}, err
		}
		v := args[0]
		switch {
		case v.scalar():
			return v, nil
		case !v.array:
			return number(all(slices.Values(v.series[0]))), nil
		}
		out := make([]float64, v.periods())
		for t := range out {
			out[t] = all(func(yield func(float64) bool) {
				for _, s := range v.series {
					if !yield(s[t]) {
						return
					}
				}
			})
		}
		return single(out), nil
	}
}

// each applies a function to every number.
func each(f func(float64) float64) func(*scope, *node, []value) (value, error) {
	return func(_ *scope, n *node, args []value) (value, error) {
		if err := one(n.name, args); err != nil {
			return value{}, err
		}
		return combine(args[0], number(0), func(a, _ float64) float64 { return f(a) })
	}
}

// metrics are all metrics of the query, or those whose id has a text in it.
func metrics(s *scope, n *node, _ []value) (value, error) {
	part := ""
	switch {
	case len(n.args) > 1 || len(n.args) == 1 && n.args[0].text == nil:
		return value{}, errors.New("METRICS has one text as its argument, or none")
	case len(n.args) == 1:
		part = *n.args[0].text
	}
	out := value{array: true, series: [][]float64{}}
	for _, m := range s.metrics {
		if strings.Contains(m.id, part) {
			out.series = append(out.series, m.series)
		}
	}
	if len(out.series) == 0 {
		return value{}, fmt.Errorf("METRICS(%q) finds no metric", part)
	}
	return out, nil
}

// period is the length of a period, in seconds.
func period(s *scope, n *node, args []value) (value, error) {
	if err := one(n.name, args); err != nil {
		return value{}, err
	}
	return number(s.seconds), nil
}

// change is what there is between a number and the one before.
func change(of func(d, seconds float64) float64) func(*scope, *node, []value) (value, error) {
	return func(s *scope, n *node, args []value) (value, error) {
		if err := one(n.name, args); err != nil {
			return value{}, err
		}
		if args[0].scalar() {
			return value{}, fmt.Errorf("%s needs a time series", n.name)
		}
		out := value{array: args[0].array}
		for _, in := range args[0].series {
			list, last := make([]float64, len(in)), -1
			for t, x := range in {
				list[t] = math.NaN()
				if missingValue(x) {
					continue
				}
				if last >= 0 {
					list[t] = of(x-in[last], float64(t-last)*s.seconds)
				}
				last = t
			}
			out.series = append(out.series, list)
		}
		return out, nil
	}
}

// conditional is IF: where the condition has no number there is no result.
func conditional(s *scope, _ *node, args []value) (value, error) {
	if len(args) < 2 || len(args) > 3 {
		return value{}, fmt.Errorf("IF has two or three arguments, not %d", len(args))
	}
	otherwise := number(math.NaN())
	if len(args) == 3 {
		otherwise = args[2]
	}
	for _, v := range []value{args[0], args[1], otherwise} {
		if v.array {
			return value{}, errors.New("IF takes time series and numbers, no arrays")
		}
	}
	if args[0].scalar() {
		if args[0].num != 0 {
			return args[1], nil
		}
		return otherwise, nil
	}
	out := make([]float64, s.n)
	for t := range out {
		switch c := args[0].at(0, t); {
		case missingValue(c):
			out[t] = math.NaN()
		case c != 0:
			out[t] = args[1].at(0, t)
		default:
			out[t] = otherwise.at(0, t)
		}
	}
	return single(out), nil
}

// fill gives every period a number: a given one, that of the period before
// (REPEAT), or one between its neighbours (LINEAR).
func fill(_ *scope, n *node, args []value) (value, error) {
	if len(n.args) != 2 || args[0].scalar() {
		return value{}, errors.New("FILL has a time series and a number, REPEAT or LINEAR as its arguments")
	}
	if len(args) == 2 && len(args[1].series) > 1 {
		return value{}, errors.New("FILL fills with a number or one time series")
	}
	out := value{array: args[0].array}
	for i, in := range args[0].series {
		list, last := slices.Clone(in), -1
		for t, x := range in {
			switch {
			case !missingValue(x):
				if last >= 0 && len(args) == 1 && n.args[1].id == "LINEAR" {
					slope(list, last, t)
				}
				last = t
			case len(args) == 2:
				list[t] = args[1].at(i, t)
			case last >= 0 && n.args[1].id == "REPEAT":
				list[t] = in[last]
			}
		}
		out.series = append(out.series, list)
	}
	return out, nil
}

// slope puts what is missing between two numbers on the line from one to the
// other.
func slope(list []float64, from, to int) {
	step := (list[to] - list[from]) / float64(to-from)
	for t := from + 1; t < to; t++ {
		list[t] = list[from] + step*float64(t-from)
	}
}
