package query

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
)

// grouping gathers the statistics of groups of records.
type grouping struct {
	by      []compiled
	columns []string // by, then the statistics
	items   []node   // of the statistics' columns, on groups
	stats   []aggregator
	top     int // of top: how many are wanted

	ids    map[string]int32 // by key
	values [][]Value        // of by, by group
	held   int              // bytes, of keys and values

	groups []int32 // scratch: of each record
	codes  []coder
	dense  []int32 // scratch: groups by combined code, and 1
	sparse map[uint64]int32
}

func newGrouping(c *compiler, items, by []Item) (*grouping, error) {
	g := &grouping{ids: map[string]int32{}}
	for _, item := range by {
		n, err := c.part(item.Expr)
		if err != nil {
			return nil, err
		}
		g.by = append(g.by, n)
		g.codes = append(g.codes, coder{of: n})
		g.columns = append(g.columns, nameOf(item))
	}
	// the columns of stats are expressions on groups: of statistics and of by
	s := &groups{by: newTable(g.columns), records: c, g: g}
	for _, item := range items {
		n, err := (&compiler{s, c.now}).part(item.Expr)
		if err != nil {
			return nil, err
		}
		g.items = append(g.items, n.node)
		g.columns = append(g.columns, nameOf(item))
	}
	if len(by) == 0 { // all records are one group, even if there are none
		g.group("", nil)
	}
	return g, nil
}

func nameOf(item Item) string {
	if item.As != "" {
		return item.As
	}
	return text(item.Expr)
}

// groups is the scope of the columns of stats.
type groups struct {
	by      *table
	records *compiler
	g       *grouping
}

func (s *groups) leaf(_ *compiler, e Expr) (compiled, bool, error) {
	call, ok := e.(*Call)
	if !ok {
		return s.by.leaf(nil, e)
	}
	f := functions[strings.ToLower(call.Name)]
	if f.aggregate == nil {
		return s.by.leaf(nil, e)
	}
	var arg node
	if _, star := call.Args[0].(*Star); !star {
		n, err := s.records.whole(call.Args[0])
		if err != nil {
			return compiled{}, false, err
		}
		arg = n.node
	}
	s.g.stats = append(s.g.stats, f.aggregate(arg, call))
	return compiled{statistic{len(s.g.stats) - 1}, much}, true, nil
}

// group is the number of the group with a key.
func (g *grouping) group(key string, values func() []Value) int32 {
	id, ok := g.ids[key]
	if ok {
		return id
	}
	id = int32(len(g.values))
	var list []Value
	if values != nil {
		list = values()
		for i := range list {
			list[i].s = strings.Clone(list[i].s)
		}
	}
	g.ids[key] = id
	g.values = append(g.values, list)
	g.held += 100 + 2*len(key) + 40*len(list)
	for _, a := range g.stats {
		a.grow(len(g.values))
	}
	return id
}

// add takes in records.
func (g *grouping) add(e *env, rows []int32) error {
	if len(rows) == 0 {
		return nil
	}
	g.groups = slices.Grow(g.groups[:0], len(rows))[:len(rows)]
	if len(g.by) == 0 {
		clear(g.groups)
	} else {
		g.sortOut(e, rows)
	}
	for _, a := range g.stats {
		a.add(e, g.groups, rows)
	}
	return g.check()
}

// check is an error if there is too much.
func (g *grouping) check() error {
	if held := g.holds(); held > maxHeld {
		return fault.Coded(fault.TooLarge, "LimitExceededException", "the query's statistics need over %d MB; group by less, or ask about less time", maxHeld>>20)
	}
	return g.few()
}

func (g *grouping) holds() int {
	held := g.held
	for _, a := range g.stats {
		held += a.held()
	}
	return held
}

// sortOut finds the group of each record. What by depends on has a small number for
// each of its values in this batch; their combination has a group, found once.
func (g *grouping) sortOut(e *env, rows []int32) {
	size, tooMany := uint64(1), uint64(0)
	for i := range g.codes {
		over := uint64(0)
		over, size = bits.Mul64(size, uint64(g.codes[i].begin(e, rows)))
		tooMany |= over
	}
	if tooMany != 0 { // for the combinations to be numbered
		for k, row := range rows {
			g.groups[k] = g.find(e, int(row))
		}
		return
	}
	few := size <= 1<<18
	if few {
		g.dense = slices.Grow(g.dense[:0], int(size))[:size]
		clear(g.dense)
	} else if g.sparse == nil {
		g.sparse = map[uint64]int32{}
	} else {
		clear(g.sparse)
	}
	for k, row := range rows {
		code := uint64(0)
		for j := range g.codes {
			code = code*uint64(g.codes[j].size) + uint64(g.codes[j].code(e, k, row))
		}
		var id int32
		if few {
			id = g.dense[code]
		} else {
			id = g.sparse[code]
		}
		if id == 0 {
			id = g.find(e, int(row)) + 1
			if few {
				g.dense[code] = id
			} else {
				g.sparse[code] = id
			}
		}
		g.groups[k] = id - 1
	}
}

