// Package query is the search language over all logs, and what runs it.
//
// A query is a search, or a command, and more commands after pipes. Logs Insights'
// words mean here what they mean there; docs/logs.md has the language and where it
// differs. One walk leads through the package:
//
//	Parse    text to Query: lex.go, parse*.go; print.go is the way back
//	plan     Query to a plan: what is looked at record by record, what ends that
//	         (statistics, an order, a number of records), what is done to the rows then
//	Run      batches through the plan, by two workers that share each batch
//
// Records are looked at in columns. What depends on one column is worked out once
// for each of its values that occurs in a batch, however many records have it.
package query

import (
	"context"
	"iter"
	"time"

	"github.com/dropstack/dropstack/internal/logs"
)

const (
	// MaxRows is how many rows a result has at most, and without a limit.
	MaxRows = 10_000
	// maxGroups is how many groups stats, top and dedup tell apart.
	maxGroups = 1_000_000
	// maxHeld is what the statistics of all groups together may hold, in bytes.
	maxHeld = 256 << 20
	// maxText is the length of a query in bytes, and maxDepth how deep it may nest.
	maxText  = 10_000
	maxDepth = 100
)

// Source has the records: logs.Store.
type Source interface {
	Batches(ctx context.Context, sel logs.Selection) iter.Seq2[logs.Batch, error]
}

// Query is a query that was understood.
type Query struct {
	Stages []Stage
}

// Range is what a query is asked about.
type Range struct {
	Groups  []string // names; none: all
	Start   time.Time
	End     time.Time // exclusive
	MaxRows int       // of the result, if the query has no limit; 0: MaxRows
	Pointer bool      // records have @ptr, which names them for ever
}

// Statistics is what was done to answer a query.
type Statistics struct {
	RecordsScanned int64 `json:"recordsScanned"`
	RecordsMatched int64 `json:"recordsMatched"` // by the searches and filters before the first other command
	BytesScanned   int64 `json:"bytesScanned"`   // in the columns that were read
	Groups         int   `json:"logGroupsScanned"`
}

// Progress is how far a query is. Partial is the result so far; it is only to be
// called before the function that was given the progress returns.
type Progress struct {
	Statistics
	Partial func() Result
}

// Result is what a query answers.
type Result struct {
	Columns    []string   `json:"columns"`
	Rows       [][]Value  `json:"rows"`
	Statistics Statistics `json:"statistics"`
}
