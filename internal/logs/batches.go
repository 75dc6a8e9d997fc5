package logs

import (
	"cmp"
	"context"
	"iter"
	"runtime"
	"slices"
)

// Batches yields what a selection may be about, from blocks and of what came since. A
// block that is damaged is set aside and told in the log.
func (s *Store) Batches(ctx context.Context, sel Selection) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		if err := s.Flush(ctx); err != nil {
			yield(nil, err)
			return
		}
		list, views := s.gather(&sel)
		defer s.archive.release(list)
		if sel.Newest {
			slices.SortStableFunc(list, func(a, b *piece) int { return cmp.Compare(b.Max, a.Max) })
		} else {
			slices.SortStableFunc(list, func(a, b *piece) int { return cmp.Compare(a.Min, b.Min) })
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for p := range s.prepare(ctx, list, &sel, views) {
			stop := p.batch != nil && !yield(p.batch, nil)
			err := p.end(s.archive)
			if stop {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// gather finds the pieces that a selection is about by their groups and times.
func (s *Store) gather(sel *Selection) (list []*piece, views map[string]view) {
	groups := sel.Groups
	if len(groups) == 0 {
		groups = s.archive.groups()
	}
	views = map[string]view{}
	from, to := sel.span()
	var other []*piece
	for _, group := range groups {
		if _, twice := views[group]; twice {
			continue
		}
		v := s.index.view(group)
		views[group] = v
		oldest := max(from, nanoseconds(v.oldest))
		for _, p := range s.archive.pieces(group) {
			if p.Max >= oldest && p.Min < to {
				list = append(list, p)
			} else {
				other = append(other, p)
			}
		}
	}
	s.archive.release(other)
	return list, views
}

// prepared is a piece of which what can be chosen is.
type prepared struct {
	reader *pieceReader
	batch  Batch // nil: nothing is wanted
	err    error
	done   chan struct{}
}

// prepare opens pieces and chooses from them, some ahead of what is looked at, each on
// a processor of its own.
func (s *Store) prepare(ctx context.Context, list []*piece, sel *Selection, views map[string]view) iter.Seq[*prepared] {
	return func(yield func(*prepared) bool) {
		var ahead []*prepared
		defer func() {
			for _, p := range ahead {
				<-p.done
				p.reader.close()
			}
		}()
		workers := min(runtime.GOMAXPROCS(0), 4)
		for len(list) > 0 || len(ahead) > 0 {
			for len(list) > 0 && len(ahead) < workers {
				p, piece := &prepared{done: make(chan struct{})}, list[0]
				list, ahead = list[1:], append(ahead, p)
				go func() {
					defer close(p.done)
					p.choose(s.archive, piece, sel, views[piece.Group])
				}()
			}
			p := ahead[0]
			ahead = ahead[1:]
			<-p.done
			if ctx.Err() != nil || !yield(p) {
				p.reader.close()
				return
			}
		}
	}
}

func (p *prepared) choose(a *archive, piece *piece, sel *Selection, v view) {
	if p.reader, p.err = a.read(piece); p.err != nil {
		a.setAside(piece.block, p.err)
		return
	}
	c, err := p.reader.choose(sel, v)
	if err == nil && !c.empty() {
		p.batch = c.batch()
		for _, name := range sel.Columns {
			switch name {
			case FieldTimestamp:
				p.reader.allTimes()
			case FieldMessage: // it is made of others, only as it is asked for
			default:
				p.reader.Column(name)
			}
		}
	}
	if err = cmp.Or(err, p.reader.err); err != nil {
		a.setAside(piece.block, err)
		p.batch = nil
	}
}

// end closes the piece when it has been looked at. That it cannot be read may have come
// out only then.
func (p *prepared) end(a *archive) error {
	if p.reader == nil {
		return nil
	}
	p.reader.close()
	if p.batch != nil && p.reader.err != nil {
		a.setAside(p.reader.piece.block, p.reader.err)
		return p.reader.err
	}
	return nil
}

// choose finds the rows of a piece that may be wanted and that a view shows.
func (r *pieceReader) choose(sel *Selection, v view) (*choice, error) {
	if r.block != nil && len(sel.Has)+len(sel.Fold)+len(sel.Equal) > 0 {
		raw, err := r.block.read(r.block.filter)
		if err != nil {
			return nil, err
		}
		if sel.passes(raw) {
			return &choice{t: r.table}, nil
		}
	}
	own := *sel
	if v.oldest.After(own.Start) {
		own.Start = v.oldest
	}
	c := r.table.choose(&own, r.piece.Min, r.piece.Max)
	if len(v.hidden) > 0 && !c.empty() {
		streams := r.Column(FieldStream)
		c.keep(func(i uint32) bool {
			stream, _ := streams.At(int(i))
			return r.place(int(i)) > v.hidden[stream]
		})
	}
	return c, r.err
}

// groups are the names of those that have records.
func (a *archive) groups() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []string
	for name, h := range a.held {
		if len(h.blocks) > 0 || h.rows > 0 {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}
