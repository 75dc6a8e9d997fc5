package logs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// expireHourly lets go of what is older than its group's retention, until Close.
// It is hidden from readers before.
func (s *Store) expireHourly() {
	defer close(s.tended)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for {
		select {
		case <-s.tend:
			return
		case <-time.After(time.Hour):
		}
		if err := s.Expire(ctx); err != nil {
			s.Log.Error("old log records are not removed", "err", err)
		}
	}
}

// Expire removes what is older than its group's retention, now.
func (s *Store) Expire(ctx context.Context) error {
	var errs []error
	for name, cutoff := range s.index.expire(s.maxAge()) {
		errs = append(errs, s.purge(ctx, name, cutoff))
	}
	return errors.Join(errs...)
}

// expire forgets old streams and returns the groups that have a retention, with
// the moment before which everything goes.
func (x *index) expire(age time.Duration) map[string]time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	cutoffs := map[string]time.Time{}
	for name, g := range x.known {
		cutoff := time.Now().Add(-age)
		if g.Retention > 0 {
			if own := time.Now().AddDate(0, 0, -g.Retention); own.After(cutoff) {
				cutoff = own
			}
			cutoffs[name] = cutoff
		}
		for stream, st := range g.streams {
			if st.Last != 0 && max(st.Last, st.Came) < cutoff.UnixMilli() {
				delete(g.streams, stream)
			}
		}
	}
	return cutoffs
}

// purge removes the batches of a group that came before a moment.
func (s *Store) purge(ctx context.Context, name string, cutoff time.Time) error {
	stream := s.streams[streamOf(name)]
	state, err := stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("expire the log of %s: %w", name, err)
	}
	keep := state.State.LastSeq + 1 // what comes from now on, and perhaps more
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubject: subject(name), DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &cutoff,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: 30 * time.Second,
	})
	if err != nil {
		return fmt.Errorf("expire the log of %s: %w", name, err)
	}
	info := consumer.CachedInfo()
	defer func() { _ = stream.DeleteConsumer(context.WithoutCancel(ctx), info.Name) }()
	if info.NumPending > 0 {
		msg, err := consumer.Next(jetstream.FetchContext(ctx))
		if err != nil {
			return fmt.Errorf("expire the log of %s: %w", name, err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("expire the log of %s: %w", name, err)
		}
		keep = min(keep, meta.Sequence.Stream)
	}
	if err := stream.Purge(ctx, jetstream.WithPurgeSubject(subject(name)), jetstream.WithPurgeSequence(keep)); err != nil {
		return fmt.Errorf("expire the log of %s: %w", name, err)
	}
	return nil
}
