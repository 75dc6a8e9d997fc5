package topic

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"time"
)

// Types of documents.
const (
	typeNotification = "Notification"
	typeConfirm      = "SubscriptionConfirmation"
	typeLeft         = "UnsubscribeConfirmation"
)

// document is what an endpoint outside gets: what SNS posts, and what a person
// reads in an e-mail.
type document struct {
	kind string // Notification …
	id   string // of the message
	body []byte // posted
	raw  bool   // the body is the message alone
	// attributes are those of the message where the body does not have them.
	attributes map[string]Attribute
	subject    string // of an e-mail
	text       string // of an e-mail
}

// posted is a notification as endpoints outside get it: spelt otherwise than that
// of functions, and without what is empty.
type posted struct {
	Type              string               `json:"Type"`
	MessageID         string               `json:"MessageId"`
	Token             string               `json:"Token,omitempty"`
	TopicArn          string               `json:"TopicArn"`
	Subject           *string              `json:"Subject,omitempty"`
	Message           string               `json:"Message"`
	SubscribeURL      string               `json:"SubscribeURL,omitempty"`
	Timestamp         string               `json:"Timestamp"`
	SignatureVersion  string               `json:"SignatureVersion"`
	Signature         string               `json:"Signature"`
	SigningCertURL    string               `json:"SigningCertURL"`
	UnsubscribeURL    string               `json:"UnsubscribeURL,omitempty"`
	MessageAttributes map[string]Attribute `json:"MessageAttributes,omitempty"`
}

// signed are the fields that are signed, those of confirmations among them.
func (p *posted) signed() []signed {
	if p.Type == typeNotification {
		n := notification{Type: p.Type, MessageID: p.MessageID, TopicArn: p.TopicArn, Subject: p.Subject, Message: p.Message, Timestamp: p.Timestamp}
		return n.signed()
	}
	return []signed{
		{"Message", p.Message},
		{"MessageId", p.MessageID},
		{"SubscribeURL", p.SubscribeURL},
		{"Timestamp", p.Timestamp},
		{"Token", p.Token},
		{"TopicArn", p.TopicArn},
		{"Type", p.Type},
	}
}

// finish signs and encodes. The version is the topic's.
func (t *Topics) finish(topic *Topic, p *posted) ([]byte, error) {
	p.SignatureVersion = topic.SignatureVersion
	if p.SignatureVersion == "" {
		p.SignatureVersion = "1"
	}
	p.SigningCertURL = t.certificateURL()
	var err error
	if p.Signature, err = t.Identity.sign(p.SignatureVersion, p.signed()); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ") // as SNS posts it
	err = enc.Encode(p)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// notify makes the document of a message.
func (t *Topics) notify(topic *Topic, sub Subscription, rec record) (document, error) {
	message := rec.text(sub.protocol())
	d := document{kind: typeNotification, id: rec.ID, subject: rec.Subject, raw: sub.Raw, body: []byte(message)}
	if d.subject == "" {
		d.subject = cmp.Or(topic.DisplayName, "AWS Notification Message")
	}
	if sub.protocol() == ProtocolEmail {
		d.text = fmt.Sprintf("%s\n\n--\nTo stop receiving notifications of %s:\n%s\n", message, sub.Topic, t.unsubscribeURL(sub))
		return d, nil
	}
	if sub.Raw {
		d.attributes = rec.Attributes
		return d, nil
	}
	p := &posted{
		Type: typeNotification, MessageID: rec.ID, TopicArn: sub.Topic, Message: message,
		Timestamp: rec.At.UTC().Format(timestamp), UnsubscribeURL: t.unsubscribeURL(sub), MessageAttributes: rec.Attributes,
	}
	if rec.Subject != "" {
		p.Subject = &rec.Subject
	}
	var err error
	d.body, err = t.finish(topic, p)
	d.text = string(d.body)
	return d, err
}

// ask makes the document that asks an endpoint to confirm, or says that it has
// left. Its ID is the same however often it is sent.
func (t *Topics) ask(topic *Topic, sub Subscription) (document, error) {
	link := t.confirmURL(sub)
	p := &posted{
		Type: typeConfirm, MessageID: uuid("ask", sub.ARN, sub.Requested.Format(time.RFC3339Nano)), Token: t.token(sub), TopicArn: sub.Topic,
		Message:      "You have chosen to subscribe to the topic " + sub.Topic + ".\nTo confirm the subscription, visit the SubscribeURL included in this message.",
		SubscribeURL: link, Timestamp: sub.Requested.UTC().Format(timestamp),
	}
	if sub.ofDeployment() {
		p.Timestamp = now().Format(timestamp)
	}
	text := fmt.Sprintf("You have been asked to receive the messages of the topic\n%s\n\nTo confirm the subscription, follow this link:\n%s\n\nIf you did not expect this, do nothing.\n", sub.Topic, link)
	d := document{kind: typeConfirm, id: p.MessageID, subject: "AWS Notification - Subscription Confirmation", text: text}
	if sub.State == Left {
		p.Type, d.kind = typeLeft, typeLeft
		p.Message = "You have chosen to deactivate subscription " + sub.ARN + ".\nTo cancel this operation and restore the subscription, visit the SubscribeURL included in this message."
		d.subject = "AWS Notification - Unsubscribe Confirmation"
		d.text = fmt.Sprintf("Your subscription to the topic\n%s\nis cancelled.\n\nTo subscribe again, follow this link:\n%s\n", sub.Topic, link)
	}
	var err error
	d.body, err = t.finish(topic, p)
	if sub.protocol() == ProtocolEmailJSON {
		d.text = string(d.body)
	}
	return d, err
}
