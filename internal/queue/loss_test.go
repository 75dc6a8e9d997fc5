package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/queue"
)

func codeOfDelete(t *testing.T, q *queue.Queues, name, receipt string) string {
	t.Helper()
	_, err := q.DeleteMessage(t.Context(), queue.DeleteMessageInput{QueueUrl: q.URL(name), ReceiptHandle: receipt})
	return fault.CodeOf(err)
}

// drain receives and deletes until a queue is empty.
func drain(t *testing.T, q *queue.Queues, name string) (all []string) {
	t.Helper()
	for {
		list := receive(t, q, name, 10, 600, 1)
		if len(list) == 0 {
			return all
		}
		remove(t, q, name, list...)
		all = append(all, bodies(list)...)
	}
}

// The streams end under the room, in the middle of its work: what was answered is
// there afterwards, and what was deleted is not.
func TestACrashLosesNothingThatWasAnswered(t *testing.T) {
	dir := t.TempDir()
	var kept, deleted []string
	t.Run("before", func(t *testing.T) { // at whose end the server stops
		js := enginetest.StreamsIn(t, dir)
		q := open(t, js, nil)
		replace(t, q, nil, named("jobs"), named("line.fifo"))
		for i := range 30 {
			body := fmt.Sprintf("%d-%d", i%3, i)
			send(t, q, "jobs", body)
			send(t, q, "line.fifo", body)
			kept = append(kept, body)
		}
		for _, name := range []string{"jobs", "line.fifo"} {
			list := receive(t, q, name, 10, 600, 5)
			if name == "jobs" {
				remove(t, q, name, list[:5]...)
				deleted = bodies(list[:5])
			}
		}
		js.Conn().Close() // no room gets to say goodbye
	})
	q := open(t, enginetest.StreamsIn(t, dir), nil)
	replace(t, q, nil, named("jobs"), named("line.fifo"))
	line := drain(t, q, "line.fifo")
	for g := range 3 { // each group in its order
		var got, want []string
		for _, body := range line {
			if body[0] == byte('0'+g) {
				got = append(got, body)
			}
		}
		for i := g; i < 30; i += 3 {
			want = append(want, fmt.Sprintf("%d-%d", g, i))
		}
		if !slices.Equal(got, want) {
			t.Errorf("group %d of the FIFO queue: %v, want %v", g, got, want)
		}
	}
	// What was out comes again when the server has missed it for long enough; what was not, at once.
	have := drain(t, q, "jobs")
	out := 5
	if got, want := len(have), len(kept)-len(deleted)-out; got != want {
		t.Errorf("%d messages came at once, want %d", got, want)
	}
	for _, body := range have {
		if slices.Contains(deleted, body) {
			t.Errorf("%s came though it was deleted", body)
		}
	}
	become(t, q, "jobs", "5 ready, 0 hidden, 0 delayed")
}

func TestReceiptsOfOthersDeleteNothing(t *testing.T) {
	q := open(t, enginetest.Streams(t), nil)
	replace(t, q, nil, named("jobs"), named("other"), named("line.fifo"))
	send(t, q, "jobs", "mine")
	send(t, q, "other", "theirs") // has the same place in its queue
	mine := receive(t, q, "jobs", 1, 600, 5)[0]
	if code := codeOfDelete(t, q, "other", mine.ReceiptHandle); code != "" {
		t.Errorf("a receipt of another queue: %s", code)
	}
	if got := drain(t, q, "other"); !slices.Equal(got, []string{"theirs"}) {
		t.Errorf("after a receipt of another queue was used, the queue has %v", got)
	}
	replace(t, q, nil, named("line.fifo"))
	replace(t, q, nil, named("jobs"), named("line.fifo"))
	send(t, q, "jobs", "new")
	if code := codeOfDelete(t, q, "jobs", mine.ReceiptHandle); code != "" {
		t.Errorf("a receipt of an earlier queue: %s", code)
	}
	if got := drain(t, q, "jobs"); !slices.Equal(got, []string{"new"}) {
		t.Errorf("after a receipt of an earlier queue was used, the queue has %v", got)
	}

	send(t, q, "line.fifo", "a-1")
	expired := receive(t, q, "line.fifo", 1, 0, 5)[0]
	if expired.ReceiptHandle == "" {
		t.Fatal("a message that is not hidden has no receipt")
	}
	again := receive(t, q, "line.fifo", 1, 600, 5)[0]
	if code := codeOfDelete(t, q, "line.fifo", expired.ReceiptHandle); code != "InvalidParameterValue" {
		t.Errorf("an expired receipt of a FIFO queue: %q", code)
	}
	for range 2 { // the second finds nothing to do
		if code := codeOfDelete(t, q, "line.fifo", again.ReceiptHandle); code != "" {
			t.Errorf("the receipt that holds: %s", code)
		}
	}
	become(t, q, "line.fifo", "0 ready, 0 hidden, 0 delayed")
}

