package logs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"strings"
)

// tailRead is how much of a block's end is read to find the footer.
const tailRead = 32 << 10

// blockReader is a block of which parts are read as they are asked for.
type blockReader struct {
	in     io.ReaderAt
	rows   int
	kinds  int // of templates
	shapes int
	parts  []part // of columns
	texts  []*columnTexts

	times, places, forms, fields, filter section
}

// part says where a column is.
type part struct {
	values         int
	texts, codes   section
	plain, escaped bool
}

// columnTexts are a column's values as they are stored: their lengths, and they
// themselves one behind the other.
type columnTexts struct {
	lengths []byte
	all     string
}

// readBlock reads the footer of a block and returns what is in it, as far as it goes
// without reading more.
func readBlock(in io.ReaderAt, size int64) (*table, *blockReader, error) {
	footer, end, err := readFooter(in, size)
	if err != nil {
		return nil, nil, err
	}
	r := &reading{rest: footer}
	b := &blockReader{in: in}
	t := &table{group: r.text(), rows: r.number(maxRows), source: b, numbers: map[string]int{}}
	b.rows = t.rows
	t.more = r.number(1) == 1
	b.times, b.places = r.section(end), r.section(end)
	templates := r.section(end)
	b.forms, b.fields = r.section(end), r.section(end)
	columns := r.number(maxColumns + 8)
	for i := range columns {
		name := r.text()
		p := part{values: r.number(maxRows)}
		p.texts = r.section(end)
		kind := r.number(plainColumn | escapedColumn)
		p.escaped = kind&escapedColumn != 0
		if p.plain = kind&plainColumn != 0; !p.plain {
			p.codes = r.section(end)
		} else if p.values != t.rows {
			r.err = errShort
		}
		if r.err != nil {
			break
		}
		b.parts, t.names, t.numbers[name] = append(b.parts, p), append(t.names, name), i
	}
	b.filter = r.section(end)
	if r.err == nil && len(r.rest) > 0 {
		r.err = errors.New("it is longer than it should be")
	}
	if r.err != nil {
		return nil, nil, fmt.Errorf("its footer: %w", r.err)
	}
	t.columns, b.texts = make([]*Column, columns), make([]*columnTexts, columns)
	if err := b.readTemplates(t, templates); err != nil {
		return nil, nil, err
	}
	return t, b, nil
}

// readFooter returns it and where the sections end.
func readFooter(in io.ReaderAt, size int64) (footer []byte, end int64, err error) {
	if size < int64(len(blockMagic)+trailerSize) {
		return nil, 0, fmt.Errorf("%d bytes are too few for a block", size)
	}
	tail := make([]byte, min(size, tailRead))
	if _, err := in.ReadAt(tail, size-int64(len(tail))); err != nil {
		return nil, 0, err
	}
	trailer := tail[len(tail)-trailerSize:]
	if string(trailer[8:]) != blockMagic {
		return nil, 0, errors.New("it does not end as a block of version 1 does")
	}
	length := int64(binary.LittleEndian.Uint32(trailer))
	end = size - int64(trailerSize) - length
	if end < int64(len(blockMagic)) || length > maxSection {
		return nil, 0, fmt.Errorf("its footer has %d bytes, which it has no room for", length)
	}
	if have := int64(len(tail) - trailerSize); length <= have {
		footer = tail[have-length : have]
	} else {
		footer = make([]byte, length)
		if _, err := in.ReadAt(footer, end); err != nil {
			return nil, 0, err
		}
	}
	if crc32.Checksum(footer, castagnoli) != binary.LittleEndian.Uint32(trailer[4:]) {
		return nil, 0, errors.New("the checksum of its footer is wrong")
	}
	return footer, end, nil
}

func (b *blockReader) read(s section) ([]byte, error) {
	if s.stored == 0 {
		return nil, nil
	}
	stored := make([]byte, s.stored)
	if _, err := b.in.ReadAt(stored, s.at); err != nil {
		return nil, err
	}
	return s.unpack(stored)
}

func (b *blockReader) readTemplates(t *table, s section) error {
	raw, err := b.read(s)
	if err != nil {
		return err
	}
	r := &reading{rest: raw}
	columns := uint64(len(b.parts))
	for range r.number(maxTemplates) {
		slots := r.number(maxMembers + maxFields)
		f := &template{texts: []string{r.text()}}
		for range slots {
			n := r.number(2*columns + 1)
			if r.err != nil || uint64(n>>1) >= columns {
				return fmt.Errorf("its templates: %w", errShort)
			}
			f.slots, f.texts = append(f.slots, slot{n >> 1, n&1 == 1}), append(f.texts, r.text())
		}
		t.templates = append(t.templates, f)
	}
	for range r.number(maxShapes) {
		var shape []int
		for range r.number(maxFields) {
			n := r.number(columns)
			if r.err != nil || uint64(n) >= columns {
				return fmt.Errorf("its shapes: %w", errShort)
			}
			shape = append(shape, n)
		}
		t.shapes = append(t.shapes, shape)
	}
	if r.err != nil {
		return fmt.Errorf("its templates: %w", r.err)
	}
	b.kinds, b.shapes = len(t.templates), len(t.shapes)
	return nil
}

