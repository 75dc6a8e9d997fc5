package topic

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

// Replace makes topics and subs what the stack declares, instead of what it
// declared before; empty lists take the stack away. A topic that is only
// subscribed to need not be in topics: it is created if absent, and goes when no
// stack names it any more.
//
// When Replace fails, the stack's earlier declaration stays in force. When it
// succeeds, the new one is: its subscriptions receive what is published from then
// on, those that were there before go on where they stand, and the removed ones
// drop what they had not processed. What could not be cleaned up is logged and
// tried again by the stack's next Replace, also after a restart.
func (t *Topics) Replace(ctx context.Context, stack string, topics []Topic, subs []Subscription) error {
	want, err := declare(stack, topics, subs)
	if err != nil {
		return fmt.Errorf("topics of stack %s: %w", stack, err)
	}
	t.change.Lock()
	defer t.change.Unlock()
	have, err := t.streams(ctx)
	if err != nil {
		return fault.Errorf(fault.Unavailable, "topics of stack %s: %w", stack, err)
	}
	stale, err := t.prepare(ctx, stack, want, have)
	if err != nil {
		return fault.Errorf(fault.Unavailable, "topics of stack %s: %w", stack, err)
	}
	closing := t.swap(stack, want)
	t.reconcile()
	if err := errors.Join(closing(), t.clean(ctx, stack, want, have, stale)); err != nil {
		t.Log.Warn("topics not cleaned up, the next deployment tries again", "stack", stack, "err", err)
	}
	return nil
}

