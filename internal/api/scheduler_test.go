package api_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/schedule"
	"github.com/dropstack/dropstack/internal/testkit"
)

func (h *house) scheduler(c iam.Credentials) *scheduler.Client {
	return scheduler.New(scheduler.Options{
		Region: arn.Region, BaseEndpoint: &h.url, HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1, Credentials: provider(c),
	})
}

func TestSchedulesByAWSsClient(t *testing.T) {
	h := newHouse(t)
	c, ctx := h.scheduler(h.keys.Admin()), t.Context()
	name, group := aws.String("sweep"), aws.String("nightly")
	start := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	in := &scheduler.CreateScheduleInput{
		Name: name, GroupName: group, ScheduleExpression: aws.String("cron(30 2 * * ? *)"), ScheduleExpressionTimezone: aws.String("Europe/Warsaw"),
		StartDate: &start, EndDate: aws.Time(start.AddDate(1, 0, 0)), Description: aws.String("d"), State: types.ScheduleStateDisabled,
		FlexibleTimeWindow:    &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeFlexible, MaximumWindowInMinutes: aws.Int32(15)},
		ActionAfterCompletion: types.ActionAfterCompletionDelete,
		Target: &types.Target{
			Arn: aws.String(arn.Function(arn.Region, "f")), RoleArn: aws.String(arn.Role("/", "r")), Input: aws.String(`{"n":1}`),
			RetryPolicy: &types.RetryPolicy{MaximumEventAgeInSeconds: aws.Int32(3600), MaximumRetryAttempts: aws.Int32(0)},
		},
	}
	if _, err := c.CreateSchedule(ctx, in); code(err) != "ResourceNotFoundException" {
		t.Errorf("in a group that is not there: %v", err)
	}
	made, err := c.CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{Name: group, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}})
	if err != nil || *made.ScheduleGroupArn != arn.ScheduleGroup(arn.Region, "nightly") {
		t.Fatalf("create group: %+v, %v", made, err)
	}
	if out, err := c.CreateSchedule(ctx, in); err != nil || *out.ScheduleArn != arn.Schedule(arn.Region, "nightly", "sweep") {
		t.Fatalf("create: %+v, %v", out, err)
	}
	if _, err := c.CreateSchedule(ctx, in); code(err) != "ConflictException" {
		t.Errorf("create it again: %v", err)
	}
	got, err := c.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: name, GroupName: group})
	if err != nil || got.CreationDate == nil {
		t.Fatalf("get: %+v, %v", got, err)
	}
	again := &scheduler.CreateScheduleInput{
		Name: got.Name, GroupName: got.GroupName, ScheduleExpression: got.ScheduleExpression, ScheduleExpressionTimezone: got.ScheduleExpressionTimezone,
		StartDate: got.StartDate, EndDate: got.EndDate, Description: got.Description, State: got.State, FlexibleTimeWindow: got.FlexibleTimeWindow,
		ActionAfterCompletion: got.ActionAfterCompletion, Target: got.Target,
	}
	in.ClientToken = nil // which the client has made
	unseen := cmpopts.IgnoreUnexported(scheduler.CreateScheduleInput{}, types.Target{}, types.FlexibleTimeWindow{}, types.RetryPolicy{})
	if diff := cmp.Diff(in, again, unseen); diff != "" {
		t.Errorf("what was created (-want +got):\n%s", diff)
	}
	update := &scheduler.UpdateScheduleInput{
		Name: name, GroupName: group, ScheduleExpression: aws.String("rate(1 minutes)"), FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		Target: &types.Target{Arn: aws.String(arn.Topic(arn.Region, "t")), RoleArn: aws.String(arn.Role("/", "r"))},
	}
	if _, err := c.UpdateSchedule(ctx, update); err != nil {
		t.Fatalf("update: %v", err)
	}
	now, err := c.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: name, GroupName: group})
	if err != nil || now.StartDate != nil || now.Description != nil || now.State != types.ScheduleStateEnabled || *now.ScheduleExpressionTimezone != "UTC" || !now.CreationDate.Equal(*got.CreationDate) || *now.Target.Arn != arn.Topic(arn.Region, "t") {
		t.Errorf("after an update: %+v, %v", now, err)
	}
	list, err := c.ListSchedules(ctx, &scheduler.ListSchedulesInput{GroupName: group, State: types.ScheduleStateEnabled})
	if err != nil || len(list.Schedules) != 1 || *list.Schedules[0].Target.Arn != arn.Topic(arn.Region, "t") {
		t.Errorf("list: %+v, %v", list, err)
	}
	if none, err := c.ListSchedules(ctx, &scheduler.ListSchedulesInput{GroupName: aws.String("default")}); err != nil || len(none.Schedules) != 0 {
		t.Errorf("list of another group: %+v, %v", none, err)
	}
	for what, tt := range map[string]struct {
		do   func() error
		want string
	}{
		"no such schedule": {func() error { _, err := c.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: name}); return err }, "ResourceNotFoundException"},
		"update of nothing": {func() error {
			other := *update
			other.Name = aws.String("other")
			_, err := c.UpdateSchedule(ctx, &other)
			return err
		}, "ResourceNotFoundException"},
		"a bad expression": {func() error {
			other := *update
			other.ScheduleExpression = aws.String("at(tomorrow)")
			_, err := c.UpdateSchedule(ctx, &other)
			return err
		}, "ValidationException"},
		"a bad zone": {func() error {
			other := *update
			other.ScheduleExpressionTimezone = aws.String("Mars/Base")
			_, err := c.UpdateSchedule(ctx, &other)
			return err
		}, "ValidationException"},
		"a window without a length": {func() error {
			other := *update
			other.FlexibleTimeWindow = &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeFlexible}
			_, err := c.UpdateSchedule(ctx, &other)
			return err
		}, "ValidationException"},
		"a target that is none": {func() error {
			other := *update
			other.Target = &types.Target{Arn: aws.String("arn:aws:ecs:us-east-1:000000000000:cluster/c"), RoleArn: aws.String("r")}
			_, err := c.UpdateSchedule(ctx, &other)
			return err
		}, "ValidationException"},
		"a group twice": {func() error {
			_, err := c.CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{Name: group})
			return err
		}, "ConflictException"},
		"the default group": {func() error {
			_, err := c.DeleteScheduleGroup(ctx, &scheduler.DeleteScheduleGroupInput{Name: aws.String("default")})
			return err
		}, "ValidationException"},
		"somebody who may not": {func() error {
			_, err := h.scheduler(h.function).ListSchedules(ctx, &scheduler.ListSchedulesInput{})
			return err
		}, "AccessDeniedException"},
	} {
		if got := code(tt.do()); got != tt.want {
			t.Errorf("%s: got %s, want %s", what, got, tt.want)
		}
	}
	if _, err := c.TagResource(ctx, &scheduler.TagResourceInput{ResourceArn: made.ScheduleGroupArn, Tags: []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}}}); err != nil {
		t.Errorf("tag: %v", err)
	}
	if _, err := c.UntagResource(ctx, &scheduler.UntagResourceInput{ResourceArn: made.ScheduleGroupArn, TagKeys: []string{"a"}}); err != nil {
		t.Errorf("untag: %v", err)
	}
	if tags, err := c.ListTagsForResource(ctx, &scheduler.ListTagsForResourceInput{ResourceArn: made.ScheduleGroupArn}); err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "b" {
		t.Errorf("tags: %+v, %v", tags, err)
	}
	if groups, err := c.ListScheduleGroups(ctx, &scheduler.ListScheduleGroupsInput{}); err != nil || len(groups.ScheduleGroups) != 2 {
		t.Errorf("groups: %+v, %v", groups, err)
	}
	if _, err := c.DeleteScheduleGroup(ctx, &scheduler.DeleteScheduleGroupInput{Name: group}); err != nil {
		t.Errorf("delete the group: %v", err)
	}
	if _, err := c.DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{Name: name, GroupName: group}); code(err) != "ResourceNotFoundException" {
		t.Errorf("a schedule of the group that is gone: %v", err)
	}
}

func TestSchedulesOfAServerlessYmlAreVisibleToScheduler(t *testing.T) {
	h := newHouse(t)
	c, ctx := h.scheduler(h.keys.Admin()), t.Context()
	_, err := h.deployer.Deploy(ctx, &deploy.Revision{Stack: "s-dev", Schedules: []schedule.Schedule{
		{Stack: "s-dev", Name: "tick", ARN: arn.Schedule(arn.Region, "g", "tick"), Group: "g", Expression: "rate(5 minutes)", Function: "f", Scheduler: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if group, err := c.GetScheduleGroup(ctx, &scheduler.GetScheduleGroupInput{Name: aws.String("g")}); err != nil || group.State != types.ScheduleGroupStateActive {
		t.Errorf("group: %+v, %v", group, err)
	}
	if _, err := c.DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{Name: aws.String("tick"), GroupName: aws.String("g")}); err != nil {
		t.Error(err)
	}
	if rev, _ := h.deployer.Active("s-dev"); len(rev.Schedules) != 0 {
		t.Errorf("after the deletion: %+v", rev.Schedules)
	}
	if rules, err := h.events().ListRules(ctx, nil); err != nil || len(rules.Rules) != 0 {
		t.Errorf("rules: %+v, %v", rules, err)
	}
}
