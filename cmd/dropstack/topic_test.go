package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/testkit"
	"github.com/dropstack/dropstack/internal/topic"
)

// shop writes a service whose functions get orders, and all letters.
func shop(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"serverless.yml": `service: shop
provider: {name: aws, runtime: nodejs20.x}
functions:
  bill:
    handler: index.bill
    events: [{sns: {topicName: orders, filterPolicy: {kind: [order]}}}]
  count:
    handler: index.count
    maximumRetryAttempts: 0
    events: [{sns: orders}]
`,
		"index.js": `exports.bill = async () => {}
exports.count = async () => { throw new Error('cannot count yet') }
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTopicsTellHowTheirSubscriptionsDo(t *testing.T) {
	dir := testkit.Dir(t)
	p := testkit.Start(t, dir, "--services", "none")
	run := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		out, errs, code := p.Run(t, "", args...)
		if code != want {
			t.Fatalf("%v: exit %d, want %d\n%s%s", args, code, want, out, errs)
		}
		return out, errs
	}
	service := shop(t)
	run(0, "deploy", service)
	client := snsOf(t, p)
	for _, kind := range []string{"order", "letter"} {
		_, err := client.Publish(t.Context(), &sns.PublishInput{
			TopicArn: aws.String(arn.Topic(arn.Region, "orders")), Message: &kind,
			MessageAttributes: map[string]types.MessageAttributeValue{"kind": {DataType: aws.String("String"), StringValue: &kind}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	counts := func() map[string]topic.Counts {
		got := map[string]topic.Counts{}
		out, _ := run(0, "topic", "show", "orders", "--json")
		for dec := json.NewDecoder(strings.NewReader(out)); dec.More(); {
			var s topic.Status
			if err := dec.Decode(&s); err != nil {
				t.Fatal(err)
			}
			got[s.Endpoint[strings.LastIndex(s.Endpoint, "-")+1:]] = s.Counts
		}
		return got
	}
	want := map[string]topic.Counts{"bill": {Delivered: 1, Filtered: 1}, "count": {Failed: 2, Dead: 2}}
	same := func() (bool, string) {
		got := counts()
		text, err := json.Marshal(got)
		return got["bill"] == want["bill"] && got["count"] == want["count"] && err == nil, string(text)
	}
	eventually(t, "the counts are right", same)
	if out, _ := run(0, "topic", "list"); !regexp.MustCompile(`(?m)^orders +2 +0 +2 +0s$`).MatchString(out) {
		t.Errorf("listed %s", out)
	}
	if _, errs := run(1, "topic", "show", "nothing"); !strings.Contains(errs, "does not exist") {
		t.Errorf("a topic that is not there: %s", errs)
	}
	if _, errs := run(2, "topic", "redrive", "x"); !strings.Contains(errs, "say --all") {
		t.Errorf("redrive of nothing: %s", errs)
	}
	bill := topic.SubscriptionARN(arn.Topic(arn.Region, "orders"), "shop-dev-bill")
	if _, errs, code := p.Run(t, "", "topic", "redrive", bill, "--all"); code == 0 || !strings.Contains(errs, "redrive them there") {
		t.Errorf("redrive of a function's: exit %d, %s", code, errs)
	}
	p.Stop(t)
	p = testkit.Start(t, dir, "--services", "none")
	eventually(t, "the counts are as they were before the restart", same)

	wrong := filepath.Join(service, "serverless.yml")
	doc, err := os.ReadFile(wrong)
	if err == nil {
		err = os.WriteFile(wrong, []byte(strings.Replace(string(doc), "[order]", "[{like: order}]", 1)), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, errs := run(2, "deploy", service); !strings.Contains(errs, "serverless.yml:6: FilterPolicy: Unrecognized match type like") {
		t.Errorf("deployed a wrong policy: %s", errs)
	}
	gone, err := snsOf(t, p).GetTopicAttributes(t.Context(), &sns.GetTopicAttributesInput{TopicArn: aws.String(arn.Topic(arn.Region, "nothing"))})
	if _, ok := errors.AsType[*types.NotFoundException](err); !ok {
		t.Errorf("got %v, %v, want NotFound", gone, err)
	}
}
