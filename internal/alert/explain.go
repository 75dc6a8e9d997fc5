package alert

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/metric"
)

const (
	// shown is how much of the past an explanation shows, and in how many points.
	shown  = time.Hour
	points = 60
	// maxShown is how many series of a part are shown.
	maxShown = 20
)

// ExplainInput names a rule, and of its alerts those with some labels.
type ExplainInput struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Explanation is why a rule's alerts fire, or do not.
type Explanation struct {
	RuleStatus
	Active  []Active  `json:"active"`
	Parts   []Part    `json:"parts"`
	Changed time.Time `json:"changed,omitzero"` // when one of its alerts began or ended to fire last, within a day
}

// Part is a part of a rule's expression: a value, which a condition may be about.
type Part struct {
	Expr      string   `json:"expr"`
	Condition string   `json:"condition,omitempty"` // "> 0.5"; "": it only goes into another part
	Values    []Values `json:"values"`              // those nearest to holding first
	Series    int      `json:"series"`              // how many there are; Values are some of them
	Holding   int      `json:"holding"`             // of how many of them the condition holds
}

// Values are those of one series of a part.
type Values struct {
	Labels map[string]string `json:"labels"`
	Now    *float64          `json:"now"`               // nil: there is none at the moment
	Last   []*float64        `json:"last"`              // of the last hour, a minute apart
	Holds  bool              `json:"holds,omitempty"`   // the condition
	Short  *float64          `json:"missing,omitempty"` // by how much the condition does not hold
}

// Explain says why a rule's alerts fire, or do not: the parts of its expression, what
// they are now and were in the last hour, and what is missing.
func (w *Watcher) Explain(ctx context.Context, in ExplainInput) (Explanation, error) {
	rules := w.Rules()
	i := slices.IndexFunc(rules, func(r RuleStatus) bool { return r.Name == in.Name })
	if i < 0 {
		return Explanation{}, fault.Errorf(fault.NotFound, "there is no rule %q; `dropstack alert rules` lists them", in.Name)
	}
	out := Explanation{RuleStatus: rules[i], Active: []Active{}, Parts: []Part{}}
	for _, a := range w.Alerts() {
		if a.Rule == in.Name && has(a.Labels, in.Labels) {
			out.Active = append(out.Active, a)
		}
	}
	if out.Query != "" {
		return out, nil // the rows are the alerts
	}
	now := time.Now()
	for _, c := range conditionsOf(out.Expr) {
		p, err := w.part(ctx, c, in.Labels, now)
		if err != nil {
			return out, err
		}
		out.Parts = append(out.Parts, p)
	}
	var err error
	out.Changed, err = w.changed(ctx, in.Name, now)
	return out, err
}

func has(labels, some map[string]string) bool {
	for name, value := range some {
		if labels[name] != value {
			return false
		}
	}
	return true
}

// condition is a part of an expression, and what it is compared with.
type condition struct {
	expr parser.Expr
	op   parser.ItemType // 0: it is compared with nothing
	than float64
}

// conditionsOf takes an expression apart: what and, or and unless join, what is
// compared with a number, and of sums and ratios the sides.
func conditionsOf(expression string) (list []condition) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		return nil // it was read before
	}
	var walk func(e parser.Expr)
	walk = func(e parser.Expr) {
		if p, ok := e.(*parser.ParenExpr); ok {
			walk(p.Expr)
			return
		}
		b, ok := e.(*parser.BinaryExpr)
		if !ok {
			list = append(list, condition{expr: e})
			return
		}
		if n, ok := b.RHS.(*parser.NumberLiteral); ok && b.Op.IsComparisonOperator() {
			list = append(list, condition{b.LHS, b.Op, n.Val})
			if inner, ok := b.LHS.(*parser.BinaryExpr); ok {
				for _, side := range []parser.Expr{inner.LHS, inner.RHS} {
					if _, number := side.(*parser.NumberLiteral); !number {
						list = append(list, condition{expr: side})
					}
				}
			}
			return
		}
		if b.Op.IsSetOperator() {
			walk(b.LHS)
			walk(b.RHS)
			return
		}
		list = append(list, condition{expr: e})
	}
	walk(expr)
	return list
}

// holds says whether a value is as the condition wants it, and if not by how much.
func (c condition) holds(v float64) (bool, float64) {
	switch c.op {
	case parser.GTR:
		return v > c.than, c.than - v
	case parser.GTE:
		return v >= c.than, c.than - v
	case parser.LSS:
		return v < c.than, v - c.than
	case parser.LTE:
		return v <= c.than, v - c.than
	case parser.EQLC:
		return v == c.than, math.Abs(v - c.than)
	case parser.NEQ:
		return v != c.than, 0
	}
	return false, 0
}

// part asks for the values of a part.
func (w *Watcher) part(ctx context.Context, c condition, labels map[string]string, now time.Time) (Part, error) {
	p := Part{Expr: c.expr.String(), Values: []Values{}}
	if c.op != 0 {
		p.Condition = c.op.String() + " " + (&parser.NumberLiteral{Val: c.than}).String()
	}
	start := now.Add(-shown).Truncate(shown / points).Add(shown / points)
	series, err := w.Metrics.Range(ctx, p.Expr, start, now, shown/points)
	if err != nil {
		return p, err
	}
	present, err := w.Metrics.Instant(ctx, p.Expr, now)
	if err != nil {
		return p, err
	}
	for _, s := range series {
		v := Values{Labels: map[string]string{}, Last: make([]*float64, points)}
		for name, value := range s.Labels {
			if name != "__name__" {
				v.Labels[name] = value
			}
		}
		if !has(v.Labels, labels) && len(v.Labels) > 0 {
			continue
		}
		for _, at := range s.Points {
			if i := int(at.Time.Sub(start) / (shown / points)); i >= 0 && i < points && finite(at.Value) {
				v.Last[i] = &at.Value
			}
		}
		if i := slices.IndexFunc(present, func(o metric.Series) bool { return maps.Equal(o.Labels, s.Labels) }); i >= 0 && finite(present[i].Points[0].Value) {
			value := present[i].Points[0].Value
			v.Now = &value
			holds, short := c.holds(value)
			if v.Holds = holds; holds {
				p.Holding++
			} else if c.op != 0 {
				v.Short = &short
			}
		}
		p.Values = append(p.Values, v)
	}
	p.Series = len(p.Values)
	slices.SortStableFunc(p.Values, func(a, b Values) int { return cmp.Compare(a.distance(), b.distance()) })
	p.Values = p.Values[:min(len(p.Values), maxShown)]
	return p, nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// distance sorts values: those that hold, those that nearly do, those that are not.
func (v Values) distance() float64 {
	switch {
	case v.Holds:
		return math.Inf(-1)
	case v.Now == nil:
		return math.Inf(1)
	case v.Short != nil:
		return *v.Short
	}
	return 0
}

// changed is when a rule's alerts last began to fire, or ended, within a day.
func (w *Watcher) changed(ctx context.Context, name string, now time.Time) (time.Time, error) {
	const step = time.Minute
	series, err := w.Metrics.Range(ctx, `ALERTS{alertstate="firing",alertname=`+quoted(name)+`}`, now.Add(-24*time.Hour), now, step)
	var last time.Time
	for _, s := range series {
		for i, p := range s.Points {
			if i == 0 || p.Time.Sub(s.Points[i-1].Time) > step {
				last = later(last, p.Time)
			}
		}
		if end := s.Points[len(s.Points)-1].Time; now.Sub(end) > 2*step {
			last = later(last, end)
		}
	}
	return last, err
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
