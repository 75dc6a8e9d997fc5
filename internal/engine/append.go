package engine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

const (
	// maxBatch and maxBatchBytes bound one group; the server takes 1000 messages
	// at most and holds the group in memory while it commits it.
	maxBatch      = 500
	maxBatchBytes = 16 << 20
	// minOnDisk is where a batch begins to pay that the server stages on disk: its
	// files cost as many syncs as this many messages alone. In memory, see stage,
	// every batch pays.
	minOnDisk   = 12
	minInMemory = 2
	// commitTimeout is how long the server may take to sync a group.
	commitTimeout = 30 * time.Second
)

// Headers of a JetStream atomic batch (NATS ADR-50): members go without reply,
// numbered from 1; the last asks for the commit and is answered with the
// sequence of the last member.
const (
	batchID     = "Nats-Batch-Id"
	batchSeq    = "Nats-Batch-Sequence"
	batchCommit = "Nats-Batch-Commit"
)

// Appender writes to one stream, which must allow atomic publishing. Appends
// that arrive while the disk syncs the previous group form the next group and
// share its sync, so a single caller waits for nobody and many share the cost.
type Appender struct {
	js       jetstream.JetStream
	stream   string
	minBatch int // fewer go one by one

	mu     sync.RWMutex // held for writing to close the queue
	closed bool
	queue  chan *pending
	done   chan struct{}
}

type pending struct {
	ctx    context.Context
	msg    *nats.Msg
	result chan appended // holds one
}

type appended struct {
	seq uint64
	err error
}

// NewAppender starts the writer of a stream of the durable server; Close ends it.
// There is one at a time for a stream.
func (e *Engine) NewAppender(stream string) *Appender {
	if e.stage.carry(stream) {
		return newAppender(e.Streams, stream, minInMemory)
	}
	return NewAppender(e.Streams, stream)
}

// NewAppender starts the writer of a stream of any server, which stages batches
// on disk.
func NewAppender(js jetstream.JetStream, stream string) *Appender {
	return newAppender(js, stream, minOnDisk)
}

func newAppender(js jetstream.JetStream, stream string, minBatch int) *Appender {
	a := &Appender{js: js, stream: stream, minBatch: minBatch, queue: make(chan *pending, 2*maxBatch), done: make(chan struct{})}
	go a.run()
	return a
}

// Append stores a message and returns its sequence in the stream once it is on
// disk. The header and the data must not change until then; the header is not
// kept. An error of kind fault.Unavailable, or of ctx, leaves open whether the
// message was stored; set Nats-Msg-Id to be able to repeat it.
func (a *Appender) Append(ctx context.Context, subject string, header nats.Header, data []byte) (uint64, error) {
	p := &pending{ctx: ctx, msg: &nats.Msg{Subject: subject, Header: header, Data: data}, result: make(chan appended, 1)}
	if err := a.enqueue(p); err != nil {
		return 0, fmt.Errorf("append to %s: %w", a.stream, err)
	}
	select {
	case r := <-p.result:
		if r.err != nil {
			return 0, fmt.Errorf("append to %s: %w", a.stream, r.err)
		}
		return r.seq, nil
	case <-ctx.Done():
		return 0, fmt.Errorf("append to %s: %w", a.stream, ctx.Err())
	}
}

