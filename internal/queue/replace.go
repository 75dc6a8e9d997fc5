package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/pattern"
)

const (
	consumerName = "receivers"
	ackWait      = 30 * time.Second // a message without a sign of life for so long is given out again
	dedupeWindow = 5 * time.Minute  // of FIFO queues
)

func streamName(name string) string {
	if bare, fifo := strings.CutSuffix(name, fifoSuffix); fifo {
		return "queue_fifo_" + bare
	}
	return "queue_std_" + name
}

// Replace makes queues and mappings what the stack declares, instead of what it
// declared before; empty lists take the stack away, and with a queue goes what is
// in it. When Replace fails the stack's earlier declaration stays in force.
func (q *Queues) Replace(ctx context.Context, stack string, queues []Queue, mappings []Mapping) error {
	q.change.Lock()
	defer q.change.Unlock()
	old := q.load()
	next := &snapshot{stacks: maps.Clone(old.stacks), queues: map[string]*open{}, mappings: map[string]Mapping{}}
	if next.stacks == nil {
		next.stacks = map[string]declared{}
	}
	next.stacks[stack] = declared{queues, mappings}
	if len(queues)+len(mappings) == 0 {
		delete(next.stacks, stack)
	}
	var made []*open
	undo := func(err error) error {
		for _, o := range made {
			err = errors.Join(err, o.close())
		}
		return err
	}
	changed := map[*open]Queue{}
	for name, d := range next.stacks {
		for _, queue := range d.queues {
			queue.Stack = name
			if err := queue.Check(); err != nil {
				return undo(fmt.Errorf("queues of stack %s: %w", stack, err))
			}
			if taken := next.queues[queue.ARN]; taken != nil {
				return undo(fault.Coded(fault.Conflict, "QueueNameExists", "queue %s is in stack %s and in stack %s", queue.Name, taken.get().Stack, name))
			}
			o := old.queues[queue.ARN]
			if o == nil || name == stack {
				if err := q.ensureStream(ctx, queue); err != nil {
					return undo(err)
				}
			}
			if o == nil {
				var err error
				if o, err = q.open(ctx, queue); err != nil {
					return undo(err)
				}
				made = append(made, o)
			}
			changed[o] = queue
			next.queues[queue.ARN] = o
		}
		for _, m := range d.mappings {
			m.Stack = name
			next.mappings[m.ID] = m
		}
	}
	if err := next.check(stack); err != nil {
		return undo(err)
	}
	for o, queue := range changed {
		o.queue.Store(&queue)
	}
	q.current.Store(next)
	q.tend()
	for name, o := range old.queues {
		if next.queues[name] != nil {
			continue
		}
		err := o.close()
		if e := q.Streams.DeleteStream(ctx, streamName(o.get().Name)); !errors.Is(e, jetstream.ErrStreamNotFound) {
			err = errors.Join(err, e)
		}
		if err != nil {
			q.Log.Warn("a removed queue was not cleaned up", "queue", name, "err", err)
		}
	}
	return nil
}

// check refuses mappings that cannot be.
func (s *snapshot) check(stack string) error {
	for _, m := range s.stacks[stack].mappings {
		if err := m.Check(); err != nil {
			return err
		}
		for _, f := range m.Filters {
			if _, err := pattern.Parse(f); err != nil {
				return fault.Coded(fault.Invalid, "InvalidParameterValueException", "filter of the mapping of %s: %w", m.Source, err)
			}
		}
	}
	return nil
}

// ensureStream makes a queue's stream exist, with its retention.
func (q *Queues) ensureStream(ctx context.Context, queue Queue) error {
	name := streamName(queue.Name)
	_, err := q.Streams.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: name, Subjects: []string{"sqs." + name}, Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage,
		MaxAge: time.Duration(queue.retention()) * time.Second, Duplicates: min(dedupeWindow, time.Duration(queue.retention())*time.Second),
		AllowAtomicPublish: true, Metadata: map[string]string{"queue": queue.ARN},
	})
	if err != nil {
		return fault.Errorf(fault.Unavailable, "stream of queue %s: %w", queue.Name, err)
	}
	return nil
}

// Close lets go of every queue: pollers end, and what they had is given out again.
func (q *Queues) Close() error {
	q.change.Lock()
	defer q.change.Unlock()
	q.pollers.stop()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(q.load().queues)) {
		errs = append(errs, q.load().queues[name].close())
	}
	q.current.Store(&snapshot{})
	return errors.Join(errs...)
}
