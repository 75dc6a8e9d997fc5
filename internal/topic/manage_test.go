package topic_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/topic"
)

func TestCreateTopicIsDoneOnce(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	edited(t, to)
	in := topic.CreateTopicInput{
		Name: "orders", Attributes: map[string]string{"DisplayName": "Orders", "SignatureVersion": "2"}, Tags: []topic.Tag{{"team", "a"}},
	}
	first := must(t, to.CreateTopic, in).TopicArn
	if want := arn.Topic(arn.Region, "orders"); first != want {
		t.Errorf("created %s, want %s", first, want)
	}
	for name, again := range map[string]topic.CreateTopicInput{
		"the same":           in,
		"by its name":        {Name: "orders"},
		"some attributes":    {Name: "orders", Attributes: map[string]string{"DisplayName": "Orders"}},
		"without attributes": {Name: "orders", Tags: in.Tags},
	} {
		if out, err := to.CreateTopic(t.Context(), again); err != nil || out.TopicArn != first {
			t.Errorf("%s: got %v, %v, want the same topic", name, out, err)
		}
	}
	refuses(t, to.CreateTopic, topic.CreateTopicInput{Name: "orders", Attributes: map[string]string{"DisplayName": "Bills"}}, "InvalidParameter")
	refuses(t, to.CreateTopic, topic.CreateTopicInput{Name: "orders", Tags: []topic.Tag{{"team", "b"}}}, "InvalidParameter")
	publish(t, to, first, "m")
}

func TestTopicsThatAreRefused(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	edited(t, to)
	to.MaxTopics = 1
	to.CheckPolicy = func(policy string) error {
		if strings.Contains(policy, "Sure") {
			return errors.New("Effect is Allow or Deny")
		}
		return nil
	}
	for name, in := range map[string]topic.CreateTopicInput{
		"no name":          {},
		"a FIFO topic":     {Name: "a.fifo"},
		"a FIFO attribute": {Name: "a", Attributes: map[string]string{"FifoTopic": "true"}},
		"an attribute":     {Name: "a", Attributes: map[string]string{"Colour": "red"}},
		"signatures":       {Name: "a", Attributes: map[string]string{"SignatureVersion": "3"}},
		"tracing":          {Name: "a", Attributes: map[string]string{"TracingConfig": "On"}},
		"a policy":         {Name: "a", Attributes: map[string]string{"Policy": "{"}},
		"what it says":     {Name: "a", Attributes: map[string]string{"Policy": `{"Statement":[{"Effect":"Sure"}]}`}},
		"retries":          {Name: "a", Attributes: map[string]string{"DeliveryPolicy": `{"http":{"defaultHealthyRetryPolicy":{"numRetries":101}}}`}},
		"a display name":   {Name: "a", Attributes: map[string]string{"DisplayName": "a\nb"}},
		"a tag":            {Name: "a", Tags: []topic.Tag{{"aws:x", "y"}}},
	} {
		t.Run(name, func(t *testing.T) { refuses(t, to.CreateTopic, in, "InvalidParameter") })
	}
	create(t, to, "first")
	refuses(t, to.CreateTopic, topic.CreateTopicInput{Name: "second"}, "TopicLimitExceeded")
	if got := len(to.List()); got != 1 {
		t.Errorf("%d topics, want the one", got)
	}
}

