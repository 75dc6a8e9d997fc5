package topic_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/topic"
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

// serial delivers one message at a time and redelivers what handle refuses.
type serial struct {
	handle func(inv function.Invocation) error
	ended  func(name string) // optional
}

func (s serial) Deliver(ctx context.Context, consumer jetstream.Consumer, name string, decode func(jetstream.Msg) (function.Invocation, bool, error)) error {
	if s.ended != nil {
		defer s.ended(name)
	}
	it, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, it.Stop)()
	for {
		msg, err := it.Next()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		inv, ok, err := decode(msg)
		switch {
		case err != nil:
			err = msg.TermWithReason(err.Error())
		case !ok:
			err = msg.Ack()
		case s.handle(inv) != nil:
			err = msg.Nak()
		default:
			err = msg.DoubleAck(context.WithoutCancel(ctx))
		}
		if err != nil {
			return err
		}
	}
}

// inbox collects invocations by function.
type inbox struct {
	mu   sync.Mutex
	got  map[string][]function.Invocation
	more chan struct{} // one token for each arrival
}

func newInbox() *inbox {
	return &inbox{got: map[string][]function.Invocation{}, more: make(chan struct{}, 100_000)}
}

func (in *inbox) handle(inv function.Invocation) error {
	in.mu.Lock()
	in.got[inv.Function] = append(in.got[inv.Function], inv)
	in.mu.Unlock()
	in.more <- struct{}{}
	return nil
}

// wait returns all invocations once n have arrived.
func (in *inbox) wait(t testing.TB, n int) map[string][]function.Invocation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for i := range n {
		select {
		case <-in.more:
		case <-ctx.Done():
			t.Fatalf("got %d invocations, want %d", i, n)
		}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	return maps.Clone(in.got)
}

func newTopics(t testing.TB, js jetstream.JetStream, d topic.Deliverer) *topic.Topics {
	return &topic.Topics{
		Streams:     js,
		Deliver:     d,
		NewAppender: func(string) topic.Appender { return plain{js} },
		Log:         slog.New(slog.NewTextHandler(t.Output(), nil)),
		Endpoint:    "http://127.0.0.1:4566",
	}
}

// run runs the topics; stop ends them and waits.
func run(t testing.TB, topics *topic.Topics) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- topics.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error("Run:", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

var (
	created = arn.Topic(arn.Region, "drop-created")
	deleted = arn.Topic(arn.Region, "drop-deleted")
)

func topics(arns ...string) (list []topic.Topic) {
	for _, a := range arns {
		list = append(list, topic.Topic{ARN: a})
	}
	return list
}

func subs(topicARN string, functions ...string) (list []topic.Subscription) {
	for _, f := range functions {
		list = append(list, topic.Subscription{Topic: topicARN, Function: f, ARN: topic.SubscriptionARN(topicARN, f)})
	}
	return list
}

func replace(t testing.TB, to *topic.Topics, stack string, topics []topic.Topic, subs []topic.Subscription) {
	t.Helper()
	if err := to.Replace(t.Context(), stack, topics, subs); err != nil {
		t.Fatal(err)
	}
}

func publish(t testing.TB, to *topic.Topics, topicARN, message string) string {
	t.Helper()
	out, err := to.Publish(t.Context(), topic.PublishInput{TopicArn: topicARN, Message: message})
	if err != nil {
		t.Fatal(err)
	}
	return out.MessageId
}

func streamNames(t testing.TB, js jetstream.JetStream) (names []string) {
	t.Helper()
	list := js.StreamNames(t.Context())
	for name := range list.Name() {
		names = append(names, name)
	}
	if err := list.Err(); err != nil && !errors.Is(err, jetstream.ErrEndOfData) {
		t.Fatal(err)
	}
	return names
}

// only returns the info of the only stream.
func only(t testing.TB, js jetstream.JetStream) *jetstream.StreamInfo {
	t.Helper()
	names := streamNames(t, js)
	if len(names) != 1 {
		t.Fatalf("streams %q, want one", names)
	}
	s, err := js.Stream(t.Context(), names[0])
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func streams(t testing.TB) jetstream.JetStream { return enginetest.Streams(t) }
