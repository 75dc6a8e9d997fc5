package topic_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/topic"
)

// A crash leaves what is on disk when it happens, which a copy of the directory
// of a living server shows.
func TestCrashLosesNothingThatWasAcknowledged(t *testing.T) {
	living := t.TempDir()
	to := newTopics(t, enginetest.StreamsIn(t, living), serial{})
	replace(t, to, "a", topics(created), subs(created, "old"))
	publish(t, to, created, "m0")
	replace(t, to, "b", nil, subs(created, "new"))
	want := []string{"m0"}
	for i := 1; i <= 20; i++ {
		message := fmt.Sprint("m", i)
		publish(t, to, created, message)
		want = append(want, message)
	}
	crashed := filepath.Join(t.TempDir(), "crashed")
	if err := os.CopyFS(crashed, os.DirFS(living)); err != nil {
		t.Fatal(err)
	}

	in := newInbox()
	after := newTopics(t, enginetest.StreamsIn(t, crashed), serial{handle: in.handle})
	replace(t, after, "a", topics(created), subs(created, "old"))
	replace(t, after, "b", nil, subs(created, "new"))
	run(t, after)
	got := in.wait(t, 41)
	if diff := cmp.Diff(want, messages(t, got["old"])); diff != "" {
		t.Errorf("old -published +received:\n%s", diff)
	}
	if diff := cmp.Diff(want[1:], messages(t, got["new"])); diff != "" {
		t.Errorf("new -published +received:\n%s", diff)
	}
}

// batching appends each record as an atomic batch of two: the record, twice.
type batching struct {
	plain
	n atomic.Int64
}

func (b *batching) Append(ctx context.Context, subject string, _ nats.Header, data []byte) (uint64, error) {
	id := strconv.FormatInt(b.n.Add(1), 10)
	first := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{"Nats-Batch-Id": {id}, "Nats-Batch-Sequence": {"1"}}}
	if _, err := b.js.Conn().RequestMsgWithContext(ctx, first); err != nil {
		return 0, err
	}
	last := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{"Nats-Batch-Id": {id}, "Nats-Batch-Sequence": {"2"}, "Nats-Batch-Commit": {"1"}}}
	ack, err := b.js.PublishMsg(ctx, last)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

func TestStreamsTakeAtomicBatches(t *testing.T) {
	js, in := streams(t), newInbox()
	to := newTopics(t, js, serial{handle: in.handle})
	to.NewAppender = func(string) topic.Appender { return &batching{plain: plain{js}} }
	replace(t, to, "drops", topics(created), nil)
	publish(t, to, created, "nobody listens")
	if n := only(t, js).State.Msgs; n != 0 {
		t.Errorf("without subscriptions the stream keeps %d messages, want none", n)
	}
	replace(t, to, "drops", topics(created), subs(created, six...))
	publish(t, to, created, "m")
	if n := only(t, js).State.Msgs; n != 2 {
		t.Errorf("the stream keeps %d messages, want 2", n)
	}
	run(t, to)
	for f, invs := range in.wait(t, 2*len(six)) {
		if diff := cmp.Diff([]string{"m", "m"}, messages(t, invs)); diff != "" {
			t.Errorf("%s -want +got:\n%s", f, diff)
		}
	}
	empty(t, js)
}

// stumbling fails the first deliveries.
type stumbling struct {
	serial
	left atomic.Int64
}

func (s *stumbling) Deliver(ctx context.Context, consumer jetstream.Consumer, name string, decode func(jetstream.Msg) (function.Invocation, bool, error)) error {
	if s.left.Add(-1) >= 0 {
		return errors.New("the engine is away")
	}
	return s.serial.Deliver(ctx, consumer, name, decode)
}

func TestDeliveryStartsAgain(t *testing.T) {
	in := newInbox()
	d := &stumbling{serial: serial{handle: in.handle}}
	d.left.Store(2)
	to := newTopics(t, streams(t), d)
	replace(t, to, "drops", topics(created), subs(created, "f1"))
	run(t, to)
	publish(t, to, created, "m")
	if diff := cmp.Diff([]string{"m"}, messages(t, in.wait(t, 1)["f1"])); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestStacksDeployAtTheSameTime(t *testing.T) {
	in := newInbox()
	to := newTopics(t, streams(t), serial{handle: in.handle})
	run(t, to)
	replace(t, to, "declarer", topics(created), nil)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			stack, f := fmt.Sprint("s", i), fmt.Sprint("f", i)
			for _, list := range [][]topic.Subscription{subs(created, f), nil, subs(created, f)} {
				if err := to.Replace(t.Context(), stack, nil, list); err != nil {
					t.Error(err)
				}
				if _, err := to.Publish(t.Context(), topic.PublishInput{TopicArn: created, Message: "during"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	last := publish(t, to, created, "after")
	for found := 0; found < 4; {
		found = 0
		for _, invs := range in.wait(t, 1) {
			if sns(t, invs[len(invs)-1]).MessageID == last {
				found++
			}
		}
	}
}
