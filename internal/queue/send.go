package queue

import (
	"cmp"
	"context"
	"crypto/md5" // what clients compare
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/trace"
)

// AttributeValue is an attribute of a message. DataType begins with String, Number
// or Binary.
type AttributeValue struct {
	DataType    string
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"`
}

// SendMessageInput is one message of at most 1 MB with its attributes.
type SendMessageInput struct {
	QueueUrl                string
	MessageBody             string                    `audit:"hidden"`
	DelaySeconds            *int                      `json:",omitempty"`
	MessageAttributes       map[string]AttributeValue `json:",omitempty" audit:"hidden" query:"MessageAttribute,Name,Value"`
	MessageSystemAttributes map[string]AttributeValue `json:",omitempty" query:"MessageSystemAttribute,Name,Value"`
	MessageDeduplicationId  string                    `json:",omitempty"`
	MessageGroupId          string                    `json:",omitempty"`
}

// SendMessageOutput names the message; clients compare the digests.
type SendMessageOutput struct {
	MessageId                    string
	MD5OfMessageBody             string
	MD5OfMessageAttributes       string `json:",omitempty"`
	MD5OfMessageSystemAttributes string `json:",omitempty"`
	SequenceNumber               string `json:",omitempty"` // of FIFO queues
}

// record is a message as its stream stores it.
type record struct {
	ID         string                    `json:"id"`
	At         time.Time                 `json:"at"`
	Body       string                    `json:"body"`
	Attributes map[string]AttributeValue `json:"attributes,omitempty"`
	Sender     string                    `json:"sender,omitempty"`
	Trace      string                    `json:"trace,omitempty"`
	Delay      int                       `json:"delay,omitempty"` // seconds
	Group      string                    `json:"group,omitempty"`
	Dedup      string                    `json:"dedup,omitempty"`
	From       string                    `json:"from,omitempty"` // ARN of the queue that it is a dead letter of
}

// due is when a message may be received first; zero: at once.
func (r *record) due() time.Time {
	if r.Delay == 0 {
		return time.Time{}
	}
	return r.At.Add(time.Duration(r.Delay) * time.Second)
}

// SendMessage answers once the message is on disk.
func (q *Queues) SendMessage(ctx context.Context, in SendMessageInput) (SendMessageOutput, error) {
	o, err := q.at(in.QueueUrl)
	if err != nil {
		return SendMessageOutput{}, err
	}
	return o.send(ctx, in)
}

// Send puts a message into the queue with the ARN for another room. A second one
// with the same id within five minutes is dropped; group is for FIFO queues.
func (q *Queues) Send(ctx context.Context, queueARN, id, body, group string, attributes map[string]AttributeValue) error {
	o, err := q.find(queueARN)
	if err != nil {
		return err
	}
	in := SendMessageInput{MessageBody: body, MessageAttributes: attributes}
	if o.get().FIFO {
		in.MessageGroupId, in.MessageDeduplicationId = cmp.Or(group, "default"), digest(id)
	}
	r, err := o.record(ctx, in)
	if err != nil {
		return err
	}
	_, err = o.store(ctx, r, id)
	return err
}

func (o *open) send(ctx context.Context, in SendMessageInput) (SendMessageOutput, error) {
	r, err := o.record(ctx, in)
	if err != nil {
		return SendMessageOutput{}, err
	}
	out := SendMessageOutput{MessageId: r.ID, MD5OfMessageBody: sum(r.Body), MD5OfMessageAttributes: sumOf(r.Attributes), MD5OfMessageSystemAttributes: sumOf(in.MessageSystemAttributes)}
	seq, err := o.store(ctx, r, "")
	if o.get().FIFO {
		out.SequenceNumber = sequence(seq)
	}
	return out, err
}

