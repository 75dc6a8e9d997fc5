// Package logstest has a log store in memory for tests of rooms that read records or
// make some.
package logstest

import (
	"context"
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
	heard   []*func([]logs.Record)
}

// Append keeps a record, and tells subscribers before it returns.
func (b *Book) Append(r logs.Record) {
	b.mu.Lock()
	b.records = append(b.records, r)
	heard := slices.Clone(b.heard)
	b.mu.Unlock()
	for _, fn := range heard {
		(*fn)([]logs.Record{r})
	}
}

// Subscribe has fn called with every record that comes.
func (b *Book) Subscribe(fn func([]logs.Record)) (cancel func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = append(b.heard, &fn)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.heard = slices.DeleteFunc(b.heard, func(other *func([]logs.Record)) bool { return other == &fn })
	}
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
			list = append(list, logs.NewBatch(name, records))
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
