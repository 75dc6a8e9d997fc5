package trace

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/wire"
)

// Bounds of a list.
const (
	defaultList = 50
	maxList     = 1000
	maxLook     = 200_000 // spans that a list is made from: the newest
)

// ListInput says which traces are wanted. The zero value wants the newest 50 of the
// last hour.
type ListInput struct {
	Start    wire.Time `json:"start,omitzero"` // inclusive; zero: an hour before End
	End      wire.Time `json:"end,omitzero"`   // exclusive; zero: now
	Function string    `json:"function,omitempty"`
	Errors   bool      `json:"errors,omitempty"`  // only those with a span that failed
	Slowest  bool      `json:"slowest,omitempty"` // the slowest first, not the newest
	Least    float64   `json:"least,omitempty"`   // milliseconds that they took at least
	Limit    int       `json:"limit,omitempty"`   // 1-1,000; 0: 50
}

// Summary is a trace in a list.
type Summary struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"` // of what began it
	Start     wire.Time `json:"start"`
	Duration  float64   `json:"duration"` // milliseconds
	Spans     int       `json:"spans"`
	Errors    int       `json:"errors,omitempty"` // spans that failed
	Functions []string  `json:"functions,omitempty"`

	first, last time.Time
	root        time.Time // when the span began that Name is of
}

// ListOutput is what there is, in the order that was asked for.
type ListOutput struct {
	Traces []Summary `json:"traces"`
}

// List returns the traces that spans are kept of.
func (t *Traces) List(ctx context.Context, in ListInput) (ListOutput, error) {
	if in.Limit < 0 || in.Limit > maxList {
		return ListOutput{}, fault.Errorf(fault.Invalid, "limit %d is not between 1 and %d", in.Limit, maxList)
	}
	end := in.End.Time
	if end.IsZero() {
		end = time.Now().Add(time.Second) // what begins meanwhile is not missed for a clock's step
	}
	start := in.Start.Time
	if start.IsZero() {
		start = end.Add(-time.Hour)
	}
	if !start.Before(end) {
		return ListOutput{}, fault.Errorf(fault.Invalid, "start %s is not before end %s", in.Start, wire.At(end))
	}
	found := map[string]*Summary{}
	looked := 0
	err := t.each(ctx, logs.Selection{Groups: []string{Group}, Start: start, End: end, Newest: true}, func(b logs.Batch, i int) bool {
		looked++
		add(found, b, i)
		return looked < maxLook
	})
	if err != nil {
		return ListOutput{}, err
	}
	out := ListOutput{Traces: []Summary{}}
	for _, s := range found {
		s.Start, s.Duration = wire.At(s.first), float64(s.last.Sub(s.first))/float64(time.Millisecond)
		slices.Sort(s.Functions)
		if in.wants(s) {
			out.Traces = append(out.Traces, *s)
		}
	}
	slices.SortFunc(out.Traces, func(a, b Summary) int {
		if in.Slowest {
			return cmp.Or(cmp.Compare(b.Duration, a.Duration), strings.Compare(a.ID, b.ID))
		}
		return cmp.Or(b.first.Compare(a.first), strings.Compare(a.ID, b.ID))
	})
	out.Traces = out.Traces[:min(len(out.Traces), cmp.Or(in.Limit, defaultList))]
	return out, nil
}

func (in *ListInput) wants(s *Summary) bool {
	return (!in.Errors || s.Errors > 0) && s.Duration >= in.Least && (in.Function == "" || slices.Contains(s.Functions, in.Function))
}

// add takes a span into the summary of its trace.
func add(found map[string]*Summary, b logs.Batch, i int) {
	id, ok := b.Column(logs.FieldTrace).At(i)
	if !ok {
		return
	}
	span := basics(b, i)
	s := found[id]
	if s == nil {
		s = &Summary{ID: id, first: span.began, last: span.ended()}
		found[id] = s
	}
	s.Spans++
	if span.Status == Error {
		s.Errors++
	}
	if s.Name == "" || span.began.Before(s.root) || span.Parent == "" {
		s.Name, s.root = span.Kind+" "+span.Name, span.began
	}
	if span.Kind == KindFunction && !slices.Contains(s.Functions, span.Name) {
		s.Functions = append(s.Functions, span.Name)
	}
	if span.began.Before(s.first) {
		s.first = span.began
	}
	if end := span.ended(); end.After(s.last) {
		s.last = end
	}
}
