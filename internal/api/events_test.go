package api_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/schedule"
	"github.com/dropstack/dropstack/internal/testkit"
)

func (h *house) events() *eventbridge.Client {
	return eventbridge.New(eventbridge.Options{
		Region: arn.Region, BaseEndpoint: &h.url, HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1, Credentials: provider(h.keys.Admin()),
	})
}

func TestRulesByAWSsClient(t *testing.T) {
	h := newHouse(t)
	c, ctx := h.events(), t.Context()
	rule, function := aws.String("tick"), aws.String(arn.Function(arn.Region, "f")+":live")
	put, err := c.PutRule(ctx, &eventbridge.PutRuleInput{
		Name: rule, ScheduleExpression: aws.String("rate(5 minutes)"), Description: aws.String("d"), State: types.RuleStateDisabled,
		Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}},
	})
	if err != nil || *put.RuleArn != arn.Rule(arn.Region, "tick") {
		t.Fatalf("put: %+v, %v", put, err)
	}
	if list, err := c.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: rule}); err != nil || len(list.Targets) != 0 {
		t.Errorf("no targets yet: %+v, %v", list, err)
	}
	targets := func(from, to int) (list []types.Target) {
		for i := from; i <= to; i++ {
			list = append(list, types.Target{Id: aws.String(fmt.Sprint("t", i)), Arn: function, Input: aws.String(`{"n":1}`)})
		}
		return list
	}
	if out, err := c.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: rule, Targets: targets(1, 2)}); err != nil || out.FailedEntryCount != 0 {
		t.Errorf("put targets: %+v, %v", out, err)
	}
	again := targets(2, 2)
	again[0].Input = aws.String(`{"n":2}`)
	if _, err := c.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: rule, Targets: again}); err != nil {
		t.Errorf("put a target again: %v", err)
	}
	list, err := c.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: rule})
	if err != nil || len(list.Targets) != 2 || *list.Targets[0].Arn != *function || *list.Targets[1].Input != `{"n":2}` {
		t.Errorf("targets: %+v, %v", list, err)
	}
	if _, err := c.EnableRule(ctx, &eventbridge.EnableRuleInput{Name: rule}); err != nil {
		t.Errorf("enable: %v", err)
	}
	got, err := c.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: rule})
	if err != nil || got.State != types.RuleStateEnabled || *got.ScheduleExpression != "rate(5 minutes)" || *got.Description != "d" || *got.EventBusName != "default" {
		t.Errorf("describe: %+v, %v", got, err)
	}
	if _, err := c.PutRule(ctx, &eventbridge.PutRuleInput{Name: rule, ScheduleExpression: aws.String("cron(0 12 * * ? *)")}); err != nil {
		t.Errorf("put again: %v", err)
	}
	if names, err := c.ListRuleNamesByTarget(ctx, &eventbridge.ListRuleNamesByTargetInput{TargetArn: function}); err != nil || fmt.Sprint(names.RuleNames) != "[tick]" {
		t.Errorf("names: %+v, %v", names, err)
	}
	if list, err := c.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: rule}); err != nil || len(list.Targets) != 2 {
		t.Errorf("the targets of a rule that was put again: %+v, %v", list, err)
	}
	if _, err := c.TagResource(ctx, &eventbridge.TagResourceInput{ResourceARN: put.RuleArn, Tags: []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}}}); err != nil {
		t.Errorf("tag: %v", err)
	}
	if _, err := c.UntagResource(ctx, &eventbridge.UntagResourceInput{ResourceARN: put.RuleArn, TagKeys: []string{"a"}}); err != nil {
		t.Errorf("untag: %v", err)
	}
	if tags, err := c.ListTagsForResource(ctx, &eventbridge.ListTagsForResourceInput{ResourceARN: put.RuleArn}); err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "b" {
		t.Errorf("tags: %+v, %v", tags, err)
	}
	for what, tt := range map[string]struct {
		do   func() error
		want string
	}{
		"delete with targets": {func() error { _, err := c.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: rule}); return err }, "ValidationException"},
		"six targets": {func() error {
			_, err := c.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: rule, Targets: targets(1, 6)})
			return err
		}, "LimitExceededException"},
		"a queue": {func() error {
			_, err := c.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: rule, Targets: []types.Target{{Id: rule, Arn: aws.String("arn:aws:sqs:us-east-1:000000000000:q")}}})
			return err
		}, "ValidationException"},
		"a path that is none": {func() error {
			_, err := c.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: rule, Targets: []types.Target{{Id: rule, Arn: function, InputPath: aws.String("time")}}})
			return err
		}, "ValidationException"},
		"a pattern that is none": {func() error {
			_, err := c.PutRule(ctx, &eventbridge.PutRuleInput{Name: rule, EventPattern: aws.String(`{"source":"a"}`)})
			return err
		}, "InvalidEventPatternException"},
		"a pattern and a schedule": {func() error {
			_, err := c.PutRule(ctx, &eventbridge.PutRuleInput{Name: rule, EventPattern: aws.String(`{"source":["a"]}`), ScheduleExpression: aws.String("rate(1 minute)")})
			return err
		}, "ValidationException"},
		"a rate of nothing": {func() error {
			_, err := c.PutRule(ctx, &eventbridge.PutRuleInput{Name: rule, ScheduleExpression: aws.String("rate(0 minutes)")})
			return err
		}, "ValidationException"},
		"no such rule": {func() error {
			_, err := c.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: aws.String("nobody")})
			return err
		}, "ResourceNotFoundException"},
		"targets of no rule": {func() error {
			_, err := c.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: aws.String("nobody"), Targets: targets(1, 1)})
			return err
		}, "ResourceNotFoundException"},
		"another bus": {func() error {
			_, err := c.ListRules(ctx, &eventbridge.ListRulesInput{EventBusName: aws.String("other")})
			return err
		}, "ResourceNotFoundException"},
		"no events": {func() error {
			_, err := c.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{}})
			return err
		}, "ValidationException"},
	} {
		if got := code(tt.do()); got != tt.want {
			t.Errorf("%s: got %s, want %s", what, got, tt.want)
		}
	}
	if _, err := c.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: rule, Ids: []string{"t1", "t2"}}); err != nil {
		t.Errorf("remove targets: %v", err)
	}
	for range 2 { // one that is gone is no error
		if _, err := c.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: rule}); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
	if rules, err := c.ListRules(ctx, &eventbridge.ListRulesInput{}); err != nil || len(rules.Rules) != 0 {
		t.Errorf("rules: %+v, %v", rules, err)
	}
}

