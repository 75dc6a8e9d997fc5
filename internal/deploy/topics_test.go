package deploy_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/spec"
	"github.com/dropstack/dropstack/internal/topic"
)

// loaded loads a serverless.yml.
func loaded(t *testing.T, text string) *spec.Service {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "serverless.yml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	svc, err := spec.Load(t.Context(), dir, spec.Options{Arch: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

func TestPlanOfTopics(t *testing.T) {
	svc := loaded(t, `service: shop
provider: {name: aws, runtime: provided.al2023}
functions:
  bill:
    handler: bill
    events:
      - sns: {arn: !Ref Orders, filterPolicy: {kind: [order]}, redrivePolicy: {deadLetterTargetRef: Dead}}
      - sns: arn:aws:sns:us-east-1:000000000000:elsewhere
resources:
  Resources:
    Orders: {Type: AWS::SNS::Topic, Properties: {TopicName: orders, DisplayName: Orders}}
    Dead: {Type: AWS::SNS::Topic, Properties: {TopicName: dead}}
    Hook: {Type: AWS::SNS::Subscription, Properties: {TopicArn: !Ref Orders, Protocol: https, Endpoint: "https://example.com/", RawMessageDelivery: true}}
`)
	if problems := deploy.Check(svc); len(problems) > 0 {
		t.Fatal(problems)
	}
	r, err := deploy.Plan(svc, map[string]string{"bill": "sha"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return arn.Topic(arn.Region, name) }
	want := []topic.Topic{
		{Stack: "shop-dev", Name: "orders", ARN: at("orders"), DisplayName: "Orders"},
		{Stack: "shop-dev", Name: "dead", ARN: at("dead")},
		{Stack: "shop-dev", Name: "elsewhere", ARN: at("elsewhere"), Named: true},
	}
	if diff := cmp.Diff(want, r.Topics); diff != "" {
		t.Errorf("topics -want +got:\n%s", diff)
	}
	hook := r.Subscriptions[len(r.Subscriptions)-1]
	wantSubs := []topic.Subscription{
		{Stack: "shop-dev", ARN: topic.SubscriptionARN(at("orders"), "shop-dev-bill"), Topic: at("orders"), Function: "shop-dev-bill", Filter: `{"kind":["order"]}`, DeadLetter: at("dead")},
		{Stack: "shop-dev", ARN: topic.SubscriptionARN(at("elsewhere"), "shop-dev-bill"), Topic: at("elsewhere"), Function: "shop-dev-bill"},
		{Stack: "shop-dev", ARN: hook.ARN, Topic: at("orders"), Protocol: "https", Endpoint: "https://example.com/", State: topic.Pending, Inside: true, Raw: true},
	}
	if diff := cmp.Diff(wantSubs, r.Subscriptions); diff != "" {
		t.Errorf("subscriptions -want +got:\n%s", diff)
	}
}

func TestTopicsThatAreWrongAreToldWithTheirLine(t *testing.T) {
	svc := loaded(t, `service: shop
provider: {name: aws, runtime: provided.al2023}
functions:
  bill:
    handler: bill
    events:
      - sns:
          topicName: a
          filterPolicy:
            kind: [{like: x}]
      - sns: {topicName: b, redrivePolicy: {deadLetterTargetArn: "q"}}
resources:
  Resources:
    T: {Type: AWS::SNS::Topic, Properties: {SignatureVersion: 3}}
    S: {Type: AWS::SNS::Subscription, Properties: {TopicArn: !Ref T, Protocol: sqs, Endpoint: "arn:aws:sqs:us-east-1:000000000000:q.fifo"}}
`)
	var got []string
	for _, p := range deploy.Check(svc) {
		p.Pos.File = filepath.Base(p.Pos.File)
		got = append(got, p.String())
	}
	want := []string{
		"serverless.yml:14: SignatureVersion Reason: \"3\" is not 1 or 2",
		"serverless.yml:10: FilterPolicy: Unrecognized match type like (at \"kind\")",
		"serverless.yml:11: RedrivePolicy: deadLetterTargetArn is an invalid arn",
		"serverless.yml:15: subscription to arn:aws:sns:us-east-1:000000000000:shop-dev-T: Invalid parameter: Endpoint Reason: a FIFO queue takes no messages of a topic that is none",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := deploy.Plan(svc, map[string]string{"bill": "sha"}, nil); err == nil || !errors.As(err, new(*spec.Error)) {
		t.Errorf("planned all the same: %v", err)
	}
}
