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
	subjects     = "sqs." // of streams, before their names
	metaStack    = "stack"
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
	next, err := old.with(stack, queues, mappings)
	if err != nil {
		return err
	}
	undo, err := q.prepare(ctx, old, next, stack)
	if err != nil {
		return errors.Join(err, undo())
	}
	for _, queue := range next.stacks[stack].queues {
		next.queues[queue.ARN].queue.Store(&queue)
	}
	q.current.Store(next)
	q.tend()
	for name, o := range old.queues {
		if next.queues[name] != nil {
			continue
		}
		if err := errors.Join(o.close(), q.deleteStream(ctx, streamName(o.get().Name))); err != nil {
			q.Log.Warn("a removed queue was not cleaned up, the next start tries again", "queue", name, "err", err)
		}
	}
	return nil
}

// with is the snapshot in which a stack declares something else, or why that cannot
// be. Queues that are not open yet are nil in it.
func (s *snapshot) with(stack string, queues []Queue, mappings []Mapping) (*snapshot, error) {
	next := &snapshot{stacks: maps.Clone(s.stacks), queues: map[string]*open{}, mappings: map[string]Mapping{}}
	if next.stacks == nil {
		next.stacks = map[string]declared{}
	}
	d := declared{slices.Clone(queues), slices.Clone(mappings)}
	for i := range d.queues {
		d.queues[i].Stack = stack
		if err := d.queues[i].Check(); err != nil {
			return nil, fmt.Errorf("queues of stack %s: %w", stack, err)
		}
	}
	for i := range d.mappings {
		d.mappings[i].Stack = stack
		if err := d.mappings[i].checkAll(); err != nil {
			return nil, err
		}
	}
	next.stacks[stack] = d
	if len(queues)+len(mappings) == 0 {
		delete(next.stacks, stack)
	}
	owner := map[string]string{}
	for name, d := range next.stacks {
		for _, queue := range d.queues {
			if taken, ok := owner[queue.ARN]; ok {
				return nil, fault.Coded(fault.Conflict, "QueueNameExists", "queue %s is in stack %s and in stack %s", queue.Name, taken, name)
			}
			owner[queue.ARN] = name
			next.queues[queue.ARN] = s.queues[queue.ARN]
		}
		for _, m := range d.mappings {
			next.mappings[m.ID] = m
		}
	}
	return next, nil
}

// checkAll refuses a mapping that could not be, filters included.
func (m *Mapping) checkAll() error {
	if err := m.Check(); err != nil {
		return err
	}
	for _, f := range m.Filters {
		if _, err := pattern.Parse(f); err != nil {
			return fault.Coded(fault.Invalid, "InvalidParameterValueException", "filter of the mapping of %s: %w", m.Source, err)
		}
	}
	return nil
}

// prepare opens what is new in next and gives streams their retention; undo takes
// that back. A stream that was there before, as at every start, stays.
func (q *Queues) prepare(ctx context.Context, old, next *snapshot, stack string) (undo func() error, err error) {
	var steps []func(context.Context) error
	undo = func() (err error) {
		for _, step := range slices.Backward(steps) {
			err = errors.Join(err, step(context.WithoutCancel(ctx)))
		}
		return err
	}
	for _, queue := range next.stacks[stack].queues {
		o, name := old.queues[queue.ARN], streamName(queue.Name)
		if o != nil {
			was := o.get()
			if was.retention() == queue.retention() && was.Stack == queue.Stack {
				continue
			}
			steps = append(steps, func(ctx context.Context) error { return q.ensureStream(ctx, was) })
		} else if _, err := q.Streams.Stream(ctx, name); errors.Is(err, jetstream.ErrStreamNotFound) {
			steps = append(steps, func(ctx context.Context) error { return q.deleteStream(ctx, name) })
		}
		if err := q.ensureStream(ctx, queue); err != nil {
			return undo, err
		}
		if o == nil {
			if o, err = q.open(ctx, queue); err != nil {
				return undo, err
			}
			steps = append(steps, func(context.Context) error { return o.close() })
			next.queues[queue.ARN] = o
		}
	}
	return undo, nil
}

func (q *Queues) deleteStream(ctx context.Context, name string) error {
	if err := q.Streams.DeleteStream(ctx, name); !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	return nil
}

// Prune deletes the streams of queues that no stack declares: what a crash has left
// of a removal. What is of a stack in unread, whose declaration is not known, stays.
// Call it when all other stacks have been given to Replace.
func (q *Queues) Prune(ctx context.Context, unread []string) error {
	q.change.Lock()
	defer q.change.Unlock()
	declared := map[string]bool{}
	for _, o := range q.load().queues {
		declared[streamName(o.get().Name)] = true
	}
	list := q.Streams.ListStreams(ctx, jetstream.WithStreamListSubject(subjects+">"))
	for info := range list.Info() {
		name, owner := info.Config.Name, info.Config.Metadata[metaStack]
		unknown := slices.Contains(unread, owner) || owner == "" && len(unread) > 0
		if declared[name] || unknown {
			continue
		}
		q.Log.Info("a queue that no stack declares is deleted", "stream", name, "stack", owner, "messages", info.State.Msgs)
		if err := q.deleteStream(ctx, name); err != nil {
			return fault.Errorf(fault.Unavailable, "delete stream %s: %w", name, err)
		}
	}
	if err := list.Err(); err != nil {
		return fault.Errorf(fault.Unavailable, "list the streams of queues: %w", err)
	}
	return nil
}

// ensureStream makes a queue's stream exist, with its retention.
func (q *Queues) ensureStream(ctx context.Context, queue Queue) error {
	name := streamName(queue.Name)
	_, err := q.Streams.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: name, Subjects: []string{subjects + name}, Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage,
		MaxAge: time.Duration(queue.retention()) * time.Second, Duplicates: min(dedupeWindow, time.Duration(queue.retention())*time.Second),
		AllowAtomicPublish: true, Metadata: map[string]string{"queue": queue.ARN, metaStack: queue.Stack},
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
	q.moves.stop()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(q.load().queues)) {
		errs = append(errs, q.load().queues[name].close())
	}
	q.current.Store(&snapshot{})
	return errors.Join(errs...)
}
