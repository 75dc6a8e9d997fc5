package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/testkit"
)

func buses(t *testing.T, p *testkit.Platform) *eventbridge.Client {
	t.Helper()
	keys, err := iam.ReadCredentials(filepath.Join(p.Dir, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	return eventbridge.New(eventbridge.Options{
		Region: "us-east-1", BaseEndpoint: &p.AWS, HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, ""),
	})
}

// TestEventsThatWerePutOutliveACrash puts events on a bus whose rule calls a function,
// and kills the platform as soon as it has answered.
func TestEventsThatWerePutOutliveACrash(t *testing.T) {
	t.Parallel()
	p := testkit.Start(t, testkit.Dir(t), "--services", "none")
	deployEvents(t, p)
	c, shop := buses(t, p), aws.String("shop")
	if _, err := c.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: shop}); err != nil {
		t.Fatal(err)
	}
	_, err := c.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("orders"), EventBusName: shop, EventPattern: aws.String(`{"source":["shop"],"detail":{"n":[{"numeric":[">=",0]}]}}`)})
	if err == nil {
		_, err = c.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("orders"), EventBusName: shop, Targets: []types.Target{{
			Id: aws.String("record"), Arn: aws.String("arn:aws:lambda:us-east-1:000000000000:function:events-dev-record"),
			InputTransformer: &types.InputTransformer{InputPathsMap: map[string]string{"n": "$.detail.n"}, InputTemplate: aws.String(`{"order":"number <n> of <aws.events.rule-name>"}`)},
		}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	var entries []types.PutEventsRequestEntry
	for n := range 10 {
		entries = append(entries, types.PutEventsRequestEntry{EventBusName: shop, Source: shop, DetailType: aws.String("order"), Detail: aws.String(fmt.Sprintf(`{"n":%d}`, n-1))})
	}
	out, err := c.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: entries})
	p.Kill()
	if err != nil || out.FailedEntryCount != 0 {
		t.Fatalf("put: %+v, %v", out, err)
	}
	p = testkit.Start(t, p.Dir, "--services", "none")
	scheduled(t, p)
	for n := range 9 {
		want := fmt.Sprintf(`event {"order":"number %d of orders"}`, n)
		eventually(t, want, func() (bool, string) {
			log, _, _ := p.Run(t, "", "logs", "-f", "events-dev-record")
			return strings.Contains(log, want), log
		})
	}
	if log, _, _ := p.Run(t, "", "logs", "-f", "events-dev-record"); strings.Contains(log, "number -1") {
		t.Errorf("an event that the rule does not choose was delivered:\n%s", log)
	}
	const tick = `event {"once":"arn:aws:scheduler:us-east-1:000000000000:schedule/default/once"}`
	eventually(t, "a schedule that fires once, and is removed then", func() (bool, string) {
		log, _, _ := p.Run(t, "", "logs", "-f", "events-dev-record")
		info, _, _ := p.Run(t, "", "info", "api", "--json")
		return strings.Contains(log, tick) && !strings.Contains(info, "schedule/default/once"), log + info
	})
	if list, err := buses(t, p).ListRules(t.Context(), &eventbridge.ListRulesInput{EventBusName: shop}); err != nil || len(list.Rules) != 1 {
		t.Errorf("rules after a crash: %+v, %v", list, err)
	}
}

// scheduled has the function called once, a little later, by EventBridge Scheduler.
func scheduled(t *testing.T, p *testkit.Platform) {
	t.Helper()
	keys, err := iam.ReadCredentials(filepath.Join(p.Dir, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	c := scheduler.New(scheduler.Options{
		Region: "us-east-1", BaseEndpoint: &p.AWS, HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, ""),
	})
	_, err = c.CreateSchedule(t.Context(), &scheduler.CreateScheduleInput{
		Name: aws.String("once"), ScheduleExpression: aws.String(time.Now().Add(15 * time.Second).UTC().Format("at(2006-01-02T15:04:05)")),
		ActionAfterCompletion: schedulertypes.ActionAfterCompletionDelete, FlexibleTimeWindow: &schedulertypes.FlexibleTimeWindow{Mode: schedulertypes.FlexibleTimeWindowModeOff},
		Target: &schedulertypes.Target{
			Arn: aws.String("arn:aws:lambda:us-east-1:000000000000:function:events-dev-record"), RoleArn: aws.String("arn:aws:iam::000000000000:role/any"),
			Input: aws.String(`{"once":"<aws.scheduler.schedule-arn>"}`),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}
