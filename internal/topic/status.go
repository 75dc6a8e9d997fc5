package topic

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Status is how a subscription does.
type Status struct {
	ARN      string        `json:"arn"`
	Topic    string        `json:"topic"`
	Stack    string        `json:"stack"`
	Protocol string        `json:"protocol"`
	Endpoint string        `json:"endpoint"`
	State    string        `json:"state"` // confirmed, pending or left
	Counts                 //
	InFlight int           `json:"inFlight"` // under way, or waiting for their retry
	Backlog  int           `json:"backlog"`  // all that it has not done with
	Oldest   time.Duration `json:"oldest"`   // age of the oldest of them
}

// Status tells how the subscriptions of a topic do, or with "" those of all.
func (t *Topics) Status(ctx context.Context, topicARN string) ([]Status, error) {
	if topicARN != "" {
		if _, err := t.existing("TopicArn", topicARN); err != nil {
			return nil, err
		}
	}
	kv, err := t.state(ctx)
	if err != nil {
		return nil, err
	}
	list := []Status{}
	for _, sub := range t.subscriptionsOf(topicARN) {
		if err := t.remember(ctx, kv, sub.ARN); err != nil {
			return nil, err
		}
		s := Status{
			ARN: sub.ARN, Topic: sub.Topic, Stack: sub.Stack, Protocol: sub.protocol(), Endpoint: sub.shownEndpoint(),
			State: cmp.Or(sub.State, "confirmed"), Counts: t.countersOf(sub.ARN).counts(),
		}
		if sub.State == "" {
			if err := t.measure(ctx, sub, &s); err != nil {
				return nil, err
			}
		}
		list = append(list, s)
	}
	return list, nil
}

// measure asks the consumer where it stands.
func (t *Topics) measure(ctx context.Context, sub Subscription, s *Status) error {
	stream, err := t.Streams.Stream(ctx, streamName(sub.Topic))
	if err != nil {
		return fmt.Errorf("stream of topic %s: %w", sub.Topic, err)
	}
	consumer, err := stream.Consumer(ctx, consumerName(sub.ARN))
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil // it went meanwhile
	}
	if err != nil {
		return fmt.Errorf("consumer of subscription %s: %w", sub.ARN, err)
	}
	info := consumer.CachedInfo() // a moment old
	s.InFlight = info.NumAckPending
	s.Backlog = info.NumAckPending + int(info.NumPending)
	if s.Backlog == 0 {
		return nil
	}
	oldest, err := stream.GetMsg(ctx, info.AckFloor.Stream+1, jetstream.WithGetMsgSubject(subjectName(sub.Topic)))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the oldest message of subscription %s: %w", sub.ARN, err)
	}
	s.Oldest = time.Since(oldest.Time).Round(time.Millisecond)
	return nil
}
