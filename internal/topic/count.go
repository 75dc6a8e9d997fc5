package topic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// counters count what became of a subscription's messages, since it exists. They
// are written down every two seconds: a crash forgets the last of them, and no
// message waits for them.
type counters struct {
	delivered, failed, retried, dead, filtered atomic.Int64

	saved atomic.Pointer[Counts]
}

// What becomes of a message at a subscription: each attempt has one result, and so has
// a message that the filter keeps back.
const (
	resultDelivered = "delivered"
	resultFailed    = "failed" // and is tried again
	resultDead      = "dead"
	resultFiltered  = "filtered"
)

// count counts what became of an attempt.
func (r *reader) count(result string) {
	switch result {
	case resultDelivered:
		r.counts.delivered.Add(1)
	case resultFiltered:
		r.counts.filtered.Add(1)
	case resultFailed:
		r.counts.failed.Add(1)
		r.counts.retried.Add(1)
	case resultDead:
		r.counts.failed.Add(1)
		r.counts.dead.Add(1)
	}
	if r.Settled != nil {
		r.Settled(r.sub, result)
	}
}

// Counts are counters at a moment.
type Counts struct {
	Delivered int64 `json:"delivered"`
	Failed    int64 `json:"failed"`  // attempts
	Retried   int64 `json:"retried"` // attempts that are followed by another
	Dead      int64 `json:"dead"`
	Filtered  int64 `json:"filtered"`
}

func (c *counters) counts() Counts {
	return Counts{c.delivered.Load(), c.failed.Load(), c.retried.Load(), c.dead.Load(), c.filtered.Load()}
}

// changed says whether there is something to write down.
func (c *counters) changed() bool {
	saved := c.saved.Load()
	return saved == nil && c.counts() != (Counts{}) || saved != nil && *saved != c.counts()
}

// saveEvery is how often counters that have changed are written down.
const saveEvery = 2 * time.Second

// countersOf returns a subscription's counters.
func (t *Topics) countersOf(subARN string) *counters {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]*counters{}
	}
	c := t.counts[subARN]
	if c == nil {
		c = &counters{}
		t.counts[subARN] = c
	}
	return c
}

// state opens the bucket of counters and of what was sent.
func (t *Topics) state(ctx context.Context) (jetstream.KeyValue, error) {
	kv, err := t.Streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: stateBucket})
	if err != nil {
		return nil, fmt.Errorf("open the state of topics: %w", err)
	}
	return kv, nil
}

func countsKey(subARN string) string { return "counts." + consumerName(subARN) }

// remember adds what an earlier life counted.
func (t *Topics) remember(ctx context.Context, kv jetstream.KeyValue, subARN string) error {
	c := t.countersOf(subARN)
	if c.saved.Load() != nil {
		return nil
	}
	var before Counts
	entry, err := kv.Get(ctx, countsKey(subARN))
	if err == nil {
		err = json.Unmarshal(entry.Value(), &before)
	}
	if err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
		return fmt.Errorf("read the counters of %s: %w", subARN, err)
	}
	if c.saved.CompareAndSwap(nil, &before) {
		c.delivered.Add(before.Delivered)
		c.failed.Add(before.Failed)
		c.retried.Add(before.Retried)
		c.dead.Add(before.Dead)
		c.filtered.Add(before.Filtered)
	}
	return nil
}

// save writes down the counters that have changed, and forgets those of
// subscriptions that are gone.
func (t *Topics) save(ctx context.Context) error {
	all := map[string]*counters{}
	t.mu.Lock()
	for subARN, c := range t.counts {
		if c.changed() {
			all[subARN] = c
		}
	}
	t.mu.Unlock()
	if len(all) == 0 {
		return nil
	}
	kv, err := t.state(ctx)
	if err != nil {
		return err
	}
	subs := t.load().subs
	for subARN, c := range all {
		if _, ok := subs[subARN]; !ok {
			t.mu.Lock()
			delete(t.counts, subARN)
			t.mu.Unlock()
			if err := kv.Purge(ctx, countsKey(subARN)); err != nil {
				return err
			}
			continue
		}
		if err := t.remember(ctx, kv, subARN); err != nil {
			return err
		}
		now := c.counts()
		doc, err := json.Marshal(now)
		if err != nil {
			return err
		}
		if _, err := kv.Put(ctx, countsKey(subARN), doc); err != nil {
			return fmt.Errorf("write down the counters of %s: %w", subARN, err)
		}
		c.saved.Store(&now)
	}
	return nil
}

// keepCounts writes counters down until ctx ends, and once more when the last
// delivery has returned.
func (t *Topics) keepCounts(ctx context.Context) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := t.save(ctx); err != nil && ctx.Err() == nil {
				t.Log.Warn("counters of topics are not written down", "err", err)
			}
		}
	}
}
