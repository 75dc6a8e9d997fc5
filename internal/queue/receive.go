package queue

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

// ReceiveMessageInput asks for messages.
type ReceiveMessageInput struct {
	QueueUrl                    string
	AttributeNames              []string `json:",omitempty" query:"AttributeName"` // the older name of the next
	MessageSystemAttributeNames []string `json:",omitempty" query:"MessageSystemAttributeName"`
	MessageAttributeNames       []string `json:",omitempty" query:"MessageAttributeName"`
	MaxNumberOfMessages         *int     `json:",omitempty"` // 1-10; default 1
	VisibilityTimeout           *int     `json:",omitempty"` // seconds; default: the queue's
	WaitTimeSeconds             *int     `json:",omitempty"` // 0-20; default: the queue's
	ReceiveRequestAttemptId     string   `json:",omitempty"`
}

// ReceiveMessageOutput is what there was.
type ReceiveMessageOutput struct {
	Messages []Message `json:",omitempty" query:"Message"`
}

// Message is a message as its receiver gets it.
type Message struct {
	MessageId              string
	ReceiptHandle          string
	MD5OfBody              string
	Body                   string                    `audit:"hidden"`
	Attributes             map[string]string         `json:",omitempty" query:"Attribute,Name,Value"`
	MD5OfMessageAttributes string                    `json:",omitempty"`
	MessageAttributes      map[string]AttributeValue `json:",omitempty" audit:"hidden" query:"MessageAttribute,Name,Value"`
}

// ReceiveMessage gives out messages and hides them from other receivers for a
// while.
func (q *Queues) ReceiveMessage(ctx context.Context, in ReceiveMessageInput) (ReceiveMessageOutput, error) {
	o, err := q.at(in.QueueUrl)
	if err != nil {
		return ReceiveMessageOutput{}, err
	}
	queue := o.get()
	n, hide, wait := or(in.MaxNumberOfMessages, 1), or(in.VisibilityTimeout, queue.visibility()), or(in.WaitTimeSeconds, queue.wait())
	switch {
	case n < 1 || n > maxBatch:
		return ReceiveMessageOutput{}, invalid("Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", n)
	case hide < 0 || hide > maxHidden:
		return ReceiveMessageOutput{}, invalid("Value %d for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= %d, if provided.", hide, maxHidden)
	case wait < 0 || wait > 20:
		return ReceiveMessageOutput{}, invalid("Value %d for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", wait)
	}
	got, err := q.receive(ctx, o, n, time.Duration(hide)*time.Second, time.Duration(wait)*time.Second)
	if err != nil {
		return ReceiveMessageOutput{}, err
	}
	var out ReceiveMessageOutput
	for _, h := range got {
		m := Message{MessageId: h.ID, ReceiptHandle: h.receipt, MD5OfBody: sum(h.Body), Body: h.Body}
		all := h.attributes(queue.FIFO)
		for _, name := range slices.Concat(in.AttributeNames, in.MessageSystemAttributeNames) {
			if m.Attributes == nil {
				m.Attributes = map[string]string{}
			}
			if name == "All" {
				m.Attributes = all
			} else if v, ok := all[name]; ok {
				m.Attributes[name] = v
			}
		}
		m.MessageAttributes = chosen(h.Attributes, in.MessageAttributeNames)
		m.MD5OfMessageAttributes = sumOf(m.MessageAttributes)
		out.Messages = append(out.Messages, m)
	}
	return out, nil
}

