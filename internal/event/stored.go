package event

import (
	"slices"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/pattern"
	"github.com/dropstack/dropstack/internal/schedule"
)

// rule is a rule as calls see it: with an expression or a pattern.
type rule struct {
	bus.Rule
	expression string
	zone       string // which no call changes
}

func (r *rule) onBus() string { return bus.Name(r.Bus) }

// in is the rule of a name in a revision, nil when there is none there.
func (r *Rules) in(rev *deploy.Revision, name, onBus string) *rule {
	for _, found := range r.all(rev) {
		if found.Name == name && found.onBus() == onBus {
			return found
		}
	}
	return nil
}

// all are the rules of a revision.
func (r *Rules) all(rev *deploy.Revision) (list []*rule) {
	for i := range rev.Rules {
		list = append(list, &rule{Rule: rev.Rules[i]})
	}
	for i := range rev.Schedules {
		s := &rev.Schedules[i]
		if s.Scheduler {
			continue
		}
		at := slices.IndexFunc(list, func(known *rule) bool { return known.expression != "" && known.Name == s.Name })
		if at < 0 {
			at = len(list)
			list = append(list, &rule{expression: s.Expression, zone: s.Zone, Rule: bus.Rule{
				Stack: s.Stack, Name: s.Name, ARN: s.ARN, Description: s.Description, Disabled: s.Disabled, Tags: s.Tags,
			}})
		}
		if s.Aimed() {
			list[at].Targets = append(list[at].Targets, r.target(s))
		}
	}
	return list
}

// lone is the id of the target of a rule of a serverless.yml, which has none of its
// own.
const lone = "target"

// target is what a schedule calls.
func (r *Rules) target(s *schedule.Schedule) bus.Target {
	t := bus.Target{
		ID: s.Target, ARN: s.To, Group: s.ToGroup,
		Input:      pattern.Input{Text: s.Input, Path: s.InputPath, Transformer: s.Transformer},
		DeadLetter: s.DeadLetter, MaxAge: s.MaxAge, MaxRetries: s.MaxRetries,
	}
	if s.Function != "" {
		t.ARN = arn.Function(r.Region, s.Function)
	}
	if t.ID == "" {
		t.ID = lone
	}
	return t
}

// store puts a rule in place of the one of its name, nil for none.
func store(rev *deploy.Revision, name, onBus string, next *rule) {
	was := func(found bus.Rule) bool { return found.Name == name && bus.Name(found.Bus) == onBus }
	scheduled := func(s schedule.Schedule) bool { return onBus == bus.Default && s.Name == name && !s.Scheduler }
	ruleAt, scheduleAt := slices.IndexFunc(rev.Rules, was), slices.IndexFunc(rev.Schedules, scheduled)
	rev.Rules, rev.Schedules = slices.DeleteFunc(rev.Rules, was), slices.DeleteFunc(rev.Schedules, scheduled)
	if next == nil {
		return
	}
	next.Stack = rev.Stack
	if next.expression == "" {
		rev.Rules = slices.Insert(rev.Rules, place(ruleAt, len(rev.Rules)), next.Rule)
		return
	}
	rev.Schedules = slices.Insert(rev.Schedules, place(scheduleAt, len(rev.Schedules)), schedules(next)...)
}

// place is where something goes that was somewhere, or nowhere, before.
func place(was, end int) int {
	if was < 0 {
		return end
	}
	return min(was, end)
}

// schedules are a rule with an expression as revisions have it, one a target.
func schedules(rule *rule) (list []schedule.Schedule) {
	base := schedule.Schedule{
		Stack: rule.Stack, Name: rule.Name, ARN: rule.ARN, Expression: rule.expression, Zone: rule.zone, Description: rule.Description,
		Disabled: rule.Disabled, Tags: rule.Tags,
	}
	if len(rule.Targets) == 0 {
		return []schedule.Schedule{base}
	}
	for _, t := range rule.Targets {
		s := base
		s.Target, s.Input, s.InputPath, s.Transformer, s.ToGroup = t.ID, t.Input.Text, t.Input.Path, t.Input.Transformer, t.Group
		s.DeadLetter, s.MaxAge, s.MaxRetries = t.DeadLetter, t.MaxAge, t.MaxRetries
		if s.Target == lone {
			s.Target = ""
		}
		if s.Function = functionOf(t.ARN); s.Function == "" {
			s.To = t.ARN
		}
		list = append(list, s)
	}
	return list
}
