package apigateway

import (
	"context"
	"time"

	"github.com/dropstack/dropstack/internal/gateway"
)

// maxUsage is how many days of usage can be asked for.
const maxUsage = 90

// UsageInput asks for what keys have used of a plan, on each day of a span: one key,
// if KeyId names it.
type UsageInput struct {
	UsagePlanId string `json:"usagePlanId,omitempty"`
	KeyId       string `json:"keyId,omitempty"`
	StartDate   string `json:"startDate,omitempty"` // YYYY-MM-DD
	EndDate     string `json:"endDate,omitempty"`
}

// Usage has, by key, a pair for each day: the requests of that day, and how many the
// quota left for the rest of its period at its end. Without a quota that is 0.
type Usage struct {
	UsagePlanID string              `json:"usagePlanId"`
	StartDate   string              `json:"startDate"`
	EndDate     string              `json:"endDate"`
	Values      map[string][][2]int `json:"values"`
}

// GetUsage tells what keys have used of a plan.
func (a *APIs) GetUsage(_ context.Context, in UsageInput) (Usage, error) {
	p, err := a.plan(in.UsagePlanId)
	if err != nil {
		return Usage{}, err
	}
	from, errFrom := time.Parse(time.DateOnly, in.StartDate)
	to, errTo := time.Parse(time.DateOnly, in.EndDate)
	switch days := int(to.Sub(from) / (24 * time.Hour)); {
	case errFrom != nil || errTo != nil:
		return Usage{}, invalid("startDate %q and endDate %q: they must be dates such as 2026-01-31", in.StartDate, in.EndDate)
	case days < 0 || days >= maxUsage:
		return Usage{}, invalid("startDate %s and endDate %s: the end must not come first, and there can be %d days", in.StartDate, in.EndDate, maxUsage)
	}
	out := Usage{UsagePlanID: p.ID, StartDate: in.StartDate, EndDate: in.EndDate, Values: map[string][][2]int{}}
	first := from
	if p.Quota != nil {
		first = p.Quota.Begin(from)
	}
	for key, used := range a.Meter.Usage(p.ID, first, to) {
		if in.KeyId == "" || in.KeyId == key {
			out.Values[key] = remaining(p.Quota, first, used)[int(from.Sub(first)/(24*time.Hour)):]
		}
	}
	return out, nil
}

// remaining puts beside what was used each day what was left; the first day is the
// first of a period.
func remaining(q *gateway.Quota, first time.Time, used []int) [][2]int {
	pairs, period := make([][2]int, len(used)), 0
	for i, n := range used {
		pairs[i][0] = n
		if q == nil {
			continue
		}
		if day := first.AddDate(0, 0, i); day.Equal(q.Begin(day)) {
			period = 0
		}
		period += n
		pairs[i][1] = max(0, q.Limit-period)
	}
	return pairs
}
