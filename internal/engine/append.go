package engine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
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
	// minBatch is from where on a batch pays: the server stages it first, which costs
	// some 8 ms however small it is, as much as 40 synced writes (BenchmarkAppend).
	minBatch = 48
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
	js     jetstream.JetStream
	stream string

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

// NewAppender starts the writer of a stream; Close ends it.
func NewAppender(js jetstream.JetStream, stream string) *Appender {
	a := &Appender{js: js, stream: stream, queue: make(chan *pending, 2*maxBatch), done: make(chan struct{})}
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
		if group, next = a.gather(first); len(group) < minBatch {
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

func (a *Appender) single(p *pending) appended {
	// Not the caller's context: it would leave unknown what can be known.
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	ack, err := a.js.PublishMsg(ctx, p.msg, jetstream.WithExpectStream(a.stream), jetstream.WithRetryAttempts(0))
	if err != nil {
		return appended{err: kindOf(err)}
	}
	return appended{seq: ack.Sequence}
}

// each publishes messages one by one, without waiting for an acknowledgement in
// between.
func (a *Appender) each(list []*pending) {
	if len(list) == 1 {
		list[0].result <- a.single(list[0])
		return
	}
	acks := make([]jetstream.PubAckFuture, len(list))
	for i, p := range list {
		var err error
		if acks[i], err = a.js.PublishMsgAsync(p.msg, jetstream.WithExpectStream(a.stream), jetstream.WithRetryAttempts(0)); err != nil {
			p.result <- appended{err: kindOf(err)}
		}
	}
	late := time.After(commitTimeout)
	for i, p := range list {
		if acks[i] == nil {
			continue
		}
		select {
		case ack := <-acks[i].Ok():
			p.result <- appended{seq: ack.Sequence}
		case err := <-acks[i].Err():
			p.result <- appended{err: kindOf(err)}
		case <-late:
			closed := make(chan time.Time)
			close(closed)
			late = closed // for the others too
			p.result <- appended{err: fault.Errorf(fault.Unavailable, "no acknowledgement within %v", commitTimeout)}
		}
	}
}

// group writes messages as one batch. When the server refuses it (one member is
// a duplicate, or too large for the stream), none is stored, and each goes alone
// to meet its own answer.
func (a *Appender) group(group []*pending) {
	last, err := a.commit(group)
	if _, refused := errors.AsType[*jetstream.APIError](err); refused {
		for _, p := range group {
			p.result <- a.single(p)
		}
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

// member copies the header: it is the caller's, who may share it.
func member(m *nats.Msg, id string, seq int) *nats.Msg {
	h := make(nats.Header, len(m.Header)+3)
	for k, v := range m.Header {
		h[k] = v
	}
	h.Set(batchID, id)
	h.Set(batchSeq, strconv.Itoa(seq))
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
