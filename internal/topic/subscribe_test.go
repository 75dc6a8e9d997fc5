package topic_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/topic"
)

func TestSubscribeAFunction(t *testing.T) {
	in := newInbox()
	to := newTopics(t, streams(t), serial{handle: in.handle})
	edited(t, to)
	run(t, to)
	at := create(t, to, "orders")
	ask := topic.SubscribeInput{
		TopicArn: at, Protocol: "lambda", Endpoint: arn.Function(arn.Region, "bill"),
		Attributes: map[string]string{"FilterPolicy": `{"kind":["order"]}`},
	}
	first := must(t, to.Subscribe, ask).SubscriptionArn
	if first != topic.SubscriptionARN(at, "bill") {
		t.Errorf("subscribed as %s", first)
	}
	if again := must(t, to.Subscribe, ask).SubscriptionArn; again != first {
		t.Errorf("subscribed again as %s, want %s", again, first)
	}
	ask.Attributes = map[string]string{"FilterPolicy": `{"kind":["bill"]}`}
	refuses(t, to.Subscribe, ask, "InvalidParameter")

	for _, kind := range []string{"bill", "order", "letter"} {
		must(t, to.Publish, topic.PublishInput{TopicArn: at, Message: kind, MessageAttributes: attribute("kind", "String", kind)})
	}
	if diff := cmp.Diff([]string{"order"}, messages(t, in.wait(t, 1)["bill"])); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	want := []topic.SubscriptionEntry{{SubscriptionArn: first, Owner: arn.Account, Protocol: "lambda", Endpoint: arn.Function(arn.Region, "bill"), TopicArn: at}}
	if diff := cmp.Diff(want, must(t, to.ListSubscriptions, topic.ListSubscriptionsInput{}).Subscriptions); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	must(t, to.Unsubscribe, topic.UnsubscribeInput{SubscriptionArn: first})
	must(t, to.Unsubscribe, topic.UnsubscribeInput{SubscriptionArn: first})
	if left := must(t, to.ListSubscriptions, topic.ListSubscriptionsInput{}).Subscriptions; len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}

func TestFilteredMessagesAreDoneWith(t *testing.T) {
	js, in := streams(t), newInbox()
	to := newTopics(t, js, serial{handle: in.handle})
	list := subs(created, "all", "some", "body")
	list[1].Filter = `{"kind":[{"prefix":"or"}]}`
	list[2].Filter, list[2].FilterScope = `{"kind":{"is":["order"]}}`, topic.ScopeBody
	replace(t, to, "drops", topics(created), list)
	run(t, to)
	must(t, to.Publish, topic.PublishInput{TopicArn: created, Message: `{"kind":{"is":"order"}}`})
	must(t, to.Publish, topic.PublishInput{TopicArn: created, Message: "two", MessageAttributes: attribute("kind", "String", "order")})
	got := in.wait(t, 4)
	for f, want := range map[string][]string{
		"all": {`{"kind":{"is":"order"}}`, "two"}, "some": {"two"}, "body": {`{"kind":{"is":"order"}}`},
	} {
		if diff := cmp.Diff(want, messages(t, got[f])); diff != "" {
			t.Errorf("%s -want +got:\n%s", f, diff)
		}
	}
	empty(t, js)
	for _, s := range must(t, to.Status, created) {
		want := int64(1)
		if s.ARN == topic.SubscriptionARN(created, "all") {
			want = 0
		}
		if s.Filtered != want || s.Backlog != 0 {
			t.Errorf("%s: %+v, want %d filtered and nothing left", s.Endpoint, s, want)
		}
	}
}

