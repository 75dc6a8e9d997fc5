// Package queue is SQS: queues of messages, what polls them for functions, and
// the calls of its API.
//
// A message is one record in its queue's stream, synced before its sender is
// answered. To receive is to pull from the stream's only consumer: the server
// counts how often a message was given out, and gives it out again when nobody has
// shown a sign of life for it. While a message is hidden the queue shows one on the
// receiver's behalf, so a platform that dies lets go of everything that it has
// given out. Messages of a FIFO queue wait in memory until their group is free.
//
// What queues and mappings there are is said by revisions, as of topics; a call
// changes a revision through the Editor. Stored:
//
//	stream queue_std_NAME, queue_fifo_NAME  the messages; in its metadata the stack
//	consumer receivers                      how often they were given out
package queue

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

const fifoSuffix = ".fifo"

// Queue is a queue of a stack. Numbers are in seconds unless they say otherwise;
// where they are nil SQS's default holds.
type Queue struct {
	Stack        string            `json:"stack"`
	Name         string            `json:"name"`
	ARN          string            `json:"arn"`
	FIFO         bool              `json:"fifo,omitempty"`
	ContentDedup bool              `json:"contentBasedDeduplication,omitempty"`
	Visibility   *int              `json:"visibilityTimeout,omitempty"`      // 0-43,200; default 30
	Retention    *int              `json:"messageRetentionPeriod,omitempty"` // 60-1,209,600; default 345,600
	Delay        *int              `json:"delaySeconds,omitempty"`           // 0-900; default 0
	Wait         *int              `json:"receiveWaitTime,omitempty"`        // 0-20; default 0
	MaxSize      *int              `json:"maximumMessageSize,omitempty"`     // bytes, 1,024-1,048,576; default the highest
	DeadLetter   string            `json:"deadLetter,omitempty"`             // ARN of a queue
	MaxReceive   int               `json:"maxReceiveCount,omitempty"`        // 1-1,000, with DeadLetter
	Policy       string            `json:"policy,omitempty"`
	KMSKey       string            `json:"kmsMasterKeyId,omitempty"` // kept, and without effect: see Set
	Tags         map[string]string `json:"tags,omitempty"`
	Created      time.Time         `json:"created,omitzero"`
	Modified     time.Time         `json:"modified,omitzero"`
}

// Mapping is an event source mapping: it polls a queue for a function.
type Mapping struct {
	Stack          string    `json:"stack"`
	ID             string    `json:"id"`                       // UUID
	Source         string    `json:"source"`                   // ARN of the queue
	Function       string    `json:"function"`                 // name or name:qualifier
	BatchSize      int       `json:"batchSize,omitempty"`      // 1-10,000; 0: 10
	Window         int       `json:"batchingWindow,omitempty"` // seconds, 0-300
	Disabled       bool      `json:"disabled,omitempty"`
	Filters        []string  `json:"filters,omitempty"` // patterns, any of which lets a message through
	ReportFailures bool      `json:"reportBatchItemFailures,omitempty"`
	MaxConcurrency int       `json:"maximumConcurrency,omitempty"` // 2-1,000; 0: not bounded
	Modified       time.Time `json:"modified,omitzero"`
}

// Appender stores messages of one stream; Append returns when they are on disk.
type Appender interface {
	Append(ctx context.Context, subject string, header nats.Header, data []byte) (seq uint64, err error)
	Close() error
}

// Editor changes what a stack declares, as topic.Editor does.
type Editor interface {
	EditQueues(ctx context.Context, stack string, change func(queues []Queue, mappings []Mapping) ([]Queue, []Mapping, error)) error
}

// Queues is the room. All fields but Editor are required.
type Queues struct {
	Streams     jetstream.JetStream
	NewAppender func(stream string) Appender
	Invoker     function.Invokes
	Editor      Editor // nil: calls cannot make or change queues
	Endpoint    string // base of queues' URLs
	Region      string
	Log         *slog.Logger

	change  sync.Mutex // serialises Replace
	current atomic.Pointer[snapshot]
	pollers pollers
	moves   moves
}

// snapshot is what all stacks together declare. It never changes.
type snapshot struct {
	stacks   map[string]declared
	queues   map[string]*open // by ARN
	mappings map[string]Mapping
}

type declared struct {
	queues   []Queue
	mappings []Mapping
}

func (q *Queues) load() *snapshot {
	if s := q.current.Load(); s != nil {
		return s
	}
	return &snapshot{}
}

// URL is the address of a queue, which calls name it by.
func (q *Queues) URL(name string) string { return q.Endpoint + "/" + arn.Account + "/" + name }

// ARN names a queue of the region.
func ARN(region, name string) string {
	return arn.ARN{Partition: "aws", Service: "sqs", Region: region, Account: arn.Account, Resource: name}.String()
}

// ARNOf is the ARN of the queue at a URL, whatever its host.
func (q *Queues) ARNOf(url string) string {
	return ARN(q.Region, url[strings.LastIndexByte(url, '/')+1:])
}

// Policy is the resource policy of a queue, "" when it has none.
func (q *Queues) Policy(queueARN string) string {
	if o := q.load().queues[queueARN]; o != nil {
		return o.get().Policy
	}
	return ""
}

// at finds the queue at a URL.
func (q *Queues) at(url string) (*open, error) {
	if url == "" {
		return nil, fault.Coded(fault.Invalid, "MissingParameter", "The request must contain the parameter QueueUrl.")
	}
	return q.find(q.ARNOf(url))
}

func (q *Queues) find(queueARN string) (*open, error) {
	if o := q.load().queues[queueARN]; o != nil {
		return o, nil
	}
	return nil, fault.Coded(fault.NotFound, "QueueDoesNotExist", "The specified queue does not exist: %s", queueARN)
}

// Mappings lists the event source mappings of all stacks, by id.
func (q *Queues) Mappings() []Mapping {
	return slices.SortedFunc(maps.Values(q.load().mappings), func(a, b Mapping) int { return strings.Compare(a.ID, b.ID) })
}