func TestALongPollOfARemovedQueueEnds(t *testing.T) {
	q := open(t, enginetest.Streams(t), nil)
	for _, name := range []string{"jobs", "line.fifo"} {
		replace(t, q, nil, named(name))
		n, got := 20, make(chan error)
		go func() {
			_, err := q.ReceiveMessage(t.Context(), queue.ReceiveMessageInput{QueueUrl: q.URL(name), WaitTimeSeconds: &n})
			got <- err
		}()
		replace(t, q, nil)
		if err := <-got; fault.CodeOf(err) != "QueueDoesNotExist" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDeadLettersOfTwoQueuesOfTheSameNameAreTwo(t *testing.T) {
	q := open(t, enginetest.Streams(t), nil)
	jobs := named("jobs")
	jobs.DeadLetter, jobs.MaxReceive = queue.ARN("us-east-1", "dead"), 1
	for range 2 {
		replace(t, q, nil, jobs, named("dead"))
		send(t, q, "jobs", "poison")
		receive(t, q, "jobs", 1, 0, 5)
		if again := receive(t, q, "jobs", 1, 0, 1); len(again) > 0 {
			t.Errorf("received %v a second time", bodies(again))
		}
		replace(t, q, nil, named("dead"))
	}
	if got := drain(t, q, "dead"); len(got) != 2 {
		t.Errorf("dead letters: %v, want two", got)
	}
}

func TestAReplacementThatFailsLeavesEverything(t *testing.T) {
	js := enginetest.Streams(t)
	q := open(t, js, nil)
	replace(t, q, nil, named("jobs"))
	send(t, q, "jobs", "kept")
	short := named("jobs")
	short.Retention = new(60)
	err := q.Replace(t.Context(), "shop-dev", []queue.Queue{short, named("new")}, []queue.Mapping{{
		ID: "m", Source: short.ARN, Function: "worker", Filters: []string{"not a pattern"},
	}})
	if err == nil {
		t.Fatal("a mapping whose filter is none was taken")
	}
	if _, err := js.Stream(t.Context(), "queue_std_new"); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("the stream of a queue that was not made: %v", err)
	}
	s, err := js.Stream(t.Context(), "queue_std_jobs")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.CachedInfo().Config.MaxAge, 96*time.Hour; got != want {
		t.Errorf("messages are kept for %v, want %v", got, want)
	}
	replace(t, q, nil, short) // which is shorter than ids of duplicates are kept
	if got := drain(t, q, "jobs"); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("the queue has %v", got)
	}
}

func TestPruneTakesWhatNoStackDeclares(t *testing.T) {
	js := enginetest.Streams(t)
	q := open(t, js, nil)
	for stack, name := range map[string]string{"shop-dev": "jobs", "broken-dev": "letters", "removed-dev": "rest"} {
		if err := q.Replace(t.Context(), stack, []queue.Queue{named(name)}, nil); err != nil {
			t.Fatal(err)
		}
		send(t, q, name, "kept")
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, js, nil)
	replace(t, again, nil, named("jobs"))
	if err := again.Prune(t.Context(), []string{"broken-dev"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{"jobs": nil, "letters": nil, "rest": jetstream.ErrStreamNotFound} {
		if _, err := js.Stream(t.Context(), "queue_std_"+name); !errors.Is(err, want) {
			t.Errorf("stream of %s: %v, want %v", name, err, want)
		}
	}
}

func BenchmarkSendReceiveDelete(b *testing.B) {
	q := open(b, enginetest.Streams(b), nil)
	if err := q.Replace(b.Context(), "shop-dev", []queue.Queue{named("jobs")}, nil); err != nil {
		b.Fatal(err)
	}
	hide, wait := 600, 20
	for b.Loop() {
		if _, err := q.SendMessage(b.Context(), queue.SendMessageInput{QueueUrl: q.URL("jobs"), MessageBody: "one"}); err != nil {
			b.Fatal(err)
		}
		out, err := q.ReceiveMessage(b.Context(), queue.ReceiveMessageInput{QueueUrl: q.URL("jobs"), VisibilityTimeout: &hide, WaitTimeSeconds: &wait})
		if err != nil || len(out.Messages) != 1 {
			b.Fatal(out, err)
		}
		if _, err := q.DeleteMessage(b.Context(), queue.DeleteMessageInput{QueueUrl: q.URL("jobs"), ReceiptHandle: out.Messages[0].ReceiptHandle}); err != nil {
			b.Fatal(err)
		}
	}
}
