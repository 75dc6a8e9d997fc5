// Package bus is EventBridge's event buses: events that are put are matched
// against the patterns of rules and sent to their targets.
//
// It keeps nothing itself. An event is in the queue of each function, the stream of
// each topic and each queue that rules choose it for before whoever put it is
// answered, so what was acknowledged will be delivered, and retries, dead letters and
// order are those of where it is. What a target cannot take, because it is gone or
// the event too large for it, goes to the target's dead-letter queue, and without one
// into the log: another attempt would fare no better. What cannot be stored now fails
// the entry, and the publisher tries again.
package bus

import "github.com/dropstack/dropstack/internal/pattern"

// Default is the bus that is always there.
const Default = "default"

// Bus is an event bus of a stack.
type Bus struct {
	Stack       string            `json:"stack"`
	Name        string            `json:"name"`
	ARN         string            `json:"arn"`
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// Rule sends the events of a bus that match a pattern to targets. Rules with an
// expression of time are schedules (package schedule).
type Rule struct {
	Stack       string            `json:"stack"`
	Name        string            `json:"name"`
	ARN         string            `json:"arn"`
	Bus         string            `json:"bus,omitempty"` // name; "": Default
	Pattern     string            `json:"pattern"`       // JSON
	Description string            `json:"description,omitempty"`
	Disabled    bool              `json:"disabled,omitempty"`
	Targets     []Target          `json:"targets,omitempty"` // at most five
	Tags        map[string]string `json:"tags,omitempty"`
}

// Target is where a rule sends events.
type Target struct {
	ID         string        `json:"id"`
	ARN        string        `json:"arn"` // of a function or its alias, a topic, a queue or a bus
	Input      pattern.Input `json:"input,omitzero"`
	Group      string        `json:"messageGroupId,omitempty"`       // of a FIFO queue
	DeadLetter string        `json:"deadLetter,omitempty"`           // ARN of a queue
	MaxAge     int           `json:"maximumEventAge,omitempty"`      // seconds, 60-86,400; 0: a day
	MaxRetries *int          `json:"maximumRetryAttempts,omitempty"` // 0-185; nil: 185
}
