package logs

import "time"

// Field is a named value of a record, beside its message. Names are the format's
// own (of edge records: CloudFront's, such as c-ip and sc-status).
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Fields that every record has, as Logs Insights names them.
const (
	FieldMessage   = "@message"
	FieldTimestamp = "@timestamp"
	FieldIngested  = "@ingestionTime"
	FieldGroup     = "@log"
	FieldStream    = "@logStream"
	FieldRequest   = "@requestId"
	FieldTrace     = "@xrayTraceId"
)

// Selection says which records a question is about. Batches that cannot hold any
// of them are passed over; what is in a batch has still to be looked at.
type Selection struct {
	Groups  []string  // names; none: all groups
	Start   time.Time // inclusive
	End     time.Time // exclusive
	Has     []string  // texts that each wanted record has in its message, exactly so
	Fold    []string  // likewise, but ASCII letters in either case
	Equal   []Field   // values that each wanted record has
	Columns []string  // that will be asked for; nil: any
	Newest  bool      // batches come the newest first, else the oldest first
}

// Batch is up to 65,536 records of one group, its fields standing in columns. It is
// only good until the next batch is asked for.
type Batch interface {
	Len() int
	Group() string
	// Time is when a record was made, nanoseconds since 1970. Records within a batch
	// are not always in the order of their times.
	Time(i int) int64
	// Column is a field of the records: one of the constants but FieldTimestamp and
	// FieldIngested, a field of Record.Fields, or a member of the object that the
	// message is in JSON, nested ones by their path with dots. nil: no record has it.
	Column(name string) *Column
	// Names are the columns that there are, sorted.
	Names() []string
}

// Column is a field of every record of a batch.
type Column struct {
	Values []string // those that occur, in any order, each once where there are Codes
	// Codes has for each record the place of its value in Values and 1, or 0 if the
	// record has none. nil: record i has Values[i].
	Codes []uint32
}

// At is the value of record i.
func (c *Column) At(i int) (value string, ok bool) {
	switch {
	case c == nil:
		return "", false
	case c.Codes == nil:
		return c.Values[i], true
	case c.Codes[i] == 0:
		return "", false
	}
	return c.Values[c.Codes[i]-1], true
}
