package logs

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"time"

	"github.com/klauspost/compress/s2"
)

// The write-ahead log is files of frames. A frame is what was stored together:
//
//	"dslw", length and CRC-32C of the rest, 32 bits each, little-endian
//	S2 of: number of chunks; each: group, first place, number of records;
//	each record: time after the one before, stream, request, message, fields
//
// The names of fields are left out when they are those of the record before.
const (
	frameMagic  = "dslw"
	frameHeader = 12
	// maxFrameBytes is about how much a frame holds before it is packed.
	maxFrameBytes = 4 << 20
)

// chunk is records of one group that follow one another.
type chunk struct {
	group   string
	first   uint64 // place of the first
	records []Record
	bytes   int
	segment uint64    // of the write-ahead log that has it
	came    time.Time // when it was stored, or read at a start
}

func (c *chunk) last() uint64 { return c.first + uint64(len(c.records)) - 1 }

// weight is about what a record takes in memory and in a frame.
func (r *Record) weight() int {
	n := len(r.Message) + len(r.Request) + 64
	for i := range r.Fields {
		n += len(r.Fields[i].Name) + len(r.Fields[i].Value)
	}
	return n
}

// framer writes frames.
type framer struct{ raw []byte }

// append adds the frame of some chunks.
func (f *framer) append(out []byte, chunks []*chunk) []byte {
	raw := binary.AppendUvarint(f.raw[:0], uint64(len(chunks)))
	for _, c := range chunks {
		raw = appendText(raw, c.group)
		raw = binary.AppendUvarint(raw, c.first)
		raw = binary.AppendUvarint(raw, uint64(len(c.records)))
		last, names := int64(0), []Field(nil)
		for i := range c.records {
			r := &c.records[i]
			at := nanoseconds(r.Time)
			raw = binary.AppendVarint(raw, at-last)
			last = at
			raw = appendText(raw, r.Stream)
			raw = appendText(raw, r.Request)
			raw = appendText(raw, r.Message)
			raw, names = appendFields(raw, r.Fields, names), r.Fields
		}
	}
	f.raw = raw
	at := len(out)
	room := frameHeader + s2.MaxEncodedLen(len(raw))
	out = append(slices.Grow(out, room), frameMagic...)
	packed := s2.Encode(out[at+frameHeader:at+room], raw)
	out = out[:at+frameHeader+len(packed)]
	binary.LittleEndian.PutUint32(out[at+4:], uint32(len(packed)))
	binary.LittleEndian.PutUint32(out[at+8:], crc32.Checksum(packed, castagnoli))
	return out
}

// appendFields adds fields: twice their number and 1 when the names come too.
func appendFields(raw []byte, fields, before []Field) []byte {
	same := len(fields) == len(before)
	for i := 0; same && i < len(fields); i++ {
		same = fields[i].Name == before[i].Name
	}
	if same {
		raw = binary.AppendUvarint(raw, uint64(len(fields))<<1)
	} else {
		raw = binary.AppendUvarint(raw, uint64(len(fields))<<1|1)
		for i := range fields {
			raw = appendText(raw, fields[i].Name)
		}
	}
	for i := range fields {
		raw = appendText(raw, fields[i].Value)
	}
	return raw
}

// readFrame takes a frame off the beginning of a file's bytes.
func readFrame(b []byte) (chunks []*chunk, rest []byte, err error) {
	if len(b) < frameHeader || string(b[:4]) != frameMagic {
		return nil, nil, fmt.Errorf("no frame begins here")
	}
	length := uint64(binary.LittleEndian.Uint32(b[4:]))
	if length > uint64(len(b)-frameHeader) {
		return nil, nil, fmt.Errorf("a frame of %d bytes is cut after %d", length, len(b)-frameHeader)
	}
	packed, rest := b[frameHeader:frameHeader+length], b[frameHeader+length:]
	if crc32.Checksum(packed, castagnoli) != binary.LittleEndian.Uint32(b[8:]) {
		return nil, rest, fmt.Errorf("the checksum of a frame is wrong")
	}
	if n, err := s2.DecodedLen(packed); err != nil || n > maxSection {
		return nil, rest, fmt.Errorf("a frame has %d bytes, %w", n, err)
	}
	raw, err := s2.Decode(nil, packed)
	if err != nil {
		return nil, rest, err
	}
	r := &reading{rest: raw}
	for range r.number(uint64(len(raw))) {
		c := &chunk{group: r.text(), first: uint64(r.number(math.MaxInt64))}
		n := r.number(uint64(len(r.rest))) // each has some bytes
		c.records = make([]Record, 0, min(n, maxRows))
		last, names := int64(0), []Field(nil)
		for range n {
			if r.err != nil {
				return nil, rest, fmt.Errorf("a frame: %w", r.err)
			}
			rec := Record{Group: c.group}
			last += r.signed()
			rec.Time = time.Unix(0, last)
			rec.Stream, rec.Request, rec.Message = r.text(), r.text(), r.text()
			rec.Fields = r.fields(names)
			names = rec.Fields
			c.records = append(c.records, rec)
			c.bytes += rec.weight()
		}
		chunks = append(chunks, c)
	}
	if r.err != nil {
		return nil, rest, fmt.Errorf("a frame: %w", r.err)
	}
	return chunks, rest, nil
}

func (r *reading) signed() int64 {
	v, n := binary.Varint(r.rest)
	if r.err != nil || n <= 0 {
		r.err = errShort
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reading) fields(before []Field) []Field {
	n := r.number(2 * uint64(len(r.rest)))
	named := n&1 == 1
	if n >>= 1; n == 0 || r.err != nil {
		return nil
	}
	if !named && n != len(before) || n > len(r.rest) {
		r.err = errShort
		return nil
	}
	fields := make([]Field, n)
	for i := range fields {
		if named {
			fields[i].Name = r.text()
		} else {
			fields[i].Name = before[i].Name
		}
	}
	for i := range fields {
		fields[i].Value = r.text()
	}
	return fields
}
