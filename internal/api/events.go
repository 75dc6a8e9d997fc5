package api

import (
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/event"
)

// Events is EventBridge: rules, event buses, and events that are put.
type Events struct {
	Rules  *event.Rules
	Buses  *bus.Buses
	Region string
}

// Service is the service "events".
func (e *Events) Service() *Service {
	rule := func(name, onBus string) []Need {
		if onBus = bus.Name(onBus); onBus != bus.Default {
			return on(arn.BusRule(e.Region, onBus, name))
		}
		return on(arn.Rule(e.Region, name))
	}
	onBus := func(name string) []Need { return on(arn.EventBus(e.Region, bus.Name(name))) }
	named := func(in event.RuleInput) []Need { return rule(in.Name, in.EventBusName) }
	aBus := func(in event.EventBusInput) []Need { return onBus(in.Name) }
	r := e.Rules
	return &Service{Scope: "events", Prefix: "AWSEvents.", Operations: map[string]Operation{
		"PutRule":          op(r.PutRule, func(in event.PutRuleInput) []Need { return rule(in.Name, in.EventBusName) }),
		"DescribeRule":     op(r.DescribeRule, named),
		"EnableRule":       op(r.EnableRule, named),
		"DisableRule":      op(r.DisableRule, named),
		"DeleteRule":       op(r.DeleteRule, named),
		"ListRules":        op(r.ListRules, nil),
		"TestEventPattern": op(r.TestEventPattern, nil),

		"PutTargets":            op(r.PutTargets, func(in event.PutTargetsInput) []Need { return rule(in.Rule, in.EventBusName) }),
		"RemoveTargets":         op(r.RemoveTargets, func(in event.RemoveTargetsInput) []Need { return rule(in.Rule, in.EventBusName) }),
		"ListTargetsByRule":     op(r.ListTargetsByRule, func(in event.ListTargetsInput) []Need { return rule(in.Rule, in.EventBusName) }),
		"ListRuleNamesByTarget": op(r.ListRuleNamesByTarget, nil),

		"CreateEventBus":   op(r.CreateEventBus, func(in event.CreateEventBusInput) []Need { return onBus(in.Name) }),
		"DescribeEventBus": op(r.DescribeEventBus, aBus),
		"DeleteEventBus":   op(r.DeleteEventBus, aBus),
		"ListEventBuses":   op(r.ListEventBuses, nil),

		"TagResource":         op(r.TagResource, func(in event.TagResourceInput) []Need { return on(in.ResourceARN) }),
		"UntagResource":       op(r.UntagResource, func(in event.UntagResourceInput) []Need { return on(in.ResourceARN) }),
		"ListTagsForResource": op(r.ListTagsForResource, func(in event.ListTagsInput) []Need { return on(in.ResourceARN) }),

		"PutEvents": op(e.Buses.PutEvents, e.putting).aboutData(),
	}}
}

// putting needs the call for every bus that an event is put on, by events that have
// this source and this type.
func (e *Events) putting(in bus.PutEventsInput) (needs []Need) {
	if len(in.Entries) == 0 {
		return on(arn.EventBus(e.Region, bus.Default))
	}
	for _, entry := range in.Entries {
		needs = append(needs, Need{Resource: arn.EventBus(e.Region, bus.Name(entry.EventBusName)), Conditions: map[string][]string{
			"events:source": {entry.Source}, "events:detail-type": {entry.DetailType},
		}})
	}
	return needs
}
