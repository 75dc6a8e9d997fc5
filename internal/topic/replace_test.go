package topic_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/topic"
)

func TestReplaceKeepsThePlaceOfUnchangedSubscriptions(t *testing.T) {
	in := newInbox()
	to := newTopics(t, streams(t), serial{handle: in.handle})
	replace(t, to, "drops", topics(created), subs(created, "kept", "removed"))
	publish(t, to, created, "one")
	replace(t, to, "drops", topics(created), subs(created, "kept", "added"))
	publish(t, to, created, "two")
	replace(t, to, "drops", topics(created), subs(created, "kept", "added"))
	run(t, to)
	got := in.wait(t, 3)
	want := map[string][]string{"kept": {"one", "two"}, "added": {"two"}, "removed": nil}
	for f, messagesWanted := range want {
		if diff := cmp.Diff(messagesWanted, messages(t, got[f])); diff != "" {
			t.Errorf("%s -want +got:\n%s", f, diff)
		}
	}
}

func TestStorageDoesNotGrow(t *testing.T) {
	js := streams(t)
	to := newTopics(t, js, serial{})
	replace(t, to, "drops", topics(created), nil)
	publish(t, to, created, "nobody listens")
	if n := only(t, js).State.Msgs; n != 0 {
		t.Errorf("without subscriptions the stream keeps %d messages, want none", n)
	}
	replace(t, to, "drops", topics(created), subs(created, "f1"))
	publish(t, to, created, "owed")
	if n := only(t, js).State.Msgs; n != 1 {
		t.Errorf("the stream keeps %d messages, want the one that is owed", n)
	}
	replace(t, to, "drops", topics(created), nil)
	empty(t, js)
}

func TestTopicsOfSeveralStacks(t *testing.T) {
	js, in := streams(t), newInbox()
	to := newTopics(t, js, serial{handle: in.handle})
	replace(t, to, "subscriber", nil, subs(created, "f1")) // before anybody declares it
	replace(t, to, "declarer", topics(created), nil)
	replace(t, to, "declarer", nil, nil)
	publish(t, to, created, "still there")

	restarted := newTopics(t, js, serial{handle: in.handle}) // knows of no stack yet
	replace(t, restarted, "declarer", topics(deleted), nil)
	replace(t, restarted, "declarer", nil, nil)
	replace(t, restarted, "subscriber", nil, subs(created, "f1"))
	run(t, restarted)
	if diff := cmp.Diff([]string{"still there"}, messages(t, in.wait(t, 1)["f1"])); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	replace(t, restarted, "subscriber", nil, nil)
	if names := streamNames(t, js); len(names) != 0 {
		t.Errorf("streams %q are left, want none", names)
	}
	if list := restarted.List(); len(list) != 0 {
		t.Errorf("topics %v are left, want none", list)
	}
	_, err := restarted.Publish(t.Context(), topic.PublishInput{TopicArn: created, Message: "m"})
	if fault.KindOf(err) != fault.NotFound || fault.CodeOf(err) != "NotFound" || err.Error() != "Topic does not exist" {
		t.Errorf("publish to a removed topic: %v %s", err, fault.CodeOf(err))
	}
}

func TestListAndSubscriptions(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	replace(t, to, "b", topics(deleted, created), nil)
	replace(t, to, "a", nil, append(subs(created, "f1"), subs(created, "f1")...))
	want := []topic.Topic{{Stack: "b", Name: "drop-created", ARN: created}, {Stack: "b", Name: "drop-deleted", ARN: deleted}}
	if diff := cmp.Diff(want, to.List()); diff != "" {
		t.Errorf("List -want +got:\n%s", diff)
	}
	wantSubs := []topic.Subscription{{Stack: "a", ARN: topic.SubscriptionARN(created, "f1"), Topic: created, Function: "f1"}}
	if diff := cmp.Diff(wantSubs, to.Subscriptions()); diff != "" {
		t.Errorf("Subscriptions -want +got:\n%s", diff)
	}
}

func TestTopicsOfTheSameNameApart(t *testing.T) {
	js := streams(t)
	to := newTopics(t, js, serial{})
	long := strings.Repeat("n", 256)
	arns := []string{
		created, arn.Topic("eu-west-1", "drop-created"), arn.Topic("eu-west-1", long), arn.Topic(arn.Region, long),
		"arn:aws:sns:us-east-1:123456789012:drop-created",
	}
	for i, a := range arns {
		replace(t, to, "drops", topics(arns[:i+1]...), subs(a, "f1"))
		publish(t, to, a, "m")
	}
	if names := streamNames(t, js); len(names) != len(arns) {
		t.Errorf("streams %q, want %d", names, len(arns))
	}
}

func TestPruneForgetsStacksThatAreGone(t *testing.T) {
	js := streams(t)
	before := newTopics(t, js, serial{})
	replace(t, before, "kept", topics(created), subs(created, "f1"))
	replace(t, before, "gone", topics(deleted), subs(created, "f2"))

	to := newTopics(t, js, serial{})
	if err := to.Prune(t.Context(), []string{"kept"}); err != nil {
		t.Fatal(err)
	}
	if info := only(t, js); info.Config.Metadata["topic"] != created || info.State.Consumers != 1 {
		t.Errorf("left: topic %s with %d consumers, want %s with 1", info.Config.Metadata["topic"], info.State.Consumers, created)
	}
}

