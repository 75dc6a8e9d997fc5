package topic

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// MaxBatch is how many messages one PublishBatch may carry.
const MaxBatch = 10

// BatchEntry is one message of a batch. Its TopicArn is the batch's.
type BatchEntry struct {
	ID string
	PublishInput
}

// BatchResult is what became of an entry: MessageID, or Err.
type BatchResult struct {
	ID        string
	MessageID string
	Err       error
}

// record is a message as its stream stores it.
type record struct {
	ID         string               `json:"id"`
	At         time.Time            `json:"at"`
	Message    string               `json:"message"`
	Subject    string               `json:"subject,omitempty"`
	Attributes map[string]Attribute `json:"attributes,omitempty"`
}

// Publish answers once the message is on disk for every subscription there is.
//
// Errors: fault.NotFound for a topic that nobody declares, fault.Invalid for a
// message that AWS would refuse, fault.Unavailable when it could not be stored or
// nobody knows whether it was; all but the last carry AWS's code.
func (t *Topics) Publish(ctx context.Context, in PublishInput) (messageID string, err error) {
	to, err := t.find(in.TopicArn)
	if err != nil {
		return "", err
	}
	rec, err := compose(in)
	if err != nil {
		return "", err
	}
	return t.append(ctx, to, rec)
}

// PublishBatch publishes up to MaxBatch messages. Each entry has its own result,
// in the order of entries; an error means that nothing was published.
func (t *Topics) PublishBatch(ctx context.Context, topicArn string, entries []BatchEntry) ([]BatchResult, error) {
	to, err := t.find(topicArn)
	if err != nil {
		return nil, err
	}
	if err := checkBatch(entries); err != nil {
		return nil, err
	}
	results := make([]BatchResult, len(entries))
	var wg sync.WaitGroup
	for i, e := range entries {
		results[i].ID = e.ID
		rec, err := compose(e.PublishInput)
		if err != nil {
			results[i].Err = err
			continue
		}
		// At the same time, so that the appender writes them together.
		wg.Go(func() { results[i].MessageID, results[i].Err = t.append(ctx, to, rec) })
	}
	wg.Wait()
	return results, nil
}

func (t *Topics) find(topicArn string) (*open, error) {
	if topicArn == "" {
		return nil, invalid("Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter")
	}
	if to, ok := t.load().topics[topicArn]; ok {
		return to, nil
	}
	if _, err := nameOf(topicArn); err != nil {
		return nil, invalid("Invalid parameter: TopicArn Reason: %v", err)
	}
	return nil, fault.Coded(fault.NotFound, "NotFound", "Topic does not exist")
}

func (t *Topics) append(ctx context.Context, to *open, rec record) (string, error) {
	data, err := json.Marshal(rec)
	if err != nil {
		return "", fmt.Errorf("publish to %s: %w", to.ARN, err)
	}
	if _, err := to.Append(ctx, to.subject, nil, data); err != nil {
		return "", fault.Errorf(fault.Unavailable, "publish to %s: %w", to.ARN, err)
	}
	return rec.ID, nil
}

// compose checks a message and makes the record of it.
func compose(in PublishInput) (record, error) {
	if err := check(in); err != nil {
		return record{}, err
	}
	message, err := forLambda(in)
	if err != nil {
		return record{}, err
	}
	return record{
		ID:         newMessageID(),
		At:         time.Now().UTC().Truncate(time.Millisecond),
		Message:    message,
		Subject:    in.Subject,
		Attributes: in.Attributes,
	}, nil
}

// forLambda picks the message for functions out of one that differs by protocol.
func forLambda(in PublishInput) (string, error) {
	if in.Structure == "" {
		return in.Message, nil
	}
	if in.Structure != "json" {
		return "", invalid("Invalid parameter: MessageStructure Reason: %q is not json", in.Structure)
	}
	var by map[string]any
	if err := json.Unmarshal([]byte(in.Message), &by); err != nil {
		return "", invalid("Invalid parameter: Message Structure - JSON message body failed to parse")
	}
	message, ok := by["default"].(string)
	if !ok {
		return "", invalid("Invalid parameter: Message Structure - No default entry in JSON message body")
	}
	if m, ok := by["lambda"].(string); ok {
		message = m
	}
	if message == "" {
		return "", invalid("Invalid parameter: Empty message")
	}
	return message, nil
}

var entryID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

func checkBatch(entries []BatchEntry) error {
	if len(entries) == 0 {
		return fault.Coded(fault.Invalid, "EmptyBatchRequest", "The batch request doesn't contain any entries.")
	}
	if len(entries) > MaxBatch {
		return fault.Coded(fault.Invalid, "TooManyEntriesInBatchRequest",
			"The batch request contains more entries than permissible: %d, at most %d.", len(entries), MaxBatch)
	}
	seen, total := map[string]bool{}, 0
	for _, e := range entries {
		if !entryID.MatchString(e.ID) {
			return fault.Coded(fault.Invalid, "InvalidBatchEntryId",
				"The Id %q of a batch entry is not 1 to 80 letters, digits, - and _.", e.ID)
		}
		if seen[e.ID] {
			return fault.Coded(fault.Invalid, "BatchEntryIdsNotDistinct",
				"Two or more batch entries in the request have the same Id: %s.", e.ID)
		}
		seen[e.ID] = true
		total += size(e.PublishInput)
	}
	if total > MaxMessage {
		return fault.Coded(fault.Invalid, "BatchRequestTooLong",
			"The length of all the batch messages put together is %d bytes, more than the limit of %d.", total, MaxMessage)
	}
	return nil
}
