// Package queue is SQS: queues of messages, what polls them for functions, and
// the calls of its API.
package queue

import "time"

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
	MaxSize      *int              `json:"maximumMessageSize,omitempty"`     // bytes, 1,024-1,048,576; default 262,144
	DeadLetter   string            `json:"deadLetter,omitempty"`             // ARN of a queue
	MaxReceive   int               `json:"maxReceiveCount,omitempty"`        // 1-1,000, with DeadLetter
	Policy       string            `json:"policy,omitempty"`
	KMSKey       string            `json:"kmsMasterKeyId,omitempty"`
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
