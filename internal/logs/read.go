package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

const (
	defaultLimit = 1000
	maxLimit     = 10000
	// late is how long after its records a batch may be stored, unless the group is
	// loose.
	late = time.Minute
)

// Filter returns a page of records, oldest first, including what was appended
// just now. next is the cursor for Filter.After, or 0 when there is no more.
func (s *Store) Filter(ctx context.Context, f Filter) (page []Record, next uint64, err error) {
	limit, err := f.limit()
	if err != nil {
		return nil, 0, err
	}
	err = s.each(ctx, f, func(place uint64, r Record) bool {
		if len(page) == limit {
			next = place - 1
			return false
		}
		page = append(page, r)
		return true
	})
	if err != nil {
		return nil, 0, err
	}
	return page, next, nil
}

// each visits the wanted records with their cursors, until visit returns false.
func (s *Store) each(ctx context.Context, f Filter, visit func(place uint64, r Record) (more bool)) error {
	if err := s.Flush(ctx); err != nil {
		return err
	}
	f.view = s.index.view(f.Group)
	stream := s.streams[streamOf(f.Group)]
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubject: subject(f.Group), DeliverPolicy: f.policy(), OptStartSeq: f.startSeq(), OptStartTime: f.startTime(),
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: 30 * time.Second,
	})
	if err != nil {
		return fmt.Errorf("read the log of %s: %w", f.Group, err)
	}
	defer func() { // the server would remove it after the threshold
		_ = stream.DeleteConsumer(context.WithoutCancel(ctx), consumer.CachedInfo().Name)
	}()
	left := consumer.CachedInfo().NumPending
	for left > 0 {
		msgs, err := consumer.Fetch(int(min(left, 256)), jetstream.FetchContext(ctx))
		if err != nil {
			return fmt.Errorf("read the log of %s: %w", f.Group, err)
		}
		got := 0
		for msg := range msgs.Messages() {
			got++
			for place, r := range f.match(msg) {
				if !visit(place, r) {
					return nil
				}
			}
			if f.beyond(msg) {
				return nil
			}
		}
		if err := msgs.Error(); err != nil {
			return fmt.Errorf("read the log of %s: %w", f.Group, err)
		}
		if got == 0 {
			break // expired while we were reading
		}
		left -= min(left, uint64(got))
	}
	return nil
}

// beyond says that nothing that is wanted can follow.
func (f Filter) beyond(msg jetstream.Msg) bool {
	if f.End.IsZero() || f.view.loose {
		return false
	}
	meta, err := msg.Metadata()
	return err == nil && meta.Timestamp.Add(-late).After(f.End)
}

// match yields the wanted records of a batch with their cursors.
func (f Filter) match(msg jetstream.Msg) iter.Seq2[uint64, Record] {
	return func(yield func(uint64, Record) bool) {
		meta, err := msg.Metadata()
		if err != nil {
			return
		}
		var batch []Record
		if json.Unmarshal(msg.Data(), &batch) != nil {
			return // not one of ours
		}
		for i, r := range batch {
			place := meta.Sequence.Stream<<batchBits | uint64(i+1)
			if place > f.After && place > f.view.hidden[r.Stream] && f.wants(r) && !yield(place, r) {
				return
			}
		}
	}
}

func (f Filter) wants(r Record) bool {
	return (f.Start.IsZero() || !r.Time.Before(f.Start)) &&
		(f.End.IsZero() || r.Time.Before(f.End)) &&
		!r.Time.Before(f.view.oldest) &&
		(f.Request == "" || r.Request == f.Request) &&
		(len(f.Streams) == 0 || slices.Contains(f.Streams, r.Stream)) &&
		strings.HasPrefix(r.Stream, f.Stream) &&
		f.Pattern.Match(r.Message)
}

// Follow yields the records of a group as they are stored, beginning with those
// from f.Start on, or from now on when it is zero and there is no cursor. It
// ends with ctx, without an error. Limit and End do not matter.
func (s *Store) Follow(ctx context.Context, f Filter) iter.Seq2[Record, error] {
	f.End = time.Time{}
	if f.Start.IsZero() && f.After == 0 {
		f.Start = time.Now()
	}
	return func(yield func(Record, error) bool) {
		f.view = s.index.view(f.Group)
		consumer, err := s.Streams.OrderedConsumer(ctx, streamOf(f.Group), jetstream.OrderedConsumerConfig{
			FilterSubjects: []string{subject(f.Group)}, DeliverPolicy: f.policy(), OptStartSeq: f.startSeq(), OptStartTime: f.startTime(),
		})
		if err != nil {
			yield(Record{}, fmt.Errorf("follow the log of %s: %w", f.Group, err))
			return
		}
		msgs, err := consumer.Messages()
		if err != nil {
			yield(Record{}, fmt.Errorf("follow the log of %s: %w", f.Group, err))
			return
		}
		defer msgs.Stop()
		for {
			msg, err := msgs.Next(jetstream.NextContext(ctx))
			if ctx.Err() != nil || errors.Is(err, jetstream.ErrMsgIteratorClosed) {
				return
			}
			if err != nil {
				yield(Record{}, fmt.Errorf("follow the log of %s: %w", f.Group, err))
				return
			}
			for _, r := range f.match(msg) {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

func (f Filter) limit() (int, error) {
	switch {
	case f.Limit < 0 || f.Limit > maxLimit:
		return 0, fault.Errorf(fault.Invalid, "limit %d is not between 1 and %d", f.Limit, maxLimit)
	case f.Limit == 0:
		return defaultLimit, nil
	}
	return f.Limit, nil
}

func (f Filter) policy() jetstream.DeliverPolicy {
	switch {
	case f.After != 0:
		return jetstream.DeliverByStartSequencePolicy
	case !f.Start.IsZero():
		return jetstream.DeliverByStartTimePolicy
	}
	return jetstream.DeliverAllPolicy
}

func (f Filter) startSeq() uint64 { return max(1, f.After>>batchBits) * min(1, f.After) }

func (f Filter) startTime() *time.Time {
	if f.policy() != jetstream.DeliverByStartTimePolicy {
		return nil
	}
	early := f.Start.Add(-punctual) // what is of then may have come before
	if f.view.loose {
		early = f.Start.Add(-ahead)
	}
	return &early
}
