// Package logstest has a log store in memory for tests of rooms that read records or
// make some.
package logstest

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"sync"

	"github.com/dropstack/dropstack/internal/logs"
)

// Book keeps what is appended. Its methods may be called at the same time.
type Book struct {
	Size int // records of a batch at most; 0: 3, so that there are several

	mu      sync.Mutex
	records []logs.Record
}

// Append keeps a record.
func (b *Book) Append(r logs.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = append(b.records, r)
}

// Records is everything that was appended.
func (b *Book) Records() []logs.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.records)
}

// Batches is what a log store promises of it and no more: batches of one group, which
// may hold records that are not selected.
func (b *Book) Batches(_ context.Context, s logs.Selection) iter.Seq2[logs.Batch, error] {
	size := b.Size
	if size == 0 {
		size = 3
	}
	groups := map[string][]logs.Record{}
	var names []string
	for _, r := range b.Records() {
		if len(s.Groups) > 0 && !slices.Contains(s.Groups, r.Group) {
			continue
		}
		if groups[r.Group] == nil {
			names = append(names, r.Group)
		}
		groups[r.Group] = append(groups[r.Group], r)
	}
	var list []logs.Batch
	for _, name := range names {
		for records := range slices.Chunk(groups[name], size) {
			list = append(list, newBatch(name, records))
		}
	}
	if s.Newest {
		slices.Reverse(list)
	}
	return func(yield func(logs.Batch, error) bool) {
		for _, one := range list {
			if !yield(one, nil) {
				return
			}
		}
	}
}

type batch struct {
	group   string
	times   []int64
	columns map[string]*logs.Column
}

func newBatch(group string, records []logs.Record) *batch {
	b := &batch{group: group, columns: map[string]*logs.Column{}}
	for i, r := range records {
		b.times = append(b.times, r.Time.UnixNano())
		b.set(i, len(records), logs.FieldMessage, r.Message)
		b.set(i, len(records), logs.FieldGroup, r.Group)
		b.set(i, len(records), logs.FieldStream, r.Stream)
		if r.Request != "" {
			b.set(i, len(records), logs.FieldRequest, r.Request)
		}
		for _, f := range r.Fields {
			b.set(i, len(records), f.Name, f.Value)
		}
		var doc map[string]any
		if json.Unmarshal([]byte(r.Message), &doc) == nil {
			b.members(i, len(records), "", doc)
		}
	}
	return b
}

func (b *batch) members(i, n int, prefix string, doc map[string]any) {
	for name, v := range doc {
		switch v := v.(type) {
		case map[string]any:
			b.members(i, n, prefix+name+".", v)
		case string:
			b.set(i, n, prefix+name, v)
		default:
			text, err := json.Marshal(v)
			if err == nil {
				b.set(i, n, prefix+name, string(text))
			}
		}
	}
}

func (b *batch) set(i, n int, name, value string) {
	c := b.columns[name]
	if c == nil {
		c = &logs.Column{Codes: make([]uint32, n)}
		b.columns[name] = c
	}
	at := slices.Index(c.Values, value)
	if at < 0 {
		at = len(c.Values)
		c.Values = append(c.Values, value)
	}
	c.Codes[i] = uint32(at + 1)
}

func (b *batch) Len() int                        { return len(b.times) }
func (b *batch) Group() string                   { return b.group }
func (b *batch) Time(i int) int64                { return b.times[i] }
func (b *batch) Column(name string) *logs.Column { return b.columns[name] }

func (b *batch) Names() []string {
	names := make([]string, 0, len(b.columns))
	for name := range b.columns {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
