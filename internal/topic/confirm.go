package topic

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
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
