package deploy

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/spec"
	"github.com/dropstack/dropstack/internal/topic"
)

// planTopics derives a service's topics and subscriptions. Problems are what the
// topic room says of their attributes.
func planTopics(svc *spec.Service) (topics []topic.Topic, subs []topic.Subscription, problems []spec.Problem) {
	report := func(pos spec.Pos, err error) {
		if err != nil {
			problems = append(problems, spec.Problem{Pos: pos, Message: strings.TrimPrefix(err.Error(), "Invalid parameter: ")})
		}
	}
	for _, t := range svc.Topics {
		out := topic.Topic{Stack: svc.Stack(), Name: t.Name, ARN: arn.Topic(svc.Region, t.Name), Named: t.Foreign && !t.Declared, Tags: tags(svc, t.Tags)}
		for _, a := range t.Attributes {
			report(a.Pos, out.Set(a.Name, a.Value))
		}
		topics = append(topics, out)
	}
	add := func(s topic.Subscription, pos spec.Pos, attributes []spec.Attribute) {
		for _, a := range attributes {
			if a.Name == "FilterPolicy" {
				pos = a.Pos // which is what Check looks at
			}
			report(a.Pos, s.Set(a.Name, a.Value))
		}
		report(pos, s.Check())
		subs = append(subs, s)
	}
	for _, f := range svc.Functions {
		for _, e := range f.Events {
			if e.SNS == nil {
				continue
			}
			at := cmp.Or(e.SNS.ARN, arn.Topic(svc.Region, e.SNS.Topic))
			add(topic.Subscription{
				Stack: svc.Stack(), ARN: topic.SubscriptionARN(at, f.Target()), Topic: at, Function: f.Target(),
			}, e.Pos, e.SNS.Attributes)
		}
	}
	for _, s := range svc.Subscriptions {
		out, err := topic.Declare(svc.Stack(), s.TopicARN, s.Protocol, s.Endpoint)
		if err != nil {
			report(s.Pos, fmt.Errorf("subscription to %s: %w", s.TopicARN, err))
			continue
		}
		add(out, s.Pos, s.Attributes)
	}
	return topics, subs, problems
}
