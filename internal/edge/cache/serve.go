package cache

import (
	"net/http"
	"slices"
	"time"
)

// exchange is one request on its way through the cache.
type exchange struct {
	cache    *Cache
	w        http.ResponseWriter
	in, out  *http.Request
	zone     string
	policy   *Policy
	origin   http.Handler
	errorTTL func(int) (time.Duration, bool)
	method   string

	key    key
	path   string // escaped
	query  string // what is keyed of it
	accept []string
	seq    uint64 // of the invalidations, of a flight

	wants     directives // of the client
	noStore   bool       // its no-store
	partial   bool       // it has a Range
	others    bool       // responses are stored under its key, for other values of what they vary by
	collapsed bool
}

// Serve answers a request, from what is stored or from the origin. It panics with
// http.ErrAbortHandler when a response that was begun cannot be completed.
func (c *Cache) Serve(w http.ResponseWriter, q Request) Outcome {
	x := &exchange{
		cache: c, w: w, in: q.In, out: q.Out, zone: q.Zone, policy: q.Policy, origin: q.Origin,
		errorTTL: q.ErrorTTL, method: q.In.Method,
	}
	if !x.storable(q.Options) {
		return x.pass(byMethod(x.method))
	}
	if !x.identify() {
		return x.pass("bypass")
	}
	if len(x.policy.Encodings) > 0 {
		if x.accept[0] == "" {
			delete(x.out.Header, "Accept-Encoding")
		} else {
			x.out.Header["Accept-Encoding"] = x.accept
		}
	}
	if lines := x.in.Header["Cache-Control"]; len(lines) > 0 {
		x.wants = parseCacheControl(lines)
		x.noStore = x.wants.noStore
	}
	x.partial = len(x.in.Header["Range"]) > 0
	return x.serve()
}

// storable says whether the response to the request might be stored, or be stored
// already, as far as the request itself goes.
func (x *exchange) storable(options bool) bool {
	if x.policy == nil || x.policy.MaxTTL <= 0 && x.policy.MinTTL <= 0 {
		return false
	}
	if m := x.policy.Headers.Mode; m != "" && m != None && m != Only {
		return false // all headers: no two requests are the same, as with CloudFront
	}
	switch x.method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		if !options {
			return false
		}
	default:
		return false
	}
	// A body might change the answer, and a connection that changes its protocol is
	// nobody else's.
	return x.in.ContentLength == 0 && len(x.in.Header["Upgrade"]) == 0
}

func byMethod(method string) string {
	if method == http.MethodGet || method == http.MethodHead {
		return "bypass"
	}
	return "method"
}

// attempts are how often a request looks again after it has waited for something that
// was not for it.
const attempts = 5

func (x *exchange) serve() Outcome {
	a := &attempt{flightKey: x.flightKey()}
	for range attempts {
		if out, ok := x.try(a); ok {
			return out
		}
	}
	return x.pass(x.reason(nil))
}

// attempt is what a request has learned from those it has made.
type attempt struct {
	flightKey key
	alone     bool // nobody else's response will do
}

// try answers from the store or from a flight; false when it has to be tried again.
func (x *exchange) try(a *attempt) (Outcome, bool) {
	o := x.find()
	defer x.cache.release(o)
	if o != nil {
		if out, ok := x.fromStore(o); ok {
			return out, true
		}
		if o.gone.Load() { // its file could not be read
			return Outcome{}, false
		}
	}
	switch {
	case x.wants.onlyIfCached:
		return x.notCached(), true
	case x.noStore:
		return x.pass("request"), true
	case x.method == http.MethodHead:
		return x.head(o), true
	case o == nil && x.cache.passes.marked(a.flightKey):
		return x.pass(x.reason(nil)), true
	}
	// What has to be validated for each request is not fetched for several at once: the
	// answer to one is not an answer to another (RFC 9111, section 5.2.2.4).
	f, r, leads := x.join(a.flightKey, o, a.alone || o != nil && (o.validate || o.lifetime <= 0))
	if f == nil {
		return Outcome{}, false
	}
	if out, ok := x.board(f, r, leads); ok {
		return out, true
	}
	switch f.verdict {
	case stored:
		if !sameVariant(f, x.out.Header) {
			a.flightKey = varied(x.flightKey(), f.varies, x.out.Header)
		} else if f.said.lifetime <= f.said.age {
			a.alone = true // stale as it came: of no use to anybody else
		}
	case revalidated:
		a.alone = true // and not fresh
	case released, direct:
		return x.pass(x.reason(nil)), true
	}
	return Outcome{}, false
}

