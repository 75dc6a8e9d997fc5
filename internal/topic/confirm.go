package topic

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

// confirmRetries are the waits before an endpoint that could not be reached is
// asked again.
var confirmRetries = []time.Duration{0, 20 * time.Second, 20 * time.Second, 20 * time.Second, 10 * time.Minute, time.Hour}

// askOnce asks a subscription's endpoint to confirm, or tells it that it has left.
// That it was asked is written down, so that a restart does not ask again.
func (t *Topics) askOnce(ctx context.Context, sub Subscription) {
	err := t.askUntil(ctx, sub)
	if err != nil && ctx.Err() == nil {
		t.Log.Warn("the endpoint of a subscription could not be asked to confirm; subscribe it again", "subscription", sub.ARN, "err", err)
	}
}

func (t *Topics) askUntil(ctx context.Context, sub Subscription) error {
	if t.Identity == nil || sub.expired() {
		return nil
	}
	kv, err := t.state(ctx)
	if err != nil {
		return err
	}
	key := "asked." + consumerName(sub.ARN) + "." + strconv.FormatInt(sub.Requested.UnixMilli(), 10)
	if _, err := kv.Get(ctx, key); !errors.Is(err, jetstream.ErrKeyNotFound) {
		return err
	}
	for _, wait := range confirmRetries {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		if err = t.askNow(ctx, kv, key, sub); err == nil {
			return nil
		}
		if _, final := errors.AsType[refused](err); final {
			return err
		}
	}
	return err
}

// askNow asks, and writes that down; the end of the platform waits for both.
func (t *Topics) askNow(ctx context.Context, kv jetstream.KeyValue, key string, sub Subscription) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	topic, p, err := t.planned(sub)
	if err != nil {
		return err
	}
	doc, err := t.ask(topic, sub)
	if err != nil {
		return err
	}
	if err := t.send(ctx, sub, p, doc); err != nil {
		return err
	}
	_, err = kv.Put(ctx, key, nil)
	return err
}

// What a deployment declares is pending in every revision, so that its endpoint
// has confirmed is kept apart.

func confirmedKey(subARN string) string { return "confirmed." + consumerName(subARN) }

// ofDeployment says whether the subscription is one that a deployment declares and
// an endpoint has to confirm.
func (s *Subscription) ofDeployment() bool {
	return s.protocol() != ProtocolSQS && s.protocol() != ProtocolLambda && s.Requested.IsZero()
}

// recall gives subscriptions of deployments the state that their endpoints chose.
func (t *Topics) recall(ctx context.Context, subs []Subscription) error {
	for i := range subs {
		s := &subs[i]
		if !s.ofDeployment() {
			continue
		}
		kv, err := t.state(ctx)
		if err != nil {
			return err
		}
		switch _, err := kv.Get(ctx, confirmedKey(s.ARN)); {
		case err == nil:
			s.State = ""
		case errors.Is(err, jetstream.ErrKeyNotFound):
			s.State = Pending
		default:
			return fmt.Errorf("whether subscription %s is confirmed: %w", s.ARN, err)
		}
	}
	return nil
}

// choose keeps what the endpoint of a deployment's subscription chose, and puts
// it in force.
func (t *Topics) choose(ctx context.Context, sub Subscription, confirmed bool) error {
	kv, err := t.state(ctx)
	if err != nil {
		return err
	}
	if confirmed {
		_, err = kv.Put(ctx, confirmedKey(sub.ARN), nil)
	} else {
		err = kv.Purge(ctx, confirmedKey(sub.ARN))
	}
	if err != nil {
		return fault.Errorf(fault.Unavailable, "keep that subscription %s is confirmed: %w", sub.ARN, err)
	}
	t.change.Lock()
	defer t.change.Unlock()
	d := t.load().stacks[sub.Stack]
	return t.replace(ctx, sub.Stack, declared{d.topics, slices.Clone(d.subs)})
}
