package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

// open is a queue in use: what has been received of it and not been settled.
type open struct {
	queue    atomic.Pointer[Queue]
	subject  string
	appender Appender
	stream   jetstream.Stream
	consumer jetstream.Consumer
	reading  jetstream.ConsumeContext // of FIFO queues

	mu      sync.Mutex
	closed  bool
	held    map[uint64]*held // given out, by sequence
	past    map[uint64]past
	sweepAt int               // how many of past call for a look at which have expired
	groups  map[string]*group // of FIFO queues
	ready   []*group          // those with messages that may be given out, the longest waiting first
	news    chan struct{}     // closed when something may have become ready
	purged  uint64            // messages up to this sequence have been purged
	arrived uint64            // messages of a FIFO queue up to this sequence are in memory
}

func (o *open) get() Queue { return *o.queue.Load() }

// past is what the server does not know of a message that comes again.
type past struct {
	sent   time.Time // when it was sent, to know when it has expired
	first  time.Time // when it was received first
	putOff int       // how often it was put off because of its delay
}

// given is a message as who receives it has it, whatever becomes of it afterwards.
type given struct {
	record
	seq     uint64
	receipt string    // "" while it waits
	count   int       // how often it was given out
	first   time.Time // when it was given out first
}

// held is a message that has been given out, or waits for its group. The lock of
// its queue guards it.
type held struct {
	given
	msg      jetstream.Msg
	until    time.Time // hidden until then
	settling bool      // is being deleted: does not come again meanwhile
	timer    *time.Timer
}

// group is a message group of a FIFO queue. Its messages are given out in order,
// and none as long as one is in flight.
type group struct {
	id      string
	waiting []*held // by sequence
	flying  int
}

// insert puts a message where its turn is.
func (g *group) insert(h *held) {
	at, _ := slices.BinarySearchFunc(g.waiting, h, func(a, b *held) int { return cmp.Compare(a.seq, b.seq) })
	g.waiting = slices.Insert(g.waiting, at, h)
}

func (q *Queues) open(ctx context.Context, queue Queue) (*open, error) {
	name := streamName(queue.Name)
	o := &open{
		subject: subjects + name, held: map[uint64]*held{}, past: map[uint64]past{}, groups: map[string]*group{}, news: make(chan struct{}),
	}
	o.queue.Store(&queue)
	fail := func(err error) (*open, error) {
		return nil, fault.Errorf(fault.Unavailable, "open queue %s: %w", queue.Name, err)
	}
	var err error
	if o.stream, err = q.Streams.Stream(ctx, name); err != nil {
		return fail(err)
	}
	cfg := jetstream.ConsumerConfig{
		Durable: consumerName, AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: -1, MaxAckPending: maxInFlight,
	}
	if queue.FIFO {
		// What was given out before comes again after what was not, unless the consumer
		// begins anew.
		if err := o.stream.DeleteConsumer(ctx, consumerName); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return fail(err)
		}
		cfg.MaxAckPending = maxFIFO
	}
	if o.consumer, err = o.stream.CreateOrUpdateConsumer(ctx, cfg); err != nil {
		return fail(err)
	}
	o.appender = q.NewAppender(name)
	if queue.FIFO {
		if o.reading, err = o.consumer.Consume(o.arrive); err != nil {
			return nil, errors.Join(fmt.Errorf("read queue %s: %w", queue.Name, err), o.appender.Close())
		}
	}
	return o, nil
}

// close ends it. What was given out is given out again by the next that opens it.
func (o *open) close() error {
	if o.reading != nil {
		o.reading.Stop()
	}
	o.mu.Lock()
	o.closed = true
	for _, h := range o.held {
		h.timer.Stop()
	}
	for _, g := range o.groups {
		for _, h := range g.waiting {
			h.timer.Stop()
		}
	}
	o.announce()
	o.mu.Unlock()
	return o.appender.Close()
}

// gone is what receivers of a queue that is closed get.
func (o *open) gone() error {
	return fault.Coded(fault.NotFound, "QueueDoesNotExist", "The specified queue does not exist: %s", o.get().ARN)
}

// announce wakes receivers. The lock is held.
func (o *open) announce() {
	close(o.news)
	o.news = make(chan struct{})
}

// beat is how often a message's life is shown to the server.
const beat = ackWait / 3

// watch keeps a message hidden until its time is over. The lock is held.
func (o *open) watch(h *held) {
	wait := beat
	if !h.settling && (h.receipt != "" || h.until.After(time.Now())) {
		wait = min(beat, max(time.Until(h.until), 0))
	}
	if h.timer != nil {
		h.timer.Reset(wait)
		return
	}
	h.timer = time.AfterFunc(wait, func() { o.tick(h) })
}