func TestSubscriptionsThatAreRefused(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	e := edited(t, to)
	e.deploy(t, "drops", topics(created), nil)
	lambda := arn.Function(arn.Region, "f")
	for name, in := range map[string]topic.SubscribeInput{
		"a protocol":              {Protocol: "pigeon", Endpoint: "coop"},
		"a queue by its name":     {Protocol: "sqs", Endpoint: "q"},
		"a FIFO queue":            {Protocol: "sqs", Endpoint: "arn:aws:sqs:us-east-1:000000000000:q.fifo"},
		"telephones":              {Protocol: "sms", Endpoint: "+1"},
		"a function by its name":  {Protocol: "lambda", Endpoint: "f"},
		"http of https":           {Protocol: "http", Endpoint: "https://example.com/"},
		"a URL without a host":    {Protocol: "https", Endpoint: "https:///x"},
		"no address":              {Protocol: "email", Endpoint: "somebody"},
		"e-mail without a server": {Protocol: "email", Endpoint: "a@example.com"},
		"a filter policy":         {Protocol: "lambda", Endpoint: lambda, Attributes: map[string]string{"FilterPolicy": `{"a":[]}`}},
		"nested, on attributes":   {Protocol: "lambda", Endpoint: lambda, Attributes: map[string]string{"FilterPolicy": `{"a":{"b":["c"]}}`}},
		"a scope":                 {Protocol: "lambda", Endpoint: lambda, Attributes: map[string]string{"FilterPolicyScope": "Both"}},
		"raw, for a function":     {Protocol: "lambda", Endpoint: lambda, Attributes: map[string]string{"RawMessageDelivery": "true"}},
		"retries, for a function": {Protocol: "lambda", Endpoint: lambda, Attributes: map[string]string{"DeliveryPolicy": `{}`}},
		"a bucket for the dead":   {Protocol: "lambda", Endpoint: lambda, Attributes: map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:s3:::b"}`}},
		"the topic for its dead":  {Protocol: "lambda", Endpoint: lambda, Attributes: map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + created + `"}`}},
		"an attribute":            {Protocol: "lambda", Endpoint: lambda, Attributes: map[string]string{"Colour": "red"}},
	} {
		in.TopicArn = created
		t.Run(name, func(t *testing.T) { refuses(t, to.Subscribe, in, "InvalidParameter") })
	}
	refuses(t, to.Subscribe, topic.SubscribeInput{TopicArn: deleted, Protocol: "lambda", Endpoint: lambda}, "NotFound")
	to.MaxSubs = 1
	must(t, to.Subscribe, topic.SubscribeInput{TopicArn: created, Protocol: "lambda", Endpoint: lambda})
	refuses(t, to.Subscribe, topic.SubscribeInput{TopicArn: created, Protocol: "lambda", Endpoint: lambda + "2"}, "SubscriptionLimitExceeded")
	_, err := to.Subscribe(t.Context(), topic.SubscribeInput{TopicArn: created, Protocol: "lambda", Endpoint: lambda + "3", Attributes: map[string]string{"FilterPolicy": `{"a":[]}`}})
	if want := "Invalid parameter: Attributes Reason: FilterPolicy: Empty arrays are not allowed"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAttributesOfSubscriptions(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	e := edited(t, to)
	e.deploy(t, "drops", topics(created, deleted), subs(created, "f1"))
	sub := topic.SubscriptionARN(created, "f1")
	set := func(name, value string) topic.SetSubscriptionAttributesInput {
		return topic.SetSubscriptionAttributesInput{SubscriptionArn: sub, AttributeName: name, AttributeValue: value}
	}
	for name, value := range map[string]string{
		"FilterPolicy": `{"a":["b"]}`, "RedrivePolicy": `{"deadLetterTargetArn":"` + deleted + `"}`, "SubscriptionRoleArn": "arn:aws:iam::000000000000:role/x",
	} {
		must(t, to.SetSubscriptionAttributes, set(name, value))
	}
	want := map[string]string{
		"SubscriptionArn": sub, "TopicArn": created, "Protocol": "lambda", "Endpoint": arn.Function(arn.Region, "f1"), "Owner": arn.Account,
		"PendingConfirmation": "false", "ConfirmationWasAuthenticated": "true", "RawMessageDelivery": "false",
		"FilterPolicy": `{"a":["b"]}`, "FilterPolicyScope": "MessageAttributes", "RedrivePolicy": `{"deadLetterTargetArn":"` + deleted + `"}`,
		"SubscriptionRoleArn": "arn:aws:iam::000000000000:role/x",
	}
	get := topic.GetSubscriptionAttributesInput{SubscriptionArn: sub}
	if diff := cmp.Diff(want, must(t, to.GetSubscriptionAttributes, get).Attributes); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	must(t, to.SetSubscriptionAttributes, set("FilterPolicyScope", "MessageBody"))
	must(t, to.SetSubscriptionAttributes, set("FilterPolicy", `{"a":{"b":["c"]}}`))
	refuses(t, to.SetSubscriptionAttributes, set("FilterPolicyScope", "MessageAttributes"), "InvalidParameter") // the policy is nested
	refuses(t, to.SetSubscriptionAttributes, set("FilterPolicy", `{"a":1}`), "InvalidParameter")
	must(t, to.SetSubscriptionAttributes, set("FilterPolicy", ""))
	if got, ok := must(t, to.GetSubscriptionAttributes, get).Attributes["FilterPolicy"]; ok {
		t.Errorf("filter policy %q, want none", got)
	}
	refuses(t, to.SetSubscriptionAttributes, topic.SetSubscriptionAttributesInput{SubscriptionArn: sub + "x", AttributeName: "FilterPolicy"}, "NotFound")
	refuses(t, to.GetSubscriptionAttributes, topic.GetSubscriptionAttributesInput{SubscriptionArn: "sub"}, "InvalidParameter")
}

func TestNobodyButTheAdministratorReachesInside(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	e := edited(t, to)
	e.deploy(t, "drops", topics(created), nil)
	for name, admin := range map[string]bool{"function": false, "administrator": true} {
		to.MayReachInside = func(context.Context) bool { return admin }
		must(t, to.Subscribe, topic.SubscribeInput{TopicArn: created, Protocol: "http", Endpoint: "http://127.0.0.1:1/" + name})
	}
	for _, s := range to.Subscriptions() {
		if want := strings.HasSuffix(s.Endpoint, "administrator"); s.Inside != want {
			t.Errorf("%s: inside %v, want %v", s.Endpoint, s.Inside, want)
		}
	}
}
