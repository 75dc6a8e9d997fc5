// Package accesslog writes down what the edge has answered: as CloudFront's standard
// log, gzip objects in the distribution's bucket; as records of the log store; and as
// a stream that functions read within a second, in the form of CloudFront's real-time
// log in a Kinesis stream.
//
// A request is not kept waiting. Its record goes into a queue for each of the three
// sinks, and what a full queue cannot take is lost: counted, and said in the log. From
// there on
//
//   - lines for objects are written to a file within a moment, and the file is synced
//     every second: the death of the process loses the moment, that of the machine the
//     second. A file that is a minute old, or large enough, is put as an object under
//     a name that it has had from the start, so that putting it again after a crash
//     overwrites the same object (spool.go, ship.go);
//   - the log store gathers records on its own and may lose the last moment in a crash;
//   - readers of the stream get records that have come since they are there, in order,
//     from memory. A crash, or a function that fails for long, loses them (feed.go).
//
// Objects are put inside the process, which is no request to the edge: a log never
// makes lines of its own.
package accesslog

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/logs"
)

// Stream is the name of the stream of all access records,
// arn:aws:kinesis:REGION:ACCOUNT:stream/edge-access.
const Stream = "edge-access"

// Names of the sinks in the log and the metric of lost records. That of a reader of
// the stream is its ID.
const (
	toObjects = "objects"
	toLogs    = "logs"
	toStream  = "stream"
)

// linger is how long sinks wait for more once a record has come.
const linger = 50 * time.Millisecond

// grace is how long the end of Run may take to put objects, and to invoke functions.
const grace = 10 * time.Second

// Store is what the log needs of the object store.
type Store interface {
	Put(ctx context.Context, bucket, key string, r io.Reader, size int64, o engine.PutOptions) (engine.Object, error)
}

// Log takes the edge's records. Its methods may be called at the same time.
type Log struct {
	Dir     string // of the files that are no objects yet
	Objects Store
	Logs    logs.Appender
	Invoker function.Invokes
	Region  string
	Log     *slog.Logger
	// Destination says where the objects of a distribution go, nil: nowhere.
	Destination func(distribution string) *edge.LogTo
	// Role is the ARN of the role that a function has. Optional.
	Role func(function string) string
	// Lost counts records that did not reach a sink. Optional.
	Lost func(sink string, n int)

	Every time.Duration // how old a file gets until it is an object; 0: a minute
	Bytes int64         // how large, uncompressed; 0: 8 MB
	Limit int64         // bytes of all files that are no objects yet, of which the oldest go first; 0: 512 MB
	// Waiting is how many records may wait for a reader of the stream, of which the
	// oldest go first; 0: 20,000.
	Waiting int

	objects, messages, records *queue
	spool                      *spool
	readers                    readers
}

// Reader is a function that gets the stream's records.
type Reader struct {
	Stack    string        `json:"stack"`
	ID       string        `json:"id"`       // UUID of the event source mapping
	Function string        `json:"function"` // ARN
	Batch    int           `json:"batch"`    // records of one invocation, 1 to 10,000; 0: 100
	Window   time.Duration `json:"window"`   // how long a batch may wait to fill, up to 5 minutes; 0: half a second
	Disabled bool          `json:"disabled,omitempty"`
}

// Open finds what an earlier process has left to be put. Records are taken from then on.
func (l *Log) Open() (err error) {
	l.objects, l.messages, l.records = newQueue(), newQueue(), newQueue()
	l.spool, err = l.openSpool()
	return err
}

// Record takes the record of one request. It does not wait.
func (l *Log) Record(r edge.AccessRecord) {
	l.objects.put(&r)
	l.messages.put(&r)
	if l.readers.some.Load() {
		l.records.put(&r)
	}
}

// Run writes until ctx ends and everything recorded before is where it belongs, or on
// disk for the next start. It is to end after the edge has.
func (l *Log) Run(ctx context.Context) {
	var sinks sync.WaitGroup
	sinks.Go(func() { l.spool.run(ctx) })
	sinks.Go(func() { l.spool.ship(ctx) })
	sinks.Go(func() { l.drain(ctx, l.messages, toLogs, l.tell) })
	sinks.Go(func() {
		l.readers.start(l)
		l.drain(ctx, l.records, toStream, l.readers.send)
		l.readers.end()
	})
	sinks.Wait()
}

// lasting is a context that ends a while after ctx has.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-late.Done():
		}
	})
	return late, func() { stop(); cancel() }
}

// drain hands what a queue gets to its sink, until ctx ends and the queue is empty.
func (l *Log) drain(ctx context.Context, q *queue, sink string, take func([]*edge.AccessRecord)) {
	for {
		last := q.wait(ctx, nil)
		records, lost := q.take(last)
		l.lose(sink, lost)
		take(records)
		if last && len(records) == 0 {
			return
		}
	}
}

// lose says that records were lost.
func (l *Log) lose(sink string, n int, why ...any) {
	if n == 0 {
		return
	}
	if l.Lost != nil {
		l.Lost(sink, n)
	}
	l.Log.Error("access records lost", append([]any{"sink", sink, "count", n}, why...)...)
}

// queue holds records on their way to a sink.
type queue struct {
	mu      sync.Mutex
	records []*edge.AccessRecord
	spare   []*edge.AccessRecord // of what was taken last, for the next
	lost    int
	told    time.Time // when that was asked for last
	wake    chan struct{}
}

// maxQueue is how many records may wait for a sink.
const maxQueue = 16 << 10

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

func (q *queue) put(r *edge.AccessRecord) {
	q.mu.Lock()
	if len(q.records) >= maxQueue {
		q.lost++
		q.mu.Unlock()
		return
	}
	q.records = append(q.records, r)
	first := len(q.records) == 1
	q.mu.Unlock()
	if first {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// wait returns a moment after records have come, when due fires, or when ctx has
// ended, which it says.
func (q *queue) wait(ctx context.Context, due <-chan time.Time) (last bool) {
	select {
	case <-q.wake:
	case <-due:
		return false
	case <-ctx.Done():
		return true
	}
	moment := time.NewTimer(linger)
	defer moment.Stop()
	select {
	case <-moment.C:
	case <-ctx.Done():
	}
	return false
}

// take returns what waits, valid until the next take, and once in a second or at last
// how much was lost.
func (q *queue) take(last bool) (records []*edge.AccessRecord, lost int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	records = q.records
	clear(q.spare)
	q.records, q.spare = q.spare[:0], records
	if now := time.Now(); last || now.Sub(q.told) >= time.Second {
		lost, q.lost, q.told = q.lost, 0, now
	}
	return records, lost
}

// tell appends records to the log store.
func (l *Log) tell(records []*edge.AccessRecord) {
	var message []byte
	for _, r := range records {
		message = appendMessage(message[:0], r)
		l.Logs.Append(logs.Record{
			Time: ended(r), Group: group(r.Distribution), Stream: edge.Location, Request: r.Request,
			Message: string(message), Fields: fields(r),
		})
	}
}

// fields are what a line of CloudFront's has no place for.
func fields(r *edge.AccessRecord) []logs.Field {
	if r.Trace == "" {
		return nil
	}
	return []logs.Field{{Name: logs.FieldTrace, Value: r.Trace}}
}

func group(distribution string) string {
	if distribution == "" {
		return logs.EdgeGroup
	}
	return logs.DistributionGroup + distribution
}
