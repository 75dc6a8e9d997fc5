package comparison

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// compare asks what was measured of the functions of a deployment until now, of those
// that have not been judged yet.
func (c *Comparisons) compare(ctx context.Context, one Comparison, now time.Time) (Comparison, error) {
	one.Functions = slices.Clone(one.Functions)
	// The database counts whole milliseconds, and one more or less may be what tells a
	// sample of the deployment's moment from those after it.
	now, deployed := now.Truncate(time.Millisecond), one.Deployed.Truncate(time.Millisecond)
	since := now.Sub(deployed)
	for i := range one.Functions {
		f := &one.Functions[i]
		if f.Verdict != "" {
			continue
		}
		// Who calls the function without a qualifier, has its latest code: the old one
		// until the deployment, the new one from then on.
		is, was := `version="$LATEST"`, ``
		if f.Version != "" {
			is = fmt.Sprintf(`version=~%s`, strconv.Quote(`\$LATEST|`+regexp.QuoteMeta(f.Version)))
			was = fmt.Sprintf(`version!=%s`, strconv.Quote(f.Version))
		}
		var err error
		if f.New, err = c.figures(ctx, f.Name, is, since, now); err != nil {
			return one, err
		}
		for _, length := range []time.Duration{before, longer} {
			if !f.Since.IsZero() {
				length = min(length, deployed.Sub(f.Since.Truncate(time.Millisecond))) // what was there earlier is another one's
			}
			if f.Old, err = c.figures(ctx, f.Name, was, length, deployed); err != nil {
				return one, err
			}
			if f.Old.Invocations >= leastLatency {
				break
			}
		}
		f.judge()
	}
	one.sum()
	return one, nil
}

// figures are what was measured of versions of a function within a time until a moment.
func (c *Comparisons) figures(ctx context.Context, function, versions string, within time.Duration, until time.Time) (f Figures, err error) {
	of := strings.TrimSuffix(fmt.Sprintf("{function=%s,%s", strconv.Quote(function), versions), ",") + "}"
	// What is before the window says from where to count: many invocations between two
	// samples would be lost otherwise, or counted longer than they were measured.
	window := fmt.Sprintf("[%dms] anchored", max(within.Milliseconds(), 1))
	for _, q := range []struct {
		expression string
		into       *float64
	}{
		{"sum(increase(dropstack_function_invocations_total" + of + window + "))", &f.Invocations},
		{"sum(increase(dropstack_function_errors_total" + of + window + "))", &f.Errors},
		{"histogram_quantile(0.5, sum(increase(dropstack_function_duration_seconds" + of + window + ")))", &f.P50},
		{"histogram_quantile(0.95, sum(increase(dropstack_function_duration_seconds" + of + window + ")))", &f.P95},
	} {
		list, err := c.Ask(ctx, q.expression, until)
		if err != nil {
			return Figures{}, err
		}
		if len(list) == 1 && len(list[0].Points) == 1 && !math.IsNaN(list[0].Points[0].Value) {
			*q.into = list[0].Points[0].Value
		}
	}
	f.Invocations, f.Errors = math.Round(f.Invocations), math.Round(f.Errors)
	f.Errors = min(f.Errors, f.Invocations)
	return f, nil
}
