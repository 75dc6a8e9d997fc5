package logs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// maxSection is what a section, or a footer, has at most when it is unpacked: more is
// damage.
const maxSection = 64 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// packers compress sections, and unpackers unpack them, one at a time. They are let go
// when there is nothing for them to do.
var packers = sync.Pool{New: func() any {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(false))
	if err != nil {
		panic(err) // the options are wrong
	}
	return e
}}

var unpackers = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxSection))
	if err != nil {
		panic(err) // the options are wrong
	}
	return d
}}

// section is a part of a block.
type section struct {
	at, stored, size int64 // where it is, its length there and unpacked
	sum              uint32
	packed           bool
}

func (s section) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(s.at))
	packed := uint64(0)
	if s.packed {
		packed = 1
	}
	b = binary.AppendUvarint(b, uint64(s.stored)<<1|packed)
	b = binary.AppendUvarint(b, uint64(s.size))
	return binary.LittleEndian.AppendUint32(b, s.sum)
}

// unpack checks and unpacks what is stored.
func (s section) unpack(stored []byte) ([]byte, error) {
	if crc32.Checksum(stored, castagnoli) != s.sum {
		return nil, fmt.Errorf("the checksum of %d bytes at %d is wrong", s.stored, s.at)
	}
	if !s.packed {
		return stored, nil
	}
	d := unpackers.Get().(*zstd.Decoder)
	defer unpackers.Put(d)
	raw, err := d.DecodeAll(stored, make([]byte, 0, s.size))
	if err == nil && int64(len(raw)) != s.size {
		err = fmt.Errorf("%d bytes where %d are expected", len(raw), s.size)
	}
	if err != nil {
		return nil, fmt.Errorf("unpack %d bytes at %d: %w", s.stored, s.at, err)
	}
	return raw, nil
}

// reading takes numbers and texts from bytes. After an error they are 0 and "".
type reading struct {
	rest []byte
	err  error
}

var errShort = errors.New("it ends too early, or has a number that is out of range")

// number reads one that is no more than a limit.
func (r *reading) number(limit uint64) int {
	v, n := binary.Uvarint(r.rest)
	if r.err != nil || n <= 0 || v > limit {
		r.err = errShort
		return 0
	}
	r.rest = r.rest[n:]
	return int(v)
}

func (r *reading) bytes(n int) []byte {
	if r.err != nil || n > len(r.rest) {
		r.err = errShort
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reading) text() string { return string(r.bytes(r.number(maxSection))) }

// section reads one of a block that has its sections before a place.
func (r *reading) section(end int64) (s section) {
	s.at = int64(r.number(uint64(end)))
	stored := r.number(2 * uint64(end))
	s.stored, s.packed, s.size = int64(stored>>1), stored&1 == 1, int64(r.number(maxSection))
	if sum := r.bytes(4); sum != nil {
		s.sum = binary.LittleEndian.Uint32(sum)
	}
	if s.at+s.stored > end || !s.packed && s.stored != s.size {
		r.err = errShort
		return section{}
	}
	return s
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