func (a *Appender) enqueue(p *pending) error {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.closed {
		return fault.Errorf(fault.Unavailable, "shutting down")
	}
	select {
	case a.queue <- p:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

// Close writes what is queued and ends the writer. Later appends fail.
func (a *Appender) Close() error {
	a.mu.Lock()
	if !a.closed {
		a.closed = true
		close(a.queue)
	}
	a.mu.Unlock()
	<-a.done
	return nil
}

func (a *Appender) run() {
	defer close(a.done)
	var next *pending // taken from the queue but over the bounds of its group
	for {
		first := next
		if next = nil; first == nil {
			var ok bool
			if first, ok = <-a.queue; !ok {
				return
			}
		}
		var group []*pending
		group, next = a.gather(first)
		if len(group) < a.minBatch {
			a.each(group)
		} else {
			a.group(group)
		}
	}
}

// gather takes what has queued up, without waiting, and drops what nobody waits
// for any longer. The second result did not fit.
func (a *Appender) gather(first *pending) (group []*pending, next *pending) {
	size := 0
	for p := first; ; {
		if p.ctx.Err() == nil {
			if len(group) > 0 && size+p.msg.Size() > maxBatchBytes {
				return group, p
			}
			size += p.msg.Size()
			group = append(group, p)
		}
		if len(group) == maxBatch {
			return group, nil
		}
		select {
		case next, ok := <-a.queue:
			if !ok {
				return group, nil
			}
			p = next
		default:
			return group, nil
		}
	}
}

// each publishes messages on their own, all at once.
func (a *Appender) each(group []*pending) {
	if len(group) == 1 {
		group[0].result <- a.single(group[0])
		return
	}
	var wg sync.WaitGroup
	for _, p := range group {
		wg.Go(func() { p.result <- a.single(p) })
	}
	wg.Wait()
}

func (a *Appender) single(p *pending) appended {
	// Not the caller's context: it would leave unknown what can be known.
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	ack, err := a.js.PublishMsg(ctx, clone(p.msg), jetstream.WithExpectStream(a.stream), jetstream.WithRetryAttempts(0))
	if err != nil {
		return appended{err: kindOf(err)}
	}
	return appended{seq: ack.Sequence}
}

// group writes messages as one batch. When the server refuses it (one member is
// a duplicate, or too large for the stream), none is stored, and each goes alone
// to meet its own answer.
func (a *Appender) group(group []*pending) {
	last, err := a.commit(group)
	if _, refused := errors.AsType[*jetstream.APIError](err); refused {
		a.each(group)
		return
	}
	for i, p := range group {
		r := appended{err: err}
		if err == nil {
			r.seq = last - uint64(len(group)-1-i)
		}
		p.result <- r
	}
}

func (a *Appender) commit(group []*pending) (last uint64, err error) {
	conn, id := a.js.Conn(), rand.Text()
	for i, p := range group[:len(group)-1] {
		if err := conn.PublishMsg(member(p.msg, id, i+1)); err != nil {
			return 0, kindOf(err)
		}
	}
	final := member(group[len(group)-1].msg, id, len(group))
	final.Header.Set(batchCommit, "1")
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	reply, err := conn.RequestMsgWithContext(ctx, final)
	if err != nil {
		return 0, kindOf(err)
	}
	var ack struct {
		Stream string              `json:"stream"`
		Seq    uint64              `json:"seq"`
		Batch  string              `json:"batch"`
		Count  int                 `json:"count"`
		Error  *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		return 0, fmt.Errorf("acknowledgement %q: %w", reply.Data, err)
	}
	if ack.Error != nil {
		return 0, ack.Error
	}
	if ack.Stream != a.stream || ack.Batch != id || ack.Count != len(group) {
		return 0, fmt.Errorf("acknowledgement %q is not of batch %s with %d messages", reply.Data, id, len(group))
	}
	return ack.Seq, nil
}

func member(m *nats.Msg, id string, seq int) *nats.Msg {
	m = clone(m)
	m.Header.Set(batchID, id)
	m.Header.Set(batchSeq, strconv.Itoa(seq))
	return m
}

// clone copies the header, which is the caller's, who may share it.
func clone(m *nats.Msg) *nats.Msg {
	h := make(nats.Header, len(m.Header)+3)
	maps.Copy(h, m.Header)
	return &nats.Msg{Subject: m.Subject, Header: h, Data: m.Data}
}

// kindOf says whether an error of the stream is ours for now.
func kindOf(err error) error {
	if errors.Is(err, nats.ErrMaxPayload) {
		return fault.Errorf(fault.TooLarge, "over the %d bytes a message may have: %w", maxPayload, err)
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.Code < 500 {
		return err
	}
	return fault.Errorf(fault.Unavailable, "%w", err)
}
