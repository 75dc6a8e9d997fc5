package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Streams in which earlier versions kept records, as JSON: those of one batch a message.
// A cursor was the sequence of a batch, shifted, and the place within it and 1.
var earlierStreams = []string{"logs", "edge-logs"}

const earlierBits = 12

// migrate imports what an earlier version has kept, and removes it there. Until that is
// done it is not found, and nothing can be deleted; a crash has it begin again.
func (s *Store) migrate() {
	defer close(s.migrated)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-s.tend:
			cancel()
		case <-ctx.Done():
		}
	}()
	for _, name := range earlierStreams {
		if err := s.migrateStream(ctx, name); err != nil {
			if ctx.Err() == nil {
				s.Log.Error("the log records of an earlier version are not taken over; the next start tries again", "stream", name, "err", err)
			}
			return
		}
	}
	if err := s.index.migrated(ctx); err != nil {
		s.Log.Error("log groups are not stored", "err", err)
	}
}

func (s *Store) migrateStream(ctx context.Context, name string) error {
	stream, err := s.Streams.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	id := "jetstream/" + name
	if !s.archive.imported(id) {
		i := &imports{archive: s.archive, id: id, from: 1, makings: map[string]*making{}, oldest: time.Now().Add(-s.maxAge())}
		n, err := i.run(ctx, s.earlier(ctx, stream))
		if err != nil {
			return err
		}
		s.index.note(ctx, i.seen, true)
		s.Log.Info("log records of an earlier version taken over", "stream", name, "count", n)
	}
	return s.Streams.DeleteStream(ctx, name)
}

// earlier are the records of a stream that are not hidden.
func (s *Store) earlier(ctx context.Context, stream jetstream.Stream) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		info, err := stream.Info(ctx)
		if err != nil {
			yield(Record{}, err)
			return
		}
		consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
		if err != nil {
			yield(Record{}, err)
			return
		}
		hidden := map[string]map[string]uint64{}
		for left := info.State.Msgs; left > 0; {
			msg, err := consumer.Next(jetstream.FetchContext(ctx))
			if err != nil {
				yield(Record{}, fmt.Errorf("read: %w", err))
				return
			}
			meta, err := msg.Metadata()
			if err != nil {
				yield(Record{}, err)
				return
			}
			var batch []Record
			if json.Unmarshal(msg.Data(), &batch) != nil {
				batch = nil // not one of ours
			}
			for k, r := range batch {
				of, known := hidden[r.Group]
				if !known {
					of = s.index.earlier(r.Group)
					hidden[r.Group] = of
				}
				if meta.Sequence.Stream<<earlierBits|uint64(k+1) > of[r.Stream] && !yield(r, nil) {
					return
				}
			}
			left--
			if meta.Sequence.Stream >= info.State.LastSeq {
				return
			}
		}
	}
}

// earlier are the cursors up to which the records of streams were deleted in an
// earlier version.
func (x *index) earlier(name string) map[string]uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	if g := x.known[name]; g != nil {
		return g.Earlier
	}
	return nil
}

// migrated has cursors of an earlier version be forgotten.
func (x *index) migrated(ctx context.Context) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	var errs []error
	for _, g := range x.known {
		if g.Earlier == nil {
			continue
		}
		next := *g
		next.Earlier = nil
		if err := x.save(ctx, &next); err != nil {
			errs = append(errs, err)
			continue
		}
		g.Earlier = nil
	}
	return errors.Join(errs...)
}

// settled waits until everything that was appended before, or kept by an earlier
// version, is here, so that it can be deleted.
func (s *Store) settled(ctx context.Context) error {
	select {
	case <-s.migrated:
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.Flush(ctx)
}
