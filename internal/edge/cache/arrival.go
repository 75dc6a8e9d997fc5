package cache

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// arrival is the ResponseWriter that a flight's origin writes to. When the head is
// complete it decides where the body goes.
type arrival struct {
	flight    *flight
	header    http.Header
	requested time.Time
	wrote     bool
	written   int64
	length    int64     // Content-Length; -1: not said
	body      io.Writer // nil: nobody wants it
	encoder   encoder   // nil: stored as it comes
	short     bool      // a write of it failed
}

func (w *arrival) Header() http.Header { return w.header }

func (w *arrival) WriteHeader(status int) {
	if w.wrote || status < 200 { // interim responses are for one client only
		return
	}
	w.wrote = true
	if w.length = -1; status != http.StatusNoContent && status != http.StatusNotModified {
		w.length = contentLength(w.header)
	}
	w.decide(status)
	if f := w.flight; f.verdict != stored {
		f.unlist()
	}
}

func (w *arrival) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.length >= 0 && w.written+int64(len(p)) > w.length {
		w.short = true
		return 0, http.ErrContentLength
	}
	w.written += int64(len(p))
	if w.body == nil {
		return len(p), nil
	}
	n, err := w.body.Write(p)
	if err != nil {
		w.short = true
	}
	return n, err
}

// FlushError passes on what has been written, for responses that are streamed.
func (w *arrival) FlushError() error {
	w.WriteHeader(http.StatusOK)
	f := w.flight
	switch {
	case f.verdict == direct:
		return http.NewResponseController(f.w).Flush()
	case f.verdict == stored:
		if w.encoder != nil {
			if err := w.encoder.Flush(); err != nil {
				return err
			}
		}
		f.spool.flush()
	}
	return nil
}

// Flush is for those who ask for an http.Flusher.
func (w *arrival) Flush() { _ = w.FlushError() }

func contentLength(h http.Header) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(h.Get("Content-Length")), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// decide is called once, with the head.
func (w *arrival) decide(status int) {
	f, x, now := w.flight, &w.flight.fetch, time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = status
	switch {
	case f.stale != nil && status == http.StatusNotModified:
		w.notModified(now)
		return
	case f.stale != nil && failing(status) && f.stale.staleIfError(now):
		f.stale.excuse(now, x.errorLifetime(status))
		f.object = f.stale
		f.cancel()
		f.settle(excused)
		return
	}
	j := x.judge(status, w.header, w.requested, now)
	if j.store && w.length > x.cache.largest() {
		j.store, j.why = false, "its size"
	}
	if f.stale != nil && !failing(status) {
		x.cache.remove(f.stale) // there is something newer (RFC 9111, section 4.3.3)
	}
	if !j.store {
		w.pass(status)
		return
	}
	w.keep(status, j, now)
}

// pass has the response go to the leader alone, whose goroutine waits meanwhile.
func (w *arrival) pass(status int) {
	f, x := w.flight, &w.flight.fetch
	x.cache.passes.mark(x.flightKey())
	if !f.waiting[f.leader] {
		f.cancel()
		f.settle(failed)
		return
	}
	if x.partial && status == http.StatusOK && (w.length < 0 || w.length > wholeAnyway) {
		f.cancel() // a client that wants a part of something large asks for that itself
		f.settle(released)
		return
	}
	copyHeader(f.w.Header(), w.header)
	x.sayForwarded(f.w.Header(), status, x.reason(f.stale), false)
	f.w.WriteHeader(status)
	w.body = f.w
	f.settle(direct)
}

// wholeAnyway is the size of a response up to which a client that asked for a part is
// sent the whole, rather than the origin be asked again.
const wholeAnyway = 1 << 20

// keep has the response stored while it is sent to everybody who waits.
func (w *arrival) keep(status int, j judgement, now time.Time) {
	f, x := w.flight, &w.flight.fetch
	f.said, f.received = j, now
	f.varies = varyNames(w.header["Vary"])
	f.selected = selectingValues(f.varies, x.out.Header)
	f.header = storedHeader(w.header, j.strip, now)
	f.own = leftOut(w.header, j.strip)
	f.length = w.length
	if status == http.StatusNoContent {
		f.length = 0
	}
	encoding := x.encode(status, f.header, w.length, j)
	if encoding != "" {
		f.length = -1
	}
	f.spool = x.cache.newSpool(f.length, f.waiting)
	f.spool.alone, f.spool.stop = f.unread, x.out.Context().Done()
	w.body = f.spool
	if encoding != "" {
		w.encoder = newEncoder(encoding, f.spool)
		w.body = w.encoder
	}
	if len(f.waiting) == 0 {
		f.abandon()
	} else {
		f.rest()
	}
	f.settle(stored)
}

// leftOut are the fields that are not stored, for the client whose response it is. What
// describes the body is said anew for everybody.
func leftOut(h http.Header, names []string) http.Header {
	var own http.Header
	for _, name := range names {
		if len(h[name]) == 0 || slices.Contains(hop, name) || strings.HasPrefix(name, "Content-") || name == "Etag" {
			continue
		}
		if own == nil {
			own = http.Header{}
		}
		own[name] = slices.Clone(h[name])
	}
	return own
}

// unread is called when the last reader has left, by the reader.
func (f *flight) unread() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.abandon()
}

// notModified renews the stored response; f.mu is held.
func (w *arrival) notModified(now time.Time) {
	f, x := w.flight, &w.flight.fetch
	if etag := w.header.Get("Etag"); etag != "" && !weakMatch(etag, f.stale.header.Get("Etag")) {
		x.cache.remove(f.stale)
		f.settle(unmatched)
		return
	}
	f.object = x.renew(f.stale, w.header, w.requested, now)
	if f.doomed.Load() {
		x.cache.remove(f.object)
	}
	f.settle(revalidated)
}

// end is called when the origin has returned, or given up: whole is false.
func (w *arrival) end(whole bool) {
	f := w.flight
	if whole && !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	if !w.wrote {
		f.unlist()
		f.mu.Lock()
		if f.stale != nil && f.stale.staleIfError(time.Now()) {
			f.stale.excuse(time.Now(), f.fetch.errorLifetime(http.StatusBadGateway))
			f.object = f.stale
			f.settle(excused)
		} else {
			f.settle(failed)
		}
		f.mu.Unlock()
		return
	}
	whole = whole && !w.short && (w.length < 0 || w.written == w.length)
	switch f.verdict {
	case direct:
		f.panicked = !whole
		copyTrailers(f.w.Header(), w.header)
	case stored:
		w.store(whole)
	}
}

// store makes an object of the spool and ends it, in this order: whoever has had the
// last byte finds it stored.
func (w *arrival) store(whole bool) {
	f := w.flight
	var err error
	if w.encoder != nil && whole {
		err = w.encoder.Close()
	}
	if !whole {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		f.fetch.cache.storeFlight(f)
	}
	f.unlist()
	f.spool.end(err)
}

// copyTrailers passes on the fields that an origin has set after the body.
func copyTrailers(to, from http.Header) {
	for name, values := range from {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			to[name] = values
		}
	}
	for _, line := range to["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if values := from[name]; values != nil {
				to[name] = values
			}
		}
	}
}
