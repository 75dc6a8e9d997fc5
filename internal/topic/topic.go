// Package topic fans published messages out to their subscriptions.
//
// A message is one record in its topic's stream, written and synced before the
// publisher is answered, so after a crash it has been published wholly or not at
// all. Every subscription is a durable consumer of that stream, which filters,
// invokes its function or calls its endpoint, retries and dead-letters on its own.
//
// What topics and subscriptions there are is said by revisions: those of stacks,
// and that of the stack "api" for what calls of the API made. A call changes a
// revision through the Editor and takes effect as a deployment does.
//
// Stored:
//
//	stream topic_REGION_NAME  the messages that some subscription still owes, by sequence
//	consumer HASH             where one subscription stands
//	metadata of either        the stacks that name it
//	stream topic-letters      what an endpoint outside did not take, by consumer
//	bucket topic-failures     retries used, by consumer and sequence
//	bucket topic-state        counters, and which endpoints were asked to confirm
//
// The streams keep messages by interest: a subscription sees what is published
// after it exists, a message goes once every subscription is done with it, and a
// topic without subscriptions stores nothing, as in SNS.
package topic

import (
	"context"
	"crypto/x509"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/trace"
)

// Topic is a named stream of messages, and its attributes, which are empty where
// they are SNS's defaults.
type Topic struct {
	Stack string `json:"stack"`
	Name  string `json:"name"`
	ARN   string `json:"arn"`
	// Named says that the stack only names the topic, in an event or a
	// subscription; its attributes are those of a stack that declares it.
	Named bool `json:"named,omitempty"`

	DisplayName      string            `json:"displayName,omitempty"`
	Policy           string            `json:"policy,omitempty"`
	DeliveryPolicy   string            `json:"deliveryPolicy,omitempty"`
	KMSKey           string            `json:"kmsMasterKeyId,omitempty"`   // kept, and without effect: see attributes.go
	SignatureVersion string            `json:"signatureVersion,omitempty"` // "": 1
	Tracing          string            `json:"tracingConfig,omitempty"`    // "": PassThrough
	Tags             map[string]string `json:"tags,omitempty"`
}

// Protocols of subscriptions.
const (
	ProtocolLambda    = "lambda"
	ProtocolHTTP      = "http"
	ProtocolHTTPS     = "https"
	ProtocolEmail     = "email"
	ProtocolEmailJSON = "email-json"
	ProtocolSQS       = "sqs"
)

// States of a subscription whose endpoint has to agree. A confirmed one, as every
// function's is, has none.
const (
	Pending = "pending" // asked, and has not answered
	Left    = "left"    // cancelled by the endpoint, which may come back
)

// Subscription delivers a topic's messages to an endpoint. It holds only what ==
// compares.
type Subscription struct {
	Stack    string `json:"stack"`
	ARN      string `json:"arn"`                               // TopicARN:uuid; of a function always the same for the same topic
	Topic    string `json:"topic"`                             // ARN
	Protocol string `json:"protocol,omitempty"`                // "": lambda
	Function string `json:"function,omitempty"`                // of lambda: name or name:qualifier
	Endpoint string `json:"endpoint,omitempty" audit:"hidden"` // of others: URL or address

	State     string    `json:"state,omitempty"`
	Requested time.Time `json:"requested,omitzero"` // when the endpoint was asked last
	Guarded   bool      `json:"guarded,omitempty"`  // only a signed call may cancel it
	Inside    bool      `json:"inside,omitempty"`   // the endpoint may be at a private or loopback address

	Raw            bool   `json:"rawMessageDelivery,omitempty"`
	Filter         string `json:"filterPolicy,omitempty"`
	FilterScope    string `json:"filterPolicyScope,omitempty"` // "": MessageAttributes
	DeadLetter     string `json:"deadLetter,omitempty"`        // ARN of a topic or queue
	DeliveryPolicy string `json:"deliveryPolicy,omitempty"`
	Role           string `json:"role,omitempty"` // kept: nothing here is reached by a role
}

func (s *Subscription) protocol() string {
	if s.Protocol == "" {
		return ProtocolLambda
	}
	return s.Protocol
}

// Attribute is a message attribute as it is stored and delivered: Type is String,
// Number, Binary or String.Array, Value as sent (base64 for Binary).
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
	// Endpoint is the base URL of the AWS endpoint, which messages name: for their
	// certificate, to confirm and to cancel subscriptions.
	Endpoint string
	Region   string // "": us-east-1
	// Identity signs what leaves the platform and makes the tokens of
	// confirmations. Without it there are subscriptions of functions only.
	Identity *Identity
	Editor   Editor // for the calls that change something
	Mail     Mailer // nil: no subscriptions by e-mail
	// Send puts a message into a queue; of two with an id the second is dropped. nil:
	// there are no queues.
	Send func(ctx context.Context, queueARN, id, body string, attributes map[string]Attribute) error
	// CheckPolicy says what is wrong with the text of a topic's policy. Optional.
	CheckPolicy func(policy string) error
	// Traces begins the traces of messages whose publishers had none. Optional.
	Traces *trace.Traces
	// MayReachInside says whether a caller may have messages sent to loopback and
	// private addresses; nobody may without it. What a deployment declares always
	// may. Link-local addresses, where clouds keep their secrets, never get any.
	MayReachInside func(ctx context.Context) bool
	// Published is told of each message that is published, Settled of what becomes of it
	// at a subscription. Both are on the messages' way and must not wait. Optional.
	Published func(topicARN string)
	Settled   func(sub Subscription, result string)

	RootCAs   *x509.CertPool // for https; nil: the system's
	MaxTopics int            // 0: 100,000
	MaxSubs   int            // of a topic; 0: 12,500,000

	current atomic.Pointer[snapshot]

	change sync.Mutex // serialises Replace, Prune and Close

	outside outside // what delivers to endpoints, made on first use

	mu     sync.Mutex // guards what follows
	runs   context.Context
	loops  map[string]*loop     // by subscription ARN
	counts map[string]*counters // likewise
	ended  sync.WaitGroup
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
