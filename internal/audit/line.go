package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
)

// A line is exactly
//
//	{"seq":N,"prev":"HEX","hash":"HEX","event":EVENT}\n
//
// in these bytes and no others: what reads back must render the same, so that no
// byte of a file can change without being noticed.
const (
	openSeq   = `{"seq":`
	openPrev  = `,"prev":"`
	openHash  = `","hash":"`
	openEvent = `","event":`
	hexSum    = 2 * sha256.Size
)

// maxLine is the longest line that there can be.
const maxLine = maxEvent + 512

// sum is a SHA-256.
type sum [sha256.Size]byte

func (s sum) String() string               { return hex.EncodeToString(s[:]) }
func (s sum) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s[:]), nil }

func (s *sum) UnmarshalText(text []byte) error {
	if len(text) != hexSum {
		return fmt.Errorf("%d characters are no SHA-256 in hexadecimal", len(text))
	}
	_, err := hex.Decode(s[:], text)
	return err
}

// link is where the chain stands: what the next record refers to.
type link struct {
	seq  uint64
	hash sum
}

// record is a line that has been read. The event's bytes are the reader's.
type record struct {
	link
	prev  sum
	event []byte
}

// appendLine adds the record of an event to buf and returns where the chain then
// stands.
func appendLine(buf []byte, prev link, event []byte) ([]byte, link) {
	next := link{seq: prev.seq + 1}
	next.hash = hashRecord(next.seq, prev.hash, event)
	buf = append(buf, openSeq...)
	buf = strconv.AppendUint(buf, next.seq, 10)
	buf = append(buf, openPrev...)
	buf = hex.AppendEncode(buf, prev.hash[:])
	buf = append(buf, openHash...)
	buf = hex.AppendEncode(buf, next.hash[:])
	buf = append(buf, openEvent...)
	buf = append(buf, event...)
	return append(buf, "}\n"...), next
}

// hashRecord is the SHA-256 over a label, the sequence and the previous hash in
// their written form, and the event's bytes as they stand in the file.
func hashRecord(seq uint64, prev sum, event []byte) (hash sum) {
	var head [128]byte
	b := append(head[:0], "dropstack audit record\n"...)
	b = strconv.AppendUint(b, seq, 10)
	b = append(b, '\n')
	b = hex.AppendEncode(b, prev[:])
	b = append(b, '\n')
	h := sha256.New()
	h.Write(b)
	h.Write(event)
	h.Sum(hash[:0])
	return hash
}

// parseLine reads a line without its end. An error comes with the place in the
// line at which it stops being one.
func parseLine(line []byte) (r record, at int, err error) {
	p := lineParser{line: line}
	p.literal(openSeq)
	r.seq = p.number()
	p.literal(openPrev)
	r.prev = p.sum()
	p.literal(openHash)
	r.hash = p.sum()
	p.literal(openEvent)
	if p.err == nil && !bytes.HasSuffix(line[p.at:], []byte("}")) {
		p.at, p.err = len(line), fmt.Errorf("the line does not end in %q", "}")
	}
	if p.err != nil {
		return record{}, p.at, p.err
	}
	r.event = line[p.at : len(line)-1]
	return r, 0, nil
}

type lineParser struct {
	line []byte
	at   int
	err  error
}

func (p *lineParser) literal(want string) {
	if p.err != nil {
		return
	}
	for i := range len(want) {
		if p.at+i == len(p.line) || p.line[p.at+i] != want[i] {
			p.at += i
			p.err = fmt.Errorf("not a record: %q expected", want[i:])
			return
		}
	}
	p.at += len(want)
}

func (p *lineParser) number() uint64 {
	if p.err != nil {
		return 0
	}
	end := p.at
	for end < len(p.line) && '0' <= p.line[end] && p.line[end] <= '9' {
		end++
	}
	n, err := strconv.ParseUint(string(p.line[p.at:end]), 10, 64)
	if err != nil || n == 0 || p.line[p.at] == '0' {
		p.err = fmt.Errorf("not a record: no sequence number")
		return 0
	}
	p.at = end
	return n
}

func (p *lineParser) sum() (s sum) {
	if p.err != nil {
		return s
	}
	for i := range hexSum {
		if p.at+i == len(p.line) || !isHex(p.line[p.at+i]) {
			p.at += i
			p.err = fmt.Errorf("not a record: a digit of a hash expected")
			return s
		}
	}
	_, p.err = hex.Decode(s[:], p.line[p.at:p.at+hexSum])
	p.at += hexSum
	return s
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }
