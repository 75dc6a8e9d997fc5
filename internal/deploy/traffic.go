package deploy

import (
	"regexp"
	"strconv"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// traffic says how callers are moved to a new version: percent of them at once, and
// after every interval as many again or, of a canary, all the others.
type traffic struct {
	percent int
	every   time.Duration
	linear  bool
}

var (
	trafficName  = regexp.MustCompile(`^(?:CodeDeployDefault\.Lambda)?(?:Canary(\d{1,2})Percent(\d{1,6})(Second|Minute|Hour)s?|Linear(\d{1,2})PercentEvery(\d{1,6})(Second|Minute|Hour)s?|AllAtOnce)$`)
	trafficUnits = map[string]time.Duration{"Second": time.Second, "Minute": time.Minute, "Hour": time.Hour}
)

// longestShift is how long CodeDeploy lets a shift take.
const longestShift = 48 * time.Hour

// parseTraffic reads a type of CodeDeploy, with its prefix or without. Other
// numbers than those that CodeDeploy has are ours alone.
func parseTraffic(name string) (traffic, error) {
	m := trafficName.FindStringSubmatch(name)
	if m == nil {
		return traffic{}, fault.Errorf(fault.Invalid, "shift type %q: there are AllAtOnce, Canary10Percent5Minutes and Linear10PercentEvery1Minute, the last two with other numbers and units as well", name)
	}
	percent, number, unit := m[1]+m[4], m[2]+m[5], m[3]+m[6]
	if percent == "" {
		return traffic{percent: 100}, nil
	}
	p, _ := strconv.Atoi(percent) // digits
	n, _ := strconv.Atoi(number)
	t := traffic{p, time.Duration(n) * trafficUnits[unit], m[4] != ""}
	if p == 0 || n == 0 || t.took() > longestShift {
		return traffic{}, fault.Errorf(fault.Invalid, "shift type %q: 1 to 99 percent, and at most 48 hours in all", name)
	}
	return t, nil
}

// weight is the share of the callers that the new version gets a while after the
// shift began.
func (t traffic) weight(after time.Duration) float64 {
	switch {
	case t.percent >= 100 || after >= t.took():
		return 1
	case t.linear:
		return float64(t.percent*(1+int(after/t.every))) / 100
	}
	return float64(t.percent) / 100
}

// took is how long it takes until all callers are moved.
func (t traffic) took() time.Duration {
	switch {
	case t.percent >= 100:
		return 0
	case t.linear:
		return time.Duration((100+t.percent-1)/t.percent-1) * t.every
	}
	return t.every
}

// since is when a shift would have begun whose new version begins to have a weight
// now.
func (t traffic) since(now time.Time, weight float64) time.Time {
	for after := time.Duration(0); t.every > 0 && after < t.took(); after += t.every {
		if t.weight(after) >= weight {
			return now.Add(-after)
		}
	}
	return now.Add(-t.took())
}
