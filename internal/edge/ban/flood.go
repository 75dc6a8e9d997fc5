package ban

import (
	"cmp"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// Flood is how much one client may ask for. The numbers are those of AWS WAF's
// rate rule of 2017.
type Flood struct {
	Requests int           // within Window; 0: 2000; negative: as many as they like
	Window   time.Duration // 0: 5 minutes
	For      time.Duration // how long the first ban takes; 0: 10 minutes
}

func (f Flood) requests() int         { return cmp.Or(f.Requests, 2000) }
func (f Flood) window() time.Duration { return cmp.Or(f.Window, 5*time.Minute) }
func (f Flood) length() time.Duration { return cmp.Or(f.For, 10*time.Minute) }

func (f Flood) reason() string {
	return fmt.Sprintf("more than %d requests in %v", f.requests(), f.window())
}

// counts is how many requests clients have made lately. The window slides: what is
// left of the window before counts by how much of it is still within reach, which
// takes two numbers for each client.
type counts struct {
	once   sync.Once
	seed   uint64
	shards [shards]shard
	found  chan netip.Prefix // who floods
}

const (
	shards   = 64
	perShard = 1024 // clients; more evict whoever comes in their way
	waiting  = 256  // found floods
)

type shard struct {
	mu      sync.Mutex
	clients map[uint64]count
	_       [48]byte // a cache line each
}

// count is one client's.
type count struct {
	window    int64 // number of the current one
	before, n int32 // requests in the one before, and in the current
}

func (c *counts) start() {
	c.once.Do(func() {
		c.seed, c.found = rand.Uint64()|1, make(chan netip.Prefix, waiting)
	})
}

func (b *Bans) floods() <-chan netip.Prefix {
	b.counts.start()
	return b.counts.found
}

// Seen counts a request that has not been turned away. Who asks for too much is
// banned a moment later, if Run runs.
func (b *Bans) Seen(client netip.Addr, now time.Time) {
	limit := b.Flood.requests()
	if limit < 0 {
		return
	}
	b.counts.start()
	if b.counts.over(client.Unmap(), now, b.Flood.window(), limit) {
		select {
		case b.counts.found <- ClientOf(client):
		default: // it goes on, and is found again
		}
	}
}

// over counts a request and tells whether it is the first too many, after which the
// client starts at nothing again.
func (c *counts) over(client netip.Addr, now time.Time, window time.Duration, limit int) bool {
	key := keyOfClient(client)
	hi, _ := bits.Mul64(key^c.seed, c.seed)
	s := &c.shards[hi%shards]
	at := now.UnixNano()
	number := at / int64(window)
	s.mu.Lock()
	defer s.mu.Unlock()
	n, known := s.clients[key]
	switch {
	case !known:
		s.makeRoom(number)
		n = count{window: number}
	case n.window == number-1:
		n = count{window: number, before: n.n}
	case n.window != number: // long ago, or by a clock that has been set back
		n = count{window: number}
	}
	n.n++
	left := 1 - float64(at%int64(window))/float64(window)
	over := float64(n.before)*left+float64(n.n) > float64(limit)
	if over {
		n.before, n.n = 0, 0
	}
	s.clients[key] = n
	return over
}

// makeRoom lets go of a few clients of another window, or of any.
func (s *shard) makeRoom(number int64) {
	if s.clients == nil {
		s.clients = map[uint64]count{}
	}
	if len(s.clients) < perShard {
		return
	}
	looked := 0
	var least uint64
	fewest := int32(1<<31 - 1)
	for key, n := range s.clients { // which begins anywhere
		if n.window < number-1 || n.window > number {
			delete(s.clients, key)
			return
		}
		if n.n+n.before < fewest {
			least, fewest = key, n.n+n.before
		}
		if looked++; looked == 8 {
			break
		}
	}
	delete(s.clients, least)
}

// forget lets go of clients that have been quiet.
func (b *Bans) forget(now time.Time) {
	number := now.UnixNano() / int64(b.Flood.window())
	for i := range b.counts.shards {
		s := &b.counts.shards[i]
		s.mu.Lock()
		for key, n := range s.clients {
			if n.window < number-1 || n.window > number {
				delete(s.clients, key)
			}
		}
		s.mu.Unlock()
	}
}

// keyOfClient is an IPv6 /64, or an IPv4 address within ::/32, where nobody is.
func keyOfClient(a netip.Addr) uint64 {
	if a.Is4() {
		b := a.As4()
		return uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])
	}
	b := a.As16()
	var key uint64
	for _, x := range b[:8] {
		key = key<<8 | uint64(x)
	}
	return key
}
