package trace

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/wire"
)

// Reader reads what the log store has.
type Reader interface {
	Batches(ctx context.Context, s logs.Selection) iter.Seq2[logs.Batch, error]
}

// Step is a span that has ended. Those of a trace are in the order of a tree: a
// parent comes before its children, and these by the time they began.
type Step struct {
	ID         string            `json:"id"`
	Parent     string            `json:"parent,omitempty"`
	Kind       string            `json:"kind"`
	Name       string            `json:"name"`
	Status     string            `json:"status"` // OK or Error
	Start      wire.Time         `json:"start"`
	Offset     float64           `json:"offset"`   // milliseconds after the trace has begun
	Duration   float64           `json:"duration"` // milliseconds
	Depth      int               `json:"depth"`
	Attributes map[string]string `json:"attributes,omitempty"`

	began time.Time
}

// Ended is when the span ended.
func (s *Step) ended() time.Time {
	return s.began.Add(time.Duration(s.Duration * float64(time.Millisecond)))
}

// Line is a line of a function's log.
type Line struct {
	Time    wire.Time `json:"time"`
	Group   string    `json:"group"`
	Request string    `json:"requestId,omitempty"`
	Message string    `json:"message"`

	at int64
}

// Trace is one request's path.
type Trace struct {
	ID       string    `json:"id"`
	Start    wire.Time `json:"start"`
	Duration float64   `json:"duration"` // milliseconds, until the last of it has ended
	Spans    []Step    `json:"spans"`
	Lines    []Line    `json:"lines,omitempty"` // in the order of their times
	// Withheld are the groups that have lines too, which the caller may not read.
	Withheld []string `json:"withheld,omitempty"`
}

// Bounds of what Get returns.
const (
	maxSpans = 10_000
	maxLines = 2_000
)

// GetInput names a trace.
type GetInput struct {
	Trace string `json:"trace"`
}

// Get returns all that is kept of a trace: its spans, and the log lines of the
// invocations in it, also of those whose spans were not kept. Of groups that the
// caller may not read there is only the name.
func (t *Traces) Get(ctx context.Context, in GetInput) (Trace, error) {
	id := strings.TrimPrefix(in.Trace, "Root=")
	if h, ok := Parse(in.Trace); ok {
		id = h.Root
	} else if isHex(id, 32) { // as W3C writes them
		id = "1-" + id[:8] + "-" + id[8:]
	}
	if !isRoot(id) {
		return Trace{}, fault.Errorf(fault.Invalid, "%q is no trace ID: those look like 1-5759e988-bd862e3fe1be46a994272793", in.Trace)
	}
	tr := Trace{ID: id}
	for _, span := range windows(id, time.Now()) {
		if err := t.collect(ctx, &tr, span); err != nil {
			return Trace{}, err
		}
		if len(tr.Spans)+len(tr.Lines)+len(tr.Withheld) > 0 {
			break
		}
	}
	switch {
	case len(tr.Spans)+len(tr.Lines) > 0:
	case len(tr.Withheld) > 0:
		return Trace{}, fault.Coded(fault.Denied, "AccessDenied", "of trace %s only lines are kept, of %s; to read them you must be allowed to do logs:FilterLogEvents there", id, strings.Join(tr.Withheld, ", "))
	default:
		return Trace{}, fault.Errorf(fault.NotFound, "nothing is kept of trace %s: it was not sampled, or it is gone by age", id)
	}
	tr.order()
	return tr, nil
}

// window is a time to look in.
type window struct{ start, end time.Time }

// windows are the times to look for a trace in: the ID says when it began, unless
// somebody else has made it.
func windows(id string, now time.Time) []window {
	everything := window{end: now.Add(time.Hour)}
	seconds, err := strconv.ParseInt(id[2:10], 16, 64)
	began := time.Unix(seconds, 0)
	if err != nil || began.After(now.Add(time.Hour)) || now.Sub(began) > 400*24*time.Hour {
		return []window{everything}
	}
	return []window{{began.Add(-time.Minute), began.Add(24 * time.Hour)}, everything}
}

