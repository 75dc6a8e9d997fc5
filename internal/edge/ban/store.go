package ban

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

// Load opens the bucket and reads what is stored.
func (b *Bans) Load(ctx context.Context) error {
	kv, err := b.Streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: Bucket, Description: "who is turned away at the edge", Storage: jetstream.FileStorage, LimitMarkerTTL: markerAge,
	})
	if err != nil {
		return fmt.Errorf("open the bucket of bans: %w", err)
	}
	b.kv, b.ended = kv, make(chan struct{})
	b.now.Store(newSnapshot())
	return b.follow(ctx, true)
}

// follow applies what is stored, and what changes; initial: only what is stored.
func (b *Bans) follow(ctx context.Context, initial bool) error {
	w, err := b.kv.WatchAll(ctx)
	if err != nil {
		return fmt.Errorf("read the bucket of bans: %w", err)
	}
	defer func() { _ = w.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return fault.Errorf(fault.Unavailable, "the bucket of bans can be followed no more")
			case e != nil:
				if err := b.take(e); err != nil {
					return err
				}
			case initial: // nil: that is all
				return nil
			}
		}
	}
}

// take makes the next snapshot. Only one goroutine does at a time: Load's, then Run's.
func (b *Bans) take(e jetstream.KeyValueEntry) error {
	doc := e.Value()
	if e.Operation() != jetstream.KeyValuePut {
		doc = nil
	}
	now := b.now.Load()
	next, err := now.apply(e.Key(), e.Revision(), doc)
	if err != nil || next == now {
		return err
	}
	b.now.Store(next)
	close(now.replaced)
	return nil
}

// heard waits until this edge knows what has been stored.
func (b *Bans) heard(ctx context.Context, known func(*snapshot) bool) error {
	for {
		s := b.now.Load()
		if known(s) {
			return nil
		}
		select {
		case <-s.replaced:
		case <-b.ended:
			return fault.Errorf(fault.Unavailable, "the change is stored, but this edge is shutting down")
		case <-ctx.Done():
			return fault.Errorf(fault.Unavailable, "the change is stored, but this edge has not heard of it: %w", ctx.Err())
		}
	}
}

// change stores what f makes of a record, the zero value where there is none. f may
// be called again when another edge has been faster.
func change[R any](ctx context.Context, b *Bans, kind string, client netip.Prefix, f func(old R, there bool) (R, error)) (next R, err error) {
	if b.kv == nil {
		return next, errNotLoaded
	}
	key := keyOf(kind, client)
	for range attempts {
		var old R
		revision, there, err := b.stored(ctx, key, &old)
		if err != nil {
			return next, err
		}
		if next, err = f(old, there); err != nil {
			return next, err
		}
		doc, err := json.Marshal(next)
		if err != nil {
			return next, err
		}
		if there {
			revision, err = b.kv.Update(ctx, key, doc, revision)
		} else {
			revision, err = b.kv.Create(ctx, key, doc)
		}
		if errors.Is(err, jetstream.ErrKeyExists) {
			continue // its revision is another by now
		}
		if err != nil {
			return next, fmt.Errorf("store %s: %w", key, err)
		}
		return next, b.heard(ctx, func(s *snapshot) bool { return s.revision(kind, client) >= revision })
	}
	return next, fault.Coded(fault.Conflict, "ConcurrentModification", "what is known of %s is being changed by others; try again", client)
}

// remove deletes a record, unless it is another by now than check agrees to.
func (b *Bans) remove(ctx context.Context, kind string, client netip.Prefix, check func(revision uint64) bool) (found bool, err error) {
	if b.kv == nil {
		return false, errNotLoaded
	}
	key := keyOf(kind, client)
	for range attempts {
		var doc json.RawMessage
		revision, there, err := b.stored(ctx, key, &doc)
		if err != nil || !there || !check(revision) {
			return false, err
		}
		err = b.kv.Purge(ctx, key, jetstream.LastRevision(revision), jetstream.PurgeTTL(markerAge))
		if errors.Is(err, jetstream.ErrKeyExists) {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("delete %s: %w", key, err)
		}
		return true, b.heard(ctx, func(s *snapshot) bool { return s.revision(kind, client) != revision })
	}
	return false, fault.Coded(fault.Conflict, "ConcurrentModification", "what is known of %s is being changed by others; try again", client)
}

var errNotLoaded = fault.Errorf(fault.Unavailable, "bans: what is stored has not been loaded yet")

// stored reads a record.
func (b *Bans) stored(ctx context.Context, key string, into any) (revision uint64, there bool, err error) {
	e, err := b.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read %s: %w", key, err)
	}
	if err := json.Unmarshal(e.Value(), into); err != nil {
		return 0, false, fmt.Errorf("stored %s: %w", key, err)
	}
	return e.Revision(), true, nil
}

// revision is that of what is known of a client, 0 for nothing.
func (s *snapshot) revision(kind string, client netip.Prefix) uint64 {
	if kind == banKey {
		if r, ok := s.bans.Get(client); ok {
			return r.revision
		}
		return 0
	}
	if r, ok := s.allowed.Get(client); ok {
		return r.revision
	}
	return 0
}
