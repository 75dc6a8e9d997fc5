package cache

import "slices"

// storeFlight makes an object of a flight's response, whose body has come whole, unless
// something has been invalidated meanwhile that it is about.
func (c *Cache) storeFlight(f *flight) {
	x, s := &f.fetch, f.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.window || c.invalidations.since(x.seq, x.zone, x.path, x.query) {
		return
	}
	o := &object{
		key: x.key, zone: x.zone, path: x.path, query: x.query, status: f.status,
		header: f.header.Clone(), varies: f.varies, selecting: f.selected,
		received: f.received, judgement: f.said, size: s.base + int64(len(s.buf)), seq: x.seq,
	}
	for name, values := range o.header {
		o.header[name] = slices.Clip(values)
	}
	o.header["Content-Length"] = []string{itoa(o.size)}
	if s.file == nil {
		o.body = s.buf
		if cap(s.buf) > len(s.buf)+len(s.buf)/8 {
			o.body = slices.Clone(s.buf) // readers keep theirs until they have left
		}
	} else {
		file, err := s.file.commit(o, s.buf, f.doomed.Load)
		if err != nil || file == nil {
			c.noRoom(err)
			return
		}
		o.file = file
	}
	o.checked.Store(o.seq)
	o.cost = o.weight()
	if !c.memory.reserve(o.cost) {
		return
	}
	o.refs.Store(1) // the spool's
	if !c.addUnless(o, f.doomed.Load) {
		c.memory.unreserve(o.cost)
		return
	}
	c.memory.unreserve(s.reserved)
	s.object = o
	c.disk.replaced(o)
}

// addUnless adds an object unless its path has been changed since it was asked for. It
// and forget exclude each other, so nobody finds it in between either.
func (c *Cache) addUnless(o *object, changed func() bool) bool {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	if changed() {
		return false
	}
	c.add(o)
	return true
}

// add stores an object in place of all that answered the same request.
func (c *Cache) add(o *object) {
	request := map[string]string{}
	for i, name := range o.varies {
		request[name] = o.selecting[i]
	}
	c.memory.add(o, func(other *object) bool {
		for i, name := range other.varies {
			if v, ok := request[name]; ok && v != other.selecting[i] {
				return false
			}
		}
		return true
	})
}

// replace stores a response anew in place of the old, of which it has the body. What is
// no longer stored, because something newer is or it has been invalidated, stays so.
func (c *Cache) replace(old, next *object) {
	next.checked.Store(next.seq)
	next.cost = next.weight()
	if !c.memory.reserve(next.cost) {
		return
	}
	if !c.addUnless(next, func() bool { return old.gone.Load() || old.dead.Load() }) {
		c.memory.unreserve(next.cost)
		return
	}
	c.memory.remove(old)
	c.disk.renew(next)
}

// remove takes a response out of both tiers, also on its way from one to the other.
func (c *Cache) remove(o *object) {
	o.dead.Store(true)
	c.memory.remove(o)
	c.disk.discard(o)
}

// forget removes everything of a path, and sees to it that nothing is stored of it that
// is being fetched. What is stored does not move between the tiers meanwhile: what leaves
// memory is refused by the disk, and nothing is read back.
func (c *Cache) forget(zone, path string) {
	c.moving.Lock()
	defer c.moving.Unlock()
	c.flights.mu.Lock()
	for k, f := range c.flights.of {
		if f.fetch.zone == zone && f.fetch.path == path {
			f.doomed.Store(true)
			delete(c.flights.of, k) // nobody joins it any more
			c.flights.alone[f] = true
		}
	}
	for f := range c.flights.alone {
		if f.fetch.zone == zone && f.fetch.path == path {
			f.doomed.Store(true)
		}
	}
	p := pathHash(zone, path)
	all := c.memory.ofPath(p)
	for _, o := range all {
		o.dead.Store(true)
	}
	c.flights.mu.Unlock()
	for _, o := range all {
		c.counts.invalidated.Add(1)
		c.remove(o)
	}
	c.disk.forget(p)
}

// pathHash is FNV-1a. Two paths that share one are invalidated together, no worse.
func pathHash(zone, path string) uint64 {
	h := uint64(14695981039346656037)
	for _, s := range [...]string{zone, "\x00", path} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
	}
	return h
}

// open gets a response's body ready to be sent.
func (c *Cache) open(o *object) (source, bool) {
	if o.file == nil || o.body != nil {
		return o, true
	}
	return c.disk.open(o, func() { c.remove(o) })
}
