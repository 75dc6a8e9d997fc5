package cloudformation

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret/store"
)

// Records, all sealed. In the bucket:
//
//	stack.UUID           a stack
//	set.UUID.UUID        a change set, and the stack it is of
//
// and in the one for events:
//
//	events.UUID.NUMBER   a lot of events of a stack, the oldest first
const (
	stackKind  = "stack"
	setKind    = "set"
	eventsKind = "events"
)

const (
	keepDeleted = 90 * 24 * time.Hour // as CloudFormation does
	mostDeleted = 1000                // deleted stacks
)

// Load reads what is stored. ctx is the platform's: when it ends, changes that are
// under way stop where they are, and the next Run finds them.
func (s *Stacks) Load(ctx context.Context) error {
	s.base = ctx
	s.stacks, s.sets = map[string]*stack{}, map[string]*changeSet{}
	records, err := s.Bucket.Load(ctx)
	if err != nil {
		return fmt.Errorf("stacks: %w", err)
	}
	for _, record := range records {
		kind, parts, err := store.Parts(record.Key)
		if err != nil {
			return fmt.Errorf("stacks: %w", err)
		}
		switch kind {
		case stackKind:
			st := &stack{revision: record.Revision}
			if err := s.open(record, st); err != nil {
				return err
			}
			s.stacks[parts[0]] = st
			if st.Work != nil && st.busy() {
				s.left = append(s.left, st)
			}
		case setKind:
			set := &changeSet{revision: record.Revision}
			if err := s.open(record, set); err != nil {
				return err
			}
			s.sets[set.ID] = set
		}
	}
	return s.forget(ctx)
}

func (s *Stacks) open(record store.Record, into any) error {
	doc, err := s.Sealer.Open(record.Value, []byte(record.Key))
	if err != nil {
		return fmt.Errorf("record %s of stacks: %w", record.Key, err)
	}
	if err := json.Unmarshal(doc, into); err != nil {
		return fmt.Errorf("record %s of stacks is damaged", record.Key) // the cause would quote it
	}
	return nil
}

// write stores a record in place of the one at a revision, 0 when there is none.
func (s *Stacks) write(ctx context.Context, bucket store.Bucket, key string, v any, revision uint64) (uint64, error) {
	doc, err := json.Marshal(v)
	if err != nil {
		return 0, err
	}
	sealed, err := s.Sealer.Seal(doc, []byte(key))
	if err != nil {
		return 0, err
	}
	next, err := bucket.Update(context.WithoutCancel(ctx), key, sealed, revision)
	if err != nil {
		return 0, fault.Errorf(fault.Unavailable, "keep a stack: %w", err)
	}
	return next, nil
}

// put stores a stack with events that have happened to it: the events first, so
// that whoever sees a stack done sees how. The lock is held.
func (s *Stacks) put(ctx context.Context, st *stack, events []event) error {
	if len(events) > 0 {
		key := store.Key(eventsKind, st.uuid(), fmt.Sprint(st.Chunks))
		if _, err := s.write(ctx, s.Events, key, events, s.lot(ctx, key)); err != nil {
			return err
		}
		st.Chunks++
	}
	revision, err := s.write(ctx, s.Bucket, store.Key(stackKind, st.uuid()), st, st.revision)
	if err != nil {
		return err
	}
	st.revision = revision
	s.stacks[st.uuid()] = st
	return nil
}

// lot is the revision of a lot of events that was written before a crash, whose
// stack was not; 0 when there is none.
func (s *Stacks) lot(ctx context.Context, key string) uint64 {
	record, err := s.Events.Get(ctx, key)
	if err != nil {
		return 0
	}
	return record.Revision
}

func (s *Stacks) putSet(ctx context.Context, set *changeSet) error {
	revision, err := s.write(ctx, s.Bucket, store.Key(setKind, set.uuid(), set.stackUUID()), set, set.revision)
	if err != nil {
		return err
	}
	set.revision = revision
	s.sets[set.ID] = set
	return nil
}

func (s *Stacks) dropSet(ctx context.Context, set *changeSet) error {
	if err := s.Bucket.Erase(context.WithoutCancel(ctx), store.Key(setKind, set.uuid(), set.stackUUID()), set.revision); err != nil {
		return fault.Errorf(fault.Unavailable, "delete a change set: %w", err)
	}
	delete(s.sets, set.ID)
	return nil
}

// forget removes deleted stacks that are old, or too many.
func (s *Stacks) forget(ctx context.Context) error {
	var gone []*stack
	for _, st := range s.stacks {
		if !st.here() {
			gone = append(gone, st)
		}
	}
	slices.SortFunc(gone, func(a, b *stack) int { return cmp.Compare(b.Deleted.UnixNano(), a.Deleted.UnixNano()) })
	for i, st := range gone {
		if i < mostDeleted && time.Since(st.Deleted) < keepDeleted {
			continue
		}
		for n := range st.Chunks {
			key := store.Key(eventsKind, st.uuid(), fmt.Sprint(n))
			if revision := s.lot(ctx, key); revision > 0 {
				if err := s.Events.Erase(ctx, key, revision); err != nil {
					return fmt.Errorf("forget the stack %s: %w", st.ID, err)
				}
			}
		}
		if err := s.Bucket.Erase(ctx, store.Key(stackKind, st.uuid()), st.revision); err != nil {
			return fmt.Errorf("forget the stack %s: %w", st.ID, err)
		}
		delete(s.stacks, st.uuid())
	}
	return nil
}
