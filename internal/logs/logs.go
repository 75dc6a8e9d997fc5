// Package logs keeps the log records of functions by group and stream.
package logs

import "time"

// Record is one line.
type Record struct {
	Time    time.Time `json:"time"`
	Group   string    `json:"group"`  // /aws/lambda/NAME
	Stream  string    `json:"stream"` // YYYY/MM/DD/[VERSION]<32 hex>
	Request string    `json:"request,omitempty"`
	Message string    `json:"message"` // without the line end
}

// Appender takes records; it never blocks for long and never fails a function.
type Appender interface {
	Append(r Record)
}

// Filter selects records of a group.
type Filter struct {
	Group  string
	Stream string // prefix, optional
	Start  time.Time
	End    time.Time
	Match  string // substring of the message
	After  uint64 // cursor of an earlier page
	Limit  int    // default 1,000, at most 10,000
}
