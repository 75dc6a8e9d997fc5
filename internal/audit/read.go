package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

const (
	// scanBudget is how many bytes one page may read; a page that has reached it
	// comes back short, with a token.
	scanBudget = 64 << 20
	// readBlock is how much is read at a time, backwards.
	readBlock = 256 << 10
	// clockSlack is how far events' times may be from the order of records: a call
	// is recorded when it ends, with the time at which it began.
	clockSlack = time.Hour
)

// page is a part of the log, newest first.
type page struct {
	events []Event
	raw    []json.RawMessage // the same as they are written
	next   string            // token of the next page; "" when there is none
}

// read returns the newest events that are wanted, at most limit, from a token on.
// It reads files only up to where the log ended when it began, so that it sees
// nothing that is not durable, and keeps nobody from appending.
func (l *Log) read(ctx context.Context, f filter, limit int, token string) (page, error) {
	t := l.tail.Load()
	if t == nil {
		return page{}, fault.Errorf(fault.Unavailable, "the audit log is not open")
	}
	logs, _, err := list(filepath.Join(l.Dir, logDir), ".ndjson")
	if err != nil {
		return page{}, err
	}
	from, offset, err := parseToken(token)
	if err != nil {
		return page{}, err
	}
	r := reading{filter: f, limit: limit, budget: scanBudget}
	slices.Reverse(logs)
	for i, n := range logs {
		end := int64(-1) // whole
		switch {
		case n.number > t.Seq || token != "" && n.number > from:
			continue // begun after the reading, or read already
		case token != "" && n.number == from:
			end = offset
		case n.name == t.File:
			end = t.Size
		}
		if !f.start.IsZero() && i > 0 && logs[i-1].time.Before(f.start) {
			break // what follows was written before the next file was begun
		}
		if !f.end.IsZero() && n.time.Add(-clockSlack).After(f.end) {
			continue
		}
		full, err := r.file(ctx, filepath.Join(l.Dir, logDir), n, end)
		if err != nil {
			return page{}, err
		}
		if full {
			return r.page, nil
		}
	}
	return r.page, nil
}

// reading is the state of one page.
type reading struct {
	filter
	page
	limit  int
	budget int64
}

// file reads one file backwards from an offset, -1 for its end. It says whether
// the page is full.
func (r *reading) file(ctx context.Context, dir string, n named, end int64) (full bool, err error) {
	f, err := os.Open(filepath.Join(dir, n.name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // it has just expired
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if end < 0 || end > info.Size() {
		end = info.Size()
	}
	b := backwards{file: f, start: end}
	for {
		line, at, err := b.line()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		r.add(line)
		if r.budget -= int64(len(line)); len(r.events) == r.limit || r.budget <= 0 {
			r.next = formatToken(n.number, at)
			return true, nil
		}
	}
}

// add takes a line into the page if it is wanted.
func (r *reading) add(line []byte) {
	rec, _, err := parseLine(line)
	if err != nil || !r.may(rec.event) {
		return // what is damaged is Verify's to tell
	}
	var e Event
	if json.Unmarshal(rec.event, &e) != nil || !r.wants(&e) {
		return
	}
	r.events, r.raw = append(r.events, e), append(r.raw, bytes.Clone(rec.event))
}

// backwards yields the lines of a file from an offset towards its beginning.
type backwards struct {
	file  io.ReaderAt
	start int64  // of buf in the file
	buf   []byte // read and not yet given
}

// line returns the last line that has not been given, without its end, and where
// it begins. The bytes are valid until the next call.
func (b *backwards) line() ([]byte, int64, error) {
	b.buf = bytes.TrimSuffix(b.buf, []byte("\n"))
	for {
		if i := bytes.LastIndexByte(b.buf, '\n'); i >= 0 {
			line := b.buf[i+1:]
			b.buf = b.buf[:i+1]
			return line, b.start + int64(i+1), nil
		}
		if b.start == 0 {
			line := b.buf
			b.buf = nil
			if len(line) == 0 {
				return nil, 0, io.EOF
			}
			return line, 0, nil
		}
		first := len(b.buf) == 0
		n := min(readBlock, b.start)
		more := make([]byte, n, n+int64(len(b.buf)))
		if _, err := b.file.ReadAt(more, b.start-n); err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, err
		}
		b.buf, b.start = append(more, b.buf...), b.start-n
		if first {
			b.buf = bytes.TrimSuffix(b.buf, []byte("\n"))
		}
	}
}

// A token is a file, by its first sequence, and the offset before which the next
// page's events are.
func formatToken(number uint64, offset int64) string {
	return strconv.FormatUint(number, 36) + "." + strconv.FormatInt(offset, 36)
}

func parseToken(token string) (number uint64, offset int64, err error) {
	if token == "" {
		return 0, 0, nil
	}
	n, o, ok := strings.Cut(token, ".")
	number, nerr := strconv.ParseUint(n, 36, 64)
	offset, oerr := strconv.ParseInt(o, 36, 64)
	if !ok || nerr != nil || oerr != nil || offset < 0 {
		return 0, 0, fault.Coded(fault.Invalid, "InvalidNextTokenException", "the token is not one of an earlier answer")
	}
	return number, offset, nil
}
