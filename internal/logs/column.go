package logs

import "slices"

// plainAfter is the number of rows after which a column whose values hardly ever
// repeat stops to look for those that do.
const plainAfter = 8192

// columnBuilder collects the values of a field, row by row. What a snapshot has is
// never written again.
type columnBuilder struct {
	name   string
	values []string
	codes  []uint32          // of the rows so far; those behind its end have no value
	of     map[string]uint32 // code of each value; nil: row i has values[i]
	row    int               // that was set last, and 1
}

func newColumn(name string) *columnBuilder {
	return &columnBuilder{name: name, of: map[string]uint32{}}
}

// set gives a row, which comes after those before, its value.
func (c *columnBuilder) set(row int, value string) {
	if c.of == nil && row != len(c.values) {
		c.code()
	}
	c.row = row + 1
	if c.of == nil {
		c.values = append(c.values, value)
		return
	}
	if n := len(c.codes); n > 0 && n == row {
		if last := c.codes[n-1]; last > 0 && c.values[last-1] == value {
			c.codes = append(c.codes, last)
			return
		}
	}
	code, known := c.of[value]
	if !known {
		c.values = append(c.values, value)
		code = uint32(len(c.values))
		c.of[value] = code
	}
	c.pad(row)
	c.codes = append(c.codes, code)
	if row == plainAfter && len(c.values) > plainAfter/4*3 {
		c.plain()
	}
}

// at is the value of the row that was set last.
func (c *columnBuilder) at(row int) string {
	if c.of == nil {
		return c.values[row]
	}
	return c.values[c.codes[row]-1]
}

// pad has the rows before one that have no value.
func (c *columnBuilder) pad(row int) {
	for len(c.codes) < row {
		c.codes = append(c.codes, 0)
	}
}

// plain goes over to a value for every row, unless one has none.
func (c *columnBuilder) plain() {
	values := make([]string, 0, 2*len(c.codes))
	for _, code := range c.codes {
		if code == 0 {
			return
		}
		values = append(values, c.values[code-1])
	}
	c.values, c.codes, c.of = values, nil, nil
}

// code goes back: a row has no value.
func (c *columnBuilder) code() {
	rows := c.values
	c.of = make(map[string]uint32, len(rows))
	c.values, c.codes = make([]string, 0, len(rows)), make([]uint32, 0, len(rows)+1)
	for _, value := range rows {
		code, known := c.of[value]
		if !known {
			c.values = append(c.values, value)
			code = uint32(len(c.values))
			c.of[value] = code
		}
		c.codes = append(c.codes, code)
	}
}

// escaped says whether some values are others in JSON.
func (c *columnBuilder) escaped() bool { return slices.ContainsFunc(c.values, escaped) }

// finish leaves nothing to be done when there are no more rows than these.
func (c *columnBuilder) finish(rows int) {
	if c.of == nil && len(c.values) < rows {
		c.code()
	}
	if c.of != nil {
		c.pad(rows)
	}
}

// snapshot is the column of the first rows as it stands.
func (c *columnBuilder) snapshot(rows int) *Column {
	c.finish(rows)
	if c.of == nil {
		return &Column{Values: c.values[:len(c.values):len(c.values)]}
	}
	return &Column{Values: c.values[:len(c.values):len(c.values)], Codes: c.codes[:rows:rows]}
}
