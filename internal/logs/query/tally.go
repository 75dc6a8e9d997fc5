package query

import (
	"encoding/binary"
	"hash/maphash"
	"slices"

	"github.com/dropstack/dropstack/internal/logs"
)

// tally counts records by the values of one column, which is the most frequent
// question of all. The records are counted by their codes; then each worker finds the
// groups of a part of the values, so that each is looked up once.
type tally struct {
	counts []int64 // by code
	places []int32 // of a record with a code
}

// tallied is the column by whose codes the records can be counted, nil if there is
// more to the statistics.
func (g *grouping) tallied(e *env) *logs.Column {
	if len(g.by) != 1 || g.by[0].on < 0 {
		return nil
	}
	for _, a := range g.stats {
		if c, ok := a.(*count); !ok || c.of != nil {
			return nil
		}
	}
	if col := e.columns[g.by[0].on]; col != nil && col.Codes != nil {
		return col
	}
	return nil
}

// count counts records by their codes.
func (t *tally) count(col *logs.Column, rows []int32) {
	n := len(col.Values) + 1
	t.counts = slices.Grow(t.counts[:0], n)[:n]
	t.places = slices.Grow(t.places[:0], n)[:n]
	clear(t.counts)
	for _, row := range rows {
		code := col.Codes[row]
		t.counts[code]++
		t.places[code] = row
	}
}

// settle adds what all workers counted of the values whose hashes are this worker's.
func (w *worker) settle(col *logs.Column, all []*worker) error {
	g := w.stats
	_, plain := g.by[0].node.(*column)
	var key []byte
	for code := range len(col.Values) + 1 {
		value := ""
		if code > 0 {
			value = col.Values[code-1]
		}
		if maphash.String(hashSeed, value)%workers != w.part {
			continue
		}
		n, place := int64(0), int32(0)
		for _, other := range all {
			if counted := other.tally.counts[code]; counted > 0 {
				n, place = n+counted, other.tally.places[code]
			}
		}
		if n == 0 {
			continue
		}
		group := int32(0)
		if plain && code > 0 {
			key = append(binary.AppendUvarint(append(key[:0], 2), uint64(len(value))), value...)
			var known bool
			if group, known = g.ids[string(key)]; !known {
				group = g.find(w.env, int(place))
			}
		} else {
			group = g.find(w.env, int(place))
		}
		for _, a := range g.stats {
			a.(*count).n[group] += n
		}
	}
	return g.check()
}