func TestRulesOfAServerlessYmlAreVisible(t *testing.T) {
	h := newHouse(t)
	c, ctx := h.events(), t.Context()
	_, err := h.deployer.Deploy(ctx, &deploy.Revision{Stack: "s-dev", Schedules: []schedule.Schedule{
		{Stack: "s-dev", Name: "s-rule-1", ARN: arn.Rule(arn.Region, "s-rule-1"), Expression: "rate(1 minute)", Function: "s-dev-f"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if rules, err := c.ListRules(ctx, &eventbridge.ListRulesInput{NamePrefix: aws.String("s-")}); err != nil || len(rules.Rules) != 1 || rules.Rules[0].State != types.RuleStateEnabled {
		t.Errorf("rules: %+v, %v", rules, err)
	}
	if _, err := c.DisableRule(ctx, &eventbridge.DisableRuleInput{Name: aws.String("s-rule-1")}); err != nil {
		t.Error(err)
	}
	if rev, _ := h.deployer.Active("s-dev"); !rev.Schedules[0].Disabled || rev.Schedules[0].Function != "s-dev-f" {
		t.Errorf("after disabling: %+v", rev.Schedules)
	}
	if _, err := c.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: aws.String("s-rule-1"), Targets: []types.Target{{Id: aws.String("two"), Arn: aws.String(arn.Function(arn.Region, "g"))}}}); err != nil {
		t.Error(err)
	}
	list, err := c.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: aws.String("s-rule-1")})
	if err != nil || len(list.Targets) != 2 || *list.Targets[0].Arn != arn.Function(arn.Region, "s-dev-f") {
		t.Errorf("targets: %+v, %v", list, err)
	}
}

