package export

import (
	"io"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/dropstack/dropstack/internal/logs"
)

// table is the records of a file, in columns.
type table struct {
	times   []int64 // nanoseconds
	columns map[string]*column
}

// column is a field: values that occur, and for each row the place of its value and 1,
// or 0. It may have fewer rows than the table: the last ones have none.
type column struct {
	values []string
	places map[string]uint32
	codes  []uint32
}

func newTable() *table { return &table{columns: map[string]*column{}} }

func (t *table) rows() int { return len(t.times) }

// left out are the columns that others say already.
var leftOut = []string{logs.FieldTimestamp, logs.FieldIngested}

// add takes the records of a batch that are within a time.
func (t *table) add(b logs.Batch, start, end int64) {
	var rows []int
	for i := range b.Len() {
		if at := b.Time(i); at >= start && at < end {
			rows = append(rows, i)
			t.times = append(t.times, at)
		}
	}
	if len(rows) == 0 {
		return
	}
	before := len(t.times) - len(rows)
	for _, name := range b.Names() {
		if slices.Contains(leftOut, name) {
			continue
		}
		c := t.columns[name]
		if c == nil {
			if len(t.columns) == maxColumns { // the message has them still
				continue
			}
			c = &column{places: map[string]uint32{}}
		}
		if c.take(b.Column(name), rows, before) {
			t.columns[name] = c
		}
	}
}

// take adds the values of rows, and says whether there was any.
func (c *column) take(from *logs.Column, rows []int, before int) (any bool) {
	for n, i := range rows {
		v, ok := from.At(i)
		if !ok {
			continue
		}
		any = true
		place, known := c.places[v]
		if !known {
			c.values = append(c.values, v)
			place = uint32(len(c.values))
			c.places[v] = place
		}
		for len(c.codes) < before+n {
			c.codes = append(c.codes, 0)
		}
		c.codes = append(c.codes, place)
	}
	return any
}

// kind is a column's type.
type kind int

const (
	whole kind = iota
	number
	text
)

// kind is the narrowest type that takes all values. What has a plus or zeros in front
// is no number: it would not come back as it was.
func (c *column) kind() kind {
	k := whole
	for _, v := range c.values {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && strconv.FormatInt(n, 10) == v {
			continue
		}
		f, err := strconv.ParseFloat(v, 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) || v[0] == '+' || len(v) > 1 && v[0] == '0' && v[1] != '.' || !decimal(v) {
			return text
		}
		k = number
	}
	return k
}

// decimal says whether a number is written as people do: no hexadecimal, no underscores.
func decimal(v string) bool {
	for i := range len(v) {
		switch c := v[i]; {
		case c >= '0' && c <= '9', c == '.', c == '-', c == 'e', c == 'E', c == '+':
		default:
			return false
		}
	}
	return true
}

// write writes the table as a Parquet file.
func (t *table) write(w io.Writer) error {
	names := slices.Sorted(maps.Keys(t.columns))
	fields := parquet.Group{logs.FieldTimestamp: parquet.Timestamp(parquet.Microsecond)}
	kinds := map[string]kind{}
	for _, name := range names {
		var node parquet.Node
		switch kinds[name] = t.columns[name].kind(); kinds[name] {
		case whole:
			node = parquet.Int(64)
		case number:
			node = parquet.Leaf(parquet.DoubleType)
		default:
			node = parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
		}
		fields[name] = parquet.Optional(node)
	}
	schema := parquet.NewSchema("record", fields)
	file := parquet.NewGenericWriter[any](w, schema, parquet.Compression(&zstd.Codec{}), parquet.CreatedBy("dropstack", "", ""))
	all := schema.Columns() // a path each, in the order of the schema
	cells := make([]func(row int) parquet.Value, len(all))
	for i, path := range all {
		if path[0] == logs.FieldTimestamp {
			cells[i] = func(row int) parquet.Value { return parquet.Int64Value(t.times[row]/1000).Level(0, 0, i) }
			continue
		}
		cells[i] = t.columns[path[0]].cells(kinds[path[0]], i)
	}
	rows := make([]parquet.Row, 0, 256)
	for row := range t.times {
		values := make(parquet.Row, len(all))
		for i := range all {
			values[i] = cells[i](row)
		}
		if rows = append(rows, values); len(rows) == cap(rows) || row == len(t.times)-1 {
			if _, err := file.WriteRows(rows); err != nil {
				return err
			}
			rows = rows[:0]
		}
	}
	return file.Close()
}

// cells makes the column's values, which are parsed once.
func (c *column) cells(k kind, index int) func(row int) parquet.Value {
	values := make([]parquet.Value, len(c.values)+1)
	values[0] = parquet.NullValue().Level(0, 0, index)
	for i, v := range c.values {
		var value parquet.Value
		switch k {
		case whole:
			n, _ := strconv.ParseInt(v, 10, 64) // as kind has found
			value = parquet.Int64Value(n)
		case number:
			f, _ := strconv.ParseFloat(v, 64)
			value = parquet.DoubleValue(f)
		default:
			value = parquet.ByteArrayValue([]byte(v))
		}
		values[i+1] = value.Level(0, 1, index)
	}
	return func(row int) parquet.Value {
		if row >= len(c.codes) {
			return values[0]
		}
		return values[c.codes[row]]
	}
}
