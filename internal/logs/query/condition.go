package query

// condition is what a record must meet. What depends on one column is settled once
// for each of its values.
type condition struct {
	compiled
	needs    []int // slots
	turn     int
	verdicts []verdict // by code
}

type verdict uint8

const (
	open verdict = iota
	holdsNot
	holdsTrue
)

// keep leaves those of the rows that meet the condition.
func (c *condition) keep(e *env, rows []int32) []int32 {
	kept := rows[:0]
	if c.on >= 0 && (e.columns[c.on] == nil || e.columns[c.on].Codes != nil) {
		return c.byCode(e, rows)
	}
	for _, row := range rows {
		if c.eval(e, int(row)).true() {
			kept = append(kept, row)
		}
	}
	return kept
}

func (c *condition) byCode(e *env, rows []int32) []int32 {
	col := e.columns[c.on]
	if col == nil {
		if len(rows) > 0 && c.eval(e, int(rows[0])).true() {
			return rows
		}
		return rows[:0]
	}
	if n := len(col.Values) + 1; c.turn != e.turn {
		c.turn = e.turn
		if cap(c.verdicts) < n {
			c.verdicts = make([]verdict, n)
		}
		c.verdicts = c.verdicts[:n]
		clear(c.verdicts)
	}
	kept := rows[:0]
	for _, row := range rows {
		code := col.Codes[row]
		v := c.verdicts[code]
		if v == open {
			v = holdsNot
			if c.eval(e, int(row)).true() {
				v = holdsTrue
			}
			c.verdicts[code] = v
		}
		if v == holdsTrue {
			kept = append(kept, row)
		}
	}
	return kept
}