// few is an error if there are too many groups.
func (g *grouping) few() error {
	if len(g.values) <= maxGroups {
		return nil
	}
	return fault.Coded(fault.TooLarge, "LimitExceededException", "there are more than %d groups; group by less, or ask about less time", maxGroups)
}

// find is the group of a record.
func (g *grouping) find(e *env, i int) int32 {
	var buffer [128]byte
	key := buffer[:0]
	for _, n := range g.by {
		key = appendKey(key, n.eval(e, i))
	}
	if id, ok := g.ids[string(key)]; ok {
		return id
	}
	return g.group(string(key), func() []Value {
		list := make([]Value, len(g.by))
		for j, n := range g.by {
			list[j] = n.eval(e, i)
		}
		return list
	})
}

// appendKey adds a value to a key. Values that are written alike are alike.
func appendKey(key []byte, v Value) []byte {
	switch v.kind {
	case Null:
		return append(key, 0)
	case Moment:
		return binary.LittleEndian.AppendUint64(append(key, 1), uint64(int64(v.n)))
	}
	s := v.String()
	key = binary.AppendUvarint(append(key, 2), uint64(len(s)))
	return append(key, s...)
}

// coder numbers the values of an expression within a batch.
type coder struct {
	of    compiled
	size  int
	slot  *logs.Column // whose codes they are
	codes []uint32     // else, by record
	seen  map[string]uint32
	last  Value
	key   []byte
}

// begin readies a coder for the records of a batch, and tells how many numbers it has.
func (c *coder) begin(e *env, rows []int32) int {
	c.slot, c.codes = nil, c.codes[:0]
	switch {
	case c.of.on == nothing:
		c.size = 1
		return 1
	case c.of.on >= 0:
		col := e.columns[c.of.on]
		if col == nil {
			c.size = 1
			return 1
		}
		if col.Codes != nil {
			c.slot, c.size = col, len(col.Values)+1
			return c.size
		}
	}
	if c.seen == nil {
		c.seen = map[string]uint32{}
	}
	clear(c.seen)
	c.last = Value{}
	code := uint32(0)
	for k, row := range rows {
		v := c.of.eval(e, int(row))
		if k == 0 || v != c.last { // records that stand together are often alike
			c.last, c.key = v, appendKey(c.key[:0], v)
			known := false
			if code, known = c.seen[string(c.key)]; !known {
				code = uint32(len(c.seen))
				c.seen[string(c.key)] = code
			}
		}
		c.codes = append(c.codes, code)
	}
	c.size = len(c.seen)
	return c.size
}

// code is the number of the k-th record, which is row.
func (c *coder) code(_ *env, k int, row int32) uint32 {
	switch {
	case c.slot != nil:
		return c.slot.Codes[row]
	case len(c.codes) > 0:
		return c.codes[k]
	}
	return 0
}

// merge adds what another worker gathered.
func (g *grouping) merge(from *grouping) {
	to := make([]int32, len(from.values))
	for key, id := range from.ids {
		to[id] = g.group(key, func() []Value { return slices.Clone(from.values[id]) })
	}
	for i, a := range g.stats {
		a.merge(from.stats[i], to)
	}
}

// rows are the groups, by the values that tell them apart.
func (g *grouping) rows(sorted bool) [][]Value {
	e := &env{rows: g.values, stats: g.stats}
	rows := make([][]Value, len(g.values))
	for i := range rows {
		row := slices.Grow(slices.Clone(g.values[i]), len(g.items))
		for _, n := range g.items {
			row = append(row, n.eval(e, i))
		}
		rows[i] = row
	}
	if sorted {
		slices.SortFunc(rows, func(a, b []Value) int {
			for i := range g.by {
				if c := keyOrder(a[i], b[i], false); c != 0 {
					return c
				}
			}
			return 0
		})
	}
	return rows
}