// chosen are the attributes that a receiver asks for: by name, "prefix.*" or All.
func chosen(all map[string]AttributeValue, names []string) map[string]AttributeValue {
	out := map[string]AttributeValue{}
	for name, value := range all {
		if slices.ContainsFunc(names, func(want string) bool {
			prefix, any := strings.CutSuffix(want, ".*")
			return want == name || want == "All" || want == ".*" || any && strings.HasPrefix(name, prefix+".")
		}) {
			out[name] = value
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// attributes are what SQS says of a message.
func (h *given) attributes(fifo bool) map[string]string {
	milliseconds := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	all := map[string]string{
		"SenderId": h.Sender, "SentTimestamp": milliseconds(h.At),
		"ApproximateReceiveCount": strconv.Itoa(h.count), "ApproximateFirstReceiveTimestamp": milliseconds(h.first),
	}
	for name, value := range map[string]string{
		"AWSTraceHeader": h.Trace, "MessageGroupId": h.Group, "MessageDeduplicationId": h.Dedup, "DeadLetterQueueSourceArn": h.From,
	} {
		if value != "" {
			all[name] = value
		}
	}
	if fifo {
		all["SequenceNumber"] = sequence(h.seq)
	}
	return all
}

// read is a message as the stream has it.
func read(msg jetstream.Msg) (*held, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, err
	}
	h := &held{msg: msg, given: given{seq: meta.Sequence.Stream, count: int(meta.NumDelivered)}}
	return h, json.Unmarshal(msg.Data(), &h.record)
}

// receive gives out up to n messages, and waits for the first.
func (q *Queues) receive(ctx context.Context, o *open, n int, hide, wait time.Duration) ([]*given, error) {
	pull := o.pull
	if o.get().FIFO {
		pull = o.take
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for blocking := false; ; blocking = wait > 0 {
		got, err := pull(ctx, n, hide, blocking)
		if err != nil {
			return nil, o.failed(err)
		}
		kept := got[:0]
		for _, h := range got {
			if dead, err := q.bury(context.WithoutCancel(ctx), o, h); err != nil {
				q.Log.Error("a message cannot be moved to the dead-letter queue", "queue", o.get().Name, "message", h.ID, "err", err)
			} else if !dead {
				kept = append(kept, h)
			}
		}
		if len(kept) > 0 || ended(ctx) || wait == 0 && len(got) == 0 {
			return kept, nil
		}
	}
}

// ended reports whether a wait is over. The timer of a context may be late: then it
// has no error yet, and the client of the streams takes it no more.
func ended(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// failed says why nothing could be received.
func (o *open) failed(err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return o.gone()
	}
	return fault.Errorf(fault.Unavailable, "receive from queue %s: %w", o.get().Name, err)
}

// pull takes messages of a standard queue off the server: what there is, or the
// first that comes.
func (o *open) pull(ctx context.Context, n int, hide time.Duration, blocking bool) ([]*given, error) {
	fetch := func() (jetstream.MessageBatch, error) { return o.consumer.FetchNoWait(n) }
	if blocking {
		fetch = func() (jetstream.MessageBatch, error) { return o.consumer.Fetch(1, jetstream.FetchContext(ctx)) }
	}
	batch, err := fetch()
	if err != nil {
		return nil, lasting(ctx, blocking, err)
	}
	var got []*given
	for msg := range batch.Messages() {
		h, err := read(msg)
		if err != nil {
			_ = msg.Term() // not one of ours
			continue
		}
		if g := o.give(h, hide); g != nil {
			got = append(got, g)
		}
	}
	return got, lasting(ctx, blocking, batch.Error())
}

// lasting is an error that asking again does not mend. Nothing came in time, or the
// server was too busy to say that it lives, is none.
func lasting(ctx context.Context, blocking bool, err error) error {
	if blocking && ended(ctx) {
		return nil
	}
	for _, passing := range []error{jetstream.ErrNoMessages, jetstream.ErrNoHeartbeat, nats.ErrTimeout, context.DeadlineExceeded} {
		if errors.Is(err, passing) {
			return nil
		}
	}
	return err
}

// give hands a message of a standard queue out, unless it is too early: nil.
func (o *open) give(h *held, hide time.Duration) *given {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || h.seq <= o.purged {
		return nil
	}
	was, seen := o.past[h.seq]
	if !seen {
		o.sweep()
		was.sent = h.At
		if h.Delay > 0 && h.count > 1 { // before a restart: it may have been put off, and must not die of that
			was.putOff = 1
		}
	}
	if early := time.Until(h.due()); h.Delay > 0 && early > 0 {
		was.putOff++
		o.past[h.seq] = was
		_ = h.msg.NakWithDelay(early)
		return nil
	}
	if was.first.IsZero() {
		was.first = time.Now()
	}
	o.past[h.seq] = was
	h.count = max(h.count-was.putOff, 1)
	h.first = was.first
	return o.hold(h, hide)
}

// sweep forgets what has expired, when there is twice as much as was left the last
// time. The lock is held.
func (o *open) sweep() {
	if len(o.past) < max(o.sweepAt, 1024) {
		return
	}
	queue := o.get()
	end := time.Now().Add(-time.Duration(queue.retention()) * time.Second)
	maps.DeleteFunc(o.past, func(seq uint64, p past) bool { return p.sent.Before(end) && o.held[seq] == nil })
	o.sweepAt = 2 * len(o.past)
}

// hold gives a message a receipt and hides it. The lock is held.
func (o *open) hold(h *held, hide time.Duration) *given {
	h.receipt, h.until = newReceipt(h.seq, h.ID), time.Now().Add(hide)
	o.held[h.seq] = h
	o.watch(h)
	out := h.given
	return &out
}

// take hands out messages of a FIFO queue whose groups are free.
func (o *open) take(ctx context.Context, n int, hide time.Duration, blocking bool) ([]*given, error) {
	if !blocking { // as long as it waits, it is told
		if err := o.catchUp(context.WithoutCancel(ctx)); err != nil {
			return nil, err
		}
	}
	o.mu.Lock()
	if len(o.ready) == 0 && blocking && !o.closed {
		news := o.news
		o.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
		}
		o.mu.Lock()
	}
	defer o.mu.Unlock()
	if o.closed {
		return nil, o.gone()
	}
	var got []*given
	for len(got) < n && len(o.ready) > 0 {
		g := o.ready[0]
		o.ready = o.ready[1:]
		for len(got) < n && len(g.waiting) > 0 && g.waiting[0].until.IsZero() {
			h := g.waiting[0]
			g.waiting = g.waiting[1:]
			g.flying++
			h.count++
			if h.first.IsZero() {
				h.first = time.Now()
			}
			got = append(got, o.hold(h, hide))
		}
	}
	return got, nil
}

// bury moves a message that was given out too often to the dead-letter queue.
func (q *Queues) bury(ctx context.Context, o *open, h *given) (dead bool, err error) {
	queue := o.get()
	if queue.DeadLetter == "" || h.count <= queue.MaxReceive {
		return false, nil
	}
	to, err := q.find(queue.DeadLetter)
	if err != nil {
		return false, err
	}
	r := h.record
	r.From, r.Delay = queue.ARN, 0
	if _, err := to.store(ctx, r, "dead "+h.ID); err != nil { // of two, after a crash, the second is dropped
		return false, err
	}
	return true, o.settle(ctx, h.receipt)
}

// newReceipt names one giving out of a message: 8 bytes of chance, 8 of the
// message's id, and its sequence.
func newReceipt(seq uint64, id string) string {
	chance := uuid.New()
	raw := append(chance[:8:8], idPart(id)...)
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(raw, seq))
}

func idPart(id string) []byte {
	parsed, _ := uuid.Parse(id) // which every message has
	return parsed[:8]
}

// told is what a receipt says of its message.
func told(receipt string) (seq uint64, id []byte, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(receipt)
	if err != nil || len(raw) != 24 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint64(raw[16:]), raw[8:16], true
}

// settle deletes the message that a receipt was given for.
func (o *open) settle(ctx context.Context, receipt string) error {
	seq, id, ok := told(receipt)
	if !ok {
		return fault.Coded(fault.Invalid, "ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
	}
	o.mu.Lock()
	h := o.held[seq]
	mine := h != nil && h.receipt == receipt
	if mine {
		h.settling = true
	}
	o.mu.Unlock()
	var err error
	switch {
	case mine:
		if err = h.msg.DoubleAck(ctx); errors.Is(err, jetstream.ErrMsgAlreadyAckd) {
			err = nil
		}
	case h != nil && !o.get().FIFO:
		return nil // somebody else has it now, and it is theirs to delete
	default: // given out before a restart, or its time is over
		err = o.deleteStored(ctx, seq, id, receipt)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		if mine {
			h.settling = false
			o.resume(h)
		}
		if fault.KindOf(err) == fault.Invalid {
			return err
		}
		return fault.Errorf(fault.Unavailable, "delete a message of queue %s: %w", o.get().Name, err)
	}
	if mine {
		delete(o.past, seq)
		o.release(h)
	}
	return nil
}

// deleteStored deletes a message that is not given out, if it is still there. A
// receipt of another queue, or of an earlier one of the name, deletes nothing; one of
// a FIFO queue is good as long as the message is hidden and no longer.
func (o *open) deleteStored(ctx context.Context, seq uint64, id []byte, receipt string) error {
	msg, err := o.stream.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var r record
	if err := json.Unmarshal(msg.Data, &r); err != nil || !bytes.Equal(idPart(r.ID), id) {
		return nil
	}
	if o.get().FIFO {
		return invalid("Value %s for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.", receipt)
	}
	err = o.stream.DeleteMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) || errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		err = nil
	}
	if err == nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.held[seq] == nil {
			delete(o.past, seq)
		}
	}
	return err
}

