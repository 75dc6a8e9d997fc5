package notify

import (
	"context"
	"maps"
	"math"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/dropstack/dropstack/internal/metric"
)

// trend draws what the rule measured for an alert within the last hour.
func (n *Notifier) trend(ctx context.Context, expression string, labels map[string]string, now time.Time) string {
	step := trendWindow / trendBars
	start := now.Add(-trendWindow + step)
	list, err := n.Metrics.Range(ctx, measured(expression), start, now, step)
	if err != nil {
		n.Log.Debug("no trend for an alert", "expression", expression, "err", err)
		return ""
	}
	for _, s := range list {
		if covers(labels, s.Labels) {
			return sparkline(s.Points, start, step)
		}
	}
	return ""
}

// measured is the part of a condition that has a value while it does not hold: of
// a > 0.5 and b > 10 it is a.
func measured(expression string) string {
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		return expression
	}
	for {
		switch v := e.(type) {
		case *parser.ParenExpr:
			e = v.Expr
			continue
		case *parser.BinaryExpr:
			_, constant := v.LHS.(*parser.NumberLiteral)
			if (v.Op.IsComparisonOperator() && !constant) || v.Op == parser.LAND || v.Op == parser.LUNLESS {
				e = v.LHS
				continue
			}
		}
		return e.String()
	}
}

// covers says whether a series is the one that an alert came of: the alert has all of
// its labels, and more that the rule added.
func covers(labels map[string]string, series metric.Labels) bool {
	for name, value := range maps.All(series) {
		if name != "__name__" && labels[name] != value {
			return false
		}
	}
	return true
}

// sparkline draws points as bars, from 0, or from the lowest if that is below. A step
// without a point is a gap.
func sparkline(points []metric.Point, start time.Time, step time.Duration) string {
	values := make([]float64, trendBars)
	for i := range values {
		values[i] = math.NaN()
	}
	low, high, drawn := 0.0, 0.0, false
	for _, p := range points {
		if math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
			continue
		}
		low, high = min(low, p.Value), max(high, p.Value)
		if i := int((p.Time.Sub(start) + step/2) / step); i >= 0 && i < trendBars {
			values[i], drawn = p.Value, true
		}
	}
	if !drawn {
		return ""
	}
	return strings.ReplaceAll(metric.Bars(values, low, high), " ", "·") // Slack trims spaces
}
