// Package topic fans published messages out to their subscriptions.
//
// A message is one record in its topic's stream, written and synced before the
// publisher is answered, so after a crash it has been published wholly or not at
// all. Every subscription is a durable consumer of that stream, which invokes its
// function, retries and dead-letters on its own.
//
// Stored:
//
//	stream topic_REGION_NAME  the messages that some subscription still owes, by sequence
//	consumer HASH             where one subscription stands
//	metadata of either        the stacks that name it
//
// The streams keep messages by interest: a subscription sees what is published
// after it exists, a message goes once every subscription is done with it, and a
// topic without subscriptions stores nothing, as in SNS.
package topic

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/function"
)

// Topic is a named stream of messages.
type Topic struct {
	Stack string `json:"stack"`
	Name  string `json:"name"`
	ARN   string `json:"arn"`
}

// Subscription delivers a topic's messages to a function.
type Subscription struct {
	Stack    string `json:"stack"`
	ARN      string `json:"arn"`   // TopicARN:uuid, the same for the same topic and function
	Topic    string `json:"topic"` // ARN
	Function string `json:"function"`
}

// PublishInput is one message. Message is at most 256 KB with its attributes.
type PublishInput struct {
	TopicArn   string
	Message    string
	Subject    string
	Structure  string // "" or "json": Message is an object of messages by protocol
	Attributes map[string]Attribute
}

// Attribute is a message attribute: Type is String, Number, Binary or
// String.Array, Value as sent (base64 for Binary).
type Attribute struct {
	Type  string `json:"Type"`
	Value string `json:"Value"`
}

// Appender appends to one stream. Append answers once the record is on disk;
// callers at the same time may share one write. It is safe for concurrent use.
type Appender interface {
	Append(ctx context.Context, subject string, header nats.Header, data []byte) (seq uint64, err error)
	Close() error
}

// Deliverer invokes a function for each message of a consumer: concurrency,
// retries, dead letters and acknowledgement are its own. It returns when ctx ends
// and what it had in hand is finished or given back, or when the consumer is lost.
//
// decode says what to invoke. ok is false for a message that is to be
// acknowledged without an invocation; an error means that the record can never be
// read.
type Deliverer interface {
	Deliver(ctx context.Context, consumer jetstream.Consumer, name string,
		decode func(msg jetstream.Msg) (inv function.Invocation, ok bool, err error)) error
}

// Topics are the topics and subscriptions of all stacks. It is ready once Replace
// was called for every stack; all methods are safe for concurrent use.
type Topics struct {
	Streams     jetstream.JetStream
	Deliver     Deliverer
	NewAppender func(stream string) Appender
	Log         *slog.Logger
	// Endpoint is the base URL of the AWS endpoint, which events name in
	// SigningCertUrl and UnsubscribeUrl.
	Endpoint string
	// Key makes the Signature of events: an HMAC, since receivers in Lambda do
	// not verify it and no public key would convince them. Optional.
	Key []byte

	current atomic.Pointer[snapshot]

	change sync.Mutex // serialises Replace, Prune and Close

	mu    sync.Mutex // guards what follows
	runs  context.Context
	loops map[string]*loop // by subscription ARN
	ended sync.WaitGroup
}

// snapshot is what all stacks together declare. It never changes.
type snapshot struct {
	stacks map[string]declared
	topics map[string]*open // by ARN
	subs   map[string]Subscription
}

// declared is what one stack declares.
type declared struct {
	topics []Topic
	subs   []Subscription
}

// open is a topic that can be published to.
type open struct {
	Topic
	subject string
	Appender
}

func (t *Topics) load() *snapshot {
	if s := t.current.Load(); s != nil {
		return s
	}
	return &snapshot{}
}

// List returns the topics of all stacks by ARN.
func (t *Topics) List() []Topic {
	var list []Topic
	for _, o := range t.load().topics {
		list = append(list, o.Topic)
	}
	slices.SortFunc(list, func(a, b Topic) int { return strings.Compare(a.ARN, b.ARN) })
	return list
}

// Subscriptions returns the subscriptions of all stacks by ARN.
func (t *Topics) Subscriptions() []Subscription {
	var list []Subscription
	for _, s := range t.load().subs {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Subscription) int { return strings.Compare(a.ARN, b.ARN) })
	return list
}
