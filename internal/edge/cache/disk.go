package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// disk is the second tier: what memory had to let go, and bodies too large for it. One
// response is one file (file.go); what is kept of it in memory is its name and size.
//
// Files are written under another name and renamed, so what has its name is whole; no
// two have the same name ever, so none is taken for another that has replaced it; and
// every block has a checksum, so what is not is never served. Nothing is synced; the
// files outlive the process, but not a restart of the machine (state.go).
type disk struct {
	dir   string
	limit int64

	mu     sync.Mutex
	used   int64
	count  int64
	queue  queue[*file]
	of     map[key][]*file
	paths  map[uint64]*file
	queued map[*object]bool // to be written; false: not any more
	bytes  int64            // of those

	loading [16]sync.Mutex // by key: reading and renewing the head of a file
	writes  chan *object
	written chan struct{} // closed when the last one has been
}

// file is a response on the disk. disk.mu guards all of it but used.
type file struct {
	key     key
	path    uint64 // pathHash
	variant uint64 // hashes of the names in Vary and of the request's values
	serial  uint64 // random
	size    int64  // of the file
	used    atomic.Bool

	link         link[*file]
	above, below *file // others of the same path
	gone         bool
}

var errNoDisk = errors.New("there is no disk tier")

func (f *file) name() string {
	k := hex.EncodeToString(f.key[:])
	return filepath.Join(k[:2], fmt.Sprintf("%016x-%s-%016x-%016x", f.path, k, f.variant, f.serial))
}

// parseName is the reverse of name.
func parseName(name string) (*file, bool) {
	parts := strings.Split(name, "-")
	raw, err := hex.DecodeString(strings.Join(parts, ""))
	if err != nil || len(parts) != 4 || len(raw) != 8+sha256.Size+8+8 {
		return nil, false
	}
	f := &file{path: binary.BigEndian.Uint64(raw), variant: binary.BigEndian.Uint64(raw[40:]), serial: binary.BigEndian.Uint64(raw[48:])}
	copy(f.key[:], raw[8:40])
	return f, true
}

// variantOf tells variants of a key apart. Should two values share a hash, one response
// takes the other's place.
func variantOf(o *object) uint64 {
	names := sha256.Sum256([]byte(strings.Join(o.varies, "\n")))
	values := sha256.Sum256([]byte(strings.Join(o.selecting, "\n")))
	return uint64(binary.BigEndian.Uint32(names[:]))<<32 | uint64(binary.BigEndian.Uint32(values[:]))
}

// largest is the size up to which a response is stored.
func (d *disk) largest() int64 {
	if d == nil {
		return 0
	}
	return d.limit / 4
}

func (d *disk) held() (objects, bytes int64) {
	if d == nil {
		return 0, 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count, d.used
}

// reserve takes n bytes off what is left, deleting files for it.
func (d *disk) reserve(n int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.used+n > d.limit {
		f, ok := d.queue.victim(func(f *file) bool { return f.used.Swap(false) })
		if !ok {
			return errors.New("the disk tier is full of responses that are arriving")
		}
		d.drop(f)
	}
	d.used += n
	return nil
}

func (d *disk) unreserve(n int64) {
	d.mu.Lock()
	d.used -= n
	d.mu.Unlock()
}

// add puts a file into the index whose size has been reserved, in place of an older one
// of the variant; d.mu is held.
func (d *disk) add(f *file) {
	for _, other := range slices.Clone(d.of[f.key]) {
		if other.variant == f.variant {
			d.drop(other)
		}
	}
	d.count++
	d.of[f.key] = append(d.of[f.key], f)
	d.queue.push(f)
	if f.below = d.paths[f.path]; f.below != nil {
		f.below.above = f
	}
	d.paths[f.path] = f
}

// unindex takes a file out of the index; d.mu is held.
func (d *disk) unindex(f *file) {
	if f.gone {
		return
	}
	f.gone = true
	d.count--
	d.used -= f.size
	d.queue.remove(f)
	d.of[f.key] = slices.DeleteFunc(d.of[f.key], func(other *file) bool { return other == f })
	if len(d.of[f.key]) == 0 {
		delete(d.of, f.key)
	}
	if f.below != nil {
		f.below.above = f.above
	}
	switch {
	case f.above != nil:
		f.above.below = f.below
	case f.below != nil:
		d.paths[f.path] = f.below
	default:
		delete(d.paths, f.path)
	}
	f.above, f.below = nil, nil
}

// drop deletes a file; d.mu is held.
func (d *disk) drop(f *file) {
	if !f.gone {
		d.unindex(f)
		_ = os.Remove(filepath.Join(d.dir, f.name())) // gone from the index, whatever happens
	}
}

// remove deletes a file, which may be nil or gone.
func (d *disk) remove(f *file) {
	if d == nil || f == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(f)
}

// discard deletes the files of an object's variant.
func (d *disk) discard(o *object) {
	if d == nil {
		return
	}
	v := variantOf(o)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range slices.Clone(d.of[o.key]) {
		if f.variant == v {
			d.drop(f)
		}
	}
}

// replaced deletes the files that a newer response makes obsolete: of the same variant,
// and of variants by other names, which it is not known to differ from.
func (d *disk) replaced(o *object) {
	if d == nil {
		return
	}
	v := variantOf(o)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range slices.Clone(d.of[o.key]) {
		if f != o.file && (f.variant == v || f.variant>>32 != v>>32) {
			d.drop(f)
		}
	}
	for other := range d.queued {
		if other.key == o.key {
			d.queued[other] = false
		}
	}
}

// forget deletes every file of a path.
func (d *disk) forget(path uint64) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.paths[path] != nil {
		d.drop(d.paths[path])
	}
	for o := range d.queued {
		if pathHash(o.zone, o.path) == path {
			d.queued[o] = false
		}
	}
}

