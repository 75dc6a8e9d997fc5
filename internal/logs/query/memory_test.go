package query_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/dropstack/dropstack/internal/logs"
)

// memory is records in batches, as a store has them.
type memory struct {
	real    bool // batches are those of the log store
	batches []bounded

	mu    sync.Mutex
	asked logs.Selection
	read  int
}

type bounded interface {
	logs.Batch
	Bounds() (first, last int64)
}

func (m *memory) Batches(ctx context.Context, sel logs.Selection) iter.Seq2[logs.Batch, error] {
	m.mu.Lock()
	m.asked, m.read = sel, 0
	m.mu.Unlock()
	return func(yield func(logs.Batch, error) bool) {
		list := slices.Clone(m.batches)
		if sel.Newest {
			slices.SortStableFunc(list, func(a, b bounded) int {
				_, x := a.Bounds()
				_, y := b.Bounds()
				return cmp.Compare(y, x)
			})
		}
		for _, b := range list {
			if len(sel.Groups) > 0 && !slices.Contains(sel.Groups, b.Group()) {
				continue
			}
			m.mu.Lock()
			m.read++
			m.mu.Unlock()
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

// put adds a batch.
func (m *memory) put(group string, records ...logs.Record) {
	if m.real {
		m.batches = append(m.batches, logs.NewBatch(group, records).(bounded))
		return
	}
	b := &batch{group: group, columns: map[string]*logs.Column{}}
	values := map[string]map[int]string{}
	set := func(name string, i int, v string) {
		if values[name] == nil {
			values[name] = map[int]string{}
		}
		values[name][i] = v
	}
	for i, r := range records {
		b.times = append(b.times, r.Time.UnixNano())
		for name, v := range valuesOf(r) {
			set(name, i, v)
		}
	}
	for name, of := range values {
		c := &logs.Column{}
		flat := name == logs.FieldMessage && len(of) == len(records)
		codes := map[string]uint32{}
		for i := range records {
			v, ok := of[i]
			switch {
			case flat:
				c.Values = append(c.Values, v)
				continue
			case !ok:
				c.Codes = append(c.Codes, 0)
				continue
			case codes[v] == 0:
				c.Values = append(c.Values, v)
				codes[v] = uint32(len(c.Values))
			}
			c.Codes = append(c.Codes, codes[v])
		}
		b.columns[name] = c
	}
	m.batches = append(m.batches, b)
}

// valuesOf are the fields of a record.
func valuesOf(r logs.Record) map[string]string {
	fields := map[string]string{}
	var members map[string]any
	if json.Unmarshal([]byte(r.Message), &members) == nil {
		flatten(fields, "", members)
	}
	for _, f := range r.Fields {
		fields[f.Name] = f.Value
	}
	fields[logs.FieldMessage] = r.Message
	if r.Stream != "" {
		fields[logs.FieldStream] = r.Stream
	}
	if r.Request != "" {
		fields[logs.FieldRequest] = r.Request
	}
	return fields
}

func flatten(into map[string]string, prefix string, members map[string]any) {
	for name, v := range members {
		switch v := v.(type) {
		case map[string]any:
			flatten(into, prefix+name+".", v)
		case nil:
		case string:
			into[prefix+name] = v
		default:
			into[prefix+name] = fmt.Sprint(v)
		}
	}
}

type batch struct {
	group   string
	times   []int64
	columns map[string]*logs.Column
}

func (b *batch) last() int64                     { return slices.Max(b.times) }
func (b *batch) Bounds() (int64, int64)          { return slices.Min(b.times), b.last() }
func (b *batch) Len() int                        { return len(b.times) }
func (b *batch) Group() string                   { return b.group }
func (b *batch) Time(i int) int64                { return b.times[i] }
func (b *batch) Column(name string) *logs.Column { return b.columns[name] }
func (b *batch) Names() []string                 { return slices.Sorted(maps.Keys(b.columns)) }
