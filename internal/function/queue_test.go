package function_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

func enqueue(t testing.TB, i *function.Invoker, name, id, payload string) {
	t.Helper()
	if err := i.Enqueue(t.Context(), function.Invocation{ID: id, Function: name, Payload: []byte(payload)}); err != nil {
		t.Fatal(err)
	}
}

func TestQueuedEventsAreDeliveredOnce(t *testing.T) {
	i := newInvoker(t, enginetest.Streams(t))
	replace(t, i, fn("a"), fn("b"))
	dir := shared(t)
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	enqueue(t, i, "a", "tick one/2026", fmt.Sprintf(`{"mode":"append","n":1,"text":%q}`, a))
	enqueue(t, i, "a", "tick one/2026", fmt.Sprintf(`{"mode":"append","n":2,"text":%q}`, a)) // the same again
	stop := run(t, i)
	enqueue(t, i, "b", "tick one/2026", fmt.Sprintf(`{"mode":"append","n":3,"text":%q}`, b)) // another function's
	enqueue(t, i, "a", "tick two/2026", fmt.Sprintf(`{"mode":"append","n":4,"text":%q}`, a))
	wait(t, "the events", func() bool { return len(lines(a)) >= 2 && len(lines(b)) >= 1 })
	stop()
	if diff := cmp.Diff([]string{"1", "4"}, slices.Sorted(slices.Values(lines(a)))); diff != "" {
		t.Error(diff)
	}
}

