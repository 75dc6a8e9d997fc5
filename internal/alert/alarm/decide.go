package alarm

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"
)

// more is how many periods are looked at beyond those that an alarm evaluates: when
// data is missing or late, older data stands in for it.
const more = 2

// datapoint is what was measured in a period; NaN: nothing.
type datapoint struct {
	begin     time.Time
	value     float64
	low, high float64 // between them it is as it should be
}

func (d datapoint) there() bool { return !math.IsNaN(d.value) }

// breaches says whether the value is beyond the threshold, which low and high are,
// or the upper and lower ends of what is expected.
func (d datapoint) breaches(operator string) bool {
	switch operator {
	case above, aboveUpper:
		return d.value > d.high
	case notBelow:
		return d.value >= d.high
	case below, belowBand:
		return d.value < d.low
	case notAbove:
		return d.value <= d.low
	}
	return d.value < d.low || d.value > d.high
}

// decision is what the latest periods mean.
type decision struct {
	state  string // "": it stays as it is
	reason string
	recent []datapoint // that were decided by, the newest first
}

// decide says what state an alarm is in, from the periods that it evaluates and some
// before, the oldest first.
//
// With enough data the newest N periods that have some decide. With less, what is
// missing counts as the alarm says; or, when nothing is said, does not count: then
// one value that is all right is enough for OK, and values that are all beyond the
// threshold are ALARM once the oldest of them is M periods old, since by then what
// is missing would have come.
func (a *Alarm) decide(points []datapoint) decision {
	n, m := a.EvaluationPeriods, a.needed()
	var have []datapoint // the newest first
	age, bad := 0, 0     // of the oldest, in periods
	for i := len(points) - 1; i >= 0 && len(have) < n; i-- {
		if points[i].there() {
			have = append(have, points[i])
			age = len(points) - i
		}
	}
	for _, p := range have {
		if p.breaches(a.ComparisonOperator) {
			bad++
		}
	}
	filled, treat := n-len(have), cmp.Or(a.TreatMissingData, missing)
	total := bad
	if treat == breaching {
		total += filled
	}
	switch {
	case len(have) == 0 && treat == missing:
		return decision{state: Insufficient, reason: fmt.Sprintf("Insufficient Data: %s unknown.", counted(n, "datapoint was", "datapoints were"))}
	case len(have) == 0 && treat == ignore:
		return decision{}
	case total >= m:
		return decision{Ringing, a.reason(have, filled, true), have}
	case filled == 0 || treat == breaching || treat == notBreaching || bad < len(have):
		return decision{OK, a.reason(have, filled, false), have}
	case age >= m && treat == missing:
		return decision{Ringing, a.reason(have, filled, true), have}
	}
	return decision{recent: have} // too early to tell
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// operators are what a reason calls a comparison.
var operators = map[string]string{
	above: "greater than", notBelow: "greater than or equal to", below: "less than", notAbove: "less than or equal to",
	outside: "less than the lower thresholds or greater than the upper thresholds", belowBand: "less than the lower thresholds", aboveUpper: "greater than the upper thresholds",
}

// reason is the sentence that CloudWatch gives for a state.
func (a *Alarm) reason(have []datapoint, filled int, ringing bool) string {
	if len(have) == 0 {
		treated := "NonBreaching"
		if ringing {
			treated = "Breaching"
		}
		return fmt.Sprintf("Threshold Crossed: no datapoints were received for %s and %s treated as [%s].",
			counted(filled, "period", "periods"), counted(filled, "missing datapoint was", "missing datapoints were"), treated)
	}
	var values []string
	n := 0
	for _, p := range have {
		if p.breaches(a.ComparisonOperator) == ringing {
			n++
			values = append(values, fmt.Sprintf("%s (%s)", decimal(p.value), p.begin.UTC().Format("02/01/06 15:04:05")))
		}
	}
	was := "were"
	if n == 1 {
		was = "was"
	}
	not := ""
	if !ringing {
		not = "not "
	}
	threshold := "what is expected (from " + decimal(have[0].low) + " to " + decimal(have[0].high) + ")"
	if a.Threshold != nil {
		threshold = "the threshold (" + decimal(*a.Threshold) + ")"
	}
	change := fmt.Sprintf("minimum %s for OK -> ALARM transition", counted(a.needed(), "datapoint", "datapoints"))
	if !ringing {
		change = fmt.Sprintf("minimum %s for ALARM -> OK transition", counted(a.EvaluationPeriods-a.needed()+1, "datapoint", "datapoints"))
	}
	return fmt.Sprintf("Threshold Crossed: %d out of the last %s [%s] %s %s%s %s (%s).",
		n, counted(a.EvaluationPeriods, "datapoint", "datapoints"), strings.Join(values, ", "), was, not, operators[a.ComparisonOperator], threshold, change)
}

// decimal is a number as Java writes it, which CloudWatch's reasons are made by.
func decimal(v float64) string {
	s := fmt.Sprintf("%v", v)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}
