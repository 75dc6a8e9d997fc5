package logs

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Directories below the store's.
const (
	walDir     = "wal"
	blockDir   = "blocks"
	damagedDir = "damaged"
)

// firstPlace is the place of the first record of a new store: what an earlier version
// has kept comes before.
const firstPlace = 1 << 32

// archive has the records of all groups: in blocks, and in memory those that are in
// the write-ahead log only.
type archive struct {
	dir  string
	log  *slog.Logger
	wal  *wal
	held map[string]*held
	// blockBytes is what the messages of a block have at most, so that there are
	// several blocks for the oldest to go.
	blockBytes int

	tending sync.Mutex // one makes blocks of records at a time
	// A held's own lock is taken before this one.
	mu       sync.Mutex
	manifest *manifest
	bytes    int           // of records in no block yet
	unseen   int           // records that have come since the keeper looked
	grown    chan struct{} // closed when records have come
	eased    chan struct{} // closed when blocks have been made; nil: nobody waits
}

// held are the records of a group, by their places.
type held struct {
	blocks []*block // never changed, but replaced
	chunks []*chunk // of records in no block yet; only added to without the lock below
	rows   int      // in them

	feeding sync.Mutex // of what follows
	fed     int        // chunks that are in builders
	making  []*making
}

// making is a block to be.
type making struct {
	*builder
	runs   []run
	first  uint64
	last   uint64
	chunks int
	most   int  // bytes of messages
	closed bool // nothing is added any more
}

// openArchive opens what may take some bytes on the disk.
func openArchive(dir string, most int64, log *slog.Logger) (*archive, error) {
	for _, d := range []string{walDir, blockDir} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, err
		}
	}
	m, err := openManifest(filepath.Join(dir, "manifest"))
	if err != nil {
		return nil, err
	}
	a := &archive{
		dir: dir, log: log, manifest: m, held: map[string]*held{}, grown: make(chan struct{}),
		blockBytes: int(min(maxBlockBytes, most/8)),
		wal:        &wal{dir: filepath.Join(dir, walDir), log: log},
	}
	for _, err := range m.damaged {
		log.Error("the log's list of blocks is damaged: records may be missing", "err", err)
	}
	if m.lines == 0 {
		m.next = firstPlace
	}
	for _, b := range m.blocks {
		h := a.of(b.Group)
		h.blocks = append(h.blocks, b)
	}
	for _, h := range a.held {
		slices.SortFunc(h.blocks, byPlace)
	}
	if err := errors.Join(a.sweep(), a.replay()); err != nil {
		return nil, errors.Join(err, m.file.Close())
	}
	return a, nil
}

// sweep removes files of blocks that were never named in the manifest, or are not any
// more. When that is damaged they are kept, for somebody to look at.
func (a *archive) sweep() error {
	ids, err := numbered(filepath.Join(a.dir, blockDir), ".block")
	for _, id := range ids {
		a.manifest.nextID = max(a.manifest.nextID, id+1)
		if a.manifest.blocks[id] != nil {
			continue
		}
		path := a.path(&block{ID: id})
		if len(a.manifest.damaged) > 0 {
			keepAside(path, a.log)
		}
		err = errors.Join(err, ignoreMissing(os.Remove(path)))
	}
	return err
}

func byPlace(a, b *block) int { return cmp.Compare(a.First, b.First) }

// of finds or makes what is held of a group; the lock is held, or nobody else is there
// yet.
func (a *archive) of(group string) *held {
	h := a.held[group]
	if h == nil {
		h = &held{}
		a.held[group] = h
	}
	return h
}

// replay takes in what the write-ahead log has and blocks do not. A record may be there
// twice.
func (a *archive) replay() error {
	now := time.Now()
	err := a.wal.replay(func(c *chunk) {
		a.manifest.next = max(a.manifest.next, c.last()+1)
		c.came = now
		if len(c.records) > 0 && c.last() > a.manifest.upto[c.group] {
			h := a.of(c.group)
			h.chunks = append(h.chunks, c)
		}
	})
	if err != nil {
		return err
	}
	for group, h := range a.held {
		slices.SortStableFunc(h.chunks, func(x, y *chunk) int { return cmp.Compare(x.first, y.first) })
		upto, kept := a.manifest.upto[group], h.chunks[:0]
		for _, c := range h.chunks {
			if c = c.after(upto); c != nil {
				kept = append(kept, c)
				upto = c.last()
				h.rows += len(c.records)
				a.bytes += c.bytes
			}
		}
		h.chunks = kept
	}
	return nil
}

