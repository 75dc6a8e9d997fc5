package deploy_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/pattern"
	"github.com/dropstack/dropstack/internal/queue"
	"github.com/dropstack/dropstack/internal/schedule"
)

const eventful = `service: shop
provider: {name: aws, runtime: provided.al2023, tags: {team: shop}}
functions:
  f:
    handler: f
    deploymentSettings: {type: Canary10Percent5Minutes, alias: Live, preTrafficHook: hook}
    onError: !GetAtt Dead.Arn
    destinations: {onSuccess: hook}
    kmsKeyArn: arn:aws:kms:us-east-1:000000000000:key/a
    events:
      - sqs: {arn: !GetAtt Orders.Arn, batchSize: 5, functionResponseType: ReportBatchItemFailures, filterPatterns: [{body: {kind: [order]}}]}
      - eventBridge: {eventBus: shop, pattern: {source: [shop]}, inputTransformer: {inputTemplate: '"<aws.events.rule-name>"'}, retryPolicy: {maximumRetryAttempts: 0}, deadLetterQueueArn: !GetAtt Dead.Arn}
      - eventBridge: {schedule: rate(10 minutes), input: {a: 1}}
      - cloudwatchEvent: {event: {source: [aws.ec2]}, enabled: false}
      - schedule: {rate: 'cron(0 9 ? * MON-FRI *)', method: scheduler, timezone: Europe/Rome, name: office}
      - schedule: {rate: [rate(1 hour), rate(2 hours)], inputPath: $.time}
  hook: {handler: f}
resources:
  Resources:
    Orders: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 60, Tags: [{Key: kind, Value: order}], RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}}}
    Dead: {Type: AWS::SQS::Queue}
    Daily:
      Type: AWS::Events::Rule
      Properties:
        ScheduleExpression: rate(1 day)
        Targets: [{Id: f, Arn: !GetAtt FLambdaFunction.Arn}, {Id: q, Arn: !GetAtt Orders.Arn, Input: '{}'}]
  Outputs:
    Orders: {Value: !Ref Orders, Export: {Name: orders}}
`

