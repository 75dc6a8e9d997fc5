package apigateway_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/apigateway"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/gateway"
)

// plans are deployed stacks, and nothing that would change them.
type plans struct {
	apigateway.Deployer
	quota *gateway.Quota
}

func (p plans) List() map[string]*deploy.Revision {
	return map[string]*deploy.Revision{"s-dev": {Stack: "s-dev", UsagePlans: []gateway.UsagePlan{{Stack: "s-dev", ID: "plan", Quota: p.quota}}}}
}

// daily is a count for every day: the day of the month.
type daily struct{}

func (daily) Usage(_ string, from, to time.Time) map[string][]int {
	var used []int
	for d := from; !d.After(to); d = d.AddDate(0, 0, 1) {
		used = append(used, d.Day())
	}
	return map[string][]int{"key": used, "other": make([]int, len(used))}
}

func TestUsage(t *testing.T) {
	for name, c := range map[string]struct {
		quota    *gateway.Quota
		from, to string
		want     [][2]int
	}{
		"no quota":                          {nil, "2026-10-01", "2026-10-02", [][2]int{{1, 0}, {2, 0}}},
		"by days":                           {&gateway.Quota{Limit: 10, Period: gateway.Day}, "2026-10-09", "2026-10-11", [][2]int{{9, 1}, {10, 0}, {11, 0}}},
		"weeks begin on Mondays":            {&gateway.Quota{Limit: 100, Period: gateway.Week}, "2026-10-10", "2026-10-12", [][2]int{{10, 55}, {11, 44}, {12, 88}}},
		"months, from the middle of one on": {&gateway.Quota{Limit: 20, Period: gateway.Month}, "2026-10-03", "2026-10-04", [][2]int{{3, 14}, {4, 10}}},
	} {
		t.Run(name, func(t *testing.T) {
			a := &apigateway.APIs{Deployer: plans{quota: c.quota}, Meter: daily{}}
			got, err := a.GetUsage(t.Context(), apigateway.UsageInput{UsagePlanId: "plan", KeyId: "key", StartDate: c.from, EndDate: c.to})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string][][2]int{"key": c.want}, got.Values); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUsageOfSpansThatAreNone(t *testing.T) {
	a := &apigateway.APIs{Deployer: plans{}, Meter: daily{}}
	for name, span := range map[string][2]string{
		"no dates": {"", ""}, "the end first": {"2026-10-02", "2026-10-01"}, "too long": {"2026-01-01", "2026-04-01"}, "no such day": {"2026-02-30", "2026-03-01"},
	} {
		_, err := a.GetUsage(t.Context(), apigateway.UsageInput{UsagePlanId: "plan", StartDate: span[0], EndDate: span[1]})
		if fault.CodeOf(err) != "BadRequestException" {
			t.Errorf("%s: %v, want BadRequestException", name, err)
		}
	}
}
