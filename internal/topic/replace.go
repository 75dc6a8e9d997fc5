package topic

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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
	return t.replace(ctx, stack, want)
}

// replace is Replace under the lock.
func (t *Topics) replace(ctx context.Context, stack string, want declared) error {
	if err := t.recall(ctx, want.subs); err != nil {
		return fault.Errorf(fault.Unavailable, "topics of stack %s: %w", stack, err)
	}
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
	for _, topic := range topics {
		name, err := nameOf(topic.ARN)
		if err != nil {
			return declared{}, err
		}
		if err := topic.check(); err != nil {
			return declared{}, err
		}
		topic.Stack, topic.Name = stack, name
		if !seen[topic.ARN] {
			seen[topic.ARN] = true
			d.topics = append(d.topics, topic)
		}
	}
	for _, sub := range subs {
		name, err := nameOf(sub.Topic)
		if err != nil {
			return declared{}, err
		}
		if !seen[sub.Topic] {
			seen[sub.Topic] = true
			d.topics = append(d.topics, Topic{Stack: stack, Name: name, ARN: sub.Topic, Named: true})
		}
		if err := sub.declare(stack); err != nil {
			return declared{}, err
		}
		if !seen[sub.ARN] { // naming the topic twice is subscribing once, as in SNS
			seen[sub.ARN] = true
			d.subs = append(d.subs, sub)
		}
	}
	return d, nil
}

// declare checks a subscription and gives a function's its ARN.
func (s *Subscription) declare(stack string) error {
	if s.protocol() == ProtocolLambda {
		want := SubscriptionARN(s.Topic, s.Function)
		if s.ARN != "" && s.ARN != want {
			return fault.Errorf(fault.Invalid, "subscription of %s to %s: its ARN is %s, got %s", s.Function, s.Topic, want, s.ARN)
		}
		s.ARN = want
	}
	if s.protocol() != ProtocolLambda && s.ARN == "" { // what a deployment declares has to be confirmed, once
		s.ARN = s.Topic + ":" + uuid("subscription", s.Topic, s.Protocol, s.Endpoint)
		if s.Protocol != ProtocolSQS {
			s.State, s.Requested, s.Inside = Pending, time.Time{}, true
		}
	}
	s.Stack = stack
	if !strings.HasPrefix(s.ARN, s.Topic+":") {
		return fault.Errorf(fault.Invalid, "subscription of %s to %s: its ARN is %q, which is not of the topic", s.Endpoint, s.Topic, s.ARN)
	}
	return s.Check()
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
		if sub.State == "" { // until it is confirmed it gets nothing
			wanted[consumerName(sub.ARN)] = true
		}
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
			if cfg.Metadata[metaOwner] == stack && !wanted[name] && !t.wantedBesides(stack, name) {
				stale = append(stale, consumer{streamName(topic.ARN), name})
			}
		}
		for _, sub := range want.subs {
			if sub.Topic != topic.ARN || sub.State != "" {
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

// wantedBesides says whether another stack declares the consumer's subscription as
// well: a function can be subscribed by its service and by a call.
func (t *Topics) wantedBesides(stack, consumer string) bool {
	for other, d := range t.load().stacks {
		if other != stack && slices.ContainsFunc(d.subs, func(s Subscription) bool {
			return s.State == "" && consumerName(s.ARN) == consumer
		}) {
			return true
		}
	}
	return false
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
			if have := next.topics[topic.ARN]; have == nil || have.Named && !topic.Named {
				next.topics[topic.ARN] = t.open(cmp.Or(have, old.topics[topic.ARN]), topic)
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

// open makes a topic ready, with the appender of what it was before, if it was.
func (t *Topics) open(before *open, topic Topic) *open {
	if before != nil {
		return &open{Topic: topic, subject: before.subject, Appender: before.Appender}
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
		if c.Metadata[metaOwner] != stack || t.wantedBesides(stack, consumer) {
			continue
		}
		if err := t.remove(ctx, cfg.Name, consumer); err != nil {
			return err
		}
	}
	return t.release(ctx, stack, cfg)
}
