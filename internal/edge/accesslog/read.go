package accesslog

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/fault"
)

// maxLine is the longest line that is read; the edge writes lines of 100 KB at most.
const maxLine = 1 << 20

// known are the fields by name, also by those of other versions of the log.
var known = func() map[string]*field {
	set := map[string]*field{}
	for _, fields := range [][]field{realTime, standard} { // where both have a name the standard one is meant
		for i := range fields {
			set[fields[i].name] = &fields[i]
		}
	}
	set["DistributionId"] = &distribution
	return set
}()

// Read reads a file of CloudFront's standard log, gzipped or not: its own, that of
// this edge, or one with any of the fields in any order, which the line #Fields
// names; without one they are the standard ones. An error ends it, and names the line.
func Read(r io.Reader) iter.Seq2[edge.AccessRecord, error] {
	return func(yield func(edge.AccessRecord, error) bool) {
		in := bufio.NewReaderSize(r, 64<<10)
		if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
			z, err := gzip.NewReader(in)
			if err != nil {
				yield(edge.AccessRecord{}, fault.Errorf(fault.Invalid, "the file begins like a gzip file and is none: %w", err))
				return
			}
			in = bufio.NewReaderSize(z, 64<<10)
		}
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, maxLine)
		columns, n := ordinary, 0
		for lines.Scan() {
			n++
			text := strings.TrimSuffix(lines.Text(), "\r")
			if names, ok := strings.CutPrefix(text, "#Fields:"); ok {
				columns = columnsOf(strings.Fields(names))
			}
			if text == "" || text[0] == '#' {
				continue
			}
			record, err := columns.parse(text)
			if err != nil {
				yield(record, fault.Errorf(fault.Invalid, "line %d: %w", n, err))
				return
			}
			if !yield(record, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(edge.AccessRecord{}, fault.Errorf(fault.Invalid, "after line %d: %w", n, err))
		}
	}
}

// Parse reads one line of the standard log, with its 33 fields or an older version's
// first ones.
func Parse(line string) (edge.AccessRecord, error) {
	return ordinary.parse(strings.TrimRight(line, "\r\n"))
}

// ParseRealTime reads one line of the stream.
func ParseRealTime(line string) (edge.AccessRecord, error) {
	return streamed.parse(strings.TrimRight(line, "\r\n"))
}

// columns are a line's fields; nil are those that nobody here knows.
type columns []*field

func columnsOf(names []string) columns {
	c := make(columns, len(names))
	for i, name := range names {
		c[i] = known[name]
	}
	return c
}

func all(fields []field) columns {
	c := make(columns, len(fields))
	for i := range fields {
		c[i] = &fields[i]
	}
	return c
}

var ordinary, streamed = all(standard), all(realTime)

func (c columns) parse(line string) (r edge.AccessRecord, err error) {
	values := strings.Split(line, "\t")
	if len(values) > len(c) || len(values) < 2 {
		return r, fmt.Errorf("it has %d fields between tabs, and the log has %d", len(values), len(c))
	}
	own := false
	for i, v := range values {
		own = own || c[i] != nil && c[i].name == location.name && v == edge.Location
	}
	r.ContentLength = -1
	day, hour := "", ""
	for i, v := range values {
		f := c[i]
		if f == nil || v == "-" || v == "" {
			continue
		}
		switch f.name {
		case date.name:
			day = v
		case clock.name:
			hour = v
		case refused.name:
			r.Refused = v == "1"
		default:
			if err := f.set(&r, v, own); err != nil {
				return r, fmt.Errorf("%s: %w", f.name, err)
			}
		}
	}
	if day != "" || hour != "" {
		if r.Time, err = time.Parse(time.DateTime, day+" "+hour); err != nil {
			return r, fmt.Errorf("date and time: %w", err)
		}
	}
	if !r.Time.IsZero() {
		r.Time = r.Time.Add(-r.Took)
	}
	return r, nil
}

// set puts a value that is there into the record.
func (f *field) set(r *edge.AccessRecord, v string, own bool) error {
	switch {
	case f.text != nil && f.uri:
		if !own {
			v = once(v)
		}
		*f.text(r) = v
	case f.text != nil:
		*f.text(r) = unescape(v, own)
	case f.span != nil:
		d, err := seconds(v)
		if err != nil {
			return err
		}
		*f.span(r) = d
	case f.when == epoch:
		d, err := seconds(v)
		if err != nil {
			return err
		}
		r.Time = time.Unix(0, int64(d)).UTC()
	case f.small != nil:
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is not a number", v)
		}
		*f.small(r) = n
	case f.whole != nil:
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is not a number", v)
		}
		*f.whole(r) = n
	}
	return nil
}

// seconds reads a decimal number of seconds, to the millisecond.
func seconds(v string) (time.Duration, error) {
	s, err := strconv.ParseFloat(v, 64)
	if err != nil || math.IsNaN(s) || s < 0 || s > math.MaxInt64/1e9/2 {
		return 0, fmt.Errorf("%q is not a number of seconds", v)
	}
	return time.Duration(math.Round(s*1000)) * time.Millisecond, nil
}

// unescape undoes the encoding of a header's value. Files in the wild have values that
// were encoded twice: of those that are not our own, one in which every space is still
// encoded is decoded again.
func unescape(v string, own bool) string {
	text := decode(v)
	if !own && strings.Contains(text, "%20") && !strings.Contains(text, " ") {
		return decode(text)
	}
	return text
}

// once undoes double encoding in a part of a URL: CloudFront encodes the percent signs
// that clients have sent.
func once(v string) string {
	if !strings.Contains(v, "%25") {
		return v
	}
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		b.WriteByte(v[i])
		if v[i] == '%' && strings.HasPrefix(v[i:], "%25") && isHex(v, i+3) && isHex(v, i+4) {
			i += 2
		}
	}
	return b.String()
}

// decode undoes percent-encoding; what is none stays.
func decode(v string) string {
	if !strings.Contains(v, "%") {
		return v
	}
	b := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if v[i] == '%' && isHex(v, i+1) && isHex(v, i+2) {
			b = append(b, digit(v[i+1])<<4|digit(v[i+2]))
			i += 2
			continue
		}
		b = append(b, v[i])
	}
	return string(b)
}

func digit(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
