// Package logs keeps log records by group and stream: those of functions, and those
// that clients put with the API of CloudWatch Logs, which this room answers.
//
// Records are gathered for a moment and stored a batch at a time. Stored, on the
// relaxed JetStream server:
//
//	stream  logs                      records of all groups but the edge's
//	stream  edge-logs                 those of the edge's
//	subject STREAM.g<group, base64url>  JSON: the records of one batch, in order
//	bucket  log-streams               <group>.<stream>, base64url: what is known of a stream
//
// and on the durable one:
//
//	bucket  log-groups                <group>, base64url: retention, tags …
//
// A crash loses what was appended within the last moment. What PutLogEvents has
// acknowledged survives a crash of the process, and a power cut some seconds later.
// A cursor is a batch's sequence and the place within it.
package logs

import "time"

// Record is one line.
type Record struct {
	Time    time.Time `json:"time"`
	Group   string    `json:"group"`  // /aws/lambda/NAME
	Stream  string    `json:"stream"` // YYYY/MM/DD/[VERSION]<32 hex>
	Request string    `json:"request,omitempty"`
	Message string    `json:"message"` // without the line end
	Fields  []Field   `json:"fields,omitempty"`
}

// Appender takes records; it never blocks for long and never fails a function.
type Appender interface {
	Append(r Record)
}

// Filter selects records of a group.
type Filter struct {
	Group   string
	Stream  string    // prefix, optional
	Streams []string  // names, optional
	Request string    // of one invocation, optional
	Start   time.Time // inclusive
	End     time.Time // exclusive
	Pattern *Pattern  // of the message; nil: any
	After   uint64    // cursor of an earlier page
	Limit   int       // default 1,000, at most 10,000

	view view // of the group
}