// save has an object that memory lets go of written, unless so many wait for that
// already that it would take more than its share of memory.
func (d *disk) save(o *object, share int64) {
	if o.file != nil {
		return
	}
	d.mu.Lock()
	fits := d.bytes+o.cost <= share && !o.dead.Load()
	if fits {
		d.bytes += o.cost
		d.queued[o] = true
	}
	d.mu.Unlock()
	if !fits {
		return
	}
	select {
	case d.writes <- o:
	default:
		d.unqueue(o)
	}
}

// load reads the heads of files of a key which memory does not have, and small bodies,
// into memory; false when there are none.
func (c *Cache) load(k key) bool {
	d := c.disk
	if d == nil {
		return false
	}
	c.moving.RLock()
	defer c.moving.RUnlock()
	lock := d.lock(k)
	lock.Lock()
	defer lock.Unlock()
	some := false
	for _, f := range d.unread(k, c.memory.get(k)) {
		o, err := d.readHead(f)
		if err == nil && o.size <= c.maxInMemory() && c.memory.reserve(o.size) {
			o.body, err = d.readBody(o)
			c.memory.unreserve(o.size)
		}
		if err != nil {
			c.noRoom(err)
			d.remove(f)
			continue
		}
		o.checked.Store(o.seq)
		o.cost = o.weight()
		if !c.memory.reserve(o.cost) {
			if o.body = nil; !c.memory.reserve(o.weight()) {
				continue
			}
			o.cost = o.weight()
		}
		f.used.Store(true)
		c.memory.add(o, func(*object) bool { return false })
		if d.lost(f) { // meanwhile
			c.memory.remove(o)
			continue
		}
		some = true
	}
	return some
}

func (d *disk) lost(f *file) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return f.gone
}

// unread are the files of a key that none of the objects stands for.
func (d *disk) unread(k key, have []*object) (files []*file) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.of[k] {
		if !slices.ContainsFunc(have, func(o *object) bool { return o.file == f }) {
			files = append(files, f)
		}
	}
	return files
}

func (d *disk) unqueue(o *object) {
	d.mu.Lock()
	d.bytes -= o.cost
	delete(d.queued, o)
	d.mu.Unlock()
}

// write writes what save has queued until writes is closed.
func (d *disk) write(report func(error)) {
	defer close(d.written)
	for o := range d.writes {
		if err := d.put(o); err != nil {
			report(err)
		}
		d.unqueue(o)
	}
}

// put writes one object that has its body.
func (d *disk) put(o *object) error {
	w, err := d.begin()
	if err != nil {
		return err
	}
	defer w.close()
	rest := o.body
	for ; len(rest) >= blockSize; rest = rest[blockSize:] {
		if err := w.write(rest[:blockSize]); err != nil {
			return err
		}
	}
	_, err = w.commit(o, rest, o.dead.Load)
	return err
}
