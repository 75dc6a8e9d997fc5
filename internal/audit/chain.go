package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
)

// Fault is a place where the log is not as it was written.
type Fault struct {
	File    string `json:"file"`             // below DIR/audit
	Line    int    `json:"line,omitempty"`   // from 1
	Seq     uint64 `json:"seq,omitempty"`    // the record expected there
	Offset  int64  `json:"offset,omitempty"` // in bytes: of the line, or of the first byte that cannot be
	Problem string `json:"problem"`
}

func (f Fault) String() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s", f.File, f.Problem)
	}
	return fmt.Sprintf("%s:%d: record %d, byte %d: %s", f.File, f.Line, f.Seq, f.Offset, f.Problem)
}

// chain follows the records through log files.
type chain struct {
	at     link         // the record before
	loose  bool         // the next record may be any later one: a fault has said why
	fault  func(Fault)  // for what is wrong
	record func(record) // for each record that is as it was written
	place  Fault        // where that is

	lines *bufio.Reader // reused from file to file
}

// walked is what one file came to.
type walked struct {
	lines       int
	first       uint64    // sequence of its first record
	size        int64     // of its whole lines
	sum         hash.Hash // of its whole lines
	torn        []byte    // what follows them
	faults      int
	oldest, end []byte // its first and last event
}

// walk follows the chain through one file.
func (c *chain) walk(name string, in io.Reader) (walked, error) {
	w := walked{sum: sha256.New()}
	if c.lines == nil {
		c.lines = bufio.NewReaderSize(in, maxLine)
	}
	c.lines.Reset(in)
	for {
		line, err := c.lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			w.torn = bytes.Clone(line)
			return w, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return w, fmt.Errorf("read %s: %w", name, err)
		}
		w.lines++
		w.sum.Write(line)
		c.place = Fault{File: name, Line: w.lines, Offset: w.size}
		for problem := range c.follow(&w, line) {
			w.faults++
			problem.File, problem.Line = name, w.lines
			c.fault(problem)
		}
		w.size += int64(len(line))
	}
}

// follow checks one line, and yields what is wrong with it.
func (c *chain) follow(w *walked, line []byte) func(func(Fault) bool) {
	return func(yield func(Fault) bool) {
		want := c.at.seq + 1
		r, at, err := parseLine(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			c.loose = true
			yield(Fault{Seq: want, Offset: w.size + int64(at), Problem: err.Error()})
			return
		}
		if r.hash != hashRecord(r.seq, r.prev, r.event) {
			// nothing that the line says about itself can be believed
			c.at.seq, c.loose = want, true
			yield(Fault{Seq: want, Offset: w.size, Problem: "the record was changed: its hash is another's"})
			return
		}
		if problem := c.misplaced(r); problem != "" {
			yield(Fault{Seq: want, Offset: w.size, Problem: problem})
		}
		if r.seq <= c.at.seq {
			return // it stands where it does not belong: the chain goes on without it
		}
		c.at, c.loose = r.link, false
		if w.first == 0 {
			w.first, w.oldest = r.seq, bytes.Clone(r.event)
		}
		w.end = append(w.end[:0], r.event...)
		if c.record != nil {
			c.record(r)
		}
	}
}

// misplaced says what is wrong with the place of a record that is itself whole.
func (c *chain) misplaced(r record) string {
	switch want := c.at.seq + 1; {
	case r.seq < want:
		return fmt.Sprintf("record %d stands here, a second time or out of order", r.seq)
	case c.loose:
		return ""
	case r.seq == want+1:
		return fmt.Sprintf("record %d is missing before record %d", want, r.seq)
	case r.seq > want:
		return fmt.Sprintf("records %d to %d are missing before record %d", want, r.seq-1, r.seq)
	case r.prev != c.at.hash:
		return "the record does not follow the one before it: one of the two was replaced"
	}
	return ""
}

// eventTime is when an event was, as its record says.
func eventTime(event []byte) time.Time {
	var e struct {
		EventTime time.Time `json:"eventTime"`
	}
	_ = json.Unmarshal(event, &e) // a record that is no event has no time
	return e.EventTime
}