func TestFailedReplaceChangesNothing(t *testing.T) {
	js, in := streams(t), newInbox()
	to := newTopics(t, js, serial{handle: in.handle})
	replace(t, to, "drops", topics(created), subs(created, "f1"))
	stream := only(t, js)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "inTheWay", Subjects: []string{"topic.*.>", strings.Replace(stream.Config.Subjects[0], "created", "deleted", 1)}}); err != nil {
		t.Fatal(err)
	}
	err := to.Replace(t.Context(), "drops", topics(created, deleted), append(subs(created, "f2"), subs(deleted, "f1")...))
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), deleted) {
		t.Fatalf("got %v (%v), want unavailable and the topic's name", err, fault.KindOf(err))
	}
	run(t, to)
	publish(t, to, created, "one")
	if diff := cmp.Diff([]string{"one"}, messages(t, in.wait(t, 1)["f1"])); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	s, err := js.Stream(t.Context(), stream.Config.Name)
	if err != nil {
		t.Fatal(err)
	}
	if n := s.CachedInfo().State.Consumers; n != 1 {
		t.Errorf("%d consumers, want 1: the new one would keep messages for nobody", n)
	}
}

func TestReplaceRefuses(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	for name, c := range map[string]struct {
		topics []topic.Topic
		subs   []topic.Subscription
		want   string
	}{
		"no ARN":              {topics: topics("drop-created"), want: "not the ARN of a topic"},
		"ARN of a queue":      {topics: topics("arn:aws:sqs:us-east-1:000000000000:q"), want: "not the ARN of a topic"},
		"region with a dot":   {topics: topics("arn:aws:sns:a.b:000000000000:q"), want: "not the ARN of a topic"},
		"FIFO":                {topics: topics(created + ".fifo"), want: "FIFO"},
		"name with a space":   {topics: topics(created + " x"), want: "letters, digits"},
		"name too long":       {topics: topics(arn.Topic(arn.Region, strings.Repeat("n", 257))), want: "1 to 256"},
		"subscription to air": {subs: subs("", "f1"), want: "not the ARN of a topic"},
		"another's ARN":       {subs: []topic.Subscription{{Topic: created, Function: "f1", ARN: created + ":x"}}, want: "its ARN is"},
	} {
		err := to.Replace(t.Context(), "drops", c.topics, c.subs)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v (%v), want invalid, with %q", name, err, fault.KindOf(err), c.want)
		}
	}
}

type broken struct{}

func (broken) Append(context.Context, string, nats.Header, []byte) (uint64, error) {
	return 0, errors.New("no space left on device")
}
func (broken) Close() error { return nil }

func TestPublishSaysWhenItIsNotStored(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	to.NewAppender = func(string) topic.Appender { return broken{} }
	replace(t, to, "drops", topics(created), nil)
	_, err := to.Publish(t.Context(), topic.PublishInput{TopicArn: created, Message: "m"})
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v (%v), want unavailable", err, fault.KindOf(err))
	}
	out, err := to.PublishBatch(t.Context(), topic.PublishBatchInput{TopicArn: created, PublishBatchRequestEntries: entries(1, "m")})
	if err != nil || len(out.Failed) != 1 || out.Failed[0].Code != "ServiceUnavailable" || out.Failed[0].SenderFault {
		t.Errorf("batch: got %+v %v, want one entry that failed through no fault of its sender", out, err)
	}
}

// closing counts the appenders that are open.
type closing struct {
	plain
	open *int
}

func (c closing) Close() error { *c.open--; return nil }

func TestAppendersAreClosed(t *testing.T) {
	js, n := streams(t), 0
	to := newTopics(t, js, serial{})
	to.NewAppender = func(string) topic.Appender { n++; return closing{plain{js}, &n} }
	replace(t, to, "drops", topics(created, deleted), nil)
	replace(t, to, "drops", topics(created), nil)
	if n != 1 {
		t.Errorf("%d appenders open, want 1", n)
	}
	if err := to.Close(); err != nil || n != 0 {
		t.Errorf("after Close %d appenders open, %v", n, err)
	}
}

func TestASubscriptionOfTwoStacksStaysWithTheOther(t *testing.T) {
	in := newInbox()
	to := newTopics(t, streams(t), serial{handle: in.handle})
	replace(t, to, "api", topics(created), subs(created, "f1"))
	replace(t, to, "drops", topics(created), subs(created, "f1")) // its consumer is this stack's now
	publish(t, to, created, "one")
	replace(t, to, "drops", topics(created), nil)
	publish(t, to, created, "two")
	replace(t, to, "drops", nil, nil)
	publish(t, to, created, "three")
	run(t, to)
	if diff := cmp.Diff([]string{"one", "two", "three"}, messages(t, in.wait(t, 3)["f1"])); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
