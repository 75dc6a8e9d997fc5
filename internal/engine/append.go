package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

const (
	// maxBatch is how many appends share one sync; the server's own limit is 1,000.
	maxBatch = 500
	// minBatch is from where on a batch pays: the server stages it first, which costs
	// some 8 ms however small it is, as much as about 40 synced writes
	// (BenchmarkAppend).
	minBatch = 48
)

// Appender appends messages to a stream. Appends that come while the disk is being
// synced wait; when many have come they share the next sync as one atomic batch,
// since the server itself syncs every write on its own. The stream must allow
// atomic publishes.
type Appender struct {
	js     jetstream.JetStream
	stream string

	mu     sync.Mutex
	queue  []*pending
	busy   bool // a goroutine writes
	closed bool
	idle   sync.WaitGroup
}

// pending is an append that waits for its acknowledgement.
type pending struct {
	msg  *nats.Msg
	seq  uint64
	err  error
	done chan struct{}
}

// NewAppender makes an appender to a stream of js.
func NewAppender(js jetstream.JetStream, stream string) *Appender {
	return &Appender{js: js, stream: stream}
}

// Append answers with the message's sequence once it is synced. When it fails the
// message may or may not be stored; fault.Unavailable says that the engine could
// not take it. data and header must not change until it returns.
func (a *Appender) Append(ctx context.Context, subject string, header nats.Header, data []byte) (uint64, error) {
	p := &pending{msg: &nats.Msg{Subject: subject, Header: header, Data: data}, done: make(chan struct{})}
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return 0, fault.Errorf(fault.Unavailable, "stream %s is closed", a.stream)
	}
	a.queue = append(a.queue, p)
	if !a.busy {
		a.busy = true
		a.idle.Go(a.write)
	}
	a.mu.Unlock()
	select {
	case <-p.done:
		return p.seq, p.err
	case <-ctx.Done():
		return 0, fmt.Errorf("append to %s: %w", a.stream, ctx.Err())
	}
}

// Close refuses new appends and returns when the queued ones are answered.
func (a *Appender) Close() error {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.idle.Wait()
	return nil
}

// write takes what has queued up, again and again, until there is nothing.
func (a *Appender) write() {
	for {
		a.mu.Lock()
		n := min(len(a.queue), maxBatch)
		batch := a.queue[:n:n]
		a.queue = a.queue[n:]
		a.busy = n > 0
		a.mu.Unlock()
		if n == 0 {
			return
		}
		if n < minBatch {
			a.sendEach(batch)
			continue
		}
		last, err := a.sendBatch(batch)
		for i, p := range batch {
			a.answer(p, last-uint64(n-1-i), err)
		}
	}
}

func (a *Appender) answer(p *pending, seq uint64, err error) {
	if err != nil {
		err = fault.Errorf(fault.Unavailable, "append to %s: %w", a.stream, err)
	}
	p.seq, p.err = seq, err
	close(p.done)
}

// sendEach publishes each message on its own, without waiting in between.
func (a *Appender) sendEach(list []*pending) {
	acks := make([]jetstream.PubAckFuture, len(list))
	for i, p := range list {
		var err error
		if acks[i], err = a.js.PublishMsgAsync(p.msg, jetstream.WithExpectStream(a.stream)); err != nil {
			a.answer(p, 0, err)
		}
	}
	late := time.NewTimer(a.js.Options().DefaultTimeout)
	defer late.Stop()
	for i, p := range list {
		if acks[i] == nil {
			continue
		}
		select {
		case ack := <-acks[i].Ok():
			a.answer(p, ack.Sequence, nil)
		case err := <-acks[i].Err():
			a.answer(p, 0, err)
		case <-late.C:
			late.Reset(0) // for the others too
			a.answer(p, 0, context.DeadlineExceeded)
		}
	}
}

// sendBatch stores the batch wholly or not at all, and returns its last sequence.
func (a *Appender) sendBatch(batch []*pending) (last uint64, err error) {
	// the batch protocol of the server (its decision record 50): every message
	// carries the batch's id and its place, the last one asks to commit
	id := nuid.Next()
	conn := a.js.Conn()
	for i, p := range batch {
		header := nats.Header{}
		for k, v := range p.msg.Header {
			header[k] = v
		}
		header.Set("Nats-Batch-Id", id)
		header.Set("Nats-Batch-Sequence", strconv.Itoa(i+1))
		header.Set(jetstream.ExpectedStreamHeader, a.stream)
		msg := &nats.Msg{Subject: p.msg.Subject, Header: header, Data: p.msg.Data}
		if i < len(batch)-1 {
			if err := conn.PublishMsg(msg); err != nil {
				return 0, err
			}
			continue
		}
		header.Set("Nats-Batch-Commit", "1")
		return a.commit(conn, msg)
	}
	return 0, errors.New("empty batch")
}

func (a *Appender) commit(conn *nats.Conn, msg *nats.Msg) (uint64, error) {
	// the engine's own timeout bounds it: whoever appends may leave earlier
	ctx, cancel := context.WithTimeout(context.Background(), a.js.Options().DefaultTimeout)
	defer cancel()
	reply, err := conn.RequestMsgWithContext(ctx, msg)
	if err != nil {
		return 0, err
	}
	var ack struct {
		Stream   string              `json:"stream"`
		Sequence uint64              `json:"seq"`
		Error    *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		return 0, fmt.Errorf("the acknowledgement cannot be read: %w", err)
	}
	if ack.Error != nil {
		return 0, ack.Error
	}
	if ack.Stream == "" || ack.Sequence == 0 {
		return 0, fmt.Errorf("the batch was not acknowledged: %s", reply.Data)
	}
	return ack.Sequence, nil
}