// Prune takes away what belongs to stacks that are not in the list: the rest of
// a removal that a crash cut short. Call it at the start, before Replace.
func (t *Topics) Prune(ctx context.Context, stacks []string) error {
	have, err := t.streams(ctx)
	if err != nil {
		return fault.Errorf(fault.Unavailable, "%w", err)
	}
	gone := map[string]bool{}
	for _, cfg := range have {
		for key := range cfg.Metadata {
			if stack, ok := strings.CutPrefix(key, metaStack); ok && !slices.Contains(stacks, stack) {
				gone[stack] = true
			}
		}
	}
	for stack := range gone {
		if err := t.Replace(ctx, stack, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the appenders. Publish fails from then on.
func (t *Topics) Close() error {
	t.change.Lock()
	defer t.change.Unlock()
	var errs []error
	for _, o := range t.load().topics {
		errs = append(errs, o.Close())
	}
	t.current.Store(&snapshot{})
	return errors.Join(errs...)
}

// declare checks a declaration and adds the topics that only subscriptions name.
func declare(stack string, topics []Topic, subs []Subscription) (declared, error) {
	d, seen := declared{}, map[string]bool{}
	add := func(topicARN string) error {
		name, err := nameOf(topicARN)
		if err != nil {
			return err
		}
		if !seen[topicARN] {
			seen[topicARN] = true
			d.topics = append(d.topics, Topic{Stack: stack, Name: name, ARN: topicARN})
		}
		return nil
	}
	for _, topic := range topics {
		if err := add(topic.ARN); err != nil {
			return declared{}, err
		}
	}
	for _, sub := range subs {
		if err := add(sub.Topic); err != nil {
			return declared{}, err
		}
		want := SubscriptionARN(sub.Topic, sub.Function)
		if sub.ARN != "" && sub.ARN != want {
			return declared{}, fault.Errorf(fault.Invalid, "subscription of %s to %s: its ARN is %s, got %s", sub.Function, sub.Topic, want, sub.ARN)
		}
		sub.Stack, sub.ARN = stack, want
		if !seen[sub.ARN] { // naming the topic twice is subscribing once, as in SNS
			seen[sub.ARN] = true
			d.subs = append(d.subs, sub)
		}
	}
	return d, nil
}

// consumer is a consumer to delete, by stream and name.
type consumer struct{ stream, name string }

// prepare creates what is missing and finds the consumers that are no longer
// wanted. Where it fails, it takes its new consumers back: they would keep
// messages that nobody processes.
func (t *Topics) prepare(ctx context.Context, stack string, want declared, have map[string]jetstream.StreamConfig) (stale []consumer, err error) {
	var created []consumer
	defer func() {
		if err == nil {
			return
		}
		for _, c := range created {
			err = errors.Join(err, t.remove(context.WithoutCancel(ctx), c.stream, c.name))
		}
	}()
	wanted := map[string]bool{}
	for _, sub := range want.subs {
		wanted[consumerName(sub.ARN)] = true
	}
	for _, topic := range want.topics {
		if err := t.ensureStream(ctx, stack, topic, have); err != nil {
			return nil, err
		}
		consumers, err := t.consumers(ctx, topic.ARN)
		if err != nil {
			return nil, err
		}
		for name, cfg := range consumers {
			if cfg.Metadata[metaOwner] == stack && !wanted[name] {
				stale = append(stale, consumer{streamName(topic.ARN), name})
			}
		}
		for _, sub := range want.subs {
			if sub.Topic != topic.ARN {
				continue
			}
			isNew, err := t.ensureConsumer(ctx, sub, consumers)
			if err != nil {
				return nil, err
			}
			if isNew {
				created = append(created, consumer{streamName(topic.ARN), consumerName(sub.ARN)})
			}
		}
	}
	return stale, nil
}

// swap puts the new declaration in force. The function it returns closes the
// appenders of topics that nobody names any more.
func (t *Topics) swap(stack string, want declared) (closing func() error) {
	old := t.load()
	next := &snapshot{stacks: maps.Clone(old.stacks), topics: map[string]*open{}, subs: map[string]Subscription{}}
	if next.stacks == nil {
		next.stacks = map[string]declared{}
	}
	next.stacks[stack] = want
	if len(want.topics) == 0 {
		delete(next.stacks, stack)
	}
	for _, name := range slices.Sorted(maps.Keys(next.stacks)) {
		d := next.stacks[name]
		for _, topic := range d.topics {
			if next.topics[topic.ARN] == nil {
				next.topics[topic.ARN] = t.open(old, topic)
			}
		}
		for _, sub := range d.subs {
			next.subs[sub.ARN] = sub
		}
	}
	t.current.Store(next)
	return func() error {
		var errs []error
		for arn, o := range old.topics {
			if next.topics[arn] == nil {
				errs = append(errs, o.Close())
			}
		}
		return errors.Join(errs...)
	}
}

func (t *Topics) open(old *snapshot, topic Topic) *open {
	if o := old.topics[topic.ARN]; o != nil {
		return &open{Topic: topic, subject: o.subject, Appender: o.Appender}
	}
	return &open{Topic: topic, subject: subjectName(topic.ARN), Appender: t.NewAppender(streamName(topic.ARN))}
}

// clean deletes the consumers that are no longer wanted and leaves the topics
// that the stack no longer names.
func (t *Topics) clean(ctx context.Context, stack string, want declared, have map[string]jetstream.StreamConfig, stale []consumer) error {
	var errs []error
	for _, c := range stale {
		errs = append(errs, t.remove(ctx, c.stream, c.name))
	}
	for arn, cfg := range have {
		named := slices.ContainsFunc(want.topics, func(topic Topic) bool { return topic.ARN == arn })
		if named || cfg.Metadata[metaStack+stack] == "" {
			continue
		}
		errs = append(errs, t.leave(ctx, stack, cfg))
	}
	return errors.Join(errs...)
}

// leave deletes the stack's consumers of a topic before it releases the topic:
// after a crash in between, the stack's name still leads there.
func (t *Topics) leave(ctx context.Context, stack string, cfg jetstream.StreamConfig) error {
	consumers, err := t.consumers(ctx, cfg.Metadata[metaTopic])
	if err != nil {
		return err
	}
	for consumer, c := range consumers {
		if c.Metadata[metaOwner] != stack {
			continue
		}
		if err := t.remove(ctx, cfg.Name, consumer); err != nil {
			return err
		}
	}
	return t.release(ctx, stack, cfg)
}