// find returns the newest stored response that the request may be answered with, held.
// When memory is so short that what has been read from the disk is gone again at once
// it gives up.
func (x *exchange) find() *object {
	c := x.cache
	for range 2 * attempts {
		all := c.memory.get(x.key)
		x.others = len(all) > 0
		i := slices.IndexFunc(all, func(o *object) bool { return o.matches(x.out.Header) })
		if i < 0 {
			if !c.load(x.key) {
				return nil
			}
			continue
		}
		o := all[i]
		if o.dead.Load() || c.invalidations.concern(o) {
			c.counts.invalidated.Add(1)
			c.remove(o)
			continue
		}
		if o.hold() {
			return o
		}
	}
	return nil
}

// release lets go of what find returned.
func (c *Cache) release(o *object) {
	if o != nil {
		c.memory.release(o)
	}
}

// fromStore answers with a stored response if it may be used as it is.
func (x *exchange) fromStore(o *object) (Outcome, bool) {
	now := time.Now()
	switch {
	case o.fresh(now):
	case now.UnixNano() < o.excused.Load() && o.staleIfError(now):
	case o.staleWhileRevalidate(now):
		x.refresh(o)
	case x.wants.maxStale > 0 && o.staleAtMost(now, x.wants.maxStale):
	default:
		return Outcome{}, false
	}
	if !o.used.Load() {
		o.used.Store(true)
	}
	return x.sendObject(o, now, hit)
}

// refresh has a stale response fetched anew while clients get it still, once at a time.
func (x *exchange) refresh(o *object) {
	if o.refreshing.Swap(true) {
		return
	}
	c, k := x.cache, x.flightKey()
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	if c.flights.of[k] != nil {
		o.refreshing.Store(false)
		return
	}
	f := x.depart(k, o, false)
	f.abandon()
	go func() {
		f.run()
		o.refreshing.Store(false) // the next client tries again if this came to nothing
	}()
}

// board waits for a flight's head and answers with what it brings; false when that is
// not for this request.
func (x *exchange) board(f *flight, r *reader, leads bool) (Outcome, bool) {
	ctx := x.in.Context()
	select {
	case <-f.head:
	case <-ctx.Done():
		f.leave(r)
		return Outcome{Result: resultError, Detail: "ClientCommError"}, true
	}
	if !leads {
		x.collapsed = true
	}
	switch f.verdict {
	case direct:
		if leads {
			return x.accompany(f, r), true
		}
	case stored:
		if leads || f.usable(x) {
			if r.spool == nil && !f.spool.attach(r) {
				return Outcome{}, false
			}
			return x.sendFlight(f, r, leads), true
		}
		if r.spool != nil {
			r.leave()
		}
	case revalidated, excused:
		return x.fromFlight(f, leads)
	case failed:
		if leads {
			panic(http.ErrAbortHandler)
		}
	}
	return Outcome{}, false
}

// accompany waits while the origin writes to this request's client itself.
func (x *exchange) accompany(f *flight, r *reader) Outcome {
	select {
	case <-f.done:
	case <-x.in.Context().Done():
		f.leave(r)
	}
	if f.panicked {
		panic(http.ErrAbortHandler)
	}
	x.cache.counts.passes.Add(1)
	return outcome(miss, f.status)
}

// usable says whether a flight's response may answer a request that did not start it.
func (f *flight) usable(x *exchange) bool {
	return !f.said.validate && f.said.lifetime > f.said.age && sameVariant(f, x.out.Header) &&
		!x.cache.invalidations.since(f.fetch.seq, x.zone, x.path, x.query)
}

func sameVariant(f *flight, request http.Header) bool {
	return slices.Equal(f.selected, selectingValues(f.varies, request))
}

// fromFlight answers with the stored response that a flight has renewed or excused.
func (x *exchange) fromFlight(f *flight, leads bool) (Outcome, bool) {
	o, now := f.object, time.Now()
	if !o.matches(x.out.Header) || !leads && x.cache.invalidations.since(f.fetch.seq, x.zone, x.path, x.query) {
		return Outcome{}, false
	}
	if o.hold() { // a response that the origin has renewed but forbidden to store is not held
		defer x.cache.memory.release(o)
	}
	if !leads && f.verdict == revalidated && !o.fresh(now) {
		return Outcome{}, false
	}
	how := refreshHit
	if f.verdict == excused {
		how = stale
	}
	return x.sendObject(o, now, how)
}
