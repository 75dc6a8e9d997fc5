package logs

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/wire"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// Groups of the edge have a stream of their own: a line for every request would
	// push out what functions have said.
	streamName = "logs"
	edgeStream = "edge-logs"
	// maxBatch is the number of records stored as one message; a cursor has
	// batchBits for the place within it.
	batchBits = 12
	maxBatch  = 1<<batchBits - 1
	// maxBatchBytes of messages; JSON escapes may multiply it by six, and the
	// server takes 8 MB. One record may be larger by itself.
	maxBatchBytes = 512 << 10
	// maxBuffer is what may wait to be stored before records are dropped.
	maxBuffer = 32 << 20
	linger    = 10 * time.Millisecond
	ackWait   = 10 * time.Second
)

// Store keeps records in JetStream. Open it before use.
type Store struct {
	Streams  jetstream.JetStream // of the relaxed server: the loss of a moment's log is bearable
	State    jetstream.JetStream // of the durable server: what is set up for groups
	Region   string
	Log      *slog.Logger
	MaxAge   time.Duration // 0: 30 days
	MaxBytes int64         // of all groups of the edge together, and of all others, the oldest go first; 0: 1 GB

	mu      sync.Mutex
	buffer  []Record
	bytes   int // of messages in buffer
	dropped int
	wake    chan struct{}
	flushes []chan struct{} // closed when what was buffered before is stored
	closed  bool
	done    chan struct{}
	streams map[string]jetstream.Stream // by name
	index   index
	tend    chan struct{} // closed when there is nothing more to expire
	tended  chan struct{}
}

// Open makes the stream and begins to store.
func (s *Store) Open(ctx context.Context) error {
	age, size := s.maxAge(), s.MaxBytes
	if size == 0 {
		size = 1 << 30
	}
	streams := map[string]jetstream.Stream{}
	for _, name := range []string{streamName, edgeStream} {
		stream, err := s.Streams.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name: name, Subjects: []string{name + ".>"}, Storage: jetstream.FileStorage,
			Compression: jetstream.S2Compression, MaxAge: age, MaxBytes: size, Discard: jetstream.DiscardOld,
		})
		if err != nil {
			return fmt.Errorf("open the log stream %s: %w", name, err)
		}
		streams[name] = stream
	}
	if err := s.index.open(ctx, s, age); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams, s.wake, s.done = streams, make(chan struct{}, 1), make(chan struct{})
	s.tend, s.tended = make(chan struct{}), make(chan struct{})
	go s.write()
	go s.expireHourly()
	return nil
}

func (s *Store) maxAge() time.Duration {
	if s.MaxAge == 0 {
		return KeptDays * 24 * time.Hour
	}
	return s.MaxAge
}

// Append stores a record soon. When records come faster than they can be stored,
// or after Close, it is dropped and counted.
func (s *Store) Append(r Record) {
	s.mu.Lock()
	if s.closed || s.wake == nil || s.bytes > maxBuffer {
		s.dropped++
		s.mu.Unlock()
		return
	}
	s.buffer = append(s.buffer, r)
	s.bytes += len(r.Message) + 64
	first := len(s.buffer) == 1
	s.mu.Unlock()
	if first {
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

// Flush returns when everything appended before is stored.
func (s *Store) Flush(ctx context.Context) error {
	done := make(chan struct{})
	s.mu.Lock()
	if s.closed || s.wake == nil {
		s.mu.Unlock()
		return nil
	}
	s.flushes = append(s.flushes, done)
	s.mu.Unlock()
	s.signal()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
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
	<-s.tended
	return nil
}

// write is the one goroutine that stores.
func (s *Store) write() {
	defer close(s.done)
	for {
		<-s.wake
		s.gather()
		s.mu.Lock()
		records, dropped, flushes, closed := s.buffer, s.dropped, s.flushes, s.closed
		s.buffer, s.bytes, s.dropped, s.flushes = nil, 0, 0, nil
		s.mu.Unlock()
		s.store(records)
		if dropped > 0 {
			s.Log.Error("log records dropped: they come faster than they can be stored", "count", dropped)
		}
		for _, done := range flushes {
			close(done)
		}
		if closed {
			s.index.keep(context.Background(), 0)
			return
		}
	}
}

// gather waits a moment for more, unless somebody waits for us.
func (s *Store) gather() {
	s.mu.Lock()
	hurry := s.closed || len(s.flushes) > 0
	s.mu.Unlock()
	if hurry {
		return
	}
	select {
	case <-s.wake: // a flush: records come without a signal now
	case <-time.After(linger):
	}
}

func (s *Store) store(records []Record) {
	ctx, cancel := context.WithTimeout(context.Background(), ackWait)
	defer cancel()
	if err := s.publish(ctx, records); err != nil {
		s.Log.Error("log records lost", "err", err)
	}
	s.index.note(ctx, records)
}

// publish stores records. On an error some of them may be stored.
func (s *Store) publish(ctx context.Context, records []Record) error {
	var acks []jetstream.PubAckFuture
	var errs []error
	for _, b := range batches(records) {
		ack, err := s.Streams.PublishAsync(subject(b[0].Group), encode(b))
		if err != nil {
			errs = append(errs, fmt.Errorf("store %d records: %w", len(b), err))
			continue
		}
		acks = append(acks, ack)
	}
	for _, ack := range acks {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			errs = append(errs, err)
		case <-ctx.Done():
			return errors.Join(append(errs, errors.New("the engine did not confirm log records in time"))...)
		}
	}
	return errors.Join(errs...)
}

// encode is the JSON that encoding/json makes of records, at a fraction of its cost:
// the edge writes one of every request.
func encode(records []Record) []byte {
	size := 2
	for _, r := range records {
		size += len(r.Message) + len(r.Message)/8 + len(r.Group) + len(r.Stream) + len(r.Request) + 96
	}
	b := append(make([]byte, 0, size), '[')
	for i, r := range records {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"time":"`...)
		b = r.Time.AppendFormat(b, time.RFC3339Nano)
		b = wire.AppendString(append(b, `","group":`...), r.Group)
		b = wire.AppendString(append(b, `,"stream":`...), r.Stream)
		if r.Request != "" {
			b = wire.AppendString(append(b, `,"request":`...), r.Request)
		}
		b = wire.AppendString(append(b, `,"message":`...), r.Message)
		b = append(b, '}')
	}
	return append(b, ']')
}

// batches splits records by group, keeping their order, and by size.
func batches(records []Record) [][]Record {
	type open struct{ at, bytes int }
	var list [][]Record
	last := map[string]open{}
	for _, r := range records {
		o, ok := last[r.Group]
		if !ok || len(list[o.at]) == maxBatch || o.bytes+len(r.Message) > maxBatchBytes {
			o = open{at: len(list)}
			list = append(list, nil)
		}
		list[o.at] = append(list[o.at], r)
		o.bytes += len(r.Message)
		last[r.Group] = o
	}
	return list
}

// The edge's groups: of its distributions, and of requests that none answers.
const (
	DistributionGroup = "/aws/cloudfront/" // and the ID
	EdgeGroup         = "/dropstack/edge"
)

// streamOf names the stream that has a group's records.
func streamOf(group string) string {
	if group == EdgeGroup || strings.HasPrefix(group, DistributionGroup) {
		return edgeStream
	}
	return streamName
}

func subject(group string) string {
	if group == "" {
		return streamName + ".-"
	}
	return streamOf(group) + ".g" + base64.RawURLEncoding.EncodeToString([]byte(group))
}
