package judge

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

func eventsCalls(s *sdk) {
	c := eventbridge.NewFromConfig(s.config)
	rule, function := aws.String("go-rule"), aws.String("arn:aws:lambda:us-east-1:000000000000:function:"+s.world.function)
	call(s, "put rule", c.PutRule, &eventbridge.PutRuleInput{Name: rule, ScheduleExpression: aws.String("rate(1 minute)"), State: types.RuleStateDisabled}, nil)
	call(s, "put target", c.PutTargets, &eventbridge.PutTargetsInput{Rule: rule, Targets: []types.Target{{Id: aws.String("1"), Arn: function, Input: aws.String(`{"from":"go-rule"}`)}}},
		func(out *eventbridge.PutTargetsOutput) error { return same(out.FailedEntryCount, int32(0)) })
	call(s, "targets", c.ListTargetsByRule, &eventbridge.ListTargetsByRuleInput{Rule: rule}, func(out *eventbridge.ListTargetsByRuleOutput) error {
		return same([]any{len(out.Targets), *out.Targets[0].Arn, *out.Targets[0].Input}, []any{1, *function, `{"from":"go-rule"}`})
	})
	call(s, "enable", c.EnableRule, &eventbridge.EnableRuleInput{Name: rule}, nil)
	call(s, "describe", c.DescribeRule, &eventbridge.DescribeRuleInput{Name: rule}, func(out *eventbridge.DescribeRuleOutput) error { return same(out.State, types.RuleStateEnabled) })
	fails(s, "a bus that is none", "ResourceNotFoundException", c.DescribeRule, &eventbridge.DescribeRuleInput{Name: rule, EventBusName: aws.String("go-none")})
	fails(s, "neither schedule nor pattern", "ValidationException", c.PutRule, &eventbridge.PutRuleInput{Name: aws.String("go-empty")})
	fails(s, "disable nothing", "ResourceNotFoundException", c.DisableRule, &eventbridge.DisableRuleInput{Name: aws.String("go-none")})
	fails(s, "a target that is no function", "ValidationException", c.PutTargets, &eventbridge.PutTargetsInput{
		Rule: rule, Targets: []types.Target{{Id: aws.String("2"), Arn: aws.String("arn:aws:events:us-east-1:000000000000:rule/go-rule")}},
	})
	fails(s, "delete with targets", "ValidationException", c.DeleteRule, &eventbridge.DeleteRuleInput{Name: rule})
	call(s, "remove target", c.RemoveTargets, &eventbridge.RemoveTargetsInput{Rule: rule, Ids: []string{"1"}}, nil)
	call(s, "delete", c.DeleteRule, &eventbridge.DeleteRuleInput{Name: rule}, nil)
	fails(s, "describe what is gone", "ResourceNotFoundException", c.DescribeRule, &eventbridge.DescribeRuleInput{Name: rule})
	busCalls(s, c, function)
}

// busCalls put events that a function is called for.
func busCalls(s *sdk, c *eventbridge.Client, function *string) {
	bus, rule := aws.String("go-bus"), aws.String("go-orders")
	call(s, "create bus", c.CreateEventBus, &eventbridge.CreateEventBusInput{Name: bus}, nil)
	fails(s, "create it again", "ResourceAlreadyExistsException", c.CreateEventBus, &eventbridge.CreateEventBusInput{Name: bus})
	call(s, "describe bus", c.DescribeEventBus, &eventbridge.DescribeEventBusInput{Name: bus}, func(out *eventbridge.DescribeEventBusOutput) error {
		return same(*out.Arn, "arn:aws:events:us-east-1:000000000000:event-bus/go-bus")
	})
	call(s, "list buses", c.ListEventBuses, &eventbridge.ListEventBusesInput{NamePrefix: bus}, func(out *eventbridge.ListEventBusesOutput) error {
		return same(len(out.EventBuses), 1)
	})
	pattern := aws.String(`{"source":["go"],"detail":{"n":[{"anything-but":[0]}]}}`)
	call(s, "put rule with pattern", c.PutRule, &eventbridge.PutRuleInput{Name: rule, EventBusName: bus, EventPattern: pattern}, nil)
	fails(s, "put half a pattern", "InvalidEventPatternException", c.PutRule, &eventbridge.PutRuleInput{Name: rule, EventBusName: bus, EventPattern: aws.String(`{"source":[]}`)})
	call(s, "put target with path", c.PutTargets, &eventbridge.PutTargetsInput{Rule: rule, EventBusName: bus, Targets: []types.Target{{Id: aws.String("1"), Arn: function, InputPath: aws.String("$.detail")}}}, nil)
	call(s, "rules of bus", c.ListRules, &eventbridge.ListRulesInput{EventBusName: bus}, func(out *eventbridge.ListRulesOutput) error {
		return same([]any{len(out.Rules), *out.Rules[0].EventPattern}, []any{1, *pattern})
	})
	call(s, "test pattern", c.TestEventPattern, &eventbridge.TestEventPatternInput{EventPattern: pattern, Event: aws.String(
		`{"id":"1","account":"0","source":"go","time":"2026-01-01T00:00:00Z","region":"r","resources":[],"detail-type":"t","detail":{"n":0}}`,
	)}, func(out *eventbridge.TestEventPatternOutput) error { return same(out.Result, false) })
	entry := func(detail string) types.PutEventsRequestEntry {
		return types.PutEventsRequestEntry{EventBusName: bus, Source: aws.String("go"), DetailType: aws.String("t"), Detail: &detail}
	}
	call(s, "put events", c.PutEvents, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{entry(`{"n":1}`), entry(`[]`)}}, func(out *eventbridge.PutEventsOutput) error {
		return same([]any{out.FailedEntryCount, out.Entries[0].ErrorCode == nil, *out.Entries[1].ErrorCode}, []any{int32(1), true, "MalformedDetail"})
	})
	fails(s, "put no events", "ValidationException", c.PutEvents, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{}})
	fails(s, "delete bus with rules", "ValidationException", c.DeleteEventBus, &eventbridge.DeleteEventBusInput{Name: bus})
	call(s, "remove target of bus", c.RemoveTargets, &eventbridge.RemoveTargetsInput{Rule: rule, EventBusName: bus, Ids: []string{"1"}}, nil)
	call(s, "delete rule of bus", c.DeleteRule, &eventbridge.DeleteRuleInput{Name: rule, EventBusName: bus}, nil)
	call(s, "delete bus", c.DeleteEventBus, &eventbridge.DeleteEventBusInput{Name: bus}, nil)
	fails(s, "describe bus that is gone", "ResourceNotFoundException", c.DescribeEventBus, &eventbridge.DescribeEventBusInput{Name: bus})
}
