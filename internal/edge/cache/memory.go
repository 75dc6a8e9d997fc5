package cache

import (
	"slices"
	"sync"
	"sync/atomic"
)

// memory is the tier that hits are answered from: every object that was used of late,
// with its body or with the name of the file that holds it.
//
// Its limit is hard, and bodies that are still arriving count as well: whoever wants
// bytes reserves them first, which evicts others at once or is refused. That is why
// this is not a general cache library: those evict a little later, and know nothing of
// bytes that are no entries yet. An object that somebody is being sent keeps its bytes
// reserved until the last reader has left, evicted or not.
//
// Eviction is SIEVE: one queue in order of arrival and a hand that goes over it from
// the oldest end, sparing once what has been used since it last came by. A hit sets a
// mark and takes no lock.
type memory struct {
	limit    int64
	reserved atomic.Int64
	count    atomic.Int64
	evicted  func(*object) // told of what makes room, under mu: an object is never in neither tier

	shards [64]shard

	mu    sync.Mutex // guards what follows and every object's place
	queue queue[*object]
	paths map[uint64]*object // the first of those with a path, see place
}

type shard struct {
	mu      sync.RWMutex
	objects map[key][]*object // newest first; a slice is replaced, never changed
}

// place is where an object is in memory's lists; memory.mu guards it.
type place struct {
	link         link[*object]
	listed       bool
	above, below *object // others of the same path
	gone         atomic.Bool
}

// maxVariants is how many responses one key may have. More means that Vary names a
// field which nearly every client fills in differently.
const maxVariants = 64

func newMemory(limit int64) *memory {
	m := &memory{limit: limit, paths: map[uint64]*object{}, evicted: func(*object) {}}
	m.queue.link = func(o *object) *link[*object] { return &o.link }
	for i := range m.shards {
		m.shards[i].objects = map[key][]*object{}
	}
	return m
}

func (m *memory) shard(k key) *shard { return &m.shards[k[0]%64] }

// get returns the responses of a key, newest first.
func (m *memory) get(k key) []*object {
	s := m.shard(k)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.objects[k]
}

// hold keeps the object's body reserved until release; false when it is too late.
func (o *object) hold() bool {
	for {
		n := o.refs.Load()
		if n <= 0 {
			return false
		}
		if o.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (m *memory) release(o *object) {
	if o.refs.Add(-1) == 0 {
		m.reserved.Add(-o.cost)
	}
}

// reserve takes n bytes off what is left, evicting others for it; false: there is no
// room, because the rest is in use.
func (m *memory) reserve(n int64) bool {
	if n > m.limit {
		return false
	}
	for {
		now := m.reserved.Load()
		if now+n <= m.limit {
			if m.reserved.CompareAndSwap(now, now+n) {
				return true
			}
			continue
		}
		o := m.evict()
		if o == nil {
			return false
		}
		m.release(o)
	}
}

func (m *memory) unreserve(n int64) { m.reserved.Add(-n) }

// evict takes the object out that is likeliest not to be missed. Its reference is the
// caller's.
func (m *memory) evict() *object {
	m.mu.Lock()
	o, ok := m.queue.victim(func(o *object) bool { return o.used.Swap(false) || o.refs.Load() > 1 })
	if ok {
		m.evicted(o)
		m.unlist(o)
		o.gone.Store(true)
	}
	m.mu.Unlock()
	if !ok {
		return nil
	}
	m.forget(o)
	return o
}

// add stores an object for which its weight has been reserved, in place of those that
// it replaces.
func (m *memory) add(o *object, replaces func(*object) bool) {
	o.refs.Add(1)
	s := m.shard(o.key)
	s.mu.Lock()
	var out []*object
	next := []*object{o}
	for _, other := range s.objects[o.key] {
		if replaces(other) {
			out = append(out, other)
		} else {
			next = append(next, other)
		}
	}
	slices.SortStableFunc(next, func(a, b *object) int { return b.received.Compare(a.received) })
	if len(next) > maxVariants {
		out = append(out, next[maxVariants:]...)
		next = next[:maxVariants:maxVariants]
	}
	s.objects[o.key] = next
	s.mu.Unlock()
	m.count.Add(1)

	m.mu.Lock()
	if !o.gone.Load() {
		m.queue.push(o)
		o.listed = true
		p := pathHash(o.zone, o.path)
		if o.below = m.paths[p]; o.below != nil {
			o.below.above = o
		}
		m.paths[p] = o
	}
	m.mu.Unlock()
	for _, other := range out {
		m.remove(other)
	}
}

// remove takes an object out of the tier; more than once does no harm.
func (m *memory) remove(o *object) {
	m.mu.Lock()
	first := !o.gone.Swap(true)
	m.unlist(o)
	m.mu.Unlock()
	if first {
		m.forget(o)
		m.release(o)
	}
}

// unlist needs m.mu.
func (m *memory) unlist(o *object) {
	if !o.listed {
		return
	}
	o.listed = false
	m.queue.remove(o)
	if o.below != nil {
		o.below.above = o.above
	}
	if o.above != nil {
		o.above.below = o.below
	} else if p := pathHash(o.zone, o.path); o.below != nil {
		m.paths[p] = o.below
	} else {
		delete(m.paths, p)
	}
	o.above, o.below = nil, nil
}

// forget takes the object out of the index.
func (m *memory) forget(o *object) {
	m.count.Add(-1)
	s := m.shard(o.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.objects[o.key]
	next := make([]*object, 0, len(old))
	for _, other := range old {
		if other != o {
			next = append(next, other)
		}
	}
	if len(next) == 0 {
		delete(s.objects, o.key)
		return
	}
	s.objects[o.key] = next
}

// ofPath returns every object of a path (and, rarely, of another with the same hash).
func (m *memory) ofPath(p uint64) (all []*object) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for o := m.paths[p]; o != nil; o = o.below {
		all = append(all, o)
	}
	return all
}

// all returns every object.
func (m *memory) all() (all []*object) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for o := range m.queue.oldest() {
		all = append(all, o)
	}
	return all
}
