package queue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/queue"
)

// plain appends one record at a time.
type plain struct{ js jetstream.JetStream }

func (p plain) Append(ctx context.Context, subject string, header nats.Header, data []byte) (uint64, error) {
	ack, err := p.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Header: header, Data: data})
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

func (plain) Close() error { return nil }

// invoker answers events of functions.
type invoker func(name string, e event) (function.Result, error)

type event struct {
	Records []struct {
		MessageID         string            `json:"messageId"`
		Body              string            `json:"body"`
		Attributes        map[string]string `json:"attributes"`
		MessageAttributes map[string]struct {
			StringValue string `json:"stringValue"`
			DataType    string `json:"dataType"`
		} `json:"messageAttributes"`
		EventSource    string `json:"eventSource"`
		EventSourceARN string `json:"eventSourceARN"`
	}
}

func (i invoker) Invoke(_ context.Context, inv function.Invocation) (function.Result, error) {
	var e event
	if err := json.Unmarshal(inv.Payload, &e); err != nil {
		return function.Result{}, err
	}
	return i(inv.Function, e)
}

func open(t testing.TB, js jetstream.JetStream, invoke invoker) *queue.Queues {
	t.Helper()
	q := &queue.Queues{
		Streams: js, NewAppender: func(string) queue.Appender { return plain{js} }, Invoker: invoke,
		Endpoint: "http://127.0.0.1:4566", Region: "us-east-1", Log: slog.New(slog.DiscardHandler),
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	return q
}

func named(name string) queue.Queue {
	return queue.Queue{Name: name, ARN: queue.ARN("us-east-1", name), FIFO: strings.HasSuffix(name, ".fifo")}
}

func replace(t *testing.T, q *queue.Queues, mappings []queue.Mapping, queues ...queue.Queue) {
	t.Helper()
	if err := q.Replace(t.Context(), "shop-dev", queues, mappings); err != nil {
		t.Fatal(err)
	}
}

func send(t *testing.T, q *queue.Queues, name string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		in := queue.SendMessageInput{QueueUrl: q.URL(name), MessageBody: body}
		if strings.HasSuffix(name, ".fifo") {
			in.MessageGroupId, _, _ = strings.Cut(body, "-")
			in.MessageDeduplicationId = body
		}
		if _, err := q.SendMessage(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
}

// receive asks for messages with a visibility timeout and waits for the first so
// many seconds.
func receive(t *testing.T, q *queue.Queues, name string, n, hide, wait int) []queue.Message {
	t.Helper()
	out, err := q.ReceiveMessage(t.Context(), queue.ReceiveMessageInput{
		QueueUrl: q.URL(name), MaxNumberOfMessages: &n, VisibilityTimeout: &hide, WaitTimeSeconds: &wait,
		MessageSystemAttributeNames: []string{"All"}, MessageAttributeNames: []string{"All"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Messages
}

func bodies(list []queue.Message) (all []string) {
	for _, m := range list {
		all = append(all, m.Body)
	}
	return all
}

func remove(t *testing.T, q *queue.Queues, name string, list ...queue.Message) {
	t.Helper()
	for _, m := range list {
		if _, err := q.DeleteMessage(t.Context(), queue.DeleteMessageInput{QueueUrl: q.URL(name), ReceiptHandle: m.ReceiptHandle}); err != nil {
			t.Fatal(err)
		}
	}
}

func counts(t *testing.T, q *queue.Queues, name string) string {
	t.Helper()
	out, err := q.GetQueueAttributes(t.Context(), queue.GetQueueAttributesInput{QueueUrl: q.URL(name), AttributeNames: []string{"All"}})
	if err != nil {
		t.Fatal(err)
	}
	const prefix = "ApproximateNumberOfMessages"
	return fmt.Sprintf("%s ready, %s hidden, %s delayed", out.Attributes[prefix], out.Attributes[prefix+"NotVisible"], out.Attributes[prefix+"Delayed"])
}

// become waits until a queue counts so.
func become(t *testing.T, q *queue.Queues, name, want string) {
	t.Helper()
	end := time.Now().Add(20 * time.Second)
	for got := counts(t, q, name); got != want; got = counts(t, q, name) {
		if time.Now().After(end) {
			t.Fatalf("%s has %s, want %s", name, got, want)
		}
		runtime.Gosched()
	}
}

func TestAMessageIsHiddenWhileItIsReceived(t *testing.T) {
	q := open(t, enginetest.Streams(t), nil)
	replace(t, q, nil, named("jobs"))
	send(t, q, "jobs", "one", "two")
	if got := counts(t, q, "jobs"); got != "2 ready, 0 hidden, 0 delayed" {
		t.Errorf("after two were sent: %s", got)
	}
	first := receive(t, q, "jobs", 10, 600, 0)
	if got := bodies(first); !slices.Equal(got, []string{"one", "two"}) {
		t.Fatalf("received %v", got)
	}
	if again := receive(t, q, "jobs", 10, 600, 0); len(again) > 0 {
		t.Errorf("received %v, which is hidden", bodies(again))
	}
	if got := counts(t, q, "jobs"); got != "0 ready, 2 hidden, 0 delayed" {
		t.Errorf("while both are out: %s", got)
	}
	remove(t, q, "jobs", first[0])
	if _, err := q.ChangeMessageVisibility(t.Context(), queue.ChangeMessageVisibilityInput{QueueUrl: q.URL("jobs"), ReceiptHandle: first[1].ReceiptHandle}); err != nil {
		t.Fatal(err)
	}
	second := receive(t, q, "jobs", 10, 600, 5)
	if got := bodies(second); !slices.Equal(got, []string{"two"}) {
		t.Fatalf("after one was deleted and the other let go: %v", got)
	}
	if got := second[0].Attributes["ApproximateReceiveCount"]; got != "2" {
		t.Errorf("receive count %s, want 2", got)
	}
	if second[0].MessageId != first[1].MessageId || second[0].ReceiptHandle == first[1].ReceiptHandle {
		t.Error("the same message has another id, or the same receipt")
	}
	remove(t, q, "jobs", first[1]) // whose receipt is an old one
	if got := counts(t, q, "jobs"); got != "0 ready, 1 hidden, 0 delayed" {
		t.Errorf("after an old receipt was used: %s", got)
	}
	remove(t, q, "jobs", second...)
	if got := counts(t, q, "jobs"); got != "0 ready, 0 hidden, 0 delayed" {
		t.Errorf("at the end: %s", got)
	}
}

func TestAVisibilityTimeoutEnds(t *testing.T) {
	q := open(t, enginetest.Streams(t), nil)
	replace(t, q, nil, named("jobs"), named("line.fifo"))
	for _, name := range []string{"jobs", "line.fifo"} {
		send(t, q, name, "a-1")
		first := receive(t, q, name, 1, 1, 5)
		second := receive(t, q, name, 1, 60, 20) // returns as soon as there is one
		if len(first) != 1 || len(second) != 1 || first[0].MessageId != second[0].MessageId {
			t.Errorf("%s: received %v, then %v", name, bodies(first), bodies(second))
		}
	}
}

func TestALongPollReturnsWithTheFirstMessage(t *testing.T) {
	q := open(t, enginetest.Streams(t), nil)
	replace(t, q, nil, named("jobs"), named("line.fifo"))
	for _, name := range []string{"jobs", "line.fifo"} {
		got := make(chan []queue.Message)
		go func() { got <- receive(t, q, name, 10, 60, 20) }()
		send(t, q, name, "a-late")
		if list := bodies(<-got); !slices.Equal(list, []string{"a-late"}) {
			t.Errorf("%s: %v", name, list)
		}
	}
}

// late is a context whose time is over, while its timer has not yet run.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

func TestALongPollEndsThoughItsTimerIsLate(t *testing.T) {
	q := open(t, enginetest.Streams(t), nil)
	replace(t, q, nil, named("jobs"))
	wait := 5
	out, err := q.ReceiveMessage(late{t.Context()}, queue.ReceiveMessageInput{QueueUrl: q.URL("jobs"), WaitTimeSeconds: &wait})
	if err != nil || len(out.Messages) != 0 {
		t.Errorf("got %v, %v, want no message and no error", out, err)
	}
}

func TestADelayedMessageWaits(t *testing.T) {
	q := open(t, enginetest.Streams(t), nil)
	late := named("late.fifo")
	late.Delay = new(1)
	replace(t, q, nil, named("jobs"), late)
	if _, err := q.SendMessage(t.Context(), queue.SendMessageInput{QueueUrl: q.URL("jobs"), MessageBody: "later", DelaySeconds: new(1)}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"jobs", "late.fifo"} {
		if name == "late.fifo" {
			send(t, q, name, "a-later")
		}
		early := receive(t, q, name, 1, 60, 0)
		list := receive(t, q, name, 1, 60, 20)
		if len(early) != 0 || len(list) != 1 || list[0].Attributes["ApproximateReceiveCount"] != "1" {
			t.Errorf("%s: at once %v, later %v", name, bodies(early), list)
		}
	}
}

func TestDeadLetters(t *testing.T) {
	q := open(t, enginetest.Streams(t), nil)
	jobs := named("jobs")
	if err := jobs.Set("RedrivePolicy", `{"deadLetterTargetArn":"`+queue.ARN("us-east-1", "dead")+`","maxReceiveCount":"2"}`); err != nil {
		t.Fatal(err)
	}
	replace(t, q, nil, jobs, named("dead"))
	send(t, q, "jobs", "poison")
	var id string
	for range 2 {
		list := receive(t, q, "jobs", 1, 0, 20)
		if len(list) != 1 {
			t.Fatal("the message did not come again")
		}
		id = list[0].MessageId
	}
	if third := receive(t, q, "jobs", 1, 0, 1); len(third) > 0 {
		t.Errorf("received %v a third time", bodies(third))
	}
	dead := receive(t, q, "dead", 10, 60, 5)
	if len(dead) != 1 || dead[0].MessageId != id || dead[0].Attributes["DeadLetterQueueSourceArn"] != jobs.ARN {
		t.Errorf("dead letters: %v", dead)
	}
}

func TestGroupsOfAFIFOQueueKeepTheirOrder(t *testing.T) {
	q := open(t, enginetest.Streams(t), nil)
	replace(t, q, nil, named("line.fifo"))
	send(t, q, "line.fifo", "a-1", "a-2", "b-1", "a-3", "b-2", "a-2") // the last is a duplicate
	first := receive(t, q, "line.fifo", 1, 60, 5)
	if got := bodies(first); !slices.Equal(got, []string{"a-1"}) {
		t.Fatalf("received %v", got)
	}
	second := receive(t, q, "line.fifo", 10, 60, 5)
	if got := bodies(second); !slices.Equal(got, []string{"b-1", "b-2"}) {
		t.Fatalf("while group a is busy: %v", got)
	}
	if rest := receive(t, q, "line.fifo", 10, 60, 0); len(rest) > 0 {
		t.Errorf("while both groups are busy: %v", bodies(rest))
	}
	remove(t, q, "line.fifo", first...)
	third := receive(t, q, "line.fifo", 10, 60, 5)
	if got := bodies(third); !slices.Equal(got, []string{"a-2", "a-3"}) {
		t.Fatalf("when group a is free again: %v", got)
	}
	// One of two is let go: it comes again before what follows it, when its group is free.
	if _, err := q.ChangeMessageVisibility(t.Context(), queue.ChangeMessageVisibilityInput{QueueUrl: q.URL("line.fifo"), ReceiptHandle: third[0].ReceiptHandle}); err != nil {
		t.Fatal(err)
	}
	remove(t, q, "line.fifo", third[1])
	send(t, q, "line.fifo", "a-4")
	fourth := receive(t, q, "line.fifo", 10, 60, 5)
	if got := bodies(fourth); !slices.Equal(got[:1], []string{"a-2"}) {
		t.Errorf("after one was let go: %v", got)
	}
}

func TestMessagesOutliveTheRoom(t *testing.T) {
	dir := t.TempDir()
	js := enginetest.StreamsIn(t, dir)
	q := open(t, js, nil)
	replace(t, q, nil, named("jobs"), named("line.fifo"))
	send(t, q, "line.fifo", "a-1", "a-2", "a-3")
	send(t, q, "jobs", "kept")
	if got := bodies(receive(t, q, "line.fifo", 2, 600, 5)); len(got) != 2 {
		t.Fatalf("received %v", got)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, js, nil)
	replace(t, again, nil, named("jobs"), named("line.fifo"))
	if got := bodies(receive(t, again, "line.fifo", 10, 600, 5)); !slices.Equal(got, []string{"a-1", "a-2", "a-3"}) {
		t.Errorf("after a restart: %v", got)
	}
	if got := bodies(receive(t, again, "jobs", 10, 600, 5)); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("after a restart: %v", got)
	}
	replace(t, again, nil, named("jobs"))
	replace(t, again, nil, named("jobs"), named("line.fifo"))
	if got := receive(t, again, "line.fifo", 10, 600, 0); len(got) > 0 {
		t.Errorf("a queue that was removed and made again has %v", bodies(got))
	}
}

// A queue that a stack declares is as old as what it is kept in.
func TestTheAgeOfAQueue(t *testing.T) {
	q := open(t, enginetest.Streams(t), nil)
	before := time.Now().Truncate(time.Second)
	replace(t, q, nil, named("jobs"))
	out, err := q.GetQueueAttributes(t.Context(), queue.GetQueueAttributesInput{QueueUrl: q.URL("jobs"), AttributeNames: []string{"All"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"CreatedTimestamp", "LastModifiedTimestamp"} {
		seconds, err := strconv.ParseInt(out.Attributes[name], 10, 64)
		if at := time.Unix(seconds, 0); err != nil || at.Before(before) || at.After(time.Now()) {
			t.Errorf("%s: got %q, want a time from %v on", name, out.Attributes[name], before)
		}
	}
}

func TestPurge(t *testing.T) {
	q := open(t, enginetest.Streams(t), nil)
	replace(t, q, nil, named("jobs"), named("line.fifo"))
	for _, name := range []string{"jobs", "line.fifo"} {
		send(t, q, name, "a-1", "a-2")
		receive(t, q, name, 1, 0, 5)
		if _, err := q.PurgeQueue(t.Context(), queue.QueueURL{QueueUrl: q.URL(name)}); err != nil {
			t.Fatal(err)
		}
		send(t, q, name, "a-new")
		if got := bodies(receive(t, q, name, 10, 60, 5)); !slices.Equal(got, []string{"a-new"}) {
			t.Errorf("%s: after a purge: %v", name, got)
		}
	}
}

// handled collects what functions got.
type handled struct {
	mu    sync.Mutex
	seen  []string
	more  chan struct{}
	fail  map[string]int // how often a body fails
	calls int
}

func (h *handled) wait(t *testing.T, n int) []string {
	t.Helper()
	for {
		h.mu.Lock()
		seen := slices.Clone(h.seen)
		h.mu.Unlock()
		if len(seen) >= n {
			return seen
		}
		select {
		case <-h.more:
		case <-time.After(30 * time.Second):
			t.Fatalf("%d of %d messages were handled: %v", len(seen), n, seen)
		}
	}
}

func run(t *testing.T, q *queue.Queues) {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- q.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAMappingHandsMessagesToAFunction(t *testing.T) {
	h := &handled{more: make(chan struct{}, 100), fail: map[string]int{"b": 1}}
	q := open(t, enginetest.Streams(t), func(name string, e event) (function.Result, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.calls++
		var failures []string
		for _, r := range e.Records {
			if r.EventSource != "aws:sqs" || r.EventSourceARN != queue.ARN("us-east-1", "jobs") || name != "shop-dev-worker" {
				t.Errorf("%s got %+v", name, r)
			}
			var doc struct{ Name string }
			if err := json.Unmarshal([]byte(r.Body), &doc); err != nil {
				t.Error(err)
			}
			if h.fail[doc.Name] > 0 {
				h.fail[doc.Name]--
				failures = append(failures, `{"itemIdentifier":"`+r.MessageID+`"}`)
				continue
			}
			h.seen = append(h.seen, doc.Name)
			h.more <- struct{}{}
		}
		return function.Result{Payload: []byte(`{"batchItemFailures":[` + strings.Join(failures, ",") + `]}`)}, nil
	})
	run(t, q)
	jobs := named("jobs")
	jobs.Visibility = new(1)
	replace(t, q, []queue.Mapping{{
		ID: "m1", Source: jobs.ARN, Function: "shop-dev-worker", ReportFailures: true, Filters: []string{`{"body":{"name":[{"anything-but":"unwanted"}]}}`},
	}}, jobs)
	for _, name := range []string{"a", "b", "unwanted", "c"} {
		send(t, q, "jobs", `{"name":"`+name+`"}`)
	}
	got := h.wait(t, 3)
	slices.Sort(got)
	if diff := cmp.Diff([]string{"a", "b", "c"}, got); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
	// An event that the function is done with is deleted, one that it failed came again.
	replace(t, q, nil, jobs)
	become(t, q, "jobs", "0 ready, 0 hidden, 0 delayed")
}

func TestAFunctionThatFailsGetsTheMessageAgain(t *testing.T) {
	var mu sync.Mutex
	var counts []string
	done := make(chan struct{})
	q := open(t, enginetest.Streams(t), func(_ string, e event) (function.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		counts = append(counts, e.Records[0].Attributes["ApproximateReceiveCount"])
		switch len(counts) {
		case 1:
			return function.Result{FunctionError: "Unhandled"}, nil
		case 2:
			return function.Result{}, fault.Errorf(fault.Throttled, "too many")
		}
		close(done)
		return function.Result{Payload: []byte("null")}, nil
	})
	run(t, q)
	jobs := named("jobs")
	jobs.Visibility = new(1)
	replace(t, q, []queue.Mapping{{ID: "m1", Source: jobs.ARN, Function: "worker"}}, jobs)
	send(t, q, "jobs", "stubborn")
	<-done
	if want := []string{"1", "2", "3"}; !slices.Equal(counts, want) {
		t.Errorf("receive counts %v, want %v", counts, want)
	}
}

func TestWhatCannotBeSent(t *testing.T) {
	q := open(t, enginetest.Streams(t), nil)
	small := named("small")
	small.MaxSize = new(1024)
	replace(t, q, nil, small, named("line.fifo"))
	text := "x"
	for name, c := range map[string]struct {
		in   queue.SendMessageInput
		code string
	}{
		"no queue":             {queue.SendMessageInput{MessageBody: "x"}, "MissingParameter"},
		"no such queue":        {queue.SendMessageInput{QueueUrl: q.URL("none"), MessageBody: "x"}, "QueueDoesNotExist"},
		"nothing":              {queue.SendMessageInput{QueueUrl: q.URL("small")}, "MissingParameter"},
		"too much":             {queue.SendMessageInput{QueueUrl: q.URL("small"), MessageBody: strings.Repeat("x", 1025)}, "InvalidParameterValue"},
		"a control character":  {queue.SendMessageInput{QueueUrl: q.URL("small"), MessageBody: "a\x01"}, "InvalidMessageContents"},
		"a delay too long":     {queue.SendMessageInput{QueueUrl: q.URL("small"), MessageBody: "x", DelaySeconds: new(901)}, "InvalidParameterValue"},
		"an attribute of none": {queue.SendMessageInput{QueueUrl: q.URL("small"), MessageBody: "x", MessageAttributes: map[string]queue.AttributeValue{"a": {DataType: "Text", StringValue: &text}}}, "InvalidParameterValue"},
		"an empty attribute":   {queue.SendMessageInput{QueueUrl: q.URL("small"), MessageBody: "x", MessageAttributes: map[string]queue.AttributeValue{"a": {DataType: "String"}}}, "InvalidParameterValue"},
		"no group":             {queue.SendMessageInput{QueueUrl: q.URL("line.fifo"), MessageBody: "x", MessageDeduplicationId: "1"}, "MissingParameter"},
		"no way to know twins": {queue.SendMessageInput{QueueUrl: q.URL("line.fifo"), MessageBody: "x", MessageGroupId: "a"}, "InvalidParameterValue"},
		"an id on no FIFO":     {queue.SendMessageInput{QueueUrl: q.URL("small"), MessageBody: "x", MessageDeduplicationId: "a"}, "InvalidParameterValue"},
	} {
		if _, err := q.SendMessage(t.Context(), c.in); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}
