package function_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

// heard is a record with what differs between runs left out.
func heard(t *testing.T, body []byte) map[string]any {
	t.Helper()
	var r map[string]any
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if stamp, _ := r["timestamp"].(string); len(stamp) != len("2019-11-14T18:16:05.568Z") {
		t.Errorf("timestamp %q", stamp)
	}
	delete(r, "timestamp")
	return r
}

func asked(condition string, invocations float64) map[string]any {
	return map[string]any{
		"requestId": "id-1", "functionArn": arn.Function(arn.Region, "a") + ":$LATEST", "condition": condition, "approximateInvokeCount": invocations,
	}
}

// mailbox is the queues that an invoker sends to: the last message of each.
type mailbox struct{ sync.Map }

func (m *mailbox) send(_ context.Context, queueARN, _, body string, _ map[string]string) error {
	m.Store(queueARN[strings.LastIndexByte(queueARN, ':')+1:], []byte(body))
	return nil
}

func (m *mailbox) message(t *testing.T, queue string) []byte {
	t.Helper()
	var got []byte
	wait(t, "a message in the queue", func() bool {
		body, ok := m.Load(queue)
		if ok {
			got = body.([]byte)
		}
		return ok
	})
	return got
}

func TestQueueHearsOfSuccessAndFailure(t *testing.T) {
	for name, c := range map[string]struct {
		event string
		want  map[string]any
	}{
		"success": {`{"a":1}`, map[string]any{
			"version": "1.0", "requestContext": asked("Success", 1), "requestPayload": map[string]any{"a": 1.0},
			"responseContext": map[string]any{"statusCode": 200.0, "executedVersion": "$LATEST"},
			"responsePayload": map[string]any{"a": 1.0},
		}},
		"failure": {`{"mode":"fail"}`, map[string]any{
			"version": "1.0", "requestContext": asked("RetriesExhausted", 3), "requestPayload": map[string]any{"mode": "fail"},
			"responseContext": map[string]any{"statusCode": 200.0, "executedVersion": "$LATEST", "functionError": "Unhandled"},
			"responsePayload": map[string]any{"errorMessage": "refused by the handler", "errorType": "errorString"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			js := enginetest.Streams(t)
			i := newInvoker(t, js)
			queues := &mailbox{}
			i.Send = queues.send
			f := fn("a")
			f.OnSuccess, f.OnFailure = "arn:aws:sqs:us-east-1:000000000000:done", "arn:aws:sqs:us-east-1:000000000000:done"
			replace(t, i, f)
			run(t, i)
			enqueue(t, i, "a", "id-1", c.event)
			if diff := cmp.Diff(c.want, heard(t, queues.message(t, "done"))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTopicAndFunctionHearOfIt(t *testing.T) {
	js := enginetest.Streams(t)
	i := newInvoker(t, js)
	published := make(chan []byte, 10)
	i.Publish = func(_ context.Context, topic string, body []byte, _ map[string]string) error {
		if topic != arn.Topic(arn.Region, "done") {
			t.Errorf("published to %s", topic)
		}
		published <- body
		return nil
	}
	a, b := fn("a"), fn("b")
	a.OnSuccess = arn.Function(arn.Region, "b")
	b.OnSuccess = arn.Topic(arn.Region, "done")
	replace(t, i, a, b)
	run(t, i)
	enqueue(t, i, "a", "id-1", `{"a":1}`)
	got := heard(t, <-published) // b's record, whose request is a's
	if diff := cmp.Diff(asked("Success", 1), got["requestPayload"].(map[string]any)["requestContext"]); diff != "" {
		t.Error(diff)
	}
}

func TestOldEventsAreGivenUp(t *testing.T) {
	js := enginetest.Streams(t)
	i := newInvoker(t, js)
	queues := &mailbox{}
	i.Send = queues.send
	i.RetryDelays = []time.Duration{300 * time.Millisecond, time.Hour}
	i.MaxEventAge = 200 * time.Millisecond
	f := fn("a")
	f.OnFailure = "arn:aws:sqs:us-east-1:000000000000:old"
	replace(t, i, f)
	run(t, i)
	enqueue(t, i, "a", "id-1", `{"mode":"fail"}`)
	got := heard(t, queues.message(t, "old"))
	if diff := cmp.Diff(asked("EventAgeExceeded", 1), got["requestContext"]); diff != "" {
		t.Error(diff)
	}
	wait(t, "the dead letter", func() bool { return len(letters(t, i, "a")) == 1 })
}

func TestNoRetries(t *testing.T) {
	js := enginetest.Streams(t)
	i := newInvoker(t, js)
	queues := &mailbox{}
	i.Send = queues.send
	none, off := 0, 0
	f, g := fn("a"), fn("off")
	f.MaxRetries, f.OnFailure = &none, "arn:aws:sqs:us-east-1:000000000000:failed"
	g.Concurrency, g.OnFailure = &off, "arn:aws:sqs:us-east-1:000000000000:off"
	replace(t, i, f, g)
	run(t, i)
	enqueue(t, i, "a", "id-1", `{"mode":"fail"}`)
	if diff := cmp.Diff(asked("RetriesExhausted", 1), heard(t, queues.message(t, "failed"))["requestContext"]); diff != "" {
		t.Error(diff)
	}
	enqueue(t, i, "off", "id-2", `{}`) // switched off: told at once, and it did not run
	if got := heard(t, queues.message(t, "off")); got["responseContext"] != nil {
		t.Errorf("got %v of a function that never ran", got)
	}
}

func TestAsyncInvocationOfAnAlias(t *testing.T) {
	js := enginetest.Streams(t)
	i := newInvoker(t, js)
	queues := &mailbox{}
	i.Send = queues.send
	if err := i.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := told("one")
	f.OnSuccess = "arn:aws:sqs:us-east-1:000000000000:ran"
	replace(t, i, f)
	publish(t, i)
	if err := i.PutAlias(t.Context(), "told", function.Alias{Name: "live", Version: "1"}, true); err != nil {
		t.Fatal(err)
	}
	next := f
	next.Environment = map[string]string{"WORD": "two"}
	replace(t, i, next)
	run(t, i)
	enqueue(t, i, "told:live", "id-1", `{"mode":"env"}`)
	if got := string(queues.message(t, "ran")); !strings.Contains(got, "WORD=one") || !strings.Contains(got, `"executedVersion":"1"`) {
		t.Errorf("got %s, want version 1 to have run", got)
	}
}

func TestDestinationsThatCannotBe(t *testing.T) {
	i := newInvoker(t, nil)
	for _, to := range []string{"nowhere", "arn:aws:s3:::bucket", arn.Function(arn.Region, "a")} {
		f := fn("a")
		f.OnFailure = to
		if err := i.Replace("stack", []function.Function{f}); fault.KindOf(err) != fault.Invalid || err == nil {
			t.Errorf("%s: got %v, want invalid", to, err)
		}
	}
}
