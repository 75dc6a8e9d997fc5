package logs

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// table is a Batch with all that belongs to its records: of a block, or of records
// that are in none yet. What is in a block is read when it is asked for.
type table struct {
	group     string
	rows      int
	names     []string       // of columns
	numbers   map[string]int // of columns
	columns   []*Column      // those that have been read
	templates []*template
	shapes    [][]int
	more      bool // some columns are only to be found in the messages

	times  []int64
	forms  []uint32
	fields []uint32
	made   map[string]*Column // columns that are made of others
	err    error              // what went wrong with reading
	source source             // nil: all is there
}

// source has what is not read yet.
type source interface {
	column(number int) (*Column, error)
	rowTimes() ([]int64, error)
	rowForms() (forms, fields []uint32, err error)
}

// nanoseconds are those since 1970, which there are for 290 years.
func nanoseconds(t time.Time) int64 {
	switch s := t.Unix(); {
	case s < 0:
		return 0
	case s > math.MaxInt64/int64(time.Second)-1:
		return math.MaxInt64
	}
	return t.UnixNano()
}

// NewBatch has records of one group as a batch.
func NewBatch(group string, records []Record) Batch {
	b := newBuilder(group)
	for i := range records {
		b.add(&records[i])
	}
	return b.snapshot()
}

// snapshot is what has been added so far. What is added later does not change it.
func (b *builder) snapshot() *table {
	t := &table{
		group: b.group, rows: b.rows, times: b.times[:b.rows:b.rows], forms: b.forms[:b.rows:b.rows], fields: b.fields[:b.rows:b.rows],
		templates: b.templates[:len(b.templates):len(b.templates)], shapes: b.shapes[:len(b.shapes):len(b.shapes)], more: b.more,
		numbers: make(map[string]int, len(b.columns)),
	}
	for i, c := range b.columns {
		t.names, t.columns, t.numbers[c.name] = append(t.names, c.name), append(t.columns, c.snapshot(b.rows)), i
	}
	return t
}

func (t *table) Len() int      { return t.rows }
func (t *table) Group() string { return t.group }

func (t *table) Time(i int) int64 { return t.allTimes()[i] }

func (t *table) allTimes() []int64 {
	if t.times == nil && t.source != nil {
		times, err := t.source.rowTimes()
		if t.fail(err) {
			times = make([]int64, t.rows)
		}
		t.times = times
	}
	return t.times
}

// fail keeps the first error.
func (t *table) fail(err error) bool {
	t.err = cmp.Or(t.err, err)
	return err != nil
}

// allForms are the templates and the shapes of the records.
func (t *table) allForms() (forms, fields []uint32) {
	if t.forms == nil && t.source != nil {
		var err error
		if t.forms, t.fields, err = t.source.rowForms(); t.fail(err) {
			t.forms, t.fields = make([]uint32, t.rows), make([]uint32, t.rows)
		}
	}
	return t.forms, t.fields
}

// number reads a column.
func (t *table) number(n int) *Column {
	if t.columns[n] == nil {
		c, err := t.source.column(n)
		if t.fail(err) {
			c = &Column{Codes: make([]uint32, t.rows)}
		}
		t.columns[n] = c
	}
	return t.columns[n]
}

// kept is a column that is kept as such; nil: there is none of that name.
func (t *table) kept(name string) *Column {
	n, known := t.numbers[name]
	if !known {
		return nil
	}
	return t.number(n)
}

// Column is a field of the records.
func (t *table) Column(name string) *Column {
	if c, made := t.made[name]; made {
		return c
	}
	var c *Column
	switch {
	case name == FieldMessage:
		c = t.messages()
	case name == FieldGroup:
		c = &Column{Values: []string{t.group}, Codes: slices.Repeat([]uint32{1}, t.rows)}
	case t.more && !builtin(name):
		c = t.search(name)
	default:
		return t.kept(name)
	}
	if t.made == nil {
		t.made = map[string]*Column{}
	}
	t.made[name] = c
	return c
}

// Names are the columns that there are, sorted.
func (t *table) Names() []string {
	names := []string{FieldMessage, FieldTimestamp, FieldGroup}
	for _, name := range t.names {
		if name != FieldMessage {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// messages makes the column of all messages.
func (t *table) messages() *Column {
	if len(t.templates) == 0 {
		return t.kept(FieldMessage)
	}
	c := &Column{Values: make([]string, t.rows)}
	var buf []byte
	for i := range t.rows {
		c.Values[i], buf = t.message(i, buf)
	}
	return c
}

// message is that of a record. The buffer is for the next.
func (t *table) message(i int, buf []byte) (string, []byte) {
	forms, _ := t.allForms()
	if forms[i] == 0 {
		m, _ := t.kept(FieldMessage).At(i)
		return m, buf
	}
	buf = t.templates[forms[i]-1].append(buf[:0], func(n int) string {
		v, _ := t.number(n).At(i)
		return v
	})
	return string(buf), buf
}

// record is one as it came.
func (t *table) record(i int, buf []byte) (Record, []byte) {
	r := Record{Time: time.Unix(0, t.Time(i)), Group: t.group}
	r.Stream, _ = t.kept(FieldStream).At(i)
	r.Request, _ = t.kept(FieldRequest).At(i)
	if _, fields := t.allForms(); fields[i] > 0 {
		for _, n := range t.shapes[fields[i]-1] {
			v, _ := t.number(n).At(i)
			r.Fields = append(r.Fields, Field{t.names[n], v})
		}
	}
	r.Message, buf = t.message(i, buf)
	return r, buf
}

// search makes a column of members that the bounds have left in the messages, and of
// those that are kept.
func (t *table) search(name string) *Column {
	var doc document
	var buf []byte
	var message string
	c, found := newColumn(name), false
	kept := t.kept(name)
	forms, _ := t.allForms()
	for i := range t.rows {
		value, there := kept.At(i)
		if !there && forms[i] == 0 {
			if message, buf = t.message(i, buf); doc.find(message, name) {
				value, there = doc.members[0].value, true
			}
		}
		if there {
			c.set(i, value)
			found = true
		}
	}
	if !found {
		return nil
	}
	return c.snapshot(t.rows)
}
