// Package schedule reads rate() and cron() expressions and fires their ticks.
package schedule

import "time"

// Schedule invokes a function at the instants of an expression, in UTC.
type Schedule struct {
	Stack       string `json:"stack"`
	Name        string `json:"name"`
	ARN         string `json:"arn"` // of the rule
	Expression  string `json:"expression"`
	Description string `json:"description,omitempty"`
	Disabled    bool   `json:"disabled,omitempty"`
	Function    string `json:"function"`
	Input       string `json:"input,omitempty"` // JSON that replaces the event
}

// Expression is a parsed rate() or cron().
type Expression interface {
	// Next returns the first instant after t, and false when there is none.
	// created anchors rate(): it fires every period since then.
	Next(created, t time.Time) (time.Time, bool)
	String() string
}
