package topic

import (
	"context"
	"encoding/base64"
	"errors"

	"github.com/dropstack/dropstack/internal/fault"
)

// toQueue puts a message into a queue. Done twice with an id, within minutes, it is
// there once.
func (t *Topics) toQueue(ctx context.Context, queueARN, id, body string, attributes map[string]Attribute) error {
	if t.Send == nil {
		return errors.New("there are no queues here")
	}
	return t.Send(ctx, queueARN, id, body, attributes)
}

// redriveToQueue keeps a dead message in a queue. One that does not exist is
// logged: the letter is among those of topics.
func (t *Topics) redriveToQueue(ctx context.Context, sub Subscription, rec record) error {
	o := t.load().topics[sub.Topic]
	if o == nil {
		return nil
	}
	doc, err := t.notify(&o.Topic, sub, rec)
	if err != nil {
		return err
	}
	err = t.toQueue(ctx, sub.DeadLetter, sub.ARN+" dead "+rec.ID, string(doc.body), doc.attributes)
	if fault.KindOf(err) == fault.NotFound {
		t.Log.Error("the queue for dead letters does not exist", "subscription", sub.ARN, "queue", sub.DeadLetter)
		return nil
	}
	return err
}

// Bytes are the value of a Binary attribute.
func (a Attribute) Bytes() []byte {
	value, err := base64.StdEncoding.DecodeString(a.Value)
	if err != nil {
		return nil // what is stored has been encoded here
	}
	return value
}
