package api

import (
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/event"
)

// Events is the part of EventBridge that rules with schedules need.
type Events struct {
	Rules  *event.Rules
	Region string
}

// Service is the service "events".
func (e *Events) Service() *Service {
	rule := func(name string) []Need { return on(arn.Rule(e.Region, name)) }
	named := func(in event.RuleInput) []Need { return rule(in.Name) }
	r := e.Rules
	return &Service{Scope: "events", Prefix: "AWSEvents.", Operations: map[string]Operation{
		"PutRule":      op(r.PutRule, func(in event.PutRuleInput) []Need { return rule(in.Name) }),
		"DescribeRule": op(r.DescribeRule, named),
		"EnableRule":   op(r.EnableRule, named),
		"DisableRule":  op(r.DisableRule, named),
		"DeleteRule":   op(r.DeleteRule, named),
		"ListRules":    op(r.ListRules, nil),

		"PutTargets":            op(r.PutTargets, func(in event.PutTargetsInput) []Need { return rule(in.Rule) }),
		"RemoveTargets":         op(r.RemoveTargets, func(in event.RemoveTargetsInput) []Need { return rule(in.Rule) }),
		"ListTargetsByRule":     op(r.ListTargetsByRule, func(in event.ListTargetsInput) []Need { return rule(in.Rule) }),
		"ListRuleNamesByTarget": op(r.ListRuleNamesByTarget, nil),

		"TagResource":         op(r.TagResource, func(in event.TagResourceInput) []Need { return on(in.ResourceARN) }),
		"UntagResource":       op(r.UntagResource, func(in event.UntagResourceInput) []Need { return on(in.ResourceARN) }),
		"ListTagsForResource": op(r.ListTagsForResource, func(in event.ListTagsInput) []Need { return on(in.ResourceARN) }),

		"PutEvents": op(r.PutEvents, nil),
	}}
}
