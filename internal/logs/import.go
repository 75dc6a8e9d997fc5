package logs

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"sync"
	"time"
)

// importing are the IDs that are being imported.
type importing struct {
	mu  sync.Mutex
	ids map[string]chan struct{} // closed at the end
}

// begin waits until nobody else imports an ID.
func (g *importing) begin(ctx context.Context, id string) (end func(), err error) {
	for {
		g.mu.Lock()
		other := g.ids[id]
		if other == nil {
			done := make(chan struct{})
			if g.ids == nil {
				g.ids = map[string]chan struct{}{}
			}
			g.ids[id] = done
			g.mu.Unlock()
			return func() {
				g.mu.Lock()
				delete(g.ids, id)
				g.mu.Unlock()
				close(done)
			}, nil
		}
		g.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Import takes the records of one source, such as an object that is a log file: when it
// returns all of them are there, durably, and before that none is. The same ID is taken
// once: imported is false when it was there before. IDs are remembered for as long as
// records are kept; older ones are not taken. Subscribers are not told of what is
// imported.
func (s *Store) Import(ctx context.Context, id string, records iter.Seq2[Record, error]) (imported bool, n int, err error) {
	end, err := s.importing.begin(ctx, id)
	if err != nil {
		return false, 0, err
	}
	defer end()
	if s.archive.imported(id) {
		return false, 0, nil
	}
	i := &imports{archive: s.archive, id: id, makings: map[string]*making{}, oldest: time.Now().Add(-s.maxAge())}
	if n, err = i.run(ctx, records); err != nil {
		return false, 0, fmt.Errorf("import %s: %w", id, err)
	}
	s.index.note(ctx, i.seen, false)
	return true, n, i.tidy()
}

// imported says whether an ID was.
func (a *archive) imported(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, there := a.manifest.imported[id]
	return there
}

// imports are the blocks of an import that is under way.
type imports struct {
	*archive
	id      string
	from    uint64 // the place of the first record; 0: behind all that there are
	oldest  time.Time
	makings map[string]*making
	size    int // of their messages
	blocks  []*block
	seen    tallies
}

// maxImport is what the messages of records have at most that are in no block yet, when
// they are of several groups.
const maxImport = 2 * maxBlockBytes

// run takes all records. On an error nothing is left.
func (i *imports) run(ctx context.Context, records iter.Seq2[Record, error]) (n int, err error) {
	defer func() {
		if err == nil {
			return
		}
		for _, b := range i.blocks {
			i.unlink(b)
		}
	}()
	for r, err := range records {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && r.weight() > maxMessage {
			err = fmt.Errorf("record %d has %d bytes: %d may be", n+1, r.weight(), maxMessage)
		}
		if err != nil {
			return 0, err
		}
		if r.Time.Before(i.oldest) {
			continue
		}
		if err := i.take(&r); err != nil {
			return 0, err
		}
		n++
	}
	for _, m := range i.makings {
		if err := i.write(m); err != nil {
			return 0, err
		}
	}
	return n, i.commit()
}

func (i *imports) take(r *Record) error {
	m := i.makings[r.Group]
	if m == nil {
		m = &making{builder: newBuilder(r.Group), runs: []run{{0, 0}}, most: i.blockBytes}
		i.makings[r.Group] = m
	}
	m.add(r)
	i.seen.count(r)
	if i.size += r.text(); m.full() {
		return i.write(m)
	}
	if i.size < maxImport {
		return nil
	}
	for _, o := range i.makings {
		if o.size > m.size {
			m = o
		}
	}
	return i.write(m)
}

// write makes a block of what there is of a group.
func (i *imports) write(m *making) error {
	b, err := i.writeBlock(m)
	if err != nil {
		return err
	}
	i.size -= m.size
	delete(i.makings, m.group)
	i.blocks = append(i.blocks, b)
	return nil
}

// commit has all blocks be there.
func (i *imports) commit() error {
	if err := syncDir(filepath.Join(i.dir, blockDir)); err != nil {
		return err
	}
	a := i.archive
	a.mu.Lock()
	defer a.mu.Unlock()
	place := i.from
	if place == 0 {
		place = a.manifest.next
	}
	for _, b := range i.blocks {
		b.First, b.Last = place, place+uint64(b.Rows)-1
		place = b.Last + 1
	}
	c := &change{Add: i.blocks, Imported: map[string]int64{i.id: time.Now().UnixNano()}, Next: max(place, a.manifest.next)}
	if err := a.manifest.commit(c); err != nil {
		return err
	}
	for _, b := range i.blocks {
		a.of(b.Group).insert(b)
	}
	close(a.grown)
	a.grown = make(chan struct{})
	return nil
}

// tidy merges the blocks of groups that have got more.
func (i *imports) tidy() error {
	groups := map[string]bool{}
	for _, b := range i.blocks {
		groups[b.Group] = true
	}
	for group := range groups {
		if err := i.merge(group); err != nil {
			return err
		}
	}
	return nil
}
