package logs

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// A block is a file
//
//	header   "dslogs1\n"
//	sections each with its checksum in the footer, compressed by zstd where that pays:
//	         times, places, templates and shapes, those of each row, for each
//	         column its values and codes, the filter
//	footer   what the block has and where
//	trailer  length and CRC-32C of the footer, 32 bits each, little-endian; "dslogs1\n"
//
// Numbers are varints, as encoding/binary has them.
const (
	blockMagic  = "dslogs1\n"
	trailerSize = 8 + len(blockMagic)
)

// What is said of a column.
const (
	plainColumn   = 1 << iota // it has a value for every row, and no codes
	escapedColumn             // some of its values are others in JSON
)

// run is rows whose places follow one another, from the row on that it names.
type run struct {
	row   int
	place uint64 // of that row; in a block counted from its first
}

// encoder writes a block.
type encoder struct {
	out    []byte
	raw    []byte   // reused
	footer []byte   // reused
	grams  []uint32 // reused
	packer *zstd.Encoder
}

var encoders = sync.Pool{New: func() any { return &encoder{} }}

// encode is the block of a builder's records, which places are given to by runs.
// Its bytes are good until the next one.
func (e *encoder) encode(b *builder, runs []run) []byte {
	e.packer = packers.Get().(*zstd.Encoder)
	defer packers.Put(e.packer)
	e.out = append(e.out[:0], blockMagic...)
	f := appendText(e.footer[:0], b.group)
	f = binary.AppendUvarint(f, uint64(b.rows))
	more := uint64(0)
	if b.more {
		more = 1
	}
	f = binary.AppendUvarint(f, more)
	f = e.times(b.times).append(f)
	f = e.places(runs).append(f)
	f = e.templates(b).append(f)
	f = e.codes(b.forms).append(f)
	f = e.codes(b.fields).append(f)
	f = binary.AppendUvarint(f, uint64(len(b.columns)))
	stored := make([]struct {
		texts, codes section
		escaped      bool
	}, len(b.columns))
	e.grams = e.grams[:0]
	for i, c := range b.columns {
		c.finish(b.rows)
		if same := b.like(i); same >= 0 {
			stored[i] = stored[same]
		} else {
			stored[i].texts, stored[i].escaped = e.texts(c.values), c.escaped()
			e.grams = c.grams(e.grams, stored[i].escaped)
			if c.of != nil {
				stored[i].codes = e.codes(c.codes)
			}
		}
		f = appendText(f, c.name)
		f = binary.AppendUvarint(f, uint64(len(c.values)))
		f = stored[i].texts.append(f)
		kind := uint64(0)
		if c.of == nil {
			kind = plainColumn
		}
		if stored[i].escaped {
			kind |= escapedColumn
		}
		f = binary.AppendUvarint(f, kind)
		if c.of != nil {
			f = stored[i].codes.append(f)
		}
	}
	for _, t := range b.templates {
		for _, text := range t.texts {
			e.grams = appendGrams(e.grams, text)
		}
	}
	f = e.store(newFilter(e.grams)).append(f)
	e.footer = f
	e.out = append(e.out, f...)
	e.out = binary.LittleEndian.AppendUint32(e.out, uint32(len(f)))
	e.out = binary.LittleEndian.AppendUint32(e.out, crc32.Checksum(f, castagnoli))
	e.out = append(e.out, blockMagic...)
	return e.out
}

// like finds an earlier column that is the same, as the ID of a request is in both the
// record and its message; -1: there is none.
func (b *builder) like(n int) int {
	c := b.columns[n]
	for i, o := range b.columns[:n] {
		if (c.of == nil) == (o.of == nil) && slices.Equal(c.values, o.values) && slices.Equal(c.codes, o.codes) {
			return i
		}
	}
	return -1
}

// pack writes a section, compressed if that makes it smaller.
func (e *encoder) pack(raw []byte) section {
	at := len(e.out)
	e.out = e.packer.EncodeAll(raw, e.out)
	if len(e.out)-at >= len(raw)-len(raw)/16 {
		e.out = e.out[:at]
		return e.store(raw)
	}
	return section{int64(at), int64(len(e.out) - at), int64(len(raw)), crc32.Checksum(e.out[at:], castagnoli), true}
}

func (e *encoder) store(raw []byte) section {
	at := len(e.out)
	e.out = append(e.out, raw...)
	return section{at: int64(at), stored: int64(len(raw)), size: int64(len(raw)), sum: crc32.Checksum(raw, castagnoli)}
}

// times are what each is more than the one before, in the largest unit that all are
// multiples of.
func (e *encoder) times(times []int64) section {
	unit := int64(1_000_000_000)
	for _, t := range times {
		for t%unit != 0 {
			unit /= 1000
		}
	}
	e.raw = binary.AppendUvarint(e.raw[:0], uint64(unit))
	last := int64(0)
	for _, t := range times {
		e.raw = binary.AppendVarint(e.raw, (t-last)/unit)
		last = t
	}
	return e.pack(e.raw)
}

// places are runs: how many rows, and how many places are left out before them.
func (e *encoder) places(runs []run) section {
	e.raw = binary.AppendUvarint(e.raw[:0], uint64(len(runs)))
	row, next := 0, uint64(0)
	for _, r := range runs {
		e.raw = binary.AppendUvarint(e.raw, uint64(r.row-row))
		e.raw = binary.AppendUvarint(e.raw, r.place-next-uint64(r.row-row))
		row, next = r.row, r.place
	}
	return e.pack(e.raw)
}

func (e *encoder) templates(b *builder) section {
	raw := binary.AppendUvarint(e.raw[:0], uint64(len(b.templates)))
	for _, t := range b.templates {
		raw = binary.AppendUvarint(raw, uint64(len(t.slots)))
		raw = appendText(raw, t.texts[0])
		for i, s := range t.slots {
			quoted := uint64(0)
			if s.quoted {
				quoted = 1
			}
			raw = binary.AppendUvarint(raw, uint64(s.column)<<1|quoted)
			raw = appendText(raw, t.texts[i+1])
		}
	}
	raw = binary.AppendUvarint(raw, uint64(len(b.shapes)))
	for _, shape := range b.shapes {
		raw = binary.AppendUvarint(raw, uint64(len(shape)))
		for _, n := range shape {
			raw = binary.AppendUvarint(raw, uint64(n))
		}
	}
	e.raw = raw
	return e.pack(raw)
}

// texts are the length of the lengths, the lengths, and the texts.
func (e *encoder) texts(values []string) section {
	var lengths []byte
	for _, v := range values {
		lengths = binary.AppendUvarint(lengths, uint64(len(v)))
	}
	e.raw = binary.AppendUvarint(e.raw[:0], uint64(len(lengths)))
	e.raw = append(e.raw, lengths...)
	for _, v := range values {
		e.raw = append(e.raw, v...)
	}
	return e.pack(e.raw)
}

// codes are their low bytes, then the next, up to those of which one is not 0; where
// all are 1 there is nothing.
func (e *encoder) codes(codes []uint32) section {
	all, same := uint32(0), true
	for _, c := range codes {
		all |= c
		same = same && c == 1
	}
	if same {
		return e.store(nil)
	}
	e.raw = e.raw[:0]
	for shift := 0; shift == 0 || all>>shift > 0; shift += 8 {
		for _, c := range codes {
			e.raw = append(e.raw, byte(c>>shift))
		}
	}
	return e.pack(e.raw)
}
