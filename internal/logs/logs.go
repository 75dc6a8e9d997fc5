// Package logs keeps log records by group and stream: those of functions, and those
// that clients put with the API of CloudWatch Logs, which this room answers.
//
// A record that is appended waits a moment for others, and is written to a write-ahead
// log with them and synced; PutLogEvents answers after that. From there on it has a
// place, a number that grows. Records of a group become a block when they are many or
// old: a file that has them column by column (blockwrite.go), in which a field is looked
// up without the others, and a text only where it can be. Stored, below the store's
// directory:
//
//	wal/NUMBER.wal        records in no block yet (frame.go)
//	blocks/NUMBER.block   up to 65,536 records of a group
//	manifest              which blocks there are, and what has been imported (manifest.go)
//	damaged/              files that could not be read, which nobody reads any more
//
// and in JetStream, what is known of groups on the durable server and of streams on the
// relaxed one:
//
//	bucket  log-groups    <group>, base64url: retention, tags …
//	bucket  log-streams   <group>.<stream>, base64url: what is known of a stream
//
// A crash loses what was appended within the last moment, 10 ms and a sync. A block is there
// when the manifest names it: with all others that were to come with it, and without
// those that it is in the place of. A cursor is a record's place.
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
	Before  uint64    // cursor of a later page; 0: none
	Limit   int       // default 1,000, at most 10,000

	view view // of the group
	back bool // the latest come first
}