// after is the part of a chunk behind a place; nil: nothing.
func (c *chunk) after(place uint64) *chunk {
	if c.first > place {
		return c
	}
	if c.last() <= place {
		return nil
	}
	_, rest := c.split(int(place - c.first + 1))
	return rest
}

// split makes two of a chunk.
func (c *chunk) split(n int) (head, rest *chunk) {
	h, r := *c, *c
	h.records, r.records, r.first = c.records[:n:n], c.records[n:], c.first+uint64(n)
	h.bytes = 0
	for i := range h.records {
		h.bytes += h.records[i].weight()
	}
	r.bytes -= h.bytes
	return &h, &r
}

// append makes records durable, and then has them be found. Those of a batch are
// stored together; batches are as they are said to be.
func (a *archive) append(batches [][]Record) ([]*chunk, error) {
	a.mu.Lock()
	var all []*chunk
	var frames [][]*chunk
	for _, records := range batches {
		var frame []*chunk
		for _, c := range chunked(records) {
			c.first = a.manifest.next
			a.manifest.next += uint64(len(c.records))
			frame = append(frame, c)
		}
		all, frames = append(all, frame...), append(frames, frame)
	}
	a.mu.Unlock()
	segment, err := a.wal.append(frames)
	if err != nil {
		return nil, fmt.Errorf("write log records: %w", err)
	}
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range all {
		c.segment, c.came = segment, now
		h := a.of(c.group)
		h.chunks = append(h.chunks, c)
		h.rows += len(c.records)
		a.bytes += c.bytes
		a.unseen += len(c.records)
	}
	close(a.grown)
	a.grown = make(chan struct{})
	return all, nil
}

// chunked are records by their groups, each group's in their order.
func chunked(records []Record) []*chunk {
	one := &chunk{group: records[0].Group, records: records}
	for i := range records {
		if records[i].Group != one.group {
			return divided(records)
		}
		one.bytes += records[i].weight()
	}
	return []*chunk{one}
}

func divided(records []Record) []*chunk {
	var list []*chunk
	of := map[string]*chunk{}
	for i := range records {
		r := &records[i]
		c := of[r.Group]
		if c == nil {
			c = &chunk{group: r.Group}
			of[r.Group] = c
			list = append(list, c)
		}
		c.records = append(c.records, *r)
		c.bytes += r.weight()
	}
	return list
}

// feed has the builders of a group take what has come. Its lock is held.
func (a *archive) feed(h *held) {
	a.mu.Lock()
	chunks := h.chunks
	a.mu.Unlock()
	for h.fed < len(chunks) {
		c := chunks[h.fed]
		m := a.open(h, c)
		if room := m.room(c); len(c.records) > room {
			head, rest := c.split(room)
			a.mu.Lock()
			chunks = slices.Replace(slices.Clone(h.chunks), h.fed, h.fed+1, head, rest)
			h.chunks = chunks
			a.mu.Unlock()
			c = head
		}
		m.take(c)
		h.fed++
	}
}

// open is the block to be that takes a chunk, or the beginning of it.
func (a *archive) open(h *held, c *chunk) *making {
	if n := len(h.making); n > 0 && !h.making[n-1].full() {
		return h.making[n-1]
	}
	m := &making{builder: newBuilder(c.group), first: c.first, most: a.blockBytes}
	h.making = append(h.making, m)
	return m
}

// full says that there is no room for another record.
func (m *making) full() bool { return m.closed || m.rows >= maxRows || m.size >= m.most }

// room is how many records of a chunk there is room for.
func (m *making) room(c *chunk) int {
	size := m.size
	for i := range c.records {
		if m.rows+i >= maxRows || size >= m.most {
			return i
		}
		size += c.records[i].text()
	}
	return len(c.records)
}

// maxBlockBytes is what the messages of a block have at most, and one record more.
const maxBlockBytes = 24 << 20

// take adds a chunk.
func (m *making) take(c *chunk) {
	m.mark(c.first)
	for i := range c.records {
		m.add(&c.records[i])
	}
	m.last = c.last()
	m.chunks++
}

// mark says what place the next row has.
func (m *making) mark(place uint64) {
	if m.rows == 0 || m.last+1 != place {
		m.runs = append(m.runs, run{m.rows, place - m.first})
	}
}

func (a *archive) path(b *block) string {
	return filepath.Join(a.dir, blockDir, fmt.Sprintf("%016x.block", b.ID))
}

func (a *archive) close() error {
	_, err := a.wal.rotate()
	a.mu.Lock()
	defer a.mu.Unlock()
	return errors.Join(err, a.manifest.file.Close())
}