// resume watches a message again that was not deleted after all. The lock is held.
func (o *open) resume(h *held) {
	if !o.closed && o.held[h.seq] == h {
		o.watch(h)
	}
}

// tick is a sign of life, or the end of a message's hiding.
func (o *open) tick(h *held) {
	o.mu.Lock()
	defer o.mu.Unlock()
	waiting := h.receipt == ""
	if o.closed || h.seq <= o.purged || !waiting && o.held[h.seq] != h {
		return
	}
	if h.settling || time.Now().Before(h.until) || waiting && h.until.IsZero() {
		_ = h.msg.InProgress() // lost, the message is given out twice at worst
		o.watch(h)
		return
	}
	o.surface(h)
}

// surface makes a hidden message one that may be received again. The lock is held.
func (o *open) surface(h *held) {
	wasOut := h.receipt != ""
	delete(o.held, h.seq)
	h.receipt, h.until = "", time.Time{}
	if !o.get().FIFO {
		h.timer.Stop()
		_ = h.msg.Nak() // lost, the server finds out by itself in ackWait
		o.announce()
		return
	}
	g := o.groups[h.Group]
	if wasOut {
		g.flying--
		g.insert(h)
	}
	o.watch(h)
	o.enlist(g)
}

// enlist puts a group where receivers look, when one of its messages may go. The
// lock is held.
func (o *open) enlist(g *group) {
	if g.flying == 0 && len(g.waiting) > 0 && !slices.Contains(o.ready, g) {
		o.ready = append(o.ready, g)
		o.announce()
	}
	if g.flying == 0 && len(g.waiting) == 0 {
		delete(o.groups, g.id)
	}
}

// forget drops the messages up to a sequence, which have been purged. The lock is
// held.
func (o *open) forget(last uint64) {
	o.purged = max(o.purged, last)
	for seq, h := range o.held {
		if seq <= last {
			h.timer.Stop()
			o.release(h)
		}
	}
	for _, g := range o.groups {
		g.waiting = slices.DeleteFunc(g.waiting, func(h *held) bool {
			if h.seq <= last {
				h.timer.Stop()
			}
			return h.seq <= last
		})
		o.enlist(g)
	}
	o.ready = slices.DeleteFunc(o.ready, func(g *group) bool { return len(g.waiting) == 0 })
	maps.DeleteFunc(o.past, func(seq uint64, _ past) bool { return seq <= last })
}

// arrive takes a message of a FIFO queue.
func (o *open) arrive(msg jetstream.Msg) {
	h, err := read(msg)
	if err != nil {
		_ = msg.Term() // not one of ours
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.arrived = max(o.arrived, h.seq); o.closed || h.seq <= o.purged {
		return
	}
	if h.count > 1 && o.known(h.seq) { // a sign of life was lost
		_ = msg.InProgress()
		return
	}
	h.count = 0
	g := o.groups[h.Group]
	if g == nil {
		g = &group{id: h.Group}
		o.groups[h.Group] = g
	}
	if due := h.due(); due.After(time.Now()) {
		h.until = due
	}
	g.insert(h)
	o.watch(h)
	if o.enlist(g); len(o.ready) == 0 {
		o.announce() // to who waits for what has been sent
	}
}

// catchUp waits until what has been sent to a FIFO queue is in memory, unless that
// is full.
func (o *open) catchUp(ctx context.Context) error {
	info, err := o.stream.Info(ctx)
	if err != nil {
		return err
	}
	if info.State.Msgs == 0 {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, time.Second) // what expires or is deleted meanwhile never arrives
	defer cancel()
	for {
		o.mu.Lock()
		news, there := o.news, o.closed || o.arrived >= info.State.LastSeq || o.full()
		o.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-news:
		case <-bounded.Done():
			o.mu.Lock()
			o.arrived = max(o.arrived, info.State.LastSeq) // it is not waited for a second time
			o.mu.Unlock()
			return ctx.Err()
		}
	}
}

// full says whether no more of a FIFO queue is looked at. The lock is held.
func (o *open) full() bool {
	n := len(o.held)
	for _, g := range o.groups {
		n += len(g.waiting)
	}
	return n >= maxFIFO
}

func (o *open) known(seq uint64) bool {
	if o.held[seq] != nil {
		return true
	}
	for _, g := range o.groups {
		if slices.ContainsFunc(g.waiting, func(h *held) bool { return h.seq == seq }) {
			return true
		}
	}
	return false
}
