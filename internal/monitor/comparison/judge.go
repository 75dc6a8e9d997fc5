package comparison

import (
	"fmt"
	"math"
	"time"
)

// What makes a difference. Of many functions that are deployed often, chance must not
// make one look worse every day.
const (
	leastRatio    = 20   // invocations of both versions, to compare how often they fail
	leastLatency  = 50   // to compare how long they take
	errorsAbove   = 3.0  // standard errors
	errorsExcess  = 0.01 // and by how much the ratio is another
	errorsLeast   = 3    // failures of the worse one
	medianFactor  = 1.25
	tailFactor    = 1.5
	medianNoticed = 20 * time.Millisecond
	tailNoticed   = 50 * time.Millisecond
)

// judge says whether the new version is worse.
func (f *Function) judge() {
	f.Verdict, f.Words, f.Graver = Same, "", false
	if f.New.Invocations < leastRatio || f.Old.Invocations < leastRatio {
		f.Verdict = TooFew
		return
	}
	switch s := sign(f.Old, f.New); {
	case s > 0:
		f.Verdict, f.Graver = Worse, true
		f.Words = fmt.Sprintf("%s of its invocations fail, %s before", share(f.New), share(f.Old))
		return
	case s < 0:
		f.Verdict = Better
		f.Words = fmt.Sprintf("%s of its invocations fail, %s before", share(f.New), share(f.Old))
	}
	if f.New.Invocations < leastLatency || f.Old.Invocations < leastLatency {
		return
	}
	for _, one := range []struct {
		name     string
		old, new float64
		factor   float64
		noticed  time.Duration
	}{
		{"half of its invocations take over", f.Old.P50, f.New.P50, medianFactor, medianNoticed},
		{"one of twenty invocations takes over", f.Old.P95, f.New.P95, tailFactor, tailNoticed},
	} {
		words := fmt.Sprintf("%s %s, %s before", one.name, seconds(one.new), seconds(one.old))
		switch {
		case one.new > one.old*one.factor && one.new-one.old > one.noticed.Seconds():
			f.Verdict, f.Words, f.Graver = Worse, words, one.new > 2*one.old
			return
		case one.old > one.new*one.factor && one.old-one.new > one.noticed.Seconds() && f.Verdict == Same:
			f.Verdict, f.Words = Better, words
		}
	}
}

// sign compares how often versions fail: 1 if the new one does clearly more often, -1 if
// less, else 0.
func sign(old, next Figures) int {
	a, b := next.Errors/next.Invocations, old.Errors/old.Invocations
	// as if both were one version: how far apart they would be by chance
	pooled := (next.Errors + old.Errors) / (next.Invocations + old.Invocations)
	chance := math.Sqrt(pooled * (1 - pooled) * (1/next.Invocations + 1/old.Invocations))
	switch diff := a - b; {
	case math.Abs(diff) <= errorsExcess, math.Abs(diff) <= errorsAbove*chance, max(next.Errors, old.Errors) < errorsLeast:
		return 0
	case diff > 0:
		return 1
	}
	return -1
}

// share is how many of a hundred fail, in two digits that count.
func share(f Figures) string {
	percent := 100 * f.Errors / f.Invocations
	if percent < 10 {
		return fmt.Sprintf("%.2g %%", percent)
	}
	return fmt.Sprintf("%.0f %%", percent)
}

func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if d < time.Second {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// sum makes the verdict of all functions: that of those that are worse counts most, then
// that of those that are better.
func (c *Comparison) sum() {
	order := map[string]int{Worse: 3, Better: 2, Same: 1, TooFew: 0}
	c.Verdict = TooFew
	for _, f := range c.Functions {
		if order[f.Verdict] > order[c.Verdict] {
			c.Verdict = f.Verdict
		}
	}
}
