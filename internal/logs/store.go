package logs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

const (
	// maxBuffer is what may wait to be stored before records are dropped.
	maxBuffer = 32 << 20
	// maxMessage is what a record may have; a longer one is dropped.
	maxMessage = 8 << 20
	// linger is how long what was appended waits for more, to be stored together.
	linger = 10 * time.Millisecond
	// hurryAt is what does not wait any longer.
	hurryAt = maxFrameBytes
	// maxUnsealed is what may be in no block before storing waits, and muchUnsealed
	// has the keeper make blocks of what is not full.
	maxUnsealed  = 96 << 20
	muchUnsealed = maxUnsealed / 2
	ackWait      = 10 * time.Second
	maxSpare     = 1 << 14 // records that the buffer has room for from the beginning
)

// Store keeps records. Open it before use.
type Store struct {
	Dir      string              // of the records
	Streams  jetstream.JetStream // of the relaxed server: what is known of streams
	State    jetstream.JetStream // of the durable server: what is set up for groups
	Region   string
	Log      *slog.Logger
	MaxAge   time.Duration // 0: 30 days
	MaxBytes int64         // of all groups of the edge together, and of all others, the oldest go first; 0: 1 GB

	mu      sync.Mutex
	buffer  []Record
	whole   [][2]int // parts of buffer that are stored together, sorted
	bytes   int      // of buffer
	dropped int
	lost    uint64 // all that were dropped
	storing bool   // what was in the buffer is being stored
	wake    chan struct{}
	flushes []chan error // told when what was buffered before is stored
	closed  bool
	done    chan struct{}

	archive     *archive
	index       index
	subscribers subscribers
	importing   importing
	kept        chan struct{} // a wake for the keeper
	tend        chan struct{} // closed when there is nothing more to keep
	tended      sync.WaitGroup
	migrated    chan struct{} // closed when what an earlier version has kept is here
}

