// Package schedule reads rate(), cron() and at() expressions and fires their ticks:
// those of EventBridge's rules and those of EventBridge Scheduler.
//
// A tick becomes one asynchronous invocation whose ID is made of the rule and the
// instant, so that it is queued once however often it is tried. Ticks that pass
// while nothing runs are not made up for, as with EventBridge. Stored:
//
//	KV bucket schedules, key STACK    for every rule: its expression and since when it counts
package schedule

import (
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/pattern"
)

// Schedule invokes a function at the instants of an expression. A rule
// with several targets is as many schedules, which share its name and ARN; one
// without any is a schedule without a target, which does nothing.
type Schedule struct {
	Stack       string               `json:"stack"`
	Name        string               `json:"name"`
	ARN         string               `json:"arn"` // of the rule
	Expression  string               `json:"expression"`
	Description string               `json:"description,omitempty"`
	Disabled    bool                 `json:"disabled,omitempty"`
	Target      string               `json:"target,omitempty"` // id of the target; "": the rule has no other
	Function    string               `json:"function"`
	To          string               `json:"to,omitempty"`      // ARN of a topic, a queue or an event bus that is told in place of a function
	ToGroup     string               `json:"toGroup,omitempty"` // of a FIFO queue
	Input       string               `json:"input,omitempty"`   // JSON that replaces the event
	InputPath   string               `json:"inputPath,omitempty"`
	Transformer *pattern.Transformer `json:"inputTransformer,omitempty"`
	Zone        string               `json:"timezone,omitempty"`  // IANA's name of the zone that cron() is meant in; "": UTC
	Scheduler   bool                 `json:"scheduler,omitempty"` // a schedule of EventBridge Scheduler, whose event differs
	Group       string               `json:"group,omitempty"`     // of EventBridge Scheduler; "": default
	Start       time.Time            `json:"start,omitzero"`      // of EventBridge Scheduler: no tick before it
	End         time.Time            `json:"end,omitzero"`        // and none after it
	Window      int                  `json:"window,omitempty"`    // minutes that a tick may be late by; it comes at their beginning
	DeleteAfter bool                 `json:"deleteAfterCompletion,omitempty"`
	Role        string               `json:"role,omitempty"`                 // kept: targets are reached without one
	DeadLetter  string               `json:"deadLetter,omitempty"`           // ARN of a queue that gets what the target does not take
	MaxAge      int                  `json:"maximumEventAge,omitempty"`      // kept: a tick is tried for a minute
	MaxRetries  *int                 `json:"maximumRetryAttempts,omitempty"` // kept, too
	Created     time.Time            `json:"created,omitzero"`
	Modified    time.Time            `json:"modified,omitzero"`
	Tags        map[string]string    `json:"tags,omitempty"`
}

// Check says what is wrong with a schedule, fault.Invalid.
func (s *Schedule) Check() error {
	if _, err := s.expression(); err != nil {
		return err
	}
	if !s.Start.IsZero() && !s.End.IsZero() && s.End.Before(s.Start) {
		return fault.Coded(fault.Invalid, "ValidationException", "EndDate %v is before StartDate %v", s.End, s.Start)
	}
	in := s.input()
	if s.Scheduler {
		in.Text = words("1", time.Time{}, "1").Replace(in.Text)
	}
	return in.Check()
}

func (s *Schedule) input() pattern.Input {
	return pattern.Input{Text: s.Input, Path: s.InputPath, Transformer: s.Transformer}
}

// Aimed reports whether a schedule has a target.
func (s *Schedule) Aimed() bool { return s.Function != "" || s.To != "" }

// key tells a schedule from all others.
func (s *Schedule) key() string {
	if s.Target == "" {
		return s.ARN
	}
	return s.ARN + " " + s.Target
}

// Expression is a parsed rate(), cron() or at().
type Expression interface {
	// Next returns the first instant after t, and false when there is none.
	// created anchors rate(): it fires every period since then.
	Next(created, t time.Time) (time.Time, bool)
	String() string
}

// DefaultGroup is the group of schedules of EventBridge Scheduler that is always there.
const DefaultGroup = "default"

// Group is a group of schedules of EventBridge Scheduler.
type Group struct {
	Stack    string            `json:"stack"`
	Name     string            `json:"name"`
	ARN      string            `json:"arn"`
	Created  time.Time         `json:"created,omitzero"`
	Modified time.Time         `json:"modified,omitzero"`
	Tags     map[string]string `json:"tags,omitempty"`
}
