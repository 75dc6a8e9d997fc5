package topic

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
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

// decoder returns what a deliverer asks about the subscription's messages. The
// invocation's ID is the same for every delivery of a message to a subscription.
func (t *Topics) decoder(sub Subscription) func(jetstream.Msg) (function.Invocation, bool, error) {
	return func(msg jetstream.Msg) (function.Invocation, bool, error) {
		var rec record
		if err := json.Unmarshal(msg.Data(), &rec); err != nil {
			return function.Invocation{}, false, fmt.Errorf("message of %s: %w", sub.Topic, err)
		}
		payload, err := t.event(sub, rec)
		if err != nil {
			return function.Invocation{}, false, fmt.Errorf("message %s of %s: %w", rec.ID, sub.Topic, err)
		}
		return function.Invocation{ID: uuid("delivery", sub.ARN, rec.ID), Function: sub.Function, Payload: payload}, true, nil
	}
}

func (t *Topics) event(sub Subscription, rec record) ([]byte, error) {
	n := notification{
		Type:              "Notification",
		MessageID:         rec.ID,
		TopicArn:          sub.Topic,
		Message:           rec.Message,
		Timestamp:         rec.At.UTC().Format(timestamp),
		SignatureVersion:  "1",
		SigningCertURL:    t.Endpoint + "/SimpleNotificationService.pem",
		UnsubscribeURL:    t.Endpoint + "/?Action=Unsubscribe&SubscriptionArn=" + url.QueryEscape(sub.ARN),
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

// sign covers the fields that SNS signs, in its order.
func (t *Topics) sign(n notification) string {
	mac := hmac.New(sha256.New, t.Key)
	field := func(name, value string) { fmt.Fprintf(mac, "%s\n%s\n", name, value) }
	field("Message", n.Message)
	field("MessageId", n.MessageID)
	if n.Subject != nil {
		field("Subject", *n.Subject)
	}
	field("Timestamp", n.Timestamp)
	field("TopicArn", n.TopicArn)
	field("Type", n.Type)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
