package spec

import (
	"cmp"

	"github.com/dropstack/dropstack/internal/arn"
)

// twice refuses what is there twice under one name: the second would take the place
// of the first, or be called in its stead.
func (r *reader) twice() {
	topics, queues, rules, schedules := map[string]Pos{}, map[string]Pos{}, map[string]Pos{}, map[string]Pos{}
	for _, t := range r.svc.Topics {
		if t.Declared {
			r.once(topics, t.Name, t.Pos, "topic")
		}
	}
	for _, q := range r.svc.Queues {
		r.once(queues, q.Name, q.Pos, "queue")
	}
	rule := func(pos Pos, e RuleEvent) {
		if e.Name != "" {
			r.once(rules, cmp.Or(e.Bus, "default")+"/"+e.Name, pos, "rule")
		}
	}
	schedule := func(pos Pos, name, group string) {
		if name != "" {
			r.once(schedules, cmp.Or(group, "default")+"/"+name, pos, "schedule")
		}
	}
	for _, fn := range r.svc.Functions {
		sources, subscribed := map[string]Pos{}, map[string]Pos{}
		for _, e := range fn.Events {
			switch {
			case e.SQS != nil:
				r.once(sources, e.SQS.ARN, e.Pos, "function "+fn.Key+": the queue")
			case e.SNS != nil:
				r.once(subscribed, cmp.Or(e.SNS.ARN, arn.Topic(r.svc.Region, e.SNS.Topic)), e.Pos, "function "+fn.Key+": the topic")
			case e.Rule != nil:
				rule(e.Pos, *e.Rule)
			case e.Schedule != nil && e.Schedule.Scheduler:
				schedule(e.Pos, e.Schedule.Name, e.Schedule.Group)
			case e.Schedule != nil:
				rule(e.Pos, RuleEvent{Name: e.Schedule.Name}) // of the default bus
			}
		}
	}
	for _, x := range r.svc.Rules {
		if x.Scheduler {
			schedule(x.Pos, x.Name, x.Group)
		} else {
			rule(x.Pos, x.RuleEvent)
		}
	}
}