// Open reads what a crash has left in no block, and begins to store.
func (s *Store) Open(ctx context.Context) (err error) {
	if s.Dir == "" {
		return fault.Errorf(fault.Invalid, "open the log records: it is not said in which directory they are")
	}
	if s.archive, err = openArchive(s.Dir, s.maxBytes(), s.Log); err != nil {
		return fmt.Errorf("open the log records: %w", err)
	}
	if err := s.index.open(ctx, s, s.maxAge()); err != nil {
		return errors.Join(err, s.archive.close())
	}
	s.recall(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake, s.done = make(chan struct{}, 1), make(chan struct{})
	s.kept, s.tend, s.migrated = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	go s.write()
	s.tended.Go(s.keep)
	s.tended.Go(s.migrate)
	return nil
}

// recall has the index know of what it may not have been told before a crash.
func (s *Store) recall(ctx context.Context) {
	var seen tallies
	for _, name := range s.archive.groups() {
		h := s.archive.held[name]
		hidden := s.index.view(name).hidden
		for _, c := range h.chunks {
			for i := range c.records {
				if r := &c.records[i]; c.first+uint64(i) > hidden[r.Stream] {
					seen.count(r)
				}
			}
		}
		if len(h.chunks) == 0 {
			seen.group(name)
		}
	}
	s.index.note(ctx, seen, true)
}

func (s *Store) maxAge() time.Duration {
	if s.MaxAge == 0 {
		return KeptDays * 24 * time.Hour
	}
	return s.MaxAge
}

func (s *Store) maxBytes() int64 {
	if s.MaxBytes == 0 {
		return 1 << 30
	}
	return s.MaxBytes
}

// Append stores a record soon. When records come faster than they can be stored,
// or after Close, it is dropped and counted.
func (s *Store) Append(r Record) {
	s.mu.Lock()
	if s.closed || s.wake == nil || s.bytes > maxBuffer || r.weight() > maxMessage {
		s.dropped++
		s.lost++
		s.mu.Unlock()
		return
	}
	s.buffer = append(s.buffer, r)
	before := s.bytes
	s.bytes += r.weight()
	wake := before == 0 || before < hurryAt && s.bytes >= hurryAt
	s.mu.Unlock()
	if wake {
		s.signal()
	}
}

// signal wakes the writer; a signal that is pending already is enough.
func (s *Store) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// put stores records together and returns when they are durable.
func (s *Store) put(ctx context.Context, records []Record) error {
	done := make(chan error, 1)
	s.mu.Lock()
	if s.closed || s.wake == nil || s.bytes > maxBuffer {
		s.mu.Unlock()
		return fault.Errorf(fault.Unavailable, "log records come faster than they can be stored")
	}
	s.whole = append(s.whole, [2]int{len(s.buffer), len(s.buffer) + len(records)})
	s.buffer = append(s.buffer, records...)
	for i := range records {
		s.bytes += records[i].weight()
	}
	s.flushes = append(s.flushes, done)
	s.mu.Unlock()
	s.signal()
	return await(ctx, done)
}

func await(ctx context.Context, done chan error) error {
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Flush returns when everything appended before is stored.
func (s *Store) Flush(ctx context.Context) error {
	s.mu.Lock()
	if s.closed || s.wake == nil || len(s.buffer) == 0 && !s.storing {
		s.mu.Unlock()
		return nil
	}
	done := make(chan error, 1)
	s.flushes = append(s.flushes, done)
	s.mu.Unlock()
	s.signal()
	_ = await(ctx, done) // what is lost is in the log
	return ctx.Err()
}

// Close stores what is buffered and ends.
func (s *Store) Close() error {
	s.mu.Lock()
	opened, first := s.wake != nil, !s.closed
	s.closed = true
	s.mu.Unlock()
	if !opened {
		return nil
	}
	if first {
		close(s.tend)
		s.signal()
	}
	<-s.done
	s.tended.Wait()
	if !first {
		return nil
	}
	s.subscribers.end()
	return errors.Join(s.archive.tend(time.Now(), true), s.archive.close())
}

// write is the one goroutine that stores.
func (s *Store) write() {
	defer close(s.done)
	var last time.Time // that something was stored
	for {
		<-s.wake
		s.gatherMore(last.Add(linger))
		s.mu.Lock()
		records, whole, dropped, flushes, closed := s.buffer, s.whole, s.dropped, s.flushes, s.closed
		s.buffer, s.whole, s.bytes, s.dropped, s.flushes, s.storing = make([]Record, 0, min(len(records), maxSpare)), nil, 0, 0, nil, true
		s.mu.Unlock()
		err := s.store(records, whole)
		last = time.Now()
		s.mu.Lock()
		s.storing = false
		if err != nil {
			s.lost += uint64(len(records))
		}
		s.mu.Unlock()
		if err != nil {
			s.Log.Error("log records lost", "count", len(records), "err", err)
		}
		if dropped > 0 {
			s.Log.Error("log records dropped: they come faster than they can be stored, or are too long", "count", dropped)
		}
		for _, done := range flushes {
			done <- err
		}
		if closed {
			s.index.keep(context.Background(), 0)
			return
		}
	}
}

// gatherMore waits until a moment for more, unless somebody waits for us. What comes
// after a silence is not kept waiting: what is in no file a kill takes along.
func (s *Store) gatherMore(until time.Time) {
	s.mu.Lock()
	hurry := s.closed || len(s.flushes) > 0 || s.bytes >= hurryAt
	s.mu.Unlock()
	if hurry {
		return
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-s.wake: // a flush, or many
	case <-timer.C:
	}
}

// store makes records durable, together.
func (s *Store) store(records []Record, whole [][2]int) error {
	if len(records) == 0 {
		return nil
	}
	s.nudge()
	if err := s.archive.room(ackWait); err != nil {
		return err
	}
	chunks, err := s.archive.append(batches(records, whole))
	if err != nil {
		return err
	}
	var seen tallies
	for _, c := range chunks {
		seen.add(c)
	}
	ctx, cancel := context.WithTimeout(context.Background(), ackWait)
	defer cancel()
	s.index.note(ctx, seen, false)
	for _, c := range chunks {
		s.subscribers.tell(c)
	}
	s.nudge()
	return nil
}

// nudge wakes the keeper if there is something for it.
func (s *Store) nudge() {
	if !s.archive.due() {
		return
	}
	select {
	case s.kept <- struct{}{}:
	default:
	}
}

// batches splits records by size, but not within the parts that are to be stored
// together.
func batches(records []Record, whole [][2]int) [][]Record {
	var list [][]Record
	from, size := 0, 0
	for i := range records {
		for len(whole) > 0 && whole[0][1] <= i {
			whole = whole[1:]
		}
		if within := len(whole) > 0 && whole[0][0] < i; size > maxFrameBytes && !within {
			list = append(list, records[from:i:i])
			from, size = i, 0
		}
		size += records[i].weight()
	}
	return append(list, records[from:])
}