func TestPlanOfEvents(t *testing.T) {
	r := planned(t, loaded(t, eventful))
	const live = "arn:aws:lambda:us-east-1:000000000000:function:shop-dev-f:Live"
	at, dead := func(name string) string { return arn.Queue(arn.Region, "shop-dev-"+name) }, arn.Queue(arn.Region, "shop-dev-Dead")
	team := map[string]string{"team": "shop"}
	if diff := cmp.Diff(&function.Shift{Alias: "Live", Type: "Canary10Percent5Minutes", Before: "shop-dev-hook"}, r.Functions[0].Shift); diff != "" {
		t.Errorf("shift -want +got:\n%s", diff)
	}
	queues := []queue.Queue{
		{Stack: "shop-dev", Name: "shop-dev-Orders", ARN: at("Orders"), Visibility: new(60), DeadLetter: dead, MaxReceive: 3, Tags: map[string]string{"team": "shop", "kind": "order"}},
		{Stack: "shop-dev", Name: "shop-dev-Dead", ARN: dead, Tags: team},
	}
	if diff := cmp.Diff(queues, r.Queues); diff != "" {
		t.Errorf("queues -want +got:\n%s", diff)
	}
	mappings := []queue.Mapping{{
		Stack: "shop-dev", ID: arn.UUID("shop-dev", "event source mapping", "f", at("Orders")), Source: at("Orders"), Function: "shop-dev-f:Live",
		BatchSize: 5, ReportFailures: true, Filters: []string{`{"body":{"kind":["order"]}}`},
	}}
	if diff := cmp.Diff(mappings, r.Mappings); diff != "" {
		t.Errorf("mappings -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]bus.Bus{{Stack: "shop-dev", Name: "shop", ARN: arn.EventBus(arn.Region, "shop"), Tags: team}}, r.Buses); diff != "" {
		t.Errorf("buses -want +got:\n%s", diff)
	}
	rules := []bus.Rule{
		{
			Stack: "shop-dev", Name: "shop-dev-f-rule-2", ARN: arn.BusRule(arn.Region, "shop", "shop-dev-f-rule-2"), Bus: "shop", Pattern: `{"source":["shop"]}`, Tags: team,
			Targets: []bus.Target{{
				ID: "shop-dev-f-rule-2-target", ARN: live, Input: pattern.Input{Transformer: &pattern.Transformer{Template: `"<aws.events.rule-name>"`}},
				DeadLetter: dead, MaxRetries: new(0),
			}},
		},
		{
			Stack: "shop-dev", Name: "shop-dev-f-rule-4", ARN: arn.Rule(arn.Region, "shop-dev-f-rule-4"), Pattern: `{"source":["aws.ec2"]}`, Disabled: true, Tags: team,
			Targets: []bus.Target{{ID: "shop-dev-f-rule-4-target", ARN: live}},
		},
	}
	if diff := cmp.Diff(rules, r.Rules); diff != "" {
		t.Errorf("rules -want +got:\n%s", diff)
	}
	tick := func(name, expression string) schedule.Schedule {
		return schedule.Schedule{Stack: "shop-dev", Name: name, ARN: arn.Rule(arn.Region, name), Expression: expression, Function: "shop-dev-f:Live", Tags: team}
	}
	schedules := []schedule.Schedule{
		tick("shop-dev-f-rule-3", "rate(10 minutes)"), tick("office", "cron(0 9 ? * MON-FRI *)"),
		tick("shop-dev-f-rule-6-1", "rate(1 hour)"), tick("shop-dev-f-rule-6-2", "rate(2 hours)"),
		tick("shop-dev-Daily", "rate(1 day)"), tick("shop-dev-Daily", "rate(1 day)"),
	}
	schedules[0].Input = `{"a":1}`
	schedules[1].ARN, schedules[1].Scheduler, schedules[1].Zone = arn.Schedule(arn.Region, "default", "office"), true, "Europe/Rome"
	schedules[2].InputPath, schedules[3].InputPath = "$.time", "$.time"
	schedules[4].Target, schedules[4].Function = "f", "shop-dev-f"
	schedules[5].Target, schedules[5].Function, schedules[5].To, schedules[5].Input = "q", "", at("Orders"), "{}"
	if diff := cmp.Diff(schedules, r.Schedules); diff != "" {
		t.Errorf("schedules -want +got:\n%s", diff)
	}
	own := slices.DeleteFunc(slices.Clone(r.Outputs), func(o deploy.Output) bool { return o.VersionOf != "" })
	if diff := cmp.Diff([]deploy.Output{{Key: "Orders", Value: "https://sqs.us-east-1.amazonaws.com/000000000000/shop-dev-Orders", Export: "orders"}}, own); diff != "" {
		t.Errorf("outputs -want +got:\n%s", diff)
	}
}

// TestTheDefaultRoleMayDoWhatGoesWithoutSaying judges by what the Serverless
// Framework's template grants for the same file.
func TestTheDefaultRoleMayDoWhatGoesWithoutSaying(t *testing.T) {
	r := planned(t, loaded(t, eventful))
	var doc struct {
		Statement []struct {
			Action, Resource []string
		}
	}
	if err := json.Unmarshal([]byte(r.Roles[0].Inline["dev-shop-lambda"]), &doc); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range doc.Statement {
		got[strings.Join(s.Action, " ")] = strings.Join(s.Resource, " ")
	}
	at := func(name string) string { return arn.Queue(arn.Region, "shop-dev-"+name) }
	const logs = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/shop-dev*"
	want := map[string]string{
		"logs:CreateLogStream logs:CreateLogGroup logs:TagResource": logs + ":*",
		"logs:PutLogEvents": logs + ":*:*",
		"sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes": at("Orders"),
		"sqs:SendMessage":       at("Dead"),
		"lambda:InvokeFunction": "arn:aws:lambda:us-east-1:000000000000:function:shop-dev-hook",
		"kms:Decrypt":           "arn:aws:kms:us-east-1:000000000000:key/a",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEventsThatAreWrongAreToldWithTheirLine(t *testing.T) {
	svc := loaded(t, `service: shop
provider: {name: aws, runtime: provided.al2023}
functions:
  f:
    handler: f
    provisionedConcurrency: 1
    deploymentSettings:
      alias: Live
      type: Sudden
    events:
      - sqs:
          arn: arn:aws:sqs:us-east-1:000000000000:q
          filterPatterns:
            - body: {kind: order}
      - eventBridge:
          pattern: {source: shop}
      - eventBridge:
          pattern: {source: [shop]}
          inputPath: detail
      - schedule:
          rate: rate(1 hours)
      - schedule:
          rate: rate(1 hour)
          inputTransformer:
            inputTemplate: '<'
      - schedule: {rate: rate(1 hour), method: scheduler, timezone: Europe/Atlantis}
resources:
  Resources:
    Q: {Type: AWS::SQS::Queue}
    P:
      Type: AWS::SQS::QueuePolicy
      Properties:
        Queues: [!Ref Q]
        PolicyDocument:
          Statement:
            - Effect: Perhaps
    R: {Type: AWS::Events::Rule, Properties: {EventPattern: {a: [{like: b}]}}}
`)
	var got []string
	for _, p := range deploy.Check(svc) {
		p.Pos.File = filepath.Base(p.Pos.File)
		got = append(got, p.String())
	}
	want := []string{
		`serverless.yml:9: shift type "Sudden": there are AllAtOnce, Canary10Percent5Minutes and Linear10PercentEvery1Minute, the last two with other numbers and units as well`,
		"serverless.yml:8: function f has provisionedConcurrency, whose alias its callers have; they cannot be shifted too",
		`serverless.yml:14: Event pattern is not valid. Reason: "kind" must be an object or an array (at "body.kind")`,
		`serverless.yml:16: Event pattern is not valid. Reason: "source" must be an object or an array (at "source")`,
		`serverless.yml:19: InputPath is not valid: "detail" is not a path such as $.detail.state of at most 256 bytes`,
		`serverless.yml:21: rate(1 hours): Parameter ScheduleExpression is not valid. "rate(1 hours)": with 1 the unit is singular: rate(1 hour)`,
		"serverless.yml:25: rate(1 hour): InputTemplate is not valid: with its variables filled in it is not JSON, and a text is put in double quotes: invalid character '<' looking for beginning of value",
		`serverless.yml:26: rate(1 hour): Parameter ScheduleExpressionTimezone is not valid. "Europe/Atlantis" is not a time zone such as Europe/Warsaw`,
		`serverless.yml:37: Event pattern is not valid. Reason: Unrecognized match type like (at "a")`,
		`serverless.yml:36: the policy of queue shop-dev-Q: Statement[0].Effect: must be "Allow" or "Deny"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
