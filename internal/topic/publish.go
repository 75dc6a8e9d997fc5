package topic

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// MaxBatch is how many messages one PublishBatch may carry.
const MaxBatch = 10

// PublishInput is one message. Message is at most 256 KB with its attributes.
type PublishInput struct {
	TopicArn          string
	TargetArn         string // the same
	PhoneNumber       string
	Message           string                           `audit:"hidden"`
	Subject           string                           `audit:"hidden"`
	MessageStructure  string                           // "" or "json": Message is an object of messages by protocol
	MessageAttributes map[string]MessageAttributeValue `audit:"hidden"`

	MessageGroupId         string
	MessageDeduplicationId string
}

// MessageAttributeValue is an attribute as a publisher sends it.
type MessageAttributeValue struct {
	DataType    string
	StringValue *string
	BinaryValue []byte
}

// PublishOutput names the message.
type PublishOutput struct {
	MessageId string
}

// PublishBatchInput is up to MaxBatch messages for one topic.
type PublishBatchInput struct {
	TopicArn                   string
	PublishBatchRequestEntries []PublishBatchRequestEntry
}

// PublishBatchRequestEntry is one message of a batch.
type PublishBatchRequestEntry struct {
	Id                string
	Message           string `audit:"hidden"`
	Subject           string `audit:"hidden"`
	MessageStructure  string
	MessageAttributes map[string]MessageAttributeValue `audit:"hidden"`

	MessageGroupId         string
	MessageDeduplicationId string
}

func (e *PublishBatchRequestEntry) input(topicARN string) PublishInput {
	return PublishInput{
		TopicArn: topicARN, Message: e.Message, Subject: e.Subject,
		MessageStructure: e.MessageStructure, MessageAttributes: e.MessageAttributes,
		MessageGroupId: e.MessageGroupId, MessageDeduplicationId: e.MessageDeduplicationId,
	}
}

// PublishBatchOutput is what became of the entries, each in one of the lists.
type PublishBatchOutput struct {
	Successful []PublishBatchResultEntry
	Failed     []BatchResultErrorEntry
}

// PublishBatchResultEntry is an entry that was published.
type PublishBatchResultEntry struct {
	Id        string
	MessageId string
}

// BatchResultErrorEntry is an entry that was not.
type BatchResultErrorEntry struct {
	Id          string
	Code        string
	Message     string
	SenderFault bool
}

// record is a message as its stream stores it.
type record struct {
	ID         string               `json:"id"`
	At         time.Time            `json:"at"`
	Message    string               `json:"message"`
	By         map[string]string    `json:"by,omitempty"` // other messages, by protocol
	Subject    string               `json:"subject,omitempty"`
	Attributes map[string]Attribute `json:"attributes,omitempty"`
	Trace      string               `json:"trace,omitempty"` // header of the trace that it was published in
}

// text is the message for a protocol.
func (r *record) text(protocol string) string {
	if m, ok := r.By[protocol]; ok {
		return m
	}
	return r.Message
}

// Publish answers once the message is on disk for every subscription there is.
//
// Errors: fault.NotFound for a topic that nobody declares, fault.Invalid for a
// message that AWS would refuse, fault.Unavailable when it could not be stored or
// nobody knows whether it was; all but the last carry AWS's code.
func (t *Topics) Publish(ctx context.Context, in PublishInput) (PublishOutput, error) {
	if in.PhoneNumber != "" {
		return PublishOutput{}, invalid("Invalid parameter: PhoneNumber Reason: messages to telephones are not offered here")
	}
	to, err := t.existing("TopicArn or TargetArn", cmp.Or(in.TopicArn, in.TargetArn))
	if err != nil {
		return PublishOutput{}, err
	}
	rec, err := compose(in)
	if err != nil {
		return PublishOutput{}, err
	}
	id, err := t.append(ctx, to, rec)
	return PublishOutput{id}, err
}

// PublishBatch publishes up to MaxBatch messages. Each entry has its own result;
// an error means that nothing was published.
func (t *Topics) PublishBatch(ctx context.Context, in PublishBatchInput) (PublishBatchOutput, error) {
	to, err := t.existing("TopicArn", in.TopicArn)
	if err != nil {
		return PublishBatchOutput{}, err
	}
	if err := checkBatch(in.PublishBatchRequestEntries); err != nil {
		return PublishBatchOutput{}, err
	}
	n := len(in.PublishBatchRequestEntries)
	ids, errs := make([]string, n), make([]error, n)
	var wg sync.WaitGroup
	for i, e := range in.PublishBatchRequestEntries {
		rec, err := compose(e.input(in.TopicArn))
		if err != nil {
			errs[i] = err
			continue
		}
		// At the same time, so that the appender writes them together.
		wg.Go(func() { ids[i], errs[i] = t.append(ctx, to, rec) })
	}
	wg.Wait()
	var out PublishBatchOutput
	for i, e := range in.PublishBatchRequestEntries {
		if errs[i] == nil {
			out.Successful = append(out.Successful, PublishBatchResultEntry{e.Id, ids[i]})
			continue
		}
		out.Failed = append(out.Failed, t.entryError(e.Id, errs[i]))
	}
	return out, nil
}

