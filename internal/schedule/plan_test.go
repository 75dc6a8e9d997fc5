package schedule

import (
	"slices"
	"strconv"
	"testing"
	"time"
)

// TestClock moves the wall clock in ways that a bubble cannot: the machine was
// asleep, or the clock was set.
func TestClock(t *testing.T) {
	at := func(hm string) time.Time {
		t.Helper()
		tm, err := time.Parse("15:04:05", hm)
		if err != nil {
			t.Fatal(err)
		}
		return time.Date(2026, 3, 1, tm.Hour(), tm.Minute(), tm.Second(), 0, time.UTC)
	}
	stacks := map[string][]entry{"s": nil}
	for name, text := range map[string]string{"five": "cron(*/5 * * * ? *)", "hour": "rate(1 hour)"} {
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		stacks["s"] = append(stacks["s"], entry{Schedule{ARN: name, Expression: text, Function: "f"}, e, at("10:00:00")})
	}
	var p plan
	for _, step := range []struct {
		now, what string
		due       []string
		missed    []string
		sleep     time.Duration
	}{
		{"10:00:00", "start: what is due now is gone", nil, nil, nap},
		{"10:04:50", "shortly before", nil, nil, 10 * time.Second},
		{"10:05:30", "late but not too late", []string{"five 10:05:00"}, nil, nap},
		{"12:02:00", "asleep for long: no catch-up", nil, []string{"five 10:10:00 23", "hour 11:00:00 2"}, nap},
		{"13:00:40", "asleep until shortly after a tick", []string{"five 13:00:00", "hour 13:00:00"}, []string{"five 12:05:00 11"}, nap},
		{"11:59:50", "set back by an hour", nil, nil, 10 * time.Second},
		{"11:59:30", "set back by a little", nil, nil, nap},
		{"12:00:00", "on time again", []string{"five 12:00:00", "hour 12:00:00"}, nil, nap},
	} {
		now := at(step.now)
		p.update(stacks, now)
		var due, missed []string
		ready, passed := p.due(now)
		for _, d := range ready {
			due = append(due, d.ARN+" "+d.tick.Format("15:04:05"))
			d.advance(d.tick)
		}
		for rule, tick := range passed {
			missed = append(missed, rule+" "+tick.first.Format("15:04:05")+" "+strconv.Itoa(tick.count))
		}
		slices.Sort(missed)
		if !slices.Equal(due, step.due) || !slices.Equal(missed, step.missed) || p.sleep(now) != step.sleep {
			t.Errorf("%s: due %v, missed %v, sleep %v; want %v, %v, %v", step.what, due, missed, p.sleep(now), step.due, step.missed, step.sleep)
		}
	}
}
