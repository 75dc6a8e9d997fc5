package logs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	// background is how many records of a group wait until they are put into columns
	// before anybody asks for them.
	background = 4096
	// maxSegments is how many files of the write-ahead log there may be until the
	// oldest is let go: what a start has to read.
	maxSegments = 3
	// worth is how many records of a group, and how many bytes, make a block when the
	// write-ahead log is to be let go of; fewer are written to its end once more.
	worth      = 8192
	worthBytes = 4 << 20
	// A group's records become a block when they are held for longer, or when it is
	// quiet and they take memory.
	holdFor    = 6 * time.Hour
	quietAfter = 5 * time.Minute
	quietBytes = 1 << 20
)

// sealing is the makings of a group that are to become blocks.
type sealing struct {
	held    *held
	group   string
	makings []*making
	blocks  []*block
}

// tend makes blocks of what is due; last says that there will be no more, and that the
// next start should have little to read.
func (a *archive) tend(now time.Time, last bool) error {
	a.tending.Lock()
	defer a.tending.Unlock()
	var due []*sealing
	a.mu.Lock()
	quiet := a.unseen == 0
	a.unseen = 0
	a.mu.Unlock()
	if quiet {
		a.wal.rest()
	}
	for _, name := range a.groups() {
		a.mu.Lock()
		h := a.held[name]
		rows, bytes, oldest, newest := h.stand()
		a.mu.Unlock()
		all := last && bytes > quietBytes || bytes > 4*a.blockBytes || now.Sub(oldest) > holdFor || now.Sub(newest) > quietAfter && bytes > quietBytes
		if rows > 0 && (all || rows >= background) {
			due = append(due, a.take(h, name, all))
		}
	}
	err := a.seal(due)
	for _, s := range due {
		err = errors.Join(err, a.merge(s.group))
	}
	return errors.Join(err, a.trim())
}

// stand says what a group has in no block; the lock is held.
func (h *held) stand() (rows, bytes int, oldest, newest time.Time) {
	for _, c := range h.chunks {
		bytes += c.bytes
	}
	if n := len(h.chunks); n > 0 {
		oldest, newest = h.chunks[0].came, h.chunks[n-1].came
	}
	return h.rows, bytes, oldest, newest
}

// take feeds a group and takes what is to become blocks: what is full, or all.
func (a *archive) take(h *held, name string, all bool) *sealing {
	h.feeding.Lock()
	defer h.feeding.Unlock()
	a.feed(h)
	s := &sealing{held: h, group: name}
	for _, m := range h.making {
		if !all && !m.full() {
			break
		}
		m.finish()
		s.makings = append(s.makings, m)
	}
	return s
}

// finish has nothing be added any more, and leaves nothing to change.
func (m *making) finish() {
	m.closed = true
	for _, c := range m.columns {
		c.finish(m.rows)
	}
}

