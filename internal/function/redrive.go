package function

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

// Redrive puts dead letters of a function back into its queue, the oldest first,
// and takes them out of the dead-letter stream: the one with a request id, or with
// "" all. It returns how many. A letter leaves only when its event is queued, so a
// crash in between delivers it twice but loses nothing. An event gets all its
// retries again, under a new request id.
func (i *Invoker) Redrive(ctx context.Context, function, id string) (int, error) {
	e, qualifier, err := i.find(function)
	if err != nil {
		return 0, err
	}
	name := e.Name
	if qualifier != "" {
		name += ":" + qualifier
	}
	q, err := i.open(ctx)
	if err != nil {
		return 0, unavailable(err)
	}
	consumer, err := i.letterReader(ctx, q, e.Name)
	if err != nil {
		return 0, err
	}
	defer func() { _ = q.letters.DeleteConsumer(context.WithoutCancel(ctx), consumer.CachedInfo().Name) }()
	n := 0
	err = readLetters(ctx, consumer, func(l DeadLetter, sequence uint64) error {
		if id != "" && l.RequestID != id {
			return nil
		}
		again := newID()
		if err := i.Enqueue(ctx, Invocation{ID: again, Function: name, Payload: l.Body, Marshalled: true}); err != nil {
			return fmt.Errorf("queue the event of request %s again: %w", l.RequestID, err)
		}
		if err := q.letters.DeleteMsg(ctx, sequence); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return fmt.Errorf("remove the dead letter of request %s: %w", l.RequestID, err)
		}
		i.Log.Info("dead letter redriven", "function", e.ARN, "request", l.RequestID, "as", again)
		n++
		return nil
	})
	if err == nil && id != "" && n == 0 {
		return 0, fault.Errorf(fault.NotFound, "function %s has no dead letter of request %s", e.Name, id)
	}
	return n, err
}

func (i *Invoker) letterReader(ctx context.Context, q *queues, name string) (jetstream.Consumer, error) {
	consumer, err := q.letters.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubject: lettersName + "." + name, AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true,
		InactiveThreshold: 30 * time.Second,
	})
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	return consumer, nil
}

// readLetters calls take with each letter that is there now, the oldest first.
func readLetters(ctx context.Context, consumer jetstream.Consumer, take func(l DeadLetter, sequence uint64) error) error {
	for left := int(consumer.CachedInfo().NumPending); left > 0; {
		batch, err := consumer.Fetch(min(left, 256), jetstream.FetchContext(ctx))
		if err != nil {
			return fmt.Errorf("read dead letters: %w", err)
		}
		got := 0
		for msg := range batch.Messages() {
			got++
			var l DeadLetter
			if err := json.Unmarshal(msg.Data(), &l); err != nil {
				return fmt.Errorf("read dead letters: %w", err)
			}
			meta, err := msg.Metadata()
			if err != nil {
				return fmt.Errorf("read dead letters: %w", err)
			}
			if err := take(l, meta.Sequence.Stream); err != nil {
				return err
			}
		}
		if err := batch.Error(); err != nil {
			return fmt.Errorf("read dead letters: %w", err)
		}
		if got == 0 {
			return nil // they expired meanwhile
		}
		left -= got
	}
	return nil
}
