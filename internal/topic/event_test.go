package topic_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/topic"
)

// received publishes one message and returns what the function gets.
func received(t *testing.T, in topic.PublishInput) function.Invocation {
	t.Helper()
	box := newInbox()
	to := newTopics(t, streams(t), serial{handle: box.handle})
	replace(t, to, "drops", topics(created), subs(created, "metadata"))
	run(t, to)
	in.TopicArn = created
	if _, err := to.Publish(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	return box.wait(t, 1)["metadata"][0]
}

func text(s string) *string { return &s }

func TestEventIsWhatSNSSends(t *testing.T) {
	for file, in := range map[string]topic.PublishInput{
		"testdata/event.json": {
			Message: `{"html":"<b>&</b>"}`, Subject: "A drop",
			MessageAttributes: map[string]topic.MessageAttributeValue{
				"kind": {DataType: "String", StringValue: text("image")}, "size": {DataType: "Number", StringValue: text("12")},
				"raw": {DataType: "Binary", BinaryValue: []byte{0, 1, 2}},
			},
		},
		"testdata/event-bare.json":      {Message: "m"},
		"testdata/event-structure.json": {Message: `{"default":"for all","lambda":"for functions","email":"no"}`, MessageStructure: "json"},
	} {
		golden, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		payload := received(t, in).Payload
		if bytes.Contains(payload, []byte(`\u00`)) {
			t.Errorf("%s: %s escapes what AWS does not", file, payload)
		}
		var got, want map[string]any
		if err := json.Unmarshal(golden, &want); err != nil {
			t.Fatal(file, err)
		}
		if err := json.Unmarshal(payload, &got); err != nil {
			t.Fatal(err)
		}
		// What differs from message to message is judged by the next test.
		entity := got["Records"].([]any)[0].(map[string]any)["Sns"].(map[string]any)
		for _, key := range []string{"MessageId", "Timestamp", "Signature"} {
			if s, ok := entity[key].(string); !ok || s == "" {
				t.Errorf("%s is %v", key, entity[key])
			}
			entity[key] = "*"
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s -want +got:\n%s", file, diff)
		}
	}
}

func TestEventAsTheOfficialLibraryReadsIt(t *testing.T) {
	began := time.Now().Truncate(time.Millisecond)
	inv := received(t, topic.PublishInput{Message: "m", Subject: "s", MessageAttributes: attribute("a", "String", "v")})
	if len(inv.ID) != 36 {
		t.Errorf("request id %q, want a UUID", inv.ID)
	}
	var e events.SNSEvent
	if err := json.Unmarshal(inv.Payload, &e); err != nil {
		t.Fatal(err)
	}
	r := e.Records[0]
	if r.EventSource != "aws:sns" || r.EventVersion != "1.0" || r.EventSubscriptionArn != topic.SubscriptionARN(created, "metadata") {
		t.Errorf("got %+v", r)
	}
	if r.SNS.Type != "Notification" || r.SNS.Message != "m" || r.SNS.Subject != "s" || r.SNS.TopicArn != created {
		t.Errorf("got %+v", r.SNS)
	}
	if r.SNS.Timestamp.Before(began) || r.SNS.Timestamp.After(time.Now()) {
		t.Errorf("timestamp %v, want now", r.SNS.Timestamp)
	}
	if raw, err := base64.StdEncoding.DecodeString(r.SNS.Signature); err != nil || len(raw) != 32 {
		t.Errorf("signature %q: %v", r.SNS.Signature, err)
	}
	if diff := cmp.Diff(map[string]any{"a": map[string]any{"Type": "String", "Value": "v"}}, r.SNS.MessageAttributes); diff != "" {
		t.Errorf("attributes -want +got:\n%s", diff)
	}
}

func TestSubscriptionARNIsStable(t *testing.T) {
	got := topic.SubscriptionARN("arn:aws:sns:us-east-1:000000000000:drop-created", "drops-dev-metadata")
	want := "arn:aws:sns:us-east-1:000000000000:drop-created:3f38dd11-1d95-8d8c-9b87-792dda8e4867"
	if got != want {
		t.Errorf("got %s, want %s: deployed subscriptions would lose their place", got, want)
	}
}