// seal makes blocks durable and puts them in the place of the records.
func (a *archive) seal(due []*sealing) error {
	c := &change{Upto: map[string]uint64{}}
	for _, s := range due {
		for _, m := range s.makings {
			b, err := a.writeBlock(m)
			if err != nil {
				return err
			}
			s.blocks = append(s.blocks, b)
			c.Add = append(c.Add, b)
			c.Upto[s.group] = b.Last
		}
	}
	if len(c.Add) == 0 {
		return nil
	}
	if err := syncDir(filepath.Join(a.dir, blockDir)); err != nil {
		return err
	}
	for _, s := range due { // readers see the records or the block, never both
		s.held.feeding.Lock()
		defer s.held.feeding.Unlock()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c.Next = a.manifest.next
	for _, s := range due {
		if len(s.makings) > 0 && (len(s.held.making) == 0 || s.held.making[0] != s.makings[0]) { // the group was deleted meanwhile
			delete(c.Upto, s.group)
			for _, b := range s.blocks {
				c.Add = slices.DeleteFunc(c.Add, func(o *block) bool { return o == b })
				a.unlink(b)
			}
			s.makings, s.blocks = nil, nil
		}
	}
	if err := a.manifest.commit(c); err != nil {
		return err
	}
	for _, s := range due {
		a.settle(s)
	}
	return nil
}

// settle has blocks be in the place of what they were made of; the locks are held.
func (a *archive) settle(s *sealing) {
	h, chunks := s.held, 0
	for _, m := range s.makings {
		chunks += m.chunks
	}
	for _, c := range h.chunks[:chunks] {
		h.rows -= len(c.records)
		a.bytes -= c.bytes
	}
	h.chunks = slices.Clone(h.chunks[chunks:])
	h.fed -= chunks
	h.making = slices.Clone(h.making[len(s.makings):])
	h.insert(s.blocks...)
	if a.eased != nil {
		close(a.eased)
		a.eased = nil
	}
}

// writeBlock writes the file of a block, which is nothing until the manifest has it.
func (a *archive) writeBlock(m *making) (*block, error) {
	a.mu.Lock()
	b := &block{ID: a.manifest.nextID, Group: m.group, Rows: m.rows, First: m.first, Last: m.last, Text: m.size, Made: time.Now().UnixNano()}
	a.manifest.nextID++
	a.mu.Unlock()
	b.Min, b.Max = bounds(m.times)
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	content := e.encode(m.builder, m.runs)
	b.Bytes = int64(len(content))
	f, err := os.OpenFile(a.path(b), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("write a block of log records: %w", errors.Join(err, os.Remove(a.path(b))))
	}
	return b, nil
}

// trim lets go of the oldest files of the write-ahead log.
func (a *archive) trim() error {
	segments, err := numbered(a.wal.dir, ".wal")
	if err != nil || len(segments) == 0 {
		return err
	}
	if len(segments) > maxSegments {
		if err := a.empty(segments[len(segments)-maxSegments]); err != nil {
			return err
		}
	}
	a.wal.mu.Lock()
	needed := a.wal.number
	if a.wal.file == nil {
		needed++
	}
	a.wal.mu.Unlock()
	a.mu.Lock()
	for _, h := range a.held {
		for _, c := range h.chunks {
			needed = min(needed, c.segment)
		}
	}
	a.mu.Unlock()
	return a.wal.remove(needed)
}

// empty sees to it that nothing is in the files up to one that is not elsewhere.
func (a *archive) empty(upto uint64) error {
	var due []*sealing
	var carried []*chunk
	for _, name := range a.groups() {
		a.mu.Lock()
		h := a.held[name]
		rows, bytes, _, _ := h.stand()
		var old []*chunk
		for _, c := range h.chunks {
			if c.segment <= upto {
				old = append(old, c)
			}
		}
		a.mu.Unlock()
		switch {
		case len(old) == 0:
		case rows >= worth || bytes >= worthBytes:
			due = append(due, a.take(h, name, true))
		default:
			carried = append(carried, old...)
		}
	}
	if err := a.seal(due); err != nil {
		return err
	}
	if len(carried) == 0 {
		return nil
	}
	var frames [][]*chunk
	for frame := range slices.Chunk(carried, 64) {
		frames = append(frames, frame)
	}
	segment, err := a.wal.append(frames)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range carried {
		c.segment = segment
	}
	return nil
}

// mergeAt is how many small blocks that follow one another become one. Those of up to
// a size become one before larger ones do, so that a record is copied few times.
const mergeAt = 4

var mergeSizes = []int{256, 1024, 4096, maxRows / 4}

// few are the small blocks that are to be one: of one day, and not too many together.
func few(blocks []*block, most int) []*block {
	const day = int64(24 * time.Hour)
	for _, size := range mergeSizes {
		from, rows, text := 0, 0, 0
		for i, b := range blocks {
			f := blocks[from]
			if b.Rows >= size || rows+b.Rows > maxRows || text+b.Text > most || f.Min/day != b.Min/day || f.Max/day != b.Max/day {
				if i-from >= mergeAt {
					return blocks[from:i]
				}
				if from, rows, text = i, 0, 0; b.Rows >= size {
					from++
					continue
				}
			}
			rows, text = rows+b.Rows, text+b.Text
		}
		if len(blocks)-from >= mergeAt {
			return blocks[from:]
		}
	}
	return nil
}

// merge makes one block of several small ones.
func (a *archive) merge(group string) error {
	a.mu.Lock()
	var small []*block
	if h := a.held[group]; h != nil {
		small = few(h.blocks, a.blockBytes)
	}
	var list []*piece
	for _, b := range small {
		b.users++
		list = append(list, &piece{block: b})
	}
	a.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	defer a.release(list)
	m := &making{builder: newBuilder(group), first: list[0].First, most: a.blockBytes}
	c := &change{}
	for _, p := range list {
		if err := a.copyInto(m, p); err != nil {
			a.setAside(p.block, err)
			return nil
		}
		c.Remove = append(c.Remove, p.ID)
	}
	b, err := a.writeBlock(m)
	if err == nil {
		err = syncDir(filepath.Join(a.dir, blockDir))
	}
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.held[group]
	if h == nil || slices.ContainsFunc(list, func(p *piece) bool { return p.gone }) { // deleted or expired meanwhile
		a.unlink(b)
		return nil
	}
	c.Add, c.Next = []*block{b}, a.manifest.next
	if err := a.manifest.commit(c); err != nil {
		a.unlink(b)
		return err
	}
	a.discard(h, func(o *block) bool { return slices.Contains(c.Remove, o.ID) })
	h.insert(b)
	return nil
}

// insert puts blocks in their places.
func (h *held) insert(blocks ...*block) {
	h.blocks = slices.SortedFunc(slices.Values(slices.Concat(h.blocks, blocks)), byPlace)
}

// copyInto adds the records of a block.
func (a *archive) copyInto(m *making, p *piece) error {
	r, err := a.read(p)
	if err != nil {
		return err
	}
	defer r.close()
	var buf []byte
	var rec Record
	for i := range r.rows {
		rec, buf = r.record(i, buf)
		place := r.place(i)
		m.mark(place)
		m.add(&rec)
		m.last = place
	}
	return r.err
}
