package topic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

// Names of what is stored besides the topics.
const (
	lettersStream  = "topic-letters"
	failuresBucket = "topic-failures"
	stateBucket    = "topic-state"
)

// Letter is a message that an endpoint outside did not take. Those of functions
// are the function room's.
type Letter struct {
	Subscription string    `json:"subscription"`
	MessageID    string    `json:"messageId"`
	Published    time.Time `json:"published"`
	Time         time.Time `json:"time"`
	Error        string    `json:"error"`
	Record       []byte    `json:"record"` // the message as it was
}

const lettersKept = 14 * 24 * time.Hour // as a queue keeps them at most

func (t *Topics) letters(ctx context.Context) (jetstream.Stream, error) {
	s, err := t.Streams.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: lettersStream, Subjects: []string{lettersStream + ".*"}, Storage: jetstream.FileStorage, MaxAge: lettersKept,
		Duplicates: 15 * time.Minute,
	})
	if err != nil {
		return nil, fmt.Errorf("open the dead letters of topics: %w", err)
	}
	return s, nil
}

// keepLetter keeps a message. Done twice with a key, within minutes, it keeps one.
func (t *Topics) keepLetter(ctx context.Context, key string, sub Subscription, rec record, why error) error {
	if _, err := t.letters(ctx); err != nil {
		return err
	}
	doc, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	data, err := json.Marshal(Letter{sub.ARN, rec.ID, rec.At, now(), why.Error(), doc})
	if err != nil {
		return err
	}
	if _, err := t.Streams.Publish(ctx, lettersStream+"."+consumerName(sub.ARN), data, jetstream.WithMsgID(key)); err != nil {
		return fmt.Errorf("keep a dead letter: %w", err)
	}
	return nil
}

// redrive brings a dead message to the topic or queue of the subscription's redrive
// policy: to a topic with what went wrong as attributes, to a queue as the
// subscription would have got it.
func (t *Topics) redrive(ctx context.Context, sub Subscription, rec record, code int, why string) error {
	if sub.DeadLetter == "" {
		return nil
	}
	if a, err := arn.Parse(sub.DeadLetter); err == nil && a.Service == "sqs" {
		return t.redriveToQueue(ctx, sub, rec)
	}
	to, ok := t.load().topics[sub.DeadLetter]
	if !ok {
		t.Log.Error("the topic for dead letters does not exist", "subscription", sub.ARN, "topic", sub.DeadLetter)
		return nil
	}
	again := record{ID: newMessageID(), At: now(), Message: rec.text(sub.protocol()), Subject: rec.Subject, Attributes: map[string]Attribute{}}
	for name, a := range rec.Attributes {
		again.Attributes[name] = a
	}
	again.Attributes["SubscriptionArn"] = Attribute{"String", sub.ARN}
	again.Attributes["ErrorMessage"] = Attribute{"String", why}
	if code != 0 {
		again.Attributes["ErrorCode"] = Attribute{"Number", strconv.Itoa(code)}
	}
	_, err := t.append(ctx, to, again)
	return err
}

// Letters returns the dead letters of a subscription, the oldest first, at most
// limit.
func (t *Topics) Letters(ctx context.Context, subARN string, limit int) (list []Letter, err error) {
	if _, err := t.subscription(subARN); err != nil {
		return nil, err
	}
	list = []Letter{}
	err = t.eachLetter(ctx, subARN, limit, func(l Letter, _ uint64) error {
		list = append(list, l)
		return nil
	})
	return list, err
}

// Redrive delivers dead letters of a subscription again, the one of a message or,
// with "", all, and returns how many. A letter goes only when its message is in
// the topic's stream again, so a crash in between delivers it twice but loses
// nothing. Other subscriptions do not get it.
func (t *Topics) Redrive(ctx context.Context, subARN, messageID string) (int, error) {
	sub, err := t.subscription(subARN)
	if err != nil {
		return 0, err
	}
	if sub.protocol() == ProtocolLambda {
		return 0, fault.Errorf(fault.Invalid, "the dead letters of subscription %s are those of function %s; redrive them there", subARN, sub.Function)
	}
	to, err := t.existing("TopicArn", sub.Topic)
	if err != nil {
		return 0, err
	}
	letters, err := t.letters(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	err = t.eachLetter(ctx, subARN, 0, func(l Letter, seq uint64) error {
		if messageID != "" && l.MessageID != messageID {
			return nil
		}
		header := nats.Header{onlyHeader: {consumerName(subARN)}}
		if _, err := to.Append(ctx, to.subject, header, l.Record); err != nil {
			return fault.Errorf(fault.Unavailable, "publish message %s again: %w", l.MessageID, err)
		}
		if err := letters.DeleteMsg(ctx, seq); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return fmt.Errorf("remove the dead letter of message %s: %w", l.MessageID, err)
		}
		n++
		return nil
	})
	if err == nil && messageID != "" && n == 0 {
		return 0, fault.Errorf(fault.NotFound, "subscription %s has no dead letter of message %s", subARN, messageID)
	}
	return n, err
}

// eachLetter calls take with the letters that are there now, the oldest first, at
// most limit of them unless it is 0.
func (t *Topics) eachLetter(ctx context.Context, subARN string, limit int, take func(l Letter, seq uint64) error) error {
	letters, err := t.letters(ctx)
	if err != nil {
		return err
	}
	subject := lettersStream + "." + consumerName(subARN)
	info, err := letters.Info(ctx)
	if err != nil {
		return fmt.Errorf("read dead letters: %w", err)
	}
	for n, seq := 0, uint64(1); seq <= info.State.LastSeq && (limit == 0 || n < limit); n++ {
		msg, err := letters.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read dead letters: %w", err)
		}
		if msg.Sequence > info.State.LastSeq { // it came meanwhile
			return nil
		}
		var l Letter
		if err := json.Unmarshal(msg.Data, &l); err != nil {
			return fmt.Errorf("read dead letters: %w", err)
		}
		if err := take(l, msg.Sequence); err != nil {
			return err
		}
		seq = msg.Sequence + 1
	}
	return nil
}
