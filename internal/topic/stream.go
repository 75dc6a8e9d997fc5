package topic

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Metadata of streams and consumers. That a stack names a topic is kept there, so
// a restart in the middle of a change forgets nothing.
const (
	metaTopic        = "topic" // ARN
	metaStack        = "stack:"
	metaOwner        = "stack"
	metaSubscription = "subscription" // ARN
)

// ackWait is how long a message may go without a sign of life.
const ackWait = 10 * time.Second

// streams returns the streams of topics by ARN.
func (t *Topics) streams(ctx context.Context) (map[string]jetstream.StreamConfig, error) {
	found := map[string]jetstream.StreamConfig{}
	list := t.Streams.ListStreams(ctx, jetstream.WithStreamListSubject(allSubjects))
	for info := range list.Info() {
		if arn := info.Config.Metadata[metaTopic]; arn != "" {
			found[arn] = info.Config
		}
	}
	if err := list.Err(); err != nil && !errors.Is(err, jetstream.ErrEndOfData) {
		return nil, fmt.Errorf("list the topics' streams: %w", err)
	}
	return found, nil
}

// ensureStream makes the topic's stream exist and name the stack.
func (t *Topics) ensureStream(ctx context.Context, stack string, topic Topic, have map[string]jetstream.StreamConfig) error {
	cfg, exists := have[topic.ARN]
	if exists && cfg.Metadata[metaStack+stack] != "" {
		return nil
	}
	if !exists {
		cfg = jetstream.StreamConfig{
			Name:               streamName(topic.ARN),
			Subjects:           []string{subjectName(topic.ARN)},
			Retention:          jetstream.InterestPolicy,
			Storage:            jetstream.FileStorage,
			AllowAtomicPublish: true,
			Metadata:           map[string]string{metaTopic: topic.ARN},
		}
	}
	cfg.Metadata = maps.Clone(cfg.Metadata)
	cfg.Metadata[metaStack+stack] = "1"
	if _, err := t.Streams.CreateOrUpdateStream(ctx, cfg); err != nil {
		return fmt.Errorf("stream of topic %s: %w", topic.ARN, err)
	}
	have[topic.ARN] = cfg
	return nil
}

// ensureConsumer makes the subscription's consumer exist. One that exists keeps
// its place. It says whether the consumer is new.
func (t *Topics) ensureConsumer(ctx context.Context, sub Subscription, have map[string]jetstream.ConsumerConfig) (created bool, err error) {
	name := consumerName(sub.ARN)
	if cfg, ok := have[name]; ok && cfg.Metadata[metaOwner] == sub.Stack {
		return false, nil
	}
	_, exists := have[name]
	_, err = t.Streams.CreateOrUpdateConsumer(ctx, streamName(sub.Topic), jetstream.ConsumerConfig{
		Durable:       name,
		DeliverPolicy: jetstream.DeliverNewPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait, // the deliverer's heartbeats extend it
		MaxDeliver:    -1,      // the deliverer counts attempts and keeps dead letters
		MaxAckPending: 100_000, // messages that wait for a retry count too
		Metadata:      map[string]string{metaOwner: sub.Stack, metaSubscription: sub.ARN},
	})
	if err != nil {
		return false, fmt.Errorf("consumer of subscription %s: %w", sub.ARN, err)
	}
	return !exists, nil
}

// consumers returns the consumers of a topic's stream by name.
func (t *Topics) consumers(ctx context.Context, topicARN string) (map[string]jetstream.ConsumerConfig, error) {
	stream, err := t.Streams.Stream(ctx, streamName(topicARN))
	if err != nil {
		return nil, fmt.Errorf("stream of topic %s: %w", topicARN, err)
	}
	found := map[string]jetstream.ConsumerConfig{}
	list := stream.ListConsumers(ctx)
	for info := range list.Info() {
		found[info.Name] = info.Config
	}
	if err := list.Err(); err != nil && !errors.Is(err, jetstream.ErrEndOfData) {
		return nil, fmt.Errorf("list the subscriptions of topic %s: %w", topicARN, err)
	}
	return found, nil
}

// release takes the stack's name off a topic; the last one takes the stream along.
func (t *Topics) release(ctx context.Context, stack string, cfg jetstream.StreamConfig) error {
	cfg.Metadata = maps.Clone(cfg.Metadata)
	delete(cfg.Metadata, metaStack+stack)
	for key := range cfg.Metadata {
		if strings.HasPrefix(key, metaStack) {
			if _, err := t.Streams.UpdateStream(ctx, cfg); err != nil {
				return fmt.Errorf("stream %s: %w", cfg.Name, err)
			}
			return nil
		}
	}
	if err := t.Streams.DeleteStream(ctx, cfg.Name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("delete stream %s: %w", cfg.Name, err)
	}
	return nil
}

// remove deletes a consumer, which releases the messages that only it owed.
func (t *Topics) remove(ctx context.Context, stream, consumer string) error {
	err := t.Streams.DeleteConsumer(ctx, stream, consumer)
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("delete consumer %s of %s: %w", consumer, stream, err)
	}
	return nil
}