// collect reads the records that name the trace, then those of the requests that
// they tell of.
func (t *Traces) collect(ctx context.Context, tr *Trace, w window) error {
	requests, groups := map[string]bool{}, map[string]bool{} // to read, and whether that is allowed
	err := t.each(ctx, logs.Selection{Start: w.start, End: w.end, Equal: []logs.Field{{Name: logs.FieldTrace, Value: tr.ID}}}, func(b logs.Batch, i int) bool {
		if b.Group() == Group {
			tr.Spans = append(tr.Spans, step(b, i))
			return len(tr.Spans) < maxSpans
		}
		readable, known := groups[b.Group()]
		if !known {
			readable = t.Readable(ctx, b.Group())
			groups[b.Group()] = readable
		}
		if !readable {
			return true
		}
		if id, ok := b.Column(logs.FieldRequest).At(i); ok && id != "" {
			requests[id] = true
			return len(requests) < maxSpans
		}
		tr.Lines = append(tr.Lines, line(b, i))
		return len(tr.Lines) < maxLines
	})
	var names []string
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		if groups[name] {
			names = append(names, name)
		} else {
			tr.Withheld = append(tr.Withheld, name)
		}
	}
	if err != nil || len(requests) == 0 {
		return err
	}
	for id := range requests {
		if len(tr.Lines) >= maxLines {
			break // a trace that somebody has forged may have very many
		}
		err := t.each(ctx, logs.Selection{Groups: names, Start: w.start, End: w.end, Equal: []logs.Field{{Name: logs.FieldRequest, Value: id}}}, func(b logs.Batch, i int) bool {
			if len(tr.Lines) == maxLines {
				return false
			}
			tr.Lines = append(tr.Lines, line(b, i))
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// each visits the records of a selection, which here are those within its times
// whose fields are equal, until visit has enough.
func (t *Traces) each(ctx context.Context, s logs.Selection, visit func(b logs.Batch, i int) (more bool)) error {
	for b, err := range t.Reader.Batches(ctx, s) {
		if err != nil {
			return fault.Errorf(fault.KindOf(err), "read traces: %w", err)
		}
		columns := make([]*logs.Column, len(s.Equal))
		for n, f := range s.Equal {
			columns[n] = b.Column(f.Name)
		}
	records:
		for i := range b.Len() {
			if at := b.Time(i); !s.Start.IsZero() && at < s.Start.UnixNano() || !s.End.IsZero() && at >= s.End.UnixNano() {
				continue
			}
			for n, f := range s.Equal {
				if v, ok := columns[n].At(i); !ok || v != f.Value {
					continue records
				}
			}
			if !visit(b, i) {
				return nil
			}
		}
	}
	return nil
}

func line(b logs.Batch, i int) Line {
	l := Line{Time: wire.At(time.Unix(0, b.Time(i))), Group: b.Group(), at: b.Time(i)}
	l.Message, _ = b.Column(logs.FieldMessage).At(i)
	l.Request, _ = b.Column(logs.FieldRequest).At(i)
	return l
}

// own are the columns of a span's record that are no attributes.
var own = []string{
	logs.FieldTrace, logs.FieldDuration, FieldSpan, FieldParent, FieldKind, FieldName, FieldStatus,
	logs.FieldMessage, logs.FieldTimestamp, logs.FieldIngested, logs.FieldGroup, logs.FieldStream,
}

// basics is a span without its attributes.
func basics(b logs.Batch, i int) Step {
	at := func(name string) string { v, _ := b.Column(name).At(i); return v }
	began := time.Unix(0, b.Time(i))
	s := Step{
		ID: at(FieldSpan), Parent: at(FieldParent), Kind: at(FieldKind), Name: at(FieldName), Status: at(FieldStatus),
		Start: wire.At(began), began: began,
	}
	s.Duration, _ = strconv.ParseFloat(at(logs.FieldDuration), 64) // as End has written it
	return s
}

func step(b logs.Batch, i int) Step {
	s := basics(b, i)
	for _, name := range b.Names() {
		if v, ok := b.Column(name).At(i); ok && v != "" && !slices.Contains(own, name) {
			if s.Attributes == nil {
				s.Attributes = map[string]string{}
			}
			s.Attributes[name] = v
		}
	}
	return s
}

// order makes a tree of the spans. One whose parent is not kept stands at the top.
func (tr *Trace) order() {
	slices.SortStableFunc(tr.Lines, func(a, b Line) int { return cmp.Compare(a.at, b.at) })
	slices.SortStableFunc(tr.Spans, func(a, b Step) int { return a.began.Compare(b.began) })
	here := map[string]bool{}
	for _, s := range tr.Spans {
		here[s.ID] = true
	}
	children := map[string][]Step{}
	for _, s := range tr.Spans {
		parent := s.Parent
		if !here[parent] || parent == s.ID {
			parent = ""
		}
		children[parent] = append(children[parent], s)
	}
	ordered, placed := make([]Step, 0, len(tr.Spans)), map[string]bool{}
	var place func(parent string, depth int)
	place = func(parent string, depth int) {
		for _, s := range children[parent] {
			if placed[s.ID] {
				continue
			}
			placed[s.ID] = true
			s.Depth = depth
			ordered = append(ordered, s)
			place(s.ID, depth+1)
		}
	}
	place("", 0)
	for _, s := range tr.Spans { // parents in a ring, which only a forger makes
		if !placed[s.ID] {
			placed[s.ID] = true
			ordered = append(ordered, s)
		}
	}
	tr.Spans = ordered
	tr.measure()
}

// measure finds when the trace began and how long it took.
func (tr *Trace) measure() {
	var first, last time.Time
	for i := range tr.Spans {
		s := &tr.Spans[i]
		if first.IsZero() || s.began.Before(first) {
			first = s.began
		}
		if end := s.ended(); end.After(last) {
			last = end
		}
	}
	if len(tr.Spans) == 0 {
		first, last = time.Unix(0, tr.Lines[0].at), time.Unix(0, tr.Lines[len(tr.Lines)-1].at)
	}
	for i := range tr.Spans {
		tr.Spans[i].Offset = float64(tr.Spans[i].began.Sub(first)) / float64(time.Millisecond)
	}
	tr.Start, tr.Duration = wire.At(first), float64(last.Sub(first))/float64(time.Millisecond)
}
