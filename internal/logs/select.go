package logs

import (
	"math"
	"slices"
	"strings"
)

// certain is up to how many records that may have a needle are looked at one by one.
const certain = 2048

// span is the times that a selection is about, the end not included.
func (sel *Selection) span() (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if !sel.Start.IsZero() {
		from = nanoseconds(sel.Start)
	}
	if !sel.End.IsZero() {
		to = nanoseconds(sel.End)
	}
	return from, to
}

// passes says that a block's filter shows that nothing in it is wanted.
func (sel *Selection) passes(f filter) bool {
	for _, needle := range slices.Concat(sel.Has, sel.Fold) {
		if !f.mayHold(needle) {
			return true
		}
	}
	for _, e := range sel.Equal {
		if e.Name != FieldGroup && !f.mayHold(e.Value) {
			return true
		}
	}
	return false
}

// choice is the rows of a table that are still wanted.
type choice struct {
	t    *table
	all  bool
	rows []uint32
}

// choose finds the rows that may be wanted, those before a place or a moment left out.
func (t *table) choose(sel *Selection, least, most int64) *choice {
	c := &choice{t: t, all: true}
	if from, to := sel.span(); from > least || to <= most {
		times := t.allTimes()
		c.keep(func(i uint32) bool { return from <= times[i] && times[i] < to })
	}
	for _, e := range sel.Equal {
		if e.Name != FieldTimestamp && e.Name != FieldIngested && !c.empty() {
			c.equal(e)
		}
	}
	for _, needle := range sel.Has {
		if !c.empty() {
			c.has(needle)
		}
	}
	return c
}

func (c *choice) empty() bool { return !c.all && len(c.rows) == 0 }

// keep leaves those of the rows that pass.
func (c *choice) keep(pass func(i uint32) bool) {
	if !c.all {
		kept := c.rows[:0]
		for _, i := range c.rows {
			if pass(i) {
				kept = append(kept, i)
			}
		}
		c.rows = kept
		return
	}
	for i := range uint32(c.t.rows) {
		if pass(i) {
			c.rows = append(c.rows, i)
		}
	}
	c.all = len(c.rows) == c.t.rows
	if c.all {
		c.rows = nil
	}
}

func (c *choice) equal(e Field) {
	column := c.t.Column(e.Name)
	if column == nil {
		c.all, c.rows = false, nil
		return
	}
	if column.Codes == nil {
		c.keep(func(i uint32) bool { return column.Values[i] == e.Value })
		return
	}
	for n, v := range column.Values {
		if v == e.Value {
			code := uint32(n) + 1
			c.keep(func(i uint32) bool { return column.Codes[i] == code })
			return
		}
	}
	c.all, c.rows = false, nil
}

// has leaves the rows whose message may have a text, and only those that do when they
// are few. The longest word of the text must be in a value of the message, or in its
// template.
func (c *choice) has(needle string) {
	t := c.t
	word := longestWord(needle)
	if word != "" {
		forms, _ := t.allForms()
		may := make([]bool, t.rows)
		for n := range t.names {
			if t.names[n] == FieldMessage || t.inMessage(n) {
				t.mark(may, n, word)
			}
		}
		for k, f := range t.templates {
			if f.says(word) {
				for i := range may {
					may[i] = may[i] || forms[i] == uint32(k)+1
				}
			}
		}
		c.keep(func(i uint32) bool { return may[i] })
	}
	if !c.all && len(c.rows) <= certain {
		var buf []byte
		var message string
		c.keep(func(i uint32) bool {
			message, buf = t.message(int(i), buf)
			return strings.Contains(message, needle)
		})
	}
}

// mark names the rows in whose value of a column a word is.
func (t *table) mark(may []bool, n int, word string) {
	holding, err := t.holding(n, word)
	if t.fail(err) || len(holding) == 0 {
		return
	}
	column := t.number(n)
	if column.Codes == nil {
		for _, i := range holding {
			may[i] = true
		}
		return
	}
	codes := make([]bool, len(column.Values)+1)
	for _, v := range holding {
		codes[v+1] = true
	}
	for i, code := range column.Codes {
		may[i] = may[i] || codes[code]
	}
}

// holding are the values of a column that have a word, as they are or as JSON has them:
// what is an escape there may be the beginning of the word.
func (t *table) holding(n int, word string) (list []int, err error) {
	if b, ok := t.source.(*blockReader); ok && t.columns[n] == nil && !b.parts[n].escaped {
		return b.holding(n, word)
	}
	for i, v := range t.number(n).Values {
		if strings.Contains(v, word) || escaped(v) && strings.Contains(string(appendEscaped(nil, v)), word) {
			list = append(list, i)
		}
	}
	return list, nil
}

// inMessage says whether a column's values are in messages of templates.
func (t *table) inMessage(n int) bool {
	for _, f := range t.templates {
		for _, s := range f.slots {
			if s.column == n {
				return true
			}
		}
	}
	return false
}

func (t *template) says(word string) bool {
	for _, text := range t.texts {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// longestWord is the longest of a text's words.
func longestWord(text string) (longest string) {
	from := 0
	for i := 0; i <= len(text); i++ {
		if i < len(text) && inWord[text[i]] {
			continue
		}
		if i-from > len(longest) {
			longest = text[from:i]
		}
		from = i + 1
	}
	return longest
}

// batch is what was chosen, nil if it is nothing.
func (c *choice) batch() Batch {
	switch {
	case c.empty():
		return nil
	case c.all:
		return c.t
	}
	return &some{table: c.t, rows: c.rows}
}

// some is a batch of some rows of a table.
type some struct {
	*table
	rows []uint32
	cols map[string]*Column
}

func (s *some) Len() int         { return len(s.rows) }
func (s *some) Time(i int) int64 { return s.table.Time(int(s.rows[i])) }

// Column has the values that occur in these rows.
func (s *some) Column(name string) *Column {
	if c, made := s.cols[name]; made {
		return c
	}
	c := s.pick(name)
	if s.cols == nil {
		s.cols = map[string]*Column{}
	}
	s.cols[name] = c
	return c
}

func (s *some) pick(name string) *Column {
	if name == FieldMessage && len(s.templates) > 0 {
		c := &Column{Values: make([]string, len(s.rows))}
		var buf []byte
		for i, row := range s.rows {
			c.Values[i], buf = s.message(int(row), buf)
		}
		return c
	}
	whole := s.table.Column(name)
	if whole == nil {
		return nil
	}
	if whole.Codes == nil {
		c := &Column{Values: make([]string, len(s.rows))}
		for i, row := range s.rows {
			c.Values[i] = whole.Values[row]
		}
		return c
	}
	c := &Column{Codes: make([]uint32, len(s.rows))}
	codes := make([]uint32, len(whole.Values)+1) // those of the values here
	for i, row := range s.rows {
		code := whole.Codes[row]
		if code == 0 {
			continue
		}
		if codes[code] == 0 {
			c.Values = append(c.Values, whole.Values[code-1])
			codes[code] = uint32(len(c.Values))
		}
		c.Codes[i] = codes[code]
	}
	if len(c.Values) == 0 {
		return nil
	}
	return c
}

// Names are the columns of which these rows have a value.
func (s *some) Names() []string {
	var names []string
	for _, name := range s.table.Names() {
		if name == FieldTimestamp || s.Column(name) != nil {
			names = append(names, name)
		}
	}
	return names
}
