package logs

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

const (
	defaultLimit = 1000
	maxLimit     = 10000
)

// Filter returns a page of records, in the order in which they came, including what
// was appended just now. next is the cursor for Filter.After, or 0 when there is no
// more.
func (s *Store) Filter(ctx context.Context, f Filter) (page []Record, next uint64, err error) {
	limit, err := f.limit()
	if err != nil {
		return nil, 0, err
	}
	err = s.each(ctx, f, func(place uint64, r Record) bool {
		if len(page) == limit {
			next = place - 1
			return false
		}
		page = append(page, r)
		return true
	})
	if err != nil {
		return nil, 0, err
	}
	return page, next, nil
}

// each visits the wanted records with their places, until visit returns false.
func (s *Store) each(ctx context.Context, f Filter, visit func(place uint64, r Record) (more bool)) error {
	if err := s.Flush(ctx); err != nil {
		return err
	}
	f.view = s.index.view(f.Group)
	sel := f.selection()
	from, to := sel.span()
	list := s.archive.pieces(f.Group)
	defer s.archive.release(list)
	if f.back {
		slices.Reverse(list)
	}
	for _, p := range list {
		if p.Max < from || p.Min >= to || p.Last <= f.After || f.Before != 0 && p.First >= f.Before {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		more, err := s.eachOf(p, f, sel, visit)
		if err != nil {
			s.archive.setAside(p.block, err)
			return fmt.Errorf("read the log of %s: %w", f.Group, err)
		}
		if !more {
			return nil
		}
	}
	return nil
}

// eachOf visits the wanted records of a piece.
func (s *Store) eachOf(p *piece, f Filter, sel *Selection, visit func(place uint64, r Record) (more bool)) (more bool, err error) {
	r, err := s.archive.read(p)
	if err != nil {
		s.archive.setAside(p.block, err)
		return true, nil
	}
	defer r.close()
	c, err := r.choose(sel, f.view)
	if err != nil {
		s.archive.setAside(p.block, err)
		return true, nil
	}
	var buf []byte
	var rec Record
	streams := r.Column(FieldStream)
	for row := range c.each(f.back) {
		place := r.place(row)
		stream, _ := streams.At(row)
		if place <= f.After || f.Before != 0 && place >= f.Before || !f.of(stream) {
			continue
		}
		rec, buf = r.record(row, buf)
		if r.err != nil {
			return false, r.err
		}
		if f.Pattern.Match(rec.Message) && !visit(place, rec) {
			return false, nil
		}
	}
	return true, r.err
}

// each are the rows of a choice.
func (c *choice) each(back bool) iter.Seq[int] {
	n := len(c.rows)
	if c.all {
		n = c.t.rows
	}
	return func(yield func(int) bool) {
		for i := range n {
			if back {
				i = n - 1 - i
			}
			if !c.all {
				i = int(c.rows[i])
			}
			if !yield(i) {
				return
			}
		}
	}
}

// selection is what a filter says of columns.
func (f Filter) selection() *Selection {
	sel := &Selection{Start: f.Start, End: f.End, Has: f.Pattern.needles()}
	if f.view.oldest.After(sel.Start) {
		sel.Start = f.view.oldest
	}
	if f.Request != "" {
		sel.Equal = append(sel.Equal, Field{FieldRequest, f.Request})
	}
	if len(f.Streams) == 1 {
		sel.Equal = append(sel.Equal, Field{FieldStream, f.Streams[0]})
	}
	return sel
}

// of says whether records of a stream are wanted.
func (f Filter) of(stream string) bool {
	return (len(f.Streams) == 0 || slices.Contains(f.Streams, stream)) && strings.HasPrefix(stream, f.Stream)
}

// Follow yields the records of a group as they are stored, beginning with those
// from f.Start on, or from now on when it is zero and there is no cursor. It
// ends with ctx, without an error. Limit and End do not matter.
func (s *Store) Follow(ctx context.Context, f Filter) iter.Seq2[Record, error] {
	f.End = time.Time{}
	if f.Start.IsZero() && f.After == 0 {
		f.Start = time.Now()
	}
	return func(yield func(Record, error) bool) {
		for {
			grown := s.archive.more()
			more := true
			err := s.each(ctx, f, func(place uint64, r Record) bool {
				f.After = place
				more = yield(r, nil)
				return more
			})
			if !more || ctx.Err() != nil {
				return
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
			select {
			case <-grown:
			case <-ctx.Done():
				return
			}
		}
	}
}

// more is closed when records have come since.
func (a *archive) more() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.grown
}

func (f Filter) limit() (int, error) {
	switch {
	case f.Limit < 0 || f.Limit > maxLimit:
		return 0, fault.Errorf(fault.Invalid, "limit %d is not between 1 and %d", f.Limit, maxLimit)
	case f.Limit == 0:
		return defaultLimit, nil
	}
	return f.Limit, nil
}