// record checks a message and words it as it is stored.
func (o *open) record(ctx context.Context, in SendMessageInput) (record, error) {
	queue := o.get()
	r := record{ID: uuid.NewString(), At: time.Now().UTC(), Body: in.MessageBody, Attributes: in.MessageAttributes, Delay: queue.delay(), Group: in.MessageGroupId}
	if who, ok := iam.Caller(ctx); ok {
		r.Sender = who.UserID
	}
	if t := in.MessageSystemAttributes["AWSTraceHeader"]; t.StringValue != nil {
		r.Trace = *t.StringValue
	} else {
		r.Trace = trace.From(ctx)
	}
	if in.MessageBody == "" {
		return r, fault.Coded(fault.Invalid, "MissingParameter", "The request must contain the parameter MessageBody.")
	}
	if !printable(in.MessageBody) {
		return r, fault.Coded(fault.Invalid, "InvalidMessageContents", "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF")
	}
	size := len(r.Body)
	for name, a := range in.MessageAttributes {
		if err := a.check(name); err != nil {
			return r, err
		}
		size += len(name) + len(a.DataType) + len(a.value())
	}
	if len(in.MessageAttributes) > maxAttribute {
		return r, invalid("Number of message attributes [%d] exceeds the allowed maximum [%d].", len(in.MessageAttributes), maxAttribute)
	}
	if limit := queue.maxSize(); size > limit {
		return r, invalid("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", limit)
	}
	if in.DelaySeconds != nil {
		if r.Delay = *in.DelaySeconds; r.Delay < 0 || r.Delay > 900 {
			return r, invalid("Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", r.Delay)
		}
		if queue.FIFO && r.Delay != queue.delay() {
			return r, invalid("Value %d for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type: the delay of a FIFO queue is the queue's", r.Delay)
		}
	}
	return r, r.order(queue, in)
}

