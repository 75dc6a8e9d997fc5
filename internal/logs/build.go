package logs

import (
	"slices"
	"strings"
)

// Bounds of a block.
const (
	maxRows      = 1 << 16
	maxTemplates = 1024
	maxShapes    = 256
	maxFields    = 250 // of a record
)

// builder turns records of one group into columns.
type builder struct {
	group     string
	rows      int
	times     []int64
	columns   []*columnBuilder
	numbers   map[string]int // of columns
	templates []*template
	keyed     map[string]int // numbers of templates
	forms     []uint32       // template of each row, and 1; 0: the message is a column's
	shapes    [][]int        // columns that are a record's fields, in their order
	shaped    map[string]int // numbers of shapes
	fields    []uint32       // shape of each row, and 1; 0: it has none
	more      bool           // some columns are only to be found in the messages
	size      int            // of the messages

	doc    document
	values []string // reused
	shape  []int    // reused
	key    []byte   // reused
}

func newBuilder(group string) *builder {
	return &builder{group: group, numbers: map[string]int{}, keyed: map[string]int{}, shaped: map[string]int{}}
}

// builtin says that a column is not one that fields or members can have.
func builtin(name string) bool {
	switch name {
	case FieldMessage, FieldTimestamp, FieldIngested, FieldGroup, FieldStream, FieldRequest, "":
		return true
	}
	return false
}

// column finds or makes a column; -1: there are too many.
func (b *builder) column(name string) int {
	n, known := b.numbers[name]
	if known {
		return n
	}
	if len(b.columns) >= maxColumns && !builtin(name) {
		b.more = true
		return -1
	}
	n = len(b.columns)
	name = strings.Clone(name)
	b.columns, b.numbers[name] = append(b.columns, newColumn(name)), n
	return n
}

// add takes one more record of the group.
func (b *builder) add(r *Record) {
	row := b.rows
	b.rows++
	b.size += r.text()
	b.times = append(b.times, nanoseconds(r.Time))
	b.columns[b.column(FieldStream)].set(row, r.Stream)
	if r.Request != "" {
		b.columns[b.column(FieldRequest)].set(row, r.Request)
	}
	b.fields = append(b.fields, b.setFields(row, r.Fields))
	form := b.form(row, r)
	if form == 0 {
		b.columns[b.column(FieldMessage)].set(row, r.Message)
	}
	b.forms = append(b.forms, form)
}

// text is how much a record can add to a block: its fields are mostly in its message.
func (r *Record) text() int {
	n := 0
	for i := range r.Fields {
		n += len(r.Fields[i].Value)
	}
	return max(n, len(r.Message))
}

// setFields gives a row the values of its record's fields, and returns their shape.
func (b *builder) setFields(row int, fields []Field) uint32 {
	if len(fields) == 0 {
		return 0
	}
	b.shape, b.key = b.shape[:0], b.key[:0]
	for _, f := range fields[:min(len(fields), maxFields)] {
		if builtin(f.Name) {
			continue
		}
		n := b.column(f.Name)
		if n < 0 || b.columns[n].row == row+1 {
			continue
		}
		b.columns[n].set(row, f.Value)
		b.shape = append(b.shape, n)
		b.key = append(b.key, byte(n), byte(n>>8))
	}
	if n, known := b.shaped[string(b.key)]; known {
		return uint32(n) + 1
	}
	if len(b.shapes) == maxShapes || len(b.shape) == 0 {
		return 0
	}
	b.shapes = append(b.shapes, slices.Clone(b.shape))
	b.shaped[string(b.key)] = len(b.shapes) - 1
	return uint32(len(b.shapes))
}

// form finds the template of a row's message and its values, and 1; 0: it has none.
func (b *builder) form(row int, r *Record) uint32 {
	if len(r.Message) > 0 && r.Message[0] == '{' {
		return b.formJSON(row, r.Message)
	}
	if len(r.Fields) > 0 {
		return b.formText(row, r.Message)
	}
	return 0
}

func (b *builder) formJSON(row int, message string) uint32 {
	if n := len(b.forms); n > 0 && b.forms[n-1] > 0 { // mostly it is that of the row before
		t := b.templates[b.forms[n-1]-1]
		values, ok := t.read(message, b.values[:0])
		b.values = values
		if ok && b.free(row, t, values) {
			for i, s := range t.slots {
				b.setMember(row, s.column, values[i])
			}
			return b.forms[n-1]
		}
	}
	if !b.doc.read(message) {
		return 0
	}
	t, exact, at := &template{}, !b.doc.more, 0
	b.more = b.more || b.doc.more
	for i := range b.doc.members {
		m := &b.doc.members[i]
		n := -1
		if !builtin(m.path) {
			n = b.column(m.path)
		}
		if n < 0 || !b.setMember(row, n, m.value) {
			exact = false
			continue
		}
		exact = exact && m.exact
		t.texts, t.slots = append(t.texts, message[at:m.from]), append(t.slots, slot{n, m.quoted})
		at = m.to
	}
	if !exact {
		return 0
	}
	t.texts = append(t.texts, message[at:])
	for i, s := range t.slots { // of two members with one name only one has the column
		if slices.ContainsFunc(t.slots[:i], func(o slot) bool { return o.column == s.column }) {
			return 0
		}
	}
	return b.keep(t)
}

// free says that the columns of a template can take the values of a row: none has
// another already.
func (b *builder) free(row int, t *template, values []string) bool {
	for i, s := range t.slots {
		if c := b.columns[s.column]; c.row == row+1 && c.at(row) != values[i] {
			return false
		}
	}
	return true
}

// setMember gives a row a value unless it has another already.
func (b *builder) setMember(row, column int, value string) bool {
	c := b.columns[column]
	if c.row == row+1 {
		return c.at(row) == value
	}
	if len(value) > maxValue {
		b.more = true
		return false
	}
	c.set(row, value)
	return true
}

// formText finds the fields of a row in its message. Where they begin and end must be
// the ends of words, for needles to be found in the words alone.
func (b *builder) formText(row int, message string) uint32 {
	value := func(n int) (string, bool) {
		c := b.columns[n]
		if c.row != row+1 {
			return "", false
		}
		return c.at(row), true
	}
	if n := len(b.forms); n > 0 && b.forms[n-1] > 0 && b.templates[b.forms[n-1]-1].fits(message, value) {
		return b.forms[n-1]
	}
	if crowded := len(b.templates) > 64 && len(b.templates) > row/16; crowded {
		return 0
	}
	t, rest := &template{}, message
	for _, n := range b.shape {
		v, _ := value(n)
		at := strings.Index(rest, v)
		if v == "" || at < 0 || at == 0 && len(rest) < len(message) || at > 0 && inWord[rest[at-1]] {
			continue
		}
		if end := at + len(v); end < len(rest) && inWord[rest[end]] {
			continue
		}
		t.texts, t.slots = append(t.texts, rest[:at]), append(t.slots, slot{column: n})
		rest = rest[at+len(v):]
	}
	if len(t.slots) == 0 {
		return 0
	}
	t.texts = append(t.texts, rest)
	return b.keep(t)
}

// keep finds or keeps a template.
func (b *builder) keep(t *template) uint32 {
	key := t.key()
	if n, known := b.keyed[key]; known {
		return uint32(n) + 1
	}
	if len(b.templates) == maxTemplates {
		return 0
	}
	for i, text := range t.texts {
		t.texts[i] = strings.Clone(text)
	}
	b.templates, b.keyed[key] = append(b.templates, t), len(b.templates)
	return uint32(len(b.templates))
}