func TestAttributesOfTopics(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	e := edited(t, to)
	e.deploy(t, "drops", []topic.Topic{{ARN: created, DisplayName: "Drops"}}, subs(created, "f1"))
	get := func() map[string]string {
		return must(t, to.GetTopicAttributes, topic.TopicInput{TopicArn: created}).Attributes
	}
	for name, want := range map[string]string{
		"TopicArn": created, "Owner": arn.Account, "DisplayName": "Drops", "SubscriptionsConfirmed": "1", "SubscriptionsPending": "0", "SubscriptionsDeleted": "0",
		"EffectiveDeliveryPolicy": `{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numNoDelayRetries":0,"numMinDelayRetries":0,"numMaxDelayRetries":0,"backoffFunction":"linear"},"disableSubscriptionOverrides":false}}`,
	} {
		if got := get()[name]; got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if policy := get()["Policy"]; !strings.Contains(policy, "__default_statement_ID") || !json.Valid([]byte(policy)) {
		t.Errorf("policy %s, want SNS's own", policy)
	}
	for name, value := range map[string]string{
		"DisplayName": "Changed", "KmsMasterKeyId": "alias/aws/sns", "SignatureVersion": "2", "TracingConfig": "Active",
		"DeliveryPolicy": `{"http":{"defaultHealthyRetryPolicy":{"numRetries":5}}}`, "Policy": `{"Statement":[]}`,
	} {
		must(t, to.SetTopicAttributes, topic.SetTopicAttributesInput{TopicArn: created, AttributeName: name, AttributeValue: value})
		if got := get()[name]; got != value {
			t.Errorf("%s: got %s, want %s", name, got, value)
		}
	}
	if got := get()["EffectiveDeliveryPolicy"]; !strings.Contains(got, `"numRetries":5`) {
		t.Errorf("effective policy %s, want 5 retries", got)
	}
	refuses(t, to.SetTopicAttributes, topic.SetTopicAttributesInput{TopicArn: created, AttributeName: "Owner", AttributeValue: "x"}, "InvalidParameter")
	refuses(t, to.SetTopicAttributes, topic.SetTopicAttributesInput{TopicArn: deleted, AttributeName: "DisplayName"}, "NotFound")
	refuses(t, to.GetTopicAttributes, topic.TopicInput{TopicArn: "drop"}, "InvalidParameter")

	e.deploy(t, "drops", []topic.Topic{{ARN: created, DisplayName: "Drops"}}, nil) // the next deployment
	if got := get()["DisplayName"]; got != "Drops" {
		t.Errorf("after a deployment: got %s, want what it declares", got)
	}
}

func TestAttributesAreTheDeclarers(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	e := edited(t, to)
	e.deploy(t, "a-subscriber", nil, subs(created, "f1"))
	e.deploy(t, "owner", []topic.Topic{{ARN: created, DisplayName: "Mine"}}, nil)
	if got := must(t, to.GetTopicAttributes, topic.TopicInput{TopicArn: created}).Attributes["DisplayName"]; got != "Mine" {
		t.Errorf("display name %q, want that of the stack that declares the topic", got)
	}
}

func TestDeleteTopicTakesItFromEveryStack(t *testing.T) {
	js := streams(t)
	to := newTopics(t, js, serial{})
	e := edited(t, to)
	e.deploy(t, "drops", topics(created), nil)
	e.deploy(t, "other", topics(deleted), subs(created, "f1"))
	must(t, to.DeleteTopic, topic.TopicInput{TopicArn: created})
	must(t, to.DeleteTopic, topic.TopicInput{TopicArn: created}) // is gone already
	refuses(t, to.DeleteTopic, topic.TopicInput{TopicArn: "created"}, "InvalidParameter")
	if diff := cmp.Diff([]topic.TopicEntry{{TopicArn: deleted}}, must(t, to.ListTopics, topic.ListTopicsInput{}).Topics); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if names := streamNames(t, js); len(names) != 1 {
		t.Errorf("streams %q, want one", names)
	}
}

func TestPages(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	to.NewAppender = func(string) topic.Appender { return broken{} }
	e := edited(t, to)
	var list []topic.Topic
	var all []topic.Subscription
	for i := range 101 {
		list = append(list, topics(arn.Topic(arn.Region, fmt.Sprintf("t%03d", i)))...)
		all = append(all, subs(list[0].ARN, fmt.Sprint("f", i))...)
	}
	e.deploy(t, "many", list, all)
	first := must(t, to.ListTopics, topic.ListTopicsInput{})
	second := must(t, to.ListTopics, topic.ListTopicsInput{NextToken: first.NextToken})
	if len(first.Topics) != 100 || len(second.Topics) != 1 || second.Topics[0].TopicArn != list[100].ARN || second.NextToken != "" {
		t.Errorf("pages of %d and %d topics, the second %+v", len(first.Topics), len(second.Topics), second)
	}
	in := topic.ListSubscriptionsByTopicInput{TopicArn: list[0].ARN}
	one := must(t, to.ListSubscriptionsByTopic, in)
	in.NextToken = one.NextToken
	two := must(t, to.ListSubscriptionsByTopic, in)
	if len(one.Subscriptions) != 100 || len(two.Subscriptions) != 1 {
		t.Errorf("pages of %d and %d subscriptions, want 100 and 1", len(one.Subscriptions), len(two.Subscriptions))
	}
	refuses(t, to.ListTopics, topic.ListTopicsInput{NextToken: "%"}, "InvalidParameter")
	refuses(t, to.ListSubscriptionsByTopic, topic.ListSubscriptionsByTopicInput{TopicArn: deleted}, "NotFound")
}

func TestTags(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	edited(t, to)
	at := create(t, to, "orders")
	must(t, to.TagResource, topic.TagResourceInput{ResourceArn: at, Tags: []topic.Tag{{"b", "1"}, {"a", "2"}}})
	must(t, to.TagResource, topic.TagResourceInput{ResourceArn: at, Tags: []topic.Tag{{"b", "3"}, {"c", ""}}})
	must(t, to.UntagResource, topic.UntagResourceInput{ResourceArn: at, TagKeys: []string{"c", "never"}})
	want := []topic.Tag{{"a", "2"}, {"b", "3"}}
	if diff := cmp.Diff(want, must(t, to.ListTagsForResource, topic.ListTagsForResourceInput{ResourceArn: at}).Tags); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var many []topic.Tag
	for i := range 51 {
		many = append(many, topic.Tag{Key: fmt.Sprint("k", i)})
	}
	refuses(t, to.TagResource, topic.TagResourceInput{ResourceArn: at, Tags: many}, "TagLimitExceeded")
	refuses(t, to.TagResource, topic.TagResourceInput{ResourceArn: deleted, Tags: want}, "ResourceNotFound")
	refuses(t, to.UntagResource, topic.UntagResourceInput{ResourceArn: deleted}, "ResourceNotFound")
	refuses(t, to.ListTagsForResource, topic.ListTagsForResourceInput{ResourceArn: deleted}, "ResourceNotFound")
}

func TestPermissions(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	edited(t, to)
	at := create(t, to, "orders")
	in := topic.AddPermissionInput{TopicArn: at, Label: "partners", AWSAccountId: []string{"111122223333"}, ActionName: []string{"Publish", "Subscribe"}}
	must(t, to.AddPermission, in)
	statements := func() (sids []string) {
		text, ok := to.Policy(at)
		if !ok {
			t.Fatal("no policy")
		}
		var doc struct {
			Statement []struct {
				Sid, Resource string
				Principal     struct{ AWS any }
				Action        []string
			}
		}
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		for _, s := range doc.Statement {
			sids = append(sids, s.Sid)
			if s.Sid == "partners" && (s.Resource != at || fmt.Sprint(s.Principal.AWS, s.Action) != "[arn:aws:iam::111122223333:root] [SNS:Publish SNS:Subscribe]") {
				t.Errorf("statement %+v", s)
			}
		}
		return sids
	}
	if diff := cmp.Diff([]string{"__default_statement_ID", "partners"}, statements()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	refuses(t, to.AddPermission, in, "InvalidParameter") // it exists
	in.Label, in.ActionName = "others", []string{"Fly"}
	refuses(t, to.AddPermission, in, "InvalidParameter")
	must(t, to.RemovePermission, topic.RemovePermissionInput{TopicArn: at, Label: "partners"})
	refuses(t, to.RemovePermission, topic.RemovePermissionInput{TopicArn: at, Label: "partners"}, "InvalidParameter")
	if diff := cmp.Diff([]string{"__default_statement_ID"}, statements()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, ok := to.Policy(deleted); ok {
		t.Error("a topic that does not exist has a policy")
	}
}