// order checks what orders messages of a FIFO queue.
func (r *record) order(queue Queue, in SendMessageInput) error {
	if !queue.FIFO {
		if in.MessageDeduplicationId != "" {
			return invalid("Value %s for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that is not valid for this queue type.", in.MessageDeduplicationId)
		}
		return nil
	}
	switch {
	case in.MessageGroupId == "":
		return fault.Coded(fault.Invalid, "MissingParameter", "The request must contain the parameter MessageGroupId.")
	case !groupID.MatchString(in.MessageGroupId):
		return invalid("Value %s for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.", in.MessageGroupId)
	case in.MessageDeduplicationId != "":
		r.Dedup = in.MessageDeduplicationId
	case queue.ContentDedup:
		r.Dedup = digest(in.MessageBody)
	default:
		return invalid("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	}
	if !groupID.MatchString(r.Dedup) {
		return invalid("Value %s for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.", r.Dedup)
	}
	return nil
}

// store writes a message and syncs it. id, or without it the message's own where it
// is of a FIFO queue, tells it from others: of two the second is dropped.
func (o *open) store(ctx context.Context, r record, id string) (seq uint64, err error) {
	doc, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	header := nats.Header{}
	if id = cmp.Or(id, r.Dedup); id != "" {
		header.Set(jetstream.MsgIDHeader, id)
	}
	seq, err = o.appender.Append(ctx, o.subject, header, doc)
	if err != nil {
		return 0, fault.Errorf(fault.Unavailable, "send to queue %s: %w", o.get().Name, err)
	}
	return seq, nil
}

func (a AttributeValue) value() []byte {
	if a.StringValue != nil {
		return []byte(*a.StringValue)
	}
	return a.BinaryValue
}

func (a AttributeValue) check(name string) error {
	kind, _, _ := strings.Cut(a.DataType, ".")
	switch {
	case name == "" || len(name) > 256:
		return invalid("The message attribute name %q must have 1 to 256 characters.", name)
	case kind != "String" && kind != "Number" && kind != "Binary":
		return invalid("The type of message (user) attribute '%s' is invalid. You must use only the following supported type prefixes: Binary, Number, String.", name)
	case len(a.value()) == 0:
		return invalid("The message (user) attribute '%s' must contain a non-empty value of type %s.", name, kind)
	case (kind == "Binary") == (a.StringValue != nil):
		return invalid("The message (user) attribute '%s' with type '%s' must use field '%s'.", name, a.DataType, map[bool]string{true: "BinaryValue", false: "StringValue"}[kind == "Binary"])
	}
	return nil
}

// printable says whether XML could carry a text, which SQS asks for.
func printable(s string) bool {
	for _, c := range s {
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0xFFFE || c == 0xFFFF {
			return false
		}
	}
	return utf8.ValidString(s)
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func sum(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// sumOf is the digest of attributes that clients compute as well ("Calculating the
// MD5 message digest for message attributes").
func sumOf(attributes map[string]AttributeValue) string {
	if len(attributes) == 0 {
		return ""
	}
	h := md5.New()
	part := func(b []byte) {
		_ = binary.Write(h, binary.BigEndian, uint32(len(b)))
		_, _ = h.Write(b)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		part([]byte(name))
		part([]byte(a.DataType))
		if a.StringValue != nil {
			_, _ = h.Write([]byte{1})
		} else {
			_, _ = h.Write([]byte{2})
		}
		part(a.value())
	}
	return hex.EncodeToString(h.Sum(nil))
}

// sequence is a number of a FIFO queue's message, of 20 digits as SQS's are.
func sequence(n uint64) string { return fmt.Sprintf("%020d", n) }

// SendMessageBatchInput is up to ten messages.
type SendMessageBatchInput struct {
	QueueUrl string
	Entries  []SendMessageBatchEntry `query:"SendMessageBatchRequestEntry"`
}

// SendMessageBatchEntry is one message of a batch.
type SendMessageBatchEntry struct {
	Id                      string
	MessageBody             string                    `audit:"hidden"`
	DelaySeconds            *int                      `json:",omitempty"`
	MessageAttributes       map[string]AttributeValue `json:",omitempty" audit:"hidden" query:"MessageAttribute,Name,Value"`
	MessageSystemAttributes map[string]AttributeValue `json:",omitempty" query:"MessageSystemAttribute,Name,Value"`
	MessageDeduplicationId  string                    `json:",omitempty"`
	MessageGroupId          string                    `json:",omitempty"`
}

// SendMessageBatchOutput is what became of the entries, each in one of the lists.
type SendMessageBatchOutput struct {
	Successful []SendMessageBatchResult `query:"SendMessageBatchResultEntry"`
	Failed     []BatchError             `query:"BatchResultErrorEntry"`
}

// SendMessageBatchResult is an entry that was sent.
type SendMessageBatchResult struct {
	Id string
	SendMessageOutput
}

// BatchError is an entry of a batch that failed.
type BatchError struct {
	Id          string
	Code        string
	Message     string
	SenderFault bool
}

func failed(id string, err error) BatchError {
	return BatchError{id, cmp.Or(fault.CodeOf(err), "InternalError"), err.Error(), fault.KindOf(err) != fault.Internal && fault.KindOf(err) != fault.Unavailable}
}

// SendMessageBatch sends up to ten messages, in the order of the entries.
func (q *Queues) SendMessageBatch(ctx context.Context, in SendMessageBatchInput) (SendMessageBatchOutput, error) {
	out := SendMessageBatchOutput{Successful: []SendMessageBatchResult{}, Failed: []BatchError{}}
	o, err := q.at(in.QueueUrl)
	if err != nil {
		return out, err
	}
	ids, size := make([]string, len(in.Entries)), 0
	for i, e := range in.Entries {
		ids[i] = e.Id
		size += len(e.MessageBody)
	}
	if err := checkBatch(ids); err != nil {
		return out, err
	}
	if size > maxMessage {
		return out, fault.Coded(fault.TooLarge, "BatchRequestTooLong", "Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxMessage, size)
	}
	results, errs := make([]SendMessageOutput, len(in.Entries)), make([]error, len(in.Entries))
	send := func(i int) {
		e := in.Entries[i]
		results[i], errs[i] = o.send(ctx, SendMessageInput{
			MessageBody: e.MessageBody, DelaySeconds: e.DelaySeconds, MessageAttributes: e.MessageAttributes, MessageSystemAttributes: e.MessageSystemAttributes,
			MessageDeduplicationId: e.MessageDeduplicationId, MessageGroupId: e.MessageGroupId,
		})
	}
	var all sync.WaitGroup
	for i := range in.Entries {
		if o.get().FIFO { // in order
			send(i)
			continue
		}
		all.Go(func() { send(i) }) // share a sync
	}
	all.Wait()
	for i, err := range errs {
		if err != nil {
			out.Failed = append(out.Failed, failed(ids[i], err))
			continue
		}
		out.Successful = append(out.Successful, SendMessageBatchResult{ids[i], results[i]})
	}
	return out, nil
}

// checkBatch refuses a batch that cannot be told apart.
func checkBatch(ids []string) error {
	seen := map[string]bool{}
	switch {
	case len(ids) == 0:
		return fault.Coded(fault.Invalid, "EmptyBatchRequest", "There should be at least one entry in the request.")
	case len(ids) > maxBatch:
		return fault.Coded(fault.Invalid, "TooManyEntriesInBatchRequest", "Maximum number of entries per request are %d. You have sent %d.", maxBatch, len(ids))
	}
	for _, id := range ids {
		if !entryID.MatchString(id) {
			return fault.Coded(fault.Invalid, "InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long: %q", id)
		}
		if seen[id] {
			return fault.Coded(fault.Invalid, "BatchEntryIdsNotDistinct", "Id %s repeated.", id)
		}
		seen[id] = true
	}
	return nil
}
