package function

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/trace"
)

// DeadLetter is an event that could not be delivered.
type DeadLetter struct {
	RequestID    string    `json:"requestId"`
	Function     string    `json:"function"`     // ARN, or the name of one that was removed
	ErrorCode    int       `json:"errorCode"`    // 200: the function failed; else the status of HTTP that says why it did not run
	ErrorMessage string    `json:"errorMessage"` // at most 1 KB
	Queued       time.Time `json:"queued"`
	Time         time.Time `json:"time"`
	Body         []byte    `json:"body"` // the event as it was
}

const maxErrorMessage = 1 << 10

// bury keeps the event as a dead letter and is done with it. Until the
// acknowledgement has arrived it may be done again: the stream drops the second
// copy, a topic gets two.
func (t *task) bury(v verdict) error {
	if len(v.Message) > maxErrorMessage {
		v.Message = v.Message[:maxErrorMessage]
	}
	letter := DeadLetter{
		RequestID: requestID(t.inv.ID), Function: t.inv.Function, ErrorCode: v.Code, ErrorMessage: v.Message,
		Queued: t.meta.Timestamp, Time: time.Now().UTC(), Body: t.inv.Payload,
	}
	name, topic, destination := "-", "", ""
	if e, _, err := t.find(t.inv.Function); err == nil {
		name, topic, destination, letter.Function = e.Name, e.DeadLetter, t.deployed(e).OnFailure, e.ARN
	} else if n, _, ok := parseName(t.Region, t.inv.Function); ok {
		name = n
	}
	data, err := json.Marshal(letter)
	if err != nil {
		return err
	}
	if _, err := t.Streams.Publish(t.run, lettersName+"."+name, data, jetstream.WithMsgID(t.key)); err != nil {
		return fmt.Errorf("keep a dead letter: %w", err)
	}
	if err := t.publish(topic, letter); err != nil {
		t.buried(true)
		return err
	}
	if destination != "" {
		condition := conditionExhausted
		if v.tooOld {
			condition = conditionTooOld
		}
		if err := t.tell(destination, condition, v, max(t.past.Count, 1)); err != nil {
			return err
		}
	}
	if err := t.settled(Outcome{Dead, letter}); err != nil {
		return err
	}
	t.buried(false)
	t.Log.Warn("event became a dead letter", "function", letter.Function, "request", letter.RequestID, "code", v.Code, "err", v.Message)
	t.forget()
	return t.msg.Ack()
}

// publish sends a letter to the topic or queue that the function names.
func (t *task) publish(topic string, l DeadLetter) error {
	ctx := trace.With(t.run, t.inv.TraceID)
	attributes := map[string]string{"RequestID": l.RequestID, "ErrorCode": strconv.Itoa(l.ErrorCode), "ErrorMessage": l.ErrorMessage}
	var err error
	switch a, _ := arn.Parse(topic); { // what is none is not found
	case topic == "":
		return nil
	case a.Service == "sqs" && t.Send != nil:
		err = t.Send(ctx, topic, t.key+"/letter", string(l.Body), attributes)
	case t.Publish != nil:
		err = t.Publish(ctx, topic, l.Body, attributes)
	}
	if fault.KindOf(err) == fault.NotFound && err != nil {
		t.buried(true)
		t.Log.Error("the dead-letter topic or queue does not exist; the letter is kept in the stream only", "function", l.Function, "target", topic)
		return nil
	}
	if err != nil {
		return fmt.Errorf("publish a dead letter to %s: %w", topic, err)
	}
	return nil
}

// DeadLetters returns the newest dead letters of a function, newest first, at
// most limit, which is 1-10,000.
func (i *Invoker) DeadLetters(ctx context.Context, function string, limit int) ([]DeadLetter, error) {
	if limit < 1 || limit > 10000 {
		return nil, fault.Errorf(fault.Invalid, "limit %d is not between 1 and 10000", limit)
	}
	name, _, ok := parseName(i.Region, function)
	if !ok {
		return nil, notFound(i.Region, function)
	}
	q, err := i.open(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	consumer, err := i.letterReader(ctx, q, name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = q.letters.DeleteConsumer(context.WithoutCancel(ctx), consumer.CachedInfo().Name) }()
	list := []DeadLetter{}
	err = readLetters(ctx, consumer, func(l DeadLetter, _ uint64) error {
		list = append([]DeadLetter{l}, list[:min(len(list), limit-1)]...)
		return nil
	})
	return list, err
}
