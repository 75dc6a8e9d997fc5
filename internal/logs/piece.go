package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
)

// piece is a part of what is held of a group: a block, or records in none.
type piece struct {
	*block
	table *table // nil: to be read from the block
	runs  []run
}

// pieces are those of a group by their places. The blocks stay until they are released.
func (a *archive) pieces(group string) []*piece {
	a.mu.Lock()
	h := a.held[group]
	a.mu.Unlock()
	if h == nil {
		return nil
	}
	h.feeding.Lock()
	defer h.feeding.Unlock()
	a.feed(h)
	var list, loose []*piece
	for _, m := range h.making {
		loose = append(loose, m.piece())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, b := range h.blocks {
		b.users++
		list = append(list, &piece{block: b})
	}
	list = append(list, loose...)
	slices.SortFunc(list, func(x, y *piece) int { return byPlace(x.block, y.block) })
	return list
}

// piece is what has been added so far.
func (m *making) piece() *piece {
	p := &piece{table: m.snapshot(), runs: m.runs[:len(m.runs):len(m.runs)]}
	p.block = &block{Group: m.group, Rows: m.rows, First: m.first, Last: m.last}
	p.Min, p.Max = bounds(p.table.times)
	return p
}

func bounds(times []int64) (least, most int64) {
	least, most = math.MaxInt64, math.MinInt64
	for _, t := range times {
		least, most = min(least, t), max(most, t)
	}
	return least, most
}

// release lets pieces go that are not read any more.
func (a *archive) release(list []*piece) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range list {
		if p.table != nil {
			continue
		}
		if p.users--; p.users == 0 && p.gone {
			a.unlink(p.block)
		}
	}
}

// unlink removes a block's file.
func (a *archive) unlink(b *block) {
	if err := ignoreMissing(os.Remove(a.path(b))); err != nil {
		a.log.Error("a block of log records is not removed", "file", a.path(b), "err", err)
	}
}

// discard has blocks be gone; the lock is held, and the manifest knows.
func (a *archive) discard(h *held, gone func(b *block) bool) {
	var kept []*block
	for _, b := range h.blocks {
		if !gone(b) {
			kept = append(kept, b)
			continue
		}
		if b.gone = true; b.users == 0 {
			a.unlink(b)
		}
	}
	h.blocks = kept
}

// pieceReader reads a piece. It is closed when nobody looks at its table any more.
type pieceReader struct {
	*table
	piece *piece
	block *blockReader // nil: in memory
	file  *os.File
}

func (r *pieceReader) close() {
	if r != nil && r.file != nil {
		_ = r.file.Close() // it was only read
	}
}

// read opens a piece.
func (a *archive) read(p *piece) (*pieceReader, error) {
	if p.table != nil {
		return &pieceReader{table: p.table, piece: p}, nil
	}
	f, err := os.Open(a.path(p.block))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	t, b, err := readBlock(f, info.Size())
	if err == nil && (t.group != p.Group || t.rows != p.Rows) {
		err = fmt.Errorf("it has %d records of %s, but %d of %s are expected", t.rows, t.group, p.Rows, p.Group)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &pieceReader{table: t, piece: p, block: b, file: f}, nil
}

// places are the runs of the rows.
func (r *pieceReader) places() []run {
	if r.piece.runs == nil {
		runs, err := r.block.runs()
		if r.fail(err) || len(runs) == 0 {
			runs = []run{{0, 0}}
		}
		r.piece.runs = runs
	}
	return r.piece.runs
}

// place is that of a row.
func (r *pieceReader) place(row int) uint64 {
	runs := r.places()
	i := sort.Search(len(runs), func(i int) bool { return runs[i].row > row }) - 1
	return r.piece.First + runs[i].place + uint64(row-runs[i].row)
}

// setAside takes a block that cannot be read out of the way, so that the others can be,
// and tells where it is.
func (a *archive) setAside(b *block, why error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if b.gone {
		return
	}
	to := filepath.Join(a.dir, damagedDir, filepath.Base(a.path(b)))
	err := os.MkdirAll(filepath.Dir(to), 0o700)
	if err == nil {
		err = os.Rename(a.path(b), to)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // there is nothing to set aside
	}
	if err == nil {
		err = a.manifest.commit(&change{Remove: []uint64{b.ID}, Next: a.manifest.next})
	}
	a.discard(a.of(b.Group), func(o *block) bool { return o == b })
	a.log.Error("log records are lost: a block is damaged and has been set aside", "group", b.Group, "records", b.Rows, "file", to, "err", errors.Join(why, err))
}
