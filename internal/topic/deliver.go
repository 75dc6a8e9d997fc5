package topic

import (
	"context"
	"time"
)

// Waits before a subscription's loop is started again after it failed.
const (
	minRestart = 100 * time.Millisecond
	maxRestart = 30 * time.Second
)

// loop is the running delivery of one subscription.
type loop struct {
	sub  Subscription
	stop context.CancelFunc
}

// Run delivers to the subscriptions of every Replace, earlier and later ones,
// until ctx ends and the last delivery returned. Only one Run at a time.
func (t *Topics) Run(ctx context.Context) error {
	t.mu.Lock()
	t.runs, t.loops = ctx, map[string]*loop{}
	t.mu.Unlock()
	t.reconcile()
	t.keepCounts(ctx)

	t.mu.Lock()
	t.runs, t.loops = nil, nil // no loop begins after this
	t.mu.Unlock()
	t.ended.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainGrace)
	defer cancel()
	if err := t.save(last); err != nil {
		t.Log.Warn("counters of topics are not written down", "err", err)
	}
	return nil
}

// reconcile starts and stops loops until they are those of the current snapshot.
// It does not wait for the stopped ones, which may have long invocations in hand.
func (t *Topics) reconcile() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.runs == nil {
		return
	}
	subs := t.load().subs // under the lock: of two reconciles the later one sees the later snapshot
	for arn, l := range t.loops {
		if subs[arn] != l.sub {
			l.stop()
			delete(t.loops, arn)
		}
	}
	for arn, sub := range subs {
		if t.loops[arn] != nil {
			continue
		}
		ctx, stop := context.WithCancel(t.runs)
		t.loops[arn] = &loop{sub, stop}
		t.ended.Go(func() {
			defer stop()
			if sub.State != "" {
				t.askOnce(ctx, sub)
				return
			}
			t.deliver(ctx, sub)
		})
	}
}

// deliver keeps the subscription's deliverer running until ctx ends.
func (t *Topics) deliver(ctx context.Context, sub Subscription) {
	wait := minRestart
	for {
		began := time.Now()
		err := t.deliverOnce(ctx, sub)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > maxRestart {
			wait = minRestart
		}
		t.Log.Error("delivery stopped, starts again", "subscription", sub.ARN, "wait", wait, "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, maxRestart)
	}
}

func (t *Topics) deliverOnce(ctx context.Context, sub Subscription) error {
	consumer, err := t.Streams.Consumer(ctx, streamName(sub.Topic), consumerName(sub.ARN))
	if err != nil {
		return err
	}
	r, err := t.reader(sub)
	if err != nil {
		return err
	}
	if sub.protocol() == ProtocolLambda {
		return t.Deliver.Deliver(ctx, consumer, sub.ARN, r.invocation)
	}
	c, err := t.courier(ctx, r, consumer)
	if err != nil {
		return err
	}
	return c.deliver(ctx)
}
