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
}
