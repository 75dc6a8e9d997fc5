package process

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/dropstack/dropstack/services/drops/blob"
	"github.com/dropstack/dropstack/services/drops/store"
	"github.com/dropstack/dropstack/services/wire"
)

// Publisher is what sweeping and the API need of a bus.
type Publisher interface {
	Publish(ctx context.Context, topic string, e wire.DropEvent) error
}

// Sweeper ends what is over and finishes what was left undone. All fields are
// required.
type Sweeper struct {
	Store     store.Store
	Blobs     blob.Store
	Bus       Publisher
	Bucket    string
	OrphanAge time.Duration // objects younger than this may belong to an upload that goes on
	Log       *slog.Logger
}

// batch bounds what is taken from the store at once.
const batch = 200

// unsent is how old a message must be for another process to send it again.
const unsent = 30 * time.Second

// Expire deletes drops whose time or views are over, deletes objects that are
// due, sends events that were not sent, and forgets what is old.
func (s *Sweeper) Expire(ctx context.Context) error {
	began, now := time.Now(), time.Now()
	expired, err := s.expire(ctx, now)
	sent, sendErr := s.Flush(ctx, now.Add(-unsent))
	objects, collectErr := s.Collect(ctx, now)
	err = errors.Join(err, sendErr, collectErr, s.Store.Prune(ctx, now))
	s.Log.InfoContext(ctx, "expired drops deleted", "drops", expired, "objects", objects, "events", sent, "took", time.Since(began).String())
	return err
}

func (s *Sweeper) expire(ctx context.Context, now time.Time) (n int, err error) {
	for {
		codes, err := s.Store.Due(ctx, now, batch)
		if err != nil {
			return n, err
		}
		for _, code := range codes {
			switch err := s.Remove(ctx, code, now); {
			case err == nil:
				n++
			case !errors.Is(err, store.ErrGone) && !errors.Is(err, store.ErrNotFound):
				return n, err
			}
		}
		if len(codes) < batch {
			return n, nil
		}
	}
}

// Remove turns a drop into a tombstone and announces it. The bytes follow with
// Collect.
func (s *Sweeper) Remove(ctx context.Context, code string, now time.Time) error {
	_, message, err := s.Store.Delete(ctx, code, now)
	if err != nil {
		return err
	}
	s.Announce(ctx, message)
	return nil
}

// Announce publishes messages. One that cannot be published stays in the outbox,
// from where the sweeps send it again.
func (s *Sweeper) Announce(ctx context.Context, messages ...store.Message) {
	for _, m := range messages {
		err := s.Bus.Publish(ctx, m.Topic, m.Event)
		if err == nil {
			err = s.Store.Sent(ctx, m)
		}
		if err != nil {
			s.Log.ErrorContext(ctx, "event stays in the outbox", "topic", m.Topic, "code", m.Event.Code, "err", err)
		}
	}
}

// Flush sends messages of the outbox that are older than before.
func (s *Sweeper) Flush(ctx context.Context, before time.Time) (n int, err error) {
	for {
		messages, err := s.Store.Outbox(ctx, before, batch)
		if err != nil {
			return n, err
		}
		for _, m := range messages {
			if err := s.Bus.Publish(ctx, m.Topic, m.Event); err != nil {
				return n, err
			}
			if err := s.Store.Sent(ctx, m); err != nil {
				return n, err
			}
			n++
		}
		if len(messages) < batch {
			return n, nil
		}
	}
}

// Collect deletes objects whose drops no longer need them.
func (s *Sweeper) Collect(ctx context.Context, now time.Time) (n int, err error) {
	for {
		objects, err := s.Store.Garbage(ctx, now, batch)
		if err != nil {
			return n, err
		}
		for _, o := range objects {
			if err := s.Blobs.Delete(ctx, o.Bucket, o.Key); err != nil {
				return n, err
			}
			if err := s.Store.Collected(ctx, o); err != nil {
				return n, err
			}
			n++
		}
		if len(objects) < batch {
			return n, nil
		}
	}
}

// Orphans deletes objects that no drop owns: of uploads that were cut, of
// functions that died in between. It also sends what was not sent.
func (s *Sweeper) Orphans(ctx context.Context) error {
	began, deleted := time.Now(), 0
	var errs []error
	for _, prefix := range []string{"uploads/", "derived/"} {
		errs = append(errs, s.Blobs.Each(ctx, s.Bucket, prefix, func(o blob.Object) error {
			if began.Sub(o.Modified) < s.OrphanAge {
				return nil
			}
			owned, err := s.Store.Owns(ctx, s.Bucket, o.Key)
			if err != nil || owned {
				return err
			}
			deleted++
			return s.Blobs.Delete(ctx, s.Bucket, o.Key)
		}))
	}
	sent, err := s.Flush(ctx, began.Add(-unsent))
	s.Log.InfoContext(ctx, "orphans swept", "objects", deleted, "events", sent, "took", time.Since(began).String())
	return errors.Join(append(errs, err)...)
}