func TestEnqueueRefuses(t *testing.T) {
	i := newInvoker(t, enginetest.Streams(t))
	replace(t, i, fn("a"))
	for name, c := range map[string]struct {
		inv  function.Invocation
		code string
	}{
		"unknown":   {function.Invocation{Function: "nobody"}, "ResourceNotFoundException"},
		"not JSON":  {function.Invocation{Function: "a", Payload: []byte("x")}, "InvalidRequestContentException"},
		"too large": {function.Invocation{Function: "a", Payload: fmt.Appendf(nil, "%q", strings.Repeat("x", 1<<20))}, "RequestTooLargeException"},
	} {
		if err := i.Enqueue(t.Context(), c.inv); fault.CodeOf(err) != c.code {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
	}
}

func TestFailedEventIsRetriedTwiceAndKept(t *testing.T) {
	i := newInvoker(t, enginetest.Streams(t))
	published := make(chan map[string]string, 10)
	i.Publish = func(_ context.Context, topic string, body []byte, attributes map[string]string) error {
		attributes["topic"], attributes["body"] = topic, string(body)
		published <- attributes
		return nil
	}
	f := fn("a")
	f.DeadLetter = "arn:aws:sns:us-east-1:000000000000:failed"
	replace(t, i, f)
	run(t, i)
	file := filepath.Join(shared(t), "file")
	payload := fmt.Sprintf(`{"mode":"append then fail","n":1,"text":%q}`, file)
	enqueue(t, i, "a", "id-1", payload)
	got := <-published
	want := map[string]string{"topic": f.DeadLetter, "body": payload, "RequestID": "id-1", "ErrorCode": "200", "ErrorMessage": "refused by the handler"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := len(lines(file)); n != 3 {
		t.Errorf("ran %d times, want 3", n)
	}
	list := letters(t, i, "a")
	if len(list) != 1 || string(list[0].Body) != payload || list[0].ErrorCode != 200 || list[0].Function != f.ARN || list[0].RequestID != "id-1" {
		t.Errorf("letters: %+v", list)
	}
}

// A crash of the platform is no failure of the function: the event comes again,
// with all its retries, and a failure before the crash is not forgotten.
func TestQueueSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	out := shared(t)
	file := filepath.Join(out, "file")
	t.Run("before", func(t *testing.T) {
		i := newInvoker(t, enginetest.StreamsIn(t, dir))
		i.RetryDelays = []time.Duration{time.Second, time.Millisecond}
		i.DrainGrace = time.Millisecond
		replace(t, i, fn("a"))
		stop := run(t, i)
		enqueue(t, i, "a", "fails", fmt.Sprintf(`{"mode":"append then fail","n":1,"text":%q}`, file))
		enqueue(t, i, "a", "hangs", fmt.Sprintf(`{"mode":"touch then sleep","n":400,"text":%q}`, filepath.Join(out, "hangs")))
		wait(t, "the first failure", func() bool { return len(lines(file)) == 1 })
		wait(t, "the handler to run", func() bool { return len(lines(filepath.Join(out, "hangs"))) == 1 })
		stop()
		for n := range 20 {
			enqueue(t, i, "a", fmt.Sprint("later-", n), fmt.Sprintf(`{"mode":"append","n":%d,"text":%q}`, n, filepath.Join(out, "later")))
		}
	})
	if got := lines(filepath.Join(out, "hangs")); len(got) != 1 || got[0] != "started" {
		t.Fatalf("the invocation under way was %v, want started and cut off", got)
	}
	i := newInvoker(t, enginetest.StreamsIn(t, dir))
	replace(t, i, fn("a"))
	run(t, i)
	wait(t, "queued events", func() bool { return len(lines(filepath.Join(out, "later"))) == 20 })
	wait(t, "the event that was cut off", func() bool { got := lines(filepath.Join(out, "hangs")); return len(got) == 1 && got[0] == "finished" })
	wait(t, "the dead letter", func() bool { return len(letters(t, i, "a")) == 1 })
	if n := len(lines(file)); n != 3 {
		t.Errorf("ran %d times, want 3 over both lives", n)
	}
}

func TestEventsOfARemovedFunction(t *testing.T) {
	dir := t.TempDir()
	for _, when := range []string{"while running", "before the start"} {
		t.Run(when, func(t *testing.T) {
			streams := enginetest.StreamsIn(t, filepath.Join(dir, strings.Fields(when)[0]))
			i := newInvoker(t, streams)
			f, zero := fn("gone"), 1
			f.Concurrency = &zero
			replace(t, i, f)
			if when == "while running" {
				run(t, i)
				file := filepath.Join(shared(t), "file")
				enqueue(t, i, "gone", "", fmt.Sprintf(`{"mode":"touch then sleep","n":200,"text":%q}`, file))
				wait(t, "the handler to run", func() bool { return len(lines(file)) > 0 })
			}
			enqueue(t, i, "gone", "id", `{"a":1}`)
			replace(t, i)
			if when == "before the start" {
				run(t, i)
			}
			wait(t, "the dead letter", func() bool { return len(letters(t, i, "gone")) == 1 })
			if l := letters(t, i, "gone")[0]; l.ErrorCode != 404 || l.RequestID != "id" || string(l.Body) != `{"a":1}` {
				t.Errorf("got %+v", l)
			}
			wait(t, "the consumer to be removed", func() bool {
				_, err := streams.Consumer(t.Context(), "invocations", "gone")
				return errors.Is(err, jetstream.ErrConsumerNotFound)
			})
		})
	}
}

func TestFunctionSwitchedOffAfterQueueing(t *testing.T) {
	i := newInvoker(t, enginetest.Streams(t))
	f := fn("off")
	replace(t, i, f)
	enqueue(t, i, "off", "id", `{}`)
	f.Concurrency = new(int)
	replace(t, i, f)
	run(t, i)
	wait(t, "the dead letter", func() bool { return len(letters(t, i, "off")) == 1 })
	if l := letters(t, i, "off")[0]; l.ErrorCode != 429 {
		t.Errorf("got %+v", l)
	}
}

// TestDeliver drives the loop as the topic room does: with its own stream.
func TestDeliver(t *testing.T) {
	streams := enginetest.Streams(t)
	i := newInvoker(t, streams)
	f, four := fn("sub"), 4
	f.Concurrency = &four
	replace(t, i, f)
	stream, err := streams.CreateStream(t.Context(), jetstream.StreamConfig{Name: "topic", Subjects: []string{"topic"}})
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := stream.CreateConsumer(t.Context(), i.Consumer("subscription", ""))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(shared(t), "file")
	const n = 100
	for k := range n {
		if _, err := streams.Publish(t.Context(), "topic", fmt.Appendf(nil, "%d", k)); err != nil {
			t.Fatal(err)
		}
	}
	decode := func(msg jetstream.Msg) (function.Invocation, bool, error) {
		var k int
		if err := json.Unmarshal(msg.Data(), &k); err != nil {
			return function.Invocation{}, false, err
		}
		if k == 13 {
			return function.Invocation{}, false, errors.New("unlucky")
		}
		payload := fmt.Appendf(nil, `{"mode":"append","n":%d,"text":%q}`, k, file)
		if k == 14 { // longer than AckWait: kept by heartbeats
			payload = fmt.Appendf(nil, `{"mode":"sleep","n":1000}`)
		}
		return function.Invocation{Function: "sub", Payload: payload}, k%2 == 0, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- i.Deliver(ctx, consumer, "sub", decode) }()
	wait(t, "all messages", func() bool {
		info, err := consumer.Info(t.Context())
		return err == nil && info.NumPending == 0 && info.NumAckPending == 0
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := len(lines(file)); got != n/2-1 {
		t.Errorf("%d invocations, want %d", got, n/2-1)
	}
	info, err := consumer.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.Delivered.Consumer != n {
		t.Errorf("%d deliveries, want %d: one each", info.Delivered.Consumer, n)
	}
	if l := letters(t, i, "sub"); len(l) != 1 || l[0].ErrorCode != 400 || l[0].ErrorMessage != "unlucky" || string(l[0].Body) != "13" {
		t.Errorf("letters: %+v", l)
	}
}

// TestWhatBecomesOfAMessageIsTold is for consumers of others' streams.
func TestWhatBecomesOfAMessageIsTold(t *testing.T) {
	js := enginetest.Streams(t)
	i := newInvoker(t, js)
	i.RetryDelays = []time.Duration{time.Millisecond}
	replace(t, i, fn("a"))
	s, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "messages", Subjects: []string{"messages"}})
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := s.CreateConsumer(t.Context(), i.Consumer("a", ""))
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range []string{`{"n":1}`, `{"mode":"fail"}`, `{"n":2}`} {
		if _, err := js.Publish(t.Context(), "messages", []byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	type told struct {
		message string
		fate    function.Fate
	}
	got := make(chan told, 10)
	refused := false
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- i.Deliver(ctx, consumer, "a", func(msg jetstream.Msg) (function.Invocation, bool, error) {
			text := string(msg.Data())
			return function.Invocation{Function: "a", Payload: msg.Data(), Settled: func(_ context.Context, o function.Outcome) error {
				if text == `{"n":2}` && !refused { // then the message comes again
					refused = true
					return errors.New("not yet")
				}
				got <- told{text, o.Fate}
				return nil
			}}, true, nil
		})
	}()
	counted := map[told]int{}
	for range 4 {
		select {
		case one := <-got:
			counted[one]++
		case <-time.After(30 * time.Second):
			t.Fatalf("told %v, and no more", counted)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	want := map[told]int{
		{`{"n":1}`, function.Delivered}: 1, {`{"n":2}`, function.Delivered}: 1,
		{`{"mode":"fail"}`, function.Retried}: 1, {`{"mode":"fail"}`, function.Dead}: 1,
	}
	if diff := cmp.Diff(want, counted, cmp.AllowUnexported(told{})); diff != "" {
		t.Errorf("-want +told:\n%s", diff)
	}
}
