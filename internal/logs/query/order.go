package query

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// sortKey is what records are sorted by.
type sortKey struct {
	node
	desc bool
}

// ordering keeps the first records in an order: that of the keys, then the newest
// first, or with oldest the oldest.
type ordering struct {
	keys     []sortKey
	oldest   bool
	most     int // -1: all
	distinct bool
	by       []node // of distinct: what tells records apart
	columns  []string
	values   []node // of the columns

	worst candidates // those kept, the last of them first
	same  map[string]*candidate
	kept  int // bytes, of distinct
}

// candidate is a record that is kept for now.
type candidate struct {
	keys  []Value
	time  int64
	place int64 // tells records of one time apart
	row   []Value
	at    int // in the heap
}

// candidates is a heap.
type candidates struct {
	list []*candidate
	o    *ordering
}

func (h *candidates) Len() int           { return len(h.list) }
func (h *candidates) Less(i, j int) bool { return h.o.compare(h.list[i], h.list[j]) > 0 }
func (h *candidates) Swap(i, j int) {
	h.list[i], h.list[j] = h.list[j], h.list[i]
	h.list[i].at, h.list[j].at = i, j
}

func (h *candidates) Push(x any) {
	c := x.(*candidate)
	c.at = len(h.list)
	h.list = append(h.list, c)
}

func (h *candidates) Pop() any {
	last := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	return last
}

// compare orders candidates.
func (o *ordering) compare(a, b *candidate) int {
	for i, k := range o.keys {
		if c := keyOrder(a.keys[i], b.keys[i], k.desc); c != 0 {
			return c
		}
	}
	c := cmp.Compare(b.time, a.time)
	if o.oldest {
		c = -c
	}
	if c != 0 {
		return c
	}
	return cmp.Compare(a.place, b.place)
}

// keyOrder orders values, those missing last.
func keyOrder(a, b Value, desc bool) int {
	switch {
	case a.kind == Null && b.kind == Null:
		return 0
	case a.kind == Null:
		return 1
	case b.kind == Null:
		return -1
	case desc:
		return sortOrder(b, a)
	}
	return sortOrder(a, b)
}

// add takes in the records i of rows. place is that of the batch.
func (o *ordering) add(e *env, rows []int32, batch int64) {
	o.worst.o = o
	var next candidate
	next.keys = make([]Value, len(o.keys))
	for _, row := range rows {
		i := int(row)
		for j, k := range o.keys {
			next.keys[j] = k.eval(e, i)
		}
		next.time, next.place = e.batch.Time(i), batch<<20|int64(i)
		if !o.oldest {
			next.place = batch<<20 | (1<<20 - 1 - int64(i)) // of one time the last is the newest
		}
		key, known := "", false
		if o.distinct {
			key, known = keyOf(e, i, o.by)
		}
		switch before := o.same[key]; {
		case known && before != nil:
			if o.compare(&next, before) < 0 {
				o.fill(before, &next, e, i)
			}
		case known:
			if o.same == nil {
				o.same = map[string]*candidate{}
			}
			c := &candidate{}
			o.fill(c, &next, e, i)
			o.same[key] = c
			o.kept += 200
		case o.most < 0 || len(o.worst.list) < o.most:
			c := &candidate{}
			o.fill(c, &next, e, i)
			heap.Push(&o.worst, c)
			o.kept += 200
		case o.compare(&next, o.worst.list[0]) < 0:
			o.fill(o.worst.list[0], &next, e, i)
			heap.Fix(&o.worst, 0)
		}
	}
}

// fill makes a candidate of the record i. It keeps nothing of the batch.
func (o *ordering) fill(c, from *candidate, e *env, i int) {
	c.time, c.place = from.time, from.place
	c.keys = append(c.keys[:0], from.keys...)
	for j := range c.keys {
		c.keys[j].s = strings.Clone(c.keys[j].s)
	}
	o.kept -= sizeOf(c.row)
	c.row = c.row[:0]
	for _, n := range o.values {
		v := n.eval(e, i)
		v.s = strings.Clone(v.s)
		c.row = append(c.row, v)
	}
	o.kept += sizeOf(c.row)
}

func sizeOf(row []Value) (n int) {
	for _, v := range row {
		n += 40 + len(v.s)
	}
	return n
}

// fits is an error if too much is kept.
func (o *ordering) fits() error {
	if o.kept <= maxHeld {
		return nil
	}
	return fault.Coded(fault.TooLarge, "LimitExceededException", "the records to be kept need over %d MB; limit them, or ask about less time", maxHeld>>20)
}

// keyOf is the values of a record as a text that tells them apart; known is false if
// one is missing.
func keyOf(e *env, i int, by []node) (key string, known bool) {
	var b []byte
	for _, n := range by {
		v := n.eval(e, i)
		if v.kind == Null {
			return "", false
		}
		b = appendKey(b, v)
	}
	return string(b), true
}

// past tells whether nothing that comes can be among those kept: batches come in the
// order of their times, and this one's are from first to last.
func (o *ordering) past(first, last int64) bool {
	if o.distinct || len(o.keys) > 0 || o.most < 0 || len(o.worst.list) < o.most {
		return false
	}
	if o.oldest {
		return first > o.worst.list[0].time
	}
	return last < o.worst.list[0].time
}

// merged are the rows that several workers kept, in order.
func merged(list []*ordering) [][]Value {
	o := list[0]
	var all []*candidate
	if o.distinct {
		best := map[string]*candidate{}
		for _, l := range list {
			for key, c := range l.same {
				if before := best[key]; before == nil || o.compare(c, before) < 0 {
					best[key] = c
				}
			}
		}
		for _, c := range best {
			all = append(all, c)
		}
	}
	for _, l := range list {
		all = append(all, l.worst.list...)
	}
	slices.SortFunc(all, o.compare)
	if o.most >= 0 && len(all) > o.most {
		all = all[:o.most]
	}
	rows := make([][]Value, len(all))
	for i, c := range all {
		rows[i] = slices.Clone(c.row)
	}
	return rows
}
