// Package cache is a shared HTTP cache (RFC 9111): which stored response a request
// may be answered with, for how long, and what has to be asked again.
//
// The bar is that nobody ever gets a response that was meant for somebody else, or one
// that an origin has said is not to be used any more; where the standard, CloudFront
// and that bar differ, the bar wins and the comment says so. A request goes through
// Serve (serve.go):
//
//   - Its key (key.go) finds stored responses; Vary chooses one (object.go). Fresh, it
//     is sent from memory or disk, by ranges and conditions (send.go).
//   - Otherwise one flight per key asks the origin (flight.go). It belongs to no client:
//     everybody who wants the same waits for its head and then reads its growing body
//     (spool.go) at their own pace, and only a body that came whole is stored.
//   - What cannot be stored (fresh.go) goes straight to the client who started the
//     flight. The key is remembered as one to pass for a while, so that nobody waits
//     behind anybody for it (passes.go).
//
// Memory is the first tier and disk the second (memory.go, disk.go), both with hard
// limits. Invalidations are a log that stored responses are compared with when they
// are about to be used (invalidate.go), so it does not matter in which tier, variant or
// flight a response is.
//
// Clients' Cache-Control: only-if-cached, max-stale and no-store are obeyed. no-cache,
// max-age and min-fresh, and Pragma, are not, as with CloudFront: they are advice to a
// cache (section 5.2.1), and would let any client have the origin asked as often as it
// likes.
package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Request is a request that a stored response may answer.
type Request struct {
	In     *http.Request // as the client sent it: its conditions, ranges and Cache-Control count
	Out    *http.Request // as the origin is to get it, with what is forwarded and nothing else
	Zone   string        // whose responses: the id of a distribution
	Policy *Policy       // nil: nothing is stored
	Origin http.Handler
	// ErrorTTL is how long an origin's answer with an error status is stored, at least;
	// false: only when its own headers say so. nil: of no status.
	ErrorTTL func(status int) (ttl time.Duration, ok bool)
	// Options says that responses to OPTIONS are stored too.
	Options bool
}

// Outcome says how a request was answered, in the words of CloudFront's log.
type Outcome struct {
	Result string // Hit, RefreshHit, Miss, Error
	Detail string // x-edge-detailed-result-type: Hit, OriginShieldHit, MissGeneratedResponse ...; "": as Result
}

// Cache is one cache for every distribution. Its methods may be called at the same
// time, between Open and Close.
type Cache struct {
	Memory int64  // bytes, of stored and of arriving responses; 0: 128 MiB
	Disk   int64  // bytes of files; 0: none are kept
	Dir    string // of the files and of the log of invalidations; "": nothing outlives the process
	Log    *slog.Logger

	memory        *memory
	disk          *disk // nil: none
	invalidations *invalidations
	moving        sync.RWMutex // held to read from the disk into memory, and exclusively to forget a path
	flights       flights
	passes        passes
	counts        counters
	complained    atomic.Int64 // Unix ns
}

// Counters are totals since Open, and what is stored now.
type Counters struct {
	Hits, RefreshHits, Misses, Passes, Collapsed int64
	Objects, Bytes                               int64 // in memory, bodies that arrive included
	DiskObjects, DiskBytes                       int64
	Evicted, Invalidated                         int64
}

type counters struct {
	hits, refreshHits, misses, passes, collapsed, evicted, invalidated atomic.Int64
}

// Counters returns them.
func (c *Cache) Counters() Counters {
	n := Counters{
		Hits: c.counts.hits.Load(), RefreshHits: c.counts.refreshHits.Load(), Misses: c.counts.misses.Load(),
		Passes: c.counts.passes.Load(), Collapsed: c.counts.collapsed.Load(),
		Evicted: c.counts.evicted.Load(), Invalidated: c.counts.invalidated.Load(),
		Objects: c.memory.count.Load(), Bytes: c.memory.reserved.Load(),
	}
	n.DiskObjects, n.DiskBytes = c.disk.held()
	return n
}

// Open reads what an earlier process has left in Dir.
func (c *Cache) Open(context.Context) (err error) {
	if c.Memory == 0 {
		c.Memory = 128 << 20
	}
	c.memory = newMemory(c.Memory)
	c.flights.of, c.flights.alone = map[key]*flight{}, map[*flight]bool{}
	c.passes.until = map[key]time.Time{}
	if c.invalidations, err = openInvalidations(c.Dir); err != nil {
		return fmt.Errorf("invalidations: %w", err)
	}
	c.memory.evicted = func(*object) { c.counts.evicted.Add(1) }
	if c.Dir == "" || c.Disk <= 0 {
		return nil
	}
	if c.disk, err = openDisk(c.Dir, c.Disk, !c.invalidations.lost); err != nil {
		return errors.Join(fmt.Errorf("stored responses: %w", err), c.invalidations.close())
	}
	share := c.Memory / 16 // what waits to be written is no longer memory's, but it is there
	c.memory.limit -= share
	c.memory.evicted = func(o *object) {
		c.counts.evicted.Add(1)
		if o.fresh(time.Now()) {
			c.disk.save(o, share)
		}
	}
	go c.disk.write(c.noRoom)
	return nil
}

// Close ends fetches and writes what memory has to the disk. Nothing may be served any
// more.
func (c *Cache) Close() error {
	c.flights.mu.Lock()
	for _, f := range c.flights.of {
		f.cancel()
	}
	for f := range c.flights.alone {
		f.cancel()
	}
	c.flights.mu.Unlock()
	c.flights.running.Wait()
	if c.disk != nil {
		c.disk.close()
		for _, o := range c.memory.all() {
			if o.file != nil || !o.fresh(time.Now()) || c.invalidations.concern(o) {
				continue
			}
			if err := c.disk.put(o); err != nil {
				c.noRoom(err)
				break
			}
		}
	}
	return c.invalidations.close()
}

// maxInMemory is the size up to which a body is kept in memory.
func (c *Cache) maxInMemory() int64 { return c.Memory / 16 }

// largest is the size up to which a response is stored at all.
func (c *Cache) largest() int64 { return max(c.maxInMemory(), c.disk.largest()) }

// noRoom reports that a response could not be stored, or read back: at most once a
// minute, since what ails one ails all.
func (c *Cache) noRoom(err error) {
	now := time.Now().UnixNano()
	last := c.complained.Load()
	if err != nil && err != errNoDisk && err != errTooLarge && now-last > int64(time.Minute) && c.complained.CompareAndSwap(last, now) {
		c.Log.Warn("stored response lost", "err", err)
	}
}

func (c *Cache) logPanic(x *exchange, v any) {
	c.Log.Error("origin panicked", "zone", x.zone, "path", x.path, "panic", v)
}
