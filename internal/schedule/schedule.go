// Package schedule reads rate() and cron() expressions and fires their ticks.
//
// A tick becomes one asynchronous invocation whose ID is made of the rule and the
// instant, so that it is queued once however often it is tried. Ticks that pass
// while nothing runs are not made up for, as with EventBridge. Stored:
//
//	KV bucket schedules, key STACK    for every rule: its expression and since when it counts
package schedule

import (
	"time"

	"github.com/dropstack/dropstack/internal/pattern"
)

// Schedule invokes a function at the instants of an expression, in UTC. A rule
// with several targets is as many schedules, which share its name and ARN; one
// without any is a schedule without a function, which does nothing.
type Schedule struct {
	Stack       string               `json:"stack"`
	Name        string               `json:"name"`
	ARN         string               `json:"arn"` // of the rule
	Expression  string               `json:"expression"`
	Description string               `json:"description,omitempty"`
	Disabled    bool                 `json:"disabled,omitempty"`
	Target      string               `json:"target,omitempty"` // id of the target; "": the rule has no other
	Function    string               `json:"function"`
	Input       string               `json:"input,omitempty"` // JSON that replaces the event
	InputPath   string               `json:"inputPath,omitempty"`
	Transformer *pattern.Transformer `json:"inputTransformer,omitempty"`
	Zone        string               `json:"timezone,omitempty"`  // IANA's name of the zone that cron() is meant in; "": UTC
	Scheduler   bool                 `json:"scheduler,omitempty"` // a schedule of EventBridge Scheduler, whose event differs
	Group       string               `json:"group,omitempty"`     // of EventBridge Scheduler; "": default
	Tags        map[string]string    `json:"tags,omitempty"`
}

// key tells a schedule from all others.
func (s *Schedule) key() string {
	if s.Target == "" {
		return s.ARN
	}
	return s.ARN + " " + s.Target
}

// Expression is a parsed rate() or cron().
type Expression interface {
	// Next returns the first instant after t, and false when there is none.
	// created anchors rate(): it fires every period since then.
	Next(created, t time.Time) (time.Time, bool)
	String() string
}
