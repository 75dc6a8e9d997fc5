package cache

import (
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// flight is one request to an origin that any number of clients wait for. It runs by
// itself, so a client that leaves takes nothing from the others.
type flight struct {
	fetch  exchange // its own copy: the client's may end before it does
	key    key      // in the table; zero: not in it
	stale  *object  // that it revalidates
	cancel context.CancelFunc

	mu      sync.Mutex
	waiting map[*reader]bool // for the head
	leader  *reader          // whose client gets the response itself when it cannot be stored
	w       http.ResponseWriter
	linger  *time.Timer

	head chan struct{} // closed when what follows is known
	verdict
	status   int
	header   http.Header // as clients get it, for stored responses
	own      http.Header // fields that are the leader's only: they are not stored
	length   int64       // -1: not known
	received time.Time
	object   *object // of responses without a body to come: revalidated, excused
	said     judgement
	varies   []string
	selected []string
	spool    *spool

	done     chan struct{} // closed when the origin has returned
	panicked bool
	doomed   atomic.Bool // what it fetches has been changed meanwhile
}

// verdict is what becomes of a flight's response.
type verdict int

const (
	failed      verdict = iota // the origin gave up before it said anything
	stored                     // it is read from the spool, by everybody
	direct                     // it is the leader's alone, who is sent it as it comes
	released                   // it cannot be stored, and the leader asks again with its own conditions
	revalidated                // object is good for longer
	excused                    // object stands in for an origin that fails
	unmatched                  // a 304 that speaks of something else; ask again without a condition
)

// linger is how long a fetch goes on that nobody waits for.
const linger = 30 * time.Second

// join takes part in the flight of a key, or starts it; it says whether it did. With
// alone there is always a new one. No flight: look again, one has just ended.
func (x *exchange) join(k key, stale *object, alone bool) (*flight, *reader, bool) {
	c, r := x.cache, &reader{}
	c.flights.mu.Lock()
	f := c.flights.of[k]
	if f != nil && c.invalidations.since(f.fetch.seq, x.zone, x.path, x.query) {
		c.flights.alone[f], f = true, nil // it is for those who came before
	}
	if f != nil && !alone {
		c.flights.mu.Unlock() // what a flight holds its own lock for may take a while
		f.mu.Lock()
		defer f.mu.Unlock()
		if !f.known() {
			f.waiting[r] = true
			f.rest()
		}
		return f, r, false
	}
	defer c.flights.mu.Unlock()
	if !alone && x.answered(stale) {
		return nil, nil, false
	}
	f = x.depart(k, stale, alone)
	f.leader, f.w = r, x.w
	f.waiting[r] = true
	go f.run()
	return f, r, true
}

// answered says whether something has been stored since the request found nothing, or
// only what is stale.
func (x *exchange) answered(stale *object) bool {
	now := time.Now()
	return slices.ContainsFunc(x.cache.memory.get(x.key), func(o *object) bool {
		return o != stale && !o.dead.Load() && o.fresh(now) && o.matches(x.out.Header) && !x.cache.invalidations.concern(o)
	})
}

// depart makes a flight; c.flights.mu is held.
func (x *exchange) depart(k key, stale *object, alone bool) *flight {
	f := &flight{
		fetch: *x, stale: stale, waiting: map[*reader]bool{},
		head: make(chan struct{}), done: make(chan struct{}),
	}
	f.fetch.w, f.fetch.in = nil, nil
	f.fetch.seq = x.cache.invalidations.now()
	if alone {
		x.cache.flights.alone[f] = true
	} else {
		f.key = k
		x.cache.flights.of[k] = f
	}
	if stale != nil && !stale.hold() {
		f.stale = nil
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(x.out.Context()))
	f.cancel = cancel
	f.fetch.out = x.out.Clone(ctx)
	f.fetch.out.Body = http.NoBody   // the client's is gone when its request is
	if x.method == http.MethodHead { // a HEAD may start a refresh; what is stored has a body
		f.fetch.method, f.fetch.out.Method = http.MethodGet, http.MethodGet
	}
	ask(f.fetch.out.Header, f.stale)
	x.cache.flights.running.Add(1)
	return f
}

// conditions are the fields of a request that ask for less than the whole response.
var conditions = []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range"}

// ask sets the conditions of a request that the cache itself makes: the whole response,
// unless it is still the stored one (RFC 9111, section 4.3.1).
func ask(h http.Header, stale *object) {
	for _, name := range conditions {
		delete(h, name)
	}
	if stale == nil {
		return
	}
	if etag := stale.header.Get("Etag"); etag != "" {
		h.Set("If-None-Match", etag)
	}
	if at := stale.header.Get("Last-Modified"); at != "" {
		h.Set("If-Modified-Since", at)
	}
}

// known says whether the head has come; f.mu is held.
func (f *flight) known() bool {
	select {
	case <-f.head:
		return true
	default:
		return false
	}
}

// rest keeps a flight going that has somebody to wait for it again; f.mu is held.
func (f *flight) rest() {
	if f.linger != nil {
		f.linger.Stop()
		f.linger = nil
	}
}

// abandon gives a flight that nobody waits for a while to end; f.mu is held.
func (f *flight) abandon() {
	if f.linger == nil {
		f.linger = time.AfterFunc(linger, f.cancel)
	}
}

// leave is said by those who wait for the head and stop. The leader of a response that
// goes straight to its client cannot: it waits until the origin has been stopped.
func (f *flight) leave(r *reader) {
	f.mu.Lock()
	if !f.known() {
		delete(f.waiting, r)
		if len(f.waiting) == 0 {
			f.abandon()
		}
		f.mu.Unlock()
		return
	}
	f.mu.Unlock()
	switch {
	case f.verdict == direct && r == f.leader:
		f.cancel()
		<-f.done
	case r.spool != nil:
		r.leave()
	}
}

// settle makes the verdict known. What it needs has been set; f.mu is held.
func (f *flight) settle(v verdict) {
	f.verdict = v
	close(f.head)
}

// run asks the origin and stores what is to be stored.
func (f *flight) run() {
	c := f.fetch.cache
	w := &arrival{flight: f, header: http.Header{}, requested: time.Now()}
	whole := f.serve(w)
	w.end(whole)

	f.unlist()
	c.flights.mu.Lock()
	delete(c.flights.alone, f)
	c.flights.mu.Unlock()
	if f.spool != nil {
		f.spool.finish()
	}
	f.mu.Lock()
	f.rest()
	f.mu.Unlock()
	f.cancel()
	if f.stale != nil {
		c.memory.release(f.stale)
	}
	close(f.done)
	c.flights.running.Done()
}

// unlist lets nobody join any more. Neither f.mu nor a spool's lock may be held.
func (f *flight) unlist() {
	flights := &f.fetch.cache.flights
	flights.mu.Lock()
	defer flights.mu.Unlock()
	if flights.of[f.key] == f {
		delete(flights.of, f.key)
		flights.alone[f] = true
	}
}

// serve calls the origin; false when it gave up half way.
func (f *flight) serve(w http.ResponseWriter) (whole bool) {
	defer func() {
		if whole {
			return
		}
		f.panicked = true
		if v := recover(); v != nil && v != http.ErrAbortHandler {
			f.fetch.cache.logPanic(&f.fetch, v)
		}
	}()
	f.fetch.origin.ServeHTTP(w, f.fetch.out)
	return true
}

// flightKey is the key of the request's flight and of its mark as one to pass. Requests
// with credentials that are not in the key have one of their own: what they get is
// seldom stored, and must not make others pass.
func (x *exchange) flightKey() key {
	k := x.key
	if x.secretForwarded() || x.cookieForwarded() {
		k[0] ^= 0xff
	}
	return k
}

// varied is the key of the flight of one variant.
func varied(k key, names []string, request http.Header) key {
	b := append([]byte(nil), k[:]...)
	for i, v := range selectingValues(names, request) {
		b = append(append(append(append(b, names[i]...), 0), v...), 0)
	}
	return sha256.Sum256(b)
}

// flights are those in the air.
type flights struct {
	mu      sync.Mutex
	of      map[key]*flight  // that others may join
	alone   map[*flight]bool // the rest
	running sync.WaitGroup
}
