package topic

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Backlog is what a subscription still owes.
type Backlog struct {
	Subscription Subscription
	Messages     int // under way and waiting for their retry included
}

// Backlogs are those of all confirmed subscriptions.
func (t *Topics) Backlogs(ctx context.Context) ([]Backlog, error) {
	var list []Backlog
	for _, sub := range t.load().subs {
		if sub.State != "" {
			continue
		}
		consumer, err := t.Streams.Consumer(ctx, streamName(sub.Topic), consumerName(sub.ARN))
		if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
			continue // it went meanwhile
		}
		if err != nil {
			return list, fmt.Errorf("consumer of subscription %s: %w", sub.ARN, err)
		}
		info := consumer.CachedInfo() // a moment old
		list = append(list, Backlog{sub, info.NumAckPending + int(info.NumPending)})
	}
	return list, nil
}