// release forgets a message that is no more. The lock is held.
func (o *open) release(h *held) {
	if h == nil || o.held[h.seq] != h {
		return
	}
	h.timer.Stop()
	delete(o.held, h.seq)
	if g := o.groups[h.Group]; o.get().FIFO && g != nil {
		g.flying--
		o.enlist(g)
	}
}

// hide changes how long from now a message stays hidden.
func (o *open) hide(receipt string, for_ int) error {
	seq, _, ok := told(receipt)
	if !ok {
		return fault.Coded(fault.Invalid, "ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
	}
	if for_ < 0 || for_ > maxHidden {
		return invalid("Value %d for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and %d", for_, maxHidden)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	h := o.held[seq]
	if h == nil || h.receipt != receipt {
		return fault.Coded(fault.Invalid, "MessageNotInflight", "Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.", receipt)
	}
	h.until = time.Now().Add(time.Duration(for_) * time.Second)
	if for_ == 0 {
		o.surface(h)
		return nil
	}
	o.watch(h)
	return nil
}

// event is what a function gets of messages (Lambda's SQSEvent).
func event(region string, queue Queue, list []*given) ([]byte, error) {
	type attribute struct {
		StringValue      *string  `json:"stringValue,omitempty"`
		BinaryValue      []byte   `json:"binaryValue,omitempty"`
		StringListValues []string `json:"stringListValues"`
		BinaryListValues []string `json:"binaryListValues"`
		DataType         string   `json:"dataType"`
	}
	type body struct {
		MessageID         string               `json:"messageId"`
		ReceiptHandle     string               `json:"receiptHandle"`
		Body              string               `json:"body"`
		Attributes        map[string]string    `json:"attributes"`
		MessageAttributes map[string]attribute `json:"messageAttributes"`
		MD5OfAttributes   string               `json:"md5OfMessageAttributes,omitempty"`
		MD5OfBody         string               `json:"md5OfBody"`
		EventSource       string               `json:"eventSource"`
		EventSourceARN    string               `json:"eventSourceARN"`
		Region            string               `json:"awsRegion"`
	}
	var doc struct{ Records []body }
	for _, h := range list {
		b := body{
			h.ID, h.receipt, h.Body, h.attributes(queue.FIFO),
			map[string]attribute{},
			sumOf(h.Attributes), sum(h.Body),
			"aws:sqs", queue.ARN, region,
		}
		for _, name := range slices.Sorted(maps.Keys(h.Attributes)) {
			a := h.Attributes[name]
			b.MessageAttributes[name] = attribute{a.StringValue, a.BinaryValue, []string{}, []string{}, a.DataType}
		}
		doc.Records = append(doc.Records, b)
	}
	return json.Marshal(doc)
}