// entryError is an error as the caller of a batch sees it: of ours only that it
// happened.
func (t *Topics) entryError(id string, err error) BatchResultErrorEntry {
	if code := fault.CodeOf(err); code != "" {
		return BatchResultErrorEntry{id, code, err.Error(), true}
	}
	t.Log.Error("entry of a batch not published", "entry", id, "err", err)
	if fault.KindOf(err) == fault.Unavailable {
		return BatchResultErrorEntry{id, "ServiceUnavailable", "The message could not be stored; try again.", false}
	}
	return BatchResultErrorEntry{id, "InternalError", "The message was not published; the log has the reason.", false}
}

func (t *Topics) append(ctx context.Context, to *open, rec record) (string, error) {
	rec.Trace = t.Traces.Carry(ctx)
	data, err := json.Marshal(rec)
	if err != nil {
		return "", fmt.Errorf("publish to %s: %w", to.ARN, err)
	}
	if _, err := to.Append(ctx, to.subject, nil, data); err != nil {
		return "", fault.Errorf(fault.Unavailable, "publish to %s: %w", to.ARN, err)
	}
	if t.Published != nil {
		t.Published(to.ARN)
	}
	return rec.ID, nil
}

// compose checks a message and makes the record of it.
func compose(in PublishInput) (record, error) {
	if in.MessageGroupId != "" || in.MessageDeduplicationId != "" {
		return record{}, invalid("Invalid parameter: MessageGroupId and MessageDeduplicationId Reason: they are for FIFO topics, which are not offered here")
	}
	attributes, err := stored(in.MessageAttributes)
	if err != nil {
		return record{}, err
	}
	if err := check(in.Message, in.Subject, attributes); err != nil {
		return record{}, err
	}
	rec := record{
		ID: newMessageID(), At: time.Now().UTC().Truncate(time.Millisecond),
		Message: in.Message, Subject: in.Subject, Attributes: attributes,
	}
	if in.MessageStructure != "" {
		rec.Message, rec.By, err = byProtocol(in.MessageStructure, in.Message)
	}
	return rec, err
}

// stored turns attributes into what is stored of them.
func stored(in map[string]MessageAttributeValue) (map[string]Attribute, error) {
	var out map[string]Attribute
	for name, v := range in {
		a := Attribute{Type: v.DataType}
		field, given := "String", v.StringValue != nil
		if kind(v.DataType) == "Binary" {
			field, given = "Binary", v.BinaryValue != nil
			a.Value = base64.StdEncoding.EncodeToString(v.BinaryValue)
		} else if v.StringValue != nil {
			a.Value = *v.StringValue
		}
		if !given && (v.StringValue != nil || v.BinaryValue != nil) {
			return nil, badAttribute("The message attribute '%s' with type '%s' must use field '%s'.", name, v.DataType, field)
		}
		if out == nil {
			out = map[string]Attribute{}
		}
		out[name] = a
	}
	return out, nil
}

// byProtocol reads a message that differs by protocol.
func byProtocol(structure, message string) (text string, by map[string]string, err error) {
	if structure != "json" {
		return "", nil, invalid("Invalid parameter: MessageStructure Reason: %q is not json", structure)
	}
	var all map[string]any
	if err := json.Unmarshal([]byte(message), &all); err != nil {
		return "", nil, invalid("Invalid parameter: Message Structure - JSON message body failed to parse")
	}
	text, ok := all["default"].(string)
	if !ok {
		return "", nil, invalid("Invalid parameter: Message Structure - No default entry in JSON message body")
	}
	for protocol, v := range all {
		m, isText := v.(string)
		if !isText || protocol == "default" {
			continue
		}
		if m == "" && protocol == ProtocolLambda {
			return "", nil, invalid("Invalid parameter: Empty message")
		}
		if by == nil {
			by = map[string]string{}
		}
		by[protocol] = m
	}
	if text == "" && by[ProtocolLambda] == "" {
		return "", nil, invalid("Invalid parameter: Empty message")
	}
	return text, by, nil
}

func sizeOf(name string, v MessageAttributeValue) int {
	n := len(name) + len(v.DataType) + len(v.BinaryValue)
	if v.StringValue != nil {
		n += len(*v.StringValue)
	}
	return n
}

var entryID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

func checkBatch(entries []PublishBatchRequestEntry) error {
	if len(entries) == 0 {
		return fault.Coded(fault.Invalid, "EmptyBatchRequest", "The batch request doesn't contain any entries.")
	}
	if len(entries) > MaxBatch {
		return fault.Coded(fault.Invalid, "TooManyEntriesInBatchRequest",
			"The batch request contains more entries than permissible: %d, at most %d.", len(entries), MaxBatch)
	}
	seen, total := map[string]bool{}, 0
	for _, e := range entries {
		if !entryID.MatchString(e.Id) {
			return fault.Coded(fault.Invalid, "InvalidBatchEntryId",
				"The Id %q of a batch entry is not 1 to 80 letters, digits, - and _.", e.Id)
		}
		if seen[e.Id] {
			return fault.Coded(fault.Invalid, "BatchEntryIdsNotDistinct",
				"Two or more batch entries in the request have the same Id: %s.", e.Id)
		}
		seen[e.Id] = true
		total += len(e.Message)
		for name, v := range e.MessageAttributes {
			total += sizeOf(name, v)
		}
	}
	if total > MaxMessage {
		return fault.Coded(fault.Invalid, "BatchRequestTooLong",
			"The length of all the batch messages put together is %d bytes, more than the limit of %d.", total, MaxMessage)
	}
	return nil
}