func TestEventsByAWSsClient(t *testing.T) {
	h := newHouse(t)
	c, ctx := h.events(), t.Context()
	topic, shop := aws.String(arn.Topic(arn.Region, "orders")), aws.String("shop")
	made, err := c.CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: shop, Description: aws.String("d"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}})
	if err != nil || *made.EventBusArn != arn.EventBus(arn.Region, "shop") {
		t.Fatalf("create: %+v, %v", made, err)
	}
	rule := func(bus *string) *eventbridge.PutRuleInput {
		return &eventbridge.PutRuleInput{Name: aws.String("big"), EventBusName: bus, EventPattern: aws.String(`{"source":["shop"],"detail":{"total":[{"numeric":[">",100]}]}}`)}
	}
	for _, bus := range []*string{shop, nil} { // which are two rules
		if out, err := c.PutRule(ctx, rule(bus)); err != nil || (bus != nil) != (*out.RuleArn == arn.BusRule(arn.Region, "shop", "big")) {
			t.Errorf("put: %+v, %v", out, err)
		}
	}
	target := types.Target{Id: aws.String("t"), Arn: topic, InputTransformer: &types.InputTransformer{
		InputPathsMap: map[string]string{"total": "$.detail.total"}, InputTemplate: aws.String(`{"rule":<aws.events.rule-name>,"total":<total>}`),
	}, RetryPolicy: &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(3), MaximumEventAgeInSeconds: aws.Int32(60)}}
	if out, err := c.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: aws.String("big"), EventBusName: made.EventBusArn, Targets: []types.Target{target}}); err != nil || out.FailedEntryCount != 0 {
		t.Fatalf("put targets: %+v, %v", out, err)
	}
	list, err := c.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: aws.String("big"), EventBusName: shop})
	if err != nil || len(list.Targets) != 1 {
		t.Fatalf("targets: %+v, %v", list, err)
	}
	if diff := cmp.Diff(target, list.Targets[0], cmpopts.IgnoreUnexported(types.Target{}, types.InputTransformer{}, types.RetryPolicy{})); diff != "" {
		t.Errorf("target (-want +got):\n%s", diff)
	}
	got, err := c.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: aws.String("big"), EventBusName: shop})
	if err != nil || *got.EventPattern != *rule(nil).EventPattern || got.ScheduleExpression != nil || *got.EventBusName != "shop" {
		t.Errorf("describe: %+v, %v", got, err)
	}
	if names, err := c.ListRuleNamesByTarget(ctx, &eventbridge.ListRuleNamesByTargetInput{TargetArn: topic, EventBusName: shop}); err != nil || fmt.Sprint(names.RuleNames) != "[big]" {
		t.Errorf("names: %+v, %v", names, err)
	}
	entry := func(detail string) types.PutEventsRequestEntry {
		return types.PutEventsRequestEntry{Source: shop, DetailType: aws.String("order"), Detail: &detail, EventBusName: shop, Time: aws.Time(time.Unix(1700000000, 0))}
	}
	out, err := c.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{entry(`{"total":101}`), entry(`{"total":99}`), entry(`{`)}})
	if err != nil || out.FailedEntryCount != 1 || out.Entries[0].EventId == nil || out.Entries[1].EventId == nil || *out.Entries[2].ErrorCode != "MalformedDetail" {
		t.Fatalf("put events: %+v, %v", out, err)
	}
	if got, want := <-h.published, *topic+` {"rule":"big","total":101}`; got != want || len(h.published) != 0 {
		t.Errorf("got %s and %d more, want %s", got, len(h.published), want)
	}
	event := `{"id":"1","account":"0","source":"shop","time":"2026-01-01T00:00:00Z","region":"r","resources":[],"detail-type":"t","detail":{"total":%d}}`
	for total, want := range map[int]bool{101: true, 100: false} {
		if out, err := c.TestEventPattern(ctx, &eventbridge.TestEventPatternInput{EventPattern: rule(nil).EventPattern, Event: aws.String(fmt.Sprintf(event, total))}); err != nil || out.Result != want {
			t.Errorf("test %d: %+v, %v", total, out, err)
		}
	}
	if tags, err := c.ListTagsForResource(ctx, &eventbridge.ListTagsForResourceInput{ResourceARN: made.EventBusArn}); err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "a" {
		t.Errorf("tags: %+v, %v", tags, err)
	}
	if _, err := c.TagResource(ctx, &eventbridge.TagResourceInput{ResourceARN: got.Arn, Tags: []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}}}); err != nil {
		t.Errorf("tag a rule of a bus: %v", err)
	}
	buses, err := c.ListEventBuses(ctx, &eventbridge.ListEventBusesInput{})
	if err != nil || len(buses.EventBuses) != 2 || *buses.EventBuses[0].Name != "default" || *buses.EventBuses[1].Description != "d" {
		t.Errorf("buses: %+v, %v", buses, err)
	}
	if bus, err := c.DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{}); err != nil || *bus.Arn != arn.EventBus(arn.Region, "default") {
		t.Errorf("default: %+v, %v", bus, err)
	}
	for what, tt := range map[string]struct {
		do   func() error
		want string
	}{
		"a bus of the same name": {func() error {
			_, err := c.CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: shop})
			return err
		}, "ResourceAlreadyExistsException"},
		"a bus with rules": {func() error {
			_, err := c.DeleteEventBus(ctx, &eventbridge.DeleteEventBusInput{Name: shop})
			return err
		}, "ValidationException"},
		"the default bus": {func() error {
			_, err := c.DeleteEventBus(ctx, &eventbridge.DeleteEventBusInput{Name: aws.String("default")})
			return err
		}, "ValidationException"},
		"a schedule on a bus": {func() error {
			_, err := c.PutRule(ctx, &eventbridge.PutRuleInput{Name: shop, EventBusName: shop, ScheduleExpression: aws.String("rate(1 minute)")})
			return err
		}, "ValidationException"},
		"no such bus": {func() error {
			_, err := c.DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: aws.String("none")})
			return err
		}, "ResourceNotFoundException"},
		"a test of half an event": {func() error {
			_, err := c.TestEventPattern(ctx, &eventbridge.TestEventPatternInput{EventPattern: rule(nil).EventPattern, Event: aws.String(`{"id":"1"}`)})
			return err
		}, "ValidationException"},
		"a test of half a pattern": {func() error {
			_, err := c.TestEventPattern(ctx, &eventbridge.TestEventPatternInput{EventPattern: aws.String(`{}`), Event: aws.String(fmt.Sprintf(event, 1))})
			return err
		}, "InvalidEventPatternException"},
	} {
		if got := code(tt.do()); got != tt.want {
			t.Errorf("%s: got %s, want %s", what, got, tt.want)
		}
	}
	if _, err := c.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: aws.String("big"), EventBusName: shop, Ids: []string{"t"}}); err != nil {
		t.Errorf("remove targets: %v", err)
	}
	if _, err := c.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: aws.String("big"), EventBusName: shop}); err != nil {
		t.Errorf("delete the rule: %v", err)
	}
	for range 2 { // one that is gone is no error
		if _, err := c.DeleteEventBus(ctx, &eventbridge.DeleteEventBusInput{Name: shop}); err != nil {
			t.Errorf("delete the bus: %v", err)
		}
	}
	if rules, err := c.ListRules(ctx, &eventbridge.ListRulesInput{}); err != nil || len(rules.Rules) != 1 || rules.Rules[0].EventPattern == nil {
		t.Errorf("rules of the default bus: %+v, %v", rules, err)
	}
}

func TestPuttingEventsNeedsTheBus(t *testing.T) {
	h := newHouse(t)
	c := eventbridge.New(eventbridge.Options{Region: arn.Region, BaseEndpoint: &h.url, HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1, Credentials: provider(h.function)})
	_, err := c.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{Source: aws.String("s"), DetailType: aws.String("t"), Detail: aws.String("{}")}}})
	if code(err) != "AccessDeniedException" {
		t.Errorf("got %v", err)
	}
}
