package topic_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/topic"
)

var six = []string{"f1", "f2", "f3", "f4", "f5", "f6"}

func sns(t testing.TB, inv function.Invocation) events.SNSEntity {
	t.Helper()
	var e events.SNSEvent
	if err := json.Unmarshal(inv.Payload, &e); err != nil {
		t.Fatal(err)
	}
	if len(e.Records) != 1 {
		t.Fatalf("%d records, want 1", len(e.Records))
	}
	return e.Records[0].SNS
}

func messages(t testing.TB, invs []function.Invocation) (list []string) {
	t.Helper()
	for _, inv := range invs {
		list = append(list, sns(t, inv).Message)
	}
	return list
}

func TestEverySubscriptionGetsEveryMessageOnce(t *testing.T) {
	const publishers, each = 4, 25
	js, in := streams(t), newInbox()
	to := newTopics(t, js, serial{handle: in.handle})
	replace(t, to, "drops", topics(created), subs(created, six...))
	run(t, to)

	var mu sync.Mutex
	published := map[string]string{} // message by ID
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				message := fmt.Sprintf("%d.%d", p, i)
				out, err := to.Publish(t.Context(), topic.PublishInput{TopicArn: created, Message: message})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				published[out.MessageId] = message
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	got := in.wait(t, len(six)*publishers*each)
	requests := map[string]bool{}
	for _, f := range six {
		received := map[string]string{}
		for _, inv := range got[f] {
			e := sns(t, inv)
			received[e.MessageID] = e.Message
			requests[inv.ID] = true
		}
		if diff := cmp.Diff(published, received); diff != "" || len(got[f]) != len(published) {
			t.Errorf("%s got %d invocations, diff -published +received:\n%s", f, len(got[f]), diff)
		}
	}
	if want := len(six) * publishers * each; len(requests) != want {
		t.Errorf("%d request ids, want %d", len(requests), want)
	}
	empty(t, js)
}

// empty waits until the only stream keeps no message.
func empty(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for only(t, js).State.Msgs != 0 {
		if ctx.Err() != nil {
			t.Fatalf("%d messages left in the stream, want none", only(t, js).State.Msgs)
		}
	}
}

func TestRestartLosesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Run("first life", func(t *testing.T) {
		in := newInbox()
		to := newTopics(t, enginetest.StreamsIn(t, dir), serial{handle: in.handle})
		replace(t, to, "drops", topics(created), subs(created, "f1", "f2"))
		stop := run(t, to)
		publish(t, to, created, "one")
		in.wait(t, 2)
		stop()
		publish(t, to, created, "two")
		publish(t, to, created, "three")
	})
	t.Run("second life", func(t *testing.T) {
		in := newInbox()
		to := newTopics(t, enginetest.StreamsIn(t, dir), serial{handle: in.handle})
		if err := to.Prune(t.Context(), []string{"drops"}); err != nil {
			t.Fatal(err)
		}
		replace(t, to, "drops", topics(created), subs(created, "f1", "f2"))
		run(t, to)
		publish(t, to, created, "four")
		got := in.wait(t, 6)
		for _, f := range []string{"f1", "f2"} {
			if diff := cmp.Diff([]string{"two", "three", "four"}, messages(t, got[f])); diff != "" {
				t.Errorf("%s -want +got:\n%s", f, diff)
			}
		}
	})
}

func TestANewConsumerKeepsItsPlaceOverARestart(t *testing.T) {
	dir := t.TempDir()
	t.Run("subscribe to a used topic", func(t *testing.T) {
		to := newTopics(t, enginetest.StreamsIn(t, dir), serial{})
		replace(t, to, "a", topics(created), subs(created, "old"))
		publish(t, to, created, "before")
		replace(t, to, "b", nil, subs(created, "new"))
	})
	t.Run("publish", func(t *testing.T) {
		to := newTopics(t, enginetest.StreamsIn(t, dir), serial{})
		replace(t, to, "a", topics(created), subs(created, "old"))
		publish(t, to, created, "after")
	})
	t.Run("deliver", func(t *testing.T) {
		in := newInbox()
		to := newTopics(t, enginetest.StreamsIn(t, dir), serial{handle: in.handle})
		replace(t, to, "a", topics(created), subs(created, "old"))
		replace(t, to, "b", nil, subs(created, "new"))
		run(t, to)
		got := in.wait(t, 3)
		if diff := cmp.Diff([]string{"before", "after"}, messages(t, got["old"])); diff != "" {
			t.Errorf("old -want +got:\n%s", diff)
		}
		if diff := cmp.Diff([]string{"after"}, messages(t, got["new"])); diff != "" {
			t.Errorf("new -want +got:\n%s", diff)
		}
	})
}

func TestRedeliveryKeepsTheRequestID(t *testing.T) {
	in, calls := newInbox(), 0
	to := newTopics(t, streams(t), serial{handle: func(inv function.Invocation) error {
		_ = in.handle(inv)
		if calls++; calls == 1 {
			return errors.New("not yet")
		}
		return nil
	}})
	replace(t, to, "drops", topics(created), subs(created, "f1"))
	run(t, to)
	publish(t, to, created, "again")
	got := in.wait(t, 2)["f1"]
	if got[0].ID != got[1].ID || string(got[0].Payload) != string(got[1].Payload) {
		t.Errorf("redelivered as %s %s, want %s %s", got[1].ID, got[1].Payload, got[0].ID, got[0].Payload)
	}
}

func TestLoopsFollowReplaceWhileRunning(t *testing.T) {
	in, ended := newInbox(), make(chan string, 10)
	to := newTopics(t, streams(t), serial{handle: in.handle, ended: func(name string) { ended <- name }})
	stop := run(t, to)
	replace(t, to, "drops", topics(created), subs(created, "f1"))
	publish(t, to, created, "one")
	in.wait(t, 1)

	replace(t, to, "drops", topics(created), subs(created, "f1", "f2"))
	publish(t, to, created, "two")
	in.wait(t, 2)

	replace(t, to, "drops", topics(created), subs(created, "f2"))
	if got, want := <-ended, topic.SubscriptionARN(created, "f1"); got != want {
		t.Errorf("ended %s, want %s", got, want)
	}
	publish(t, to, created, "three")
	got := in.wait(t, 1)
	if diff := cmp.Diff([]string{"one", "two"}, messages(t, got["f1"])); diff != "" {
		t.Errorf("f1 -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"two", "three"}, messages(t, got["f2"])); diff != "" {
		t.Errorf("f2 -want +got:\n%s", diff)
	}
	stop()
	if got, want := <-ended, topic.SubscriptionARN(created, "f2"); got != want {
		t.Errorf("ended %s, want %s", got, want)
	}
	replace(t, to, "drops", topics(created), subs(created, "f1")) // no loop begins after Run
	select {
	case name := <-ended:
		t.Errorf("%s ended as well", name)
	default:
	}
}

func TestRecordThatCannotBeRead(t *testing.T) {
	js, in := streams(t), newInbox()
	to := newTopics(t, js, serial{handle: in.handle})
	replace(t, to, "drops", topics(created), subs(created, "f1"))
	if _, err := js.Publish(t.Context(), only(t, js).Config.Subjects[0], []byte("{")); err != nil {
		t.Fatal(err)
	}
	publish(t, to, created, "good")
	run(t, to)
	if diff := cmp.Diff([]string{"good"}, messages(t, in.wait(t, 1)["f1"])); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
