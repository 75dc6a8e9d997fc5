package topic

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/function"
)

// event is what a function gets: always one record. The capital E of EventSource
// is what adapters recognise SNS by.
type event struct {
	Records [1]eventRecord `json:"Records"`
}

type eventRecord struct {
	EventSource          string       `json:"EventSource"`
	EventVersion         string       `json:"EventVersion"`
	EventSubscriptionArn string       `json:"EventSubscriptionArn"`
	Sns                  notification `json:"Sns"`
}

type notification struct {
	Type              string               `json:"Type"`
	MessageID         string               `json:"MessageId"`
	TopicArn          string               `json:"TopicArn"`
	Subject           *string              `json:"Subject"` // null when absent
	Message           string               `json:"Message"`
	Timestamp         string               `json:"Timestamp"`
	SignatureVersion  string               `json:"SignatureVersion"`
	Signature         string               `json:"Signature"`
	SigningCertURL    string               `json:"SigningCertUrl"`
	UnsubscribeURL    string               `json:"UnsubscribeUrl"`
	MessageAttributes map[string]Attribute `json:"MessageAttributes"` // {} when there are none
}

const timestamp = "2006-01-02T15:04:05.000Z"

// onlyHeader names, on a message that a dead letter became again, the consumer
// that it is for.
const onlyHeader = "Dropstack-Only"

// reader reads and filters the messages of a subscription.
type reader struct {
	*Topics
	sub    Subscription
	filter *Filter
	counts *counters
}

func (t *Topics) reader(sub Subscription) (*reader, error) {
	filter, err := compileFilter(sub.Filter, sub.FilterScope)
	if err != nil {
		return nil, fmt.Errorf("subscription %s: %w", sub.ARN, err)
	}
	return &reader{t, sub, filter, t.countersOf(sub.ARN)}, nil
}

// read returns the record of a message, and false when it is not for the
// subscription.
func (r *reader) read(msg jetstream.Msg) (rec record, ok bool, err error) {
	if only := msg.Headers().Get(onlyHeader); only != "" && only != consumerName(r.sub.ARN) {
		return rec, false, nil
	}
	if err := json.Unmarshal(msg.Data(), &rec); err != nil {
		return rec, false, fmt.Errorf("message of %s: %w", r.sub.Topic, err)
	}
	if !r.filter.Match(rec.Attributes, rec.text(r.sub.protocol())) {
		r.count(resultFiltered)
		return rec, false, nil
	}
	return rec, true, nil
}

// invocation answers what a deliverer asks about a message. The invocation's ID is
// the same for every delivery of a message to a subscription.
func (r *reader) invocation(msg jetstream.Msg) (function.Invocation, bool, error) {
	rec, ok, err := r.read(msg)
	if !ok || err != nil {
		return function.Invocation{}, false, err
	}
	payload, err := r.event(r.sub, rec)
	if err != nil {
		return function.Invocation{}, false, fmt.Errorf("message %s of %s: %w", rec.ID, r.sub.Topic, err)
	}
	return function.Invocation{
		ID: uuid("delivery", r.sub.ARN, rec.ID), Function: r.sub.Function, Payload: payload, Trigger: function.TriggerTopic,
		TraceID: rec.Trace,
		Settled: func(ctx context.Context, o function.Outcome) error { return r.settled(ctx, rec, o) },
	}, true, nil
}

// settled counts what became of an attempt. A message that could not be handed to
// the function goes where the subscription's redrive policy says; one that the
// function got and failed on is the function's, with its own dead letters.
func (r *reader) settled(ctx context.Context, rec record, o function.Outcome) error {
	switch o.Fate {
	case function.Delivered:
		r.count(resultDelivered)
	case function.Retried:
		r.count(resultFailed)
	case function.Dead:
		if o.Letter.ErrorCode != 200 {
			if err := r.redrive(ctx, r.sub, rec, o.Letter.ErrorCode, o.Letter.ErrorMessage); err != nil {
				return err
			}
		}
		r.count(resultDead)
	}
	return nil
}

func (t *Topics) event(sub Subscription, rec record) ([]byte, error) {
	n := notification{
		Type:              "Notification",
		MessageID:         rec.ID,
		TopicArn:          sub.Topic,
		Message:           rec.text(ProtocolLambda),
		Timestamp:         rec.At.UTC().Format(timestamp),
		SignatureVersion:  "1",
		SigningCertURL:    t.certificateURL(),
		UnsubscribeURL:    t.unsubscribeURL(sub),
		MessageAttributes: rec.Attributes,
	}
	if rec.Subject != "" {
		n.Subject = &rec.Subject
	}
	if n.MessageAttributes == nil {
		n.MessageAttributes = map[string]Attribute{}
	}
	n.Signature = t.sign(n)

	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // a function that logs the event sees < and &, as on AWS
	err := enc.Encode(event{[1]eventRecord{{"aws:sns", "1.0", sub.ARN, n}}})
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// sign makes the signature of what a function gets: an HMAC, since functions do
// not verify it, and the endpoints that do cost a thousand times as much.
func (t *Topics) sign(n notification) string {
	var secret []byte
	if t.Identity != nil {
		secret = t.Identity.secret
	}
	mac := hmac.New(sha256.New, secret)
	_, _ = io.WriteString(mac, canonical(n.signed()))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signed are the fields that SNS signs, in its order.
func (n *notification) signed() []signed {
	list := []signed{{"Message", n.Message}, {"MessageId", n.MessageID}}
	if n.Subject != nil {
		list = append(list, signed{"Subject", *n.Subject})
	}
	return append(list, signed{"Timestamp", n.Timestamp}, signed{"TopicArn", n.TopicArn}, signed{"Type", n.Type})
}

// certificateURL is where receivers find what messages are signed by.
func (t *Topics) certificateURL() string {
	if t.Identity == nil {
		return t.Endpoint + "/SimpleNotificationService.pem"
	}
	return t.Endpoint + "/" + t.Identity.file
}

// unsubscribeURL is the link that cancels a subscription, see Leave.
func (t *Topics) unsubscribeURL(sub Subscription) string {
	return t.Endpoint + "/?Action=Unsubscribe&SubscriptionArn=" + url.QueryEscape(sub.ARN)
}

// confirmURL is the link that confirms a subscription.
func (t *Topics) confirmURL(sub Subscription) string {
	return t.Endpoint + "/?Action=ConfirmSubscription&TopicArn=" + url.QueryEscape(sub.Topic) + "&Token=" + t.token(sub)
}

// token is an endpoint's permission to confirm the request of a certain time. It
// is made anew when it is needed, and stored nowhere.
func (t *Topics) token(sub Subscription) string {
	if t.Identity == nil {
		return ""
	}
	mac := hmac.New(sha256.New, t.Identity.secret)
	fmt.Fprintf(mac, "confirm\x00%s\x00%d", sub.ARN, sub.Requested.UnixMilli())
	return hex.EncodeToString(mac.Sum(nil))
}