// text reads a column's values as they are stored.
func (b *blockReader) text(n int) (*columnTexts, error) {
	if b.texts[n] != nil {
		return b.texts[n], nil
	}
	raw, err := b.read(b.parts[n].texts)
	if err != nil {
		return nil, err
	}
	r := &reading{rest: raw}
	c := &columnTexts{lengths: r.bytes(r.number(maxSection))}
	if r.err != nil {
		return nil, fmt.Errorf("the values of its column %d: %w", n, r.err)
	}
	c.all = string(r.rest)
	b.texts[n] = c
	return c, nil
}

func (b *blockReader) column(n int) (*Column, error) {
	p := &b.parts[n]
	text, err := b.text(n)
	if err != nil {
		return nil, err
	}
	c := &Column{Values: make([]string, p.values)}
	lengths, rest := text.lengths, text.all
	for i := range c.Values {
		size, k := binary.Uvarint(lengths)
		if k <= 0 || size > uint64(len(rest)) {
			return nil, fmt.Errorf("the values of its column %d: %w", n, errShort)
		}
		c.Values[i], rest, lengths = rest[:size], rest[size:], lengths[k:]
	}
	if !p.plain {
		c.Codes, err = b.readCodes(p.codes, p.values)
	}
	return c, err
}

// holding are the values of a column that have a text, by the number of each.
func (b *blockReader) holding(n int, text string) ([]int, error) {
	c, err := b.text(n)
	if err != nil {
		return nil, err
	}
	at := strings.Index(c.all, text)
	if at < 0 {
		return nil, nil
	}
	var list []int
	lengths, from := c.lengths, 0
	for i := range b.parts[n].values {
		size, k := binary.Uvarint(lengths)
		if k <= 0 || size > uint64(len(c.all)-from) {
			return nil, fmt.Errorf("the values of its column %d: %w", n, errShort)
		}
		lengths = lengths[k:]
		to := from + int(size)
		if at < to && at+len(text) <= to {
			list = append(list, i)
		}
		if from = to; at < to { // look for the next
			next := strings.Index(c.all[to:], text)
			if next < 0 {
				break
			}
			at = to + next
		}
	}
	return list, nil
}

// readCodes reads those of all rows, which are no more than a limit.
func (b *blockReader) readCodes(s section, limit int) ([]uint32, error) {
	codes := make([]uint32, b.rows)
	if s.size == 0 {
		if limit < 1 && b.rows > 0 {
			return nil, errShort
		}
		for i := range codes {
			codes[i] = 1
		}
		return codes, nil
	}
	if s.size%int64(max(1, b.rows)) != 0 || s.size > 4*int64(b.rows) {
		return nil, errShort
	}
	raw, err := b.read(s)
	if err != nil {
		return nil, err
	}
	for shift := 0; len(raw) > 0; shift += 8 {
		for i, c := range raw[:b.rows] {
			codes[i] |= uint32(c) << shift
		}
		raw = raw[b.rows:]
	}
	for _, c := range codes {
		if c > uint32(limit) {
			return nil, errors.New("a code stands for no value")
		}
	}
	return codes, nil
}

func (b *blockReader) rowTimes() ([]int64, error) {
	raw, err := b.read(b.times)
	if err != nil {
		return nil, err
	}
	r := &reading{rest: raw}
	unit := int64(r.number(1_000_000_000))
	times, last := make([]int64, b.rows), int64(0)
	rest := r.rest
	for i := range times {
		delta, k := binary.Varint(rest)
		if k <= 0 || r.err != nil {
			return nil, fmt.Errorf("its times: %w", errShort)
		}
		rest = rest[k:]
		last += delta * unit
		times[i] = last
	}
	return times, nil
}

func (b *blockReader) rowForms() (forms, fields []uint32, err error) {
	if forms, err = b.readCodes(b.forms, b.kinds); err == nil {
		fields, err = b.readCodes(b.fields, b.shapes)
	}
	return forms, fields, err
}

// runs are the places of the rows.
func (b *blockReader) runs() ([]run, error) {
	raw, err := b.read(b.places)
	if err != nil {
		return nil, err
	}
	r := &reading{rest: raw}
	list := make([]run, r.number(uint64(b.rows)))
	row, next := 0, uint64(0)
	for i := range list {
		rows := r.number(uint64(b.rows - row))
		row, next = row+rows, next+uint64(rows)+uint64(r.number(math.MaxInt64))
		list[i] = run{row, next}
	}
	return list, r.err
}
