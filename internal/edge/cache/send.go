package cache

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// source is where the bytes of a response come from.
type source interface {
	// copy writes bytes [from, to) to the client; to is -1 for all that follows. Of
	// errors only errClient is the client's.
	copy(ctx context.Context, w http.ResponseWriter, from, to int64) error
	close()
}

// errClient means that the client takes no more.
var errClient = errors.New("client has gone")

// sendObject answers with a stored response, by the client's conditions and ranges;
// false, with nothing written, when its file cannot be read.
func (x *exchange) sendObject(o *object, now time.Time, how how) (Outcome, bool) {
	from, ok := x.cache.open(o)
	if !ok {
		x.cache.remove(o)
		return Outcome{}, false
	}
	defer from.close()
	h := x.w.Header()
	copyHeader(h, o.header)
	h["Age"] = []string{itoa(int64(o.currentAge(now) / time.Second))}
	sayStored(h, how, o.status, o.left(now))
	if how == refreshHit {
		x.cache.counts.refreshHits.Add(1)
	} else {
		x.cache.counts.hits.Add(1)
	}
	return outcome(how, x.send(o.status, o.header, o.size, from)), true
}

// sendFlight answers with a response that is arriving.
func (x *exchange) sendFlight(f *flight, r *reader, leads bool) Outcome {
	f.mu.Lock()
	f.rest()
	f.mu.Unlock()
	defer r.leave()
	h := x.w.Header()
	copyHeader(h, f.header)
	if leads {
		copyHeader(h, f.own)
	}
	if f.length >= 0 {
		h["Content-Length"] = []string{itoa(f.length)}
	}
	if !leads || f.said.age >= time.Second {
		h["Age"] = []string{itoa(int64((f.said.age + time.Since(f.received)) / time.Second))}
	}
	x.sayForwarded(h, f.status, x.reason(f.stale), true)
	if leads {
		x.cache.counts.misses.Add(1)
	} else {
		x.cache.counts.collapsed.Add(1)
	}
	sent := x.send(f.status, f.header, f.length, r)
	if sent == f.status && f.length >= 0 {
		r.stay(x.in.Context())
	}
	return outcome(miss, sent)
}

// send writes head and body, whose size is -1 while it is not known, and returns the
// status that the client was sent. The stored header is in the client's already.
func (x *exchange) send(status int, stored http.Header, size int64, from source) int {
	w, h, ctx := x.w, x.w.Header(), x.in.Context()
	var parts []span
	if status == http.StatusOK && x.method != http.MethodOptions {
		switch x.preconditions(h) {
		case http.StatusNotModified:
			for _, name := range []string{"Content-Length", "Content-Type", "Content-Encoding"} {
				delete(h, name)
			}
			w.WriteHeader(http.StatusNotModified)
			return http.StatusNotModified
		case http.StatusPreconditionFailed:
			clearStored(h, stored)
			return x.refuse(http.StatusPreconditionFailed)
		}
		if x.partial && size >= 0 && x.method == http.MethodGet && x.sameRange(h) {
			var satisfiable bool
			if parts, satisfiable = ranges(x.in.Header.Get("Range"), size); !satisfiable {
				clearStored(h, stored)
				h["Content-Range"] = []string{"bytes */" + itoa(size)}
				return x.refuse(http.StatusRequestedRangeNotSatisfiable)
			}
		}
	}
	var err error
	switch {
	case len(parts) == 1:
		status = http.StatusPartialContent
		h["Content-Range"] = []string{parts[0].contentRange(size)}
		h["Content-Length"] = []string{itoa(parts[0].to - parts[0].from)}
		w.WriteHeader(status)
		err = from.copy(ctx, w, parts[0].from, parts[0].to)
	case len(parts) > 1:
		status = http.StatusPartialContent
		err = sendParts(ctx, w, parts, size, from)
	default:
		w.WriteHeader(status)
		if x.method != http.MethodHead && size != 0 && status != http.StatusNoContent {
			err = from.copy(ctx, w, 0, size)
		}
	}
	if err != nil && err != errClient && ctx.Err() == nil {
		panic(http.ErrAbortHandler) // what the client has so far must not look whole
	}
	return status
}

// clearStored takes the fields of the stored response out again, for an answer of the
// cache's own.
func clearStored(h, stored http.Header) {
	for name := range stored {
		if name != "Cache-Status" && name != "Date" {
			delete(h, name)
		}
	}
	delete(h, "Age")
}

// refuse answers without content.
func (x *exchange) refuse(status int) int {
	h := x.w.Header()
	h["Content-Length"] = []string{"0"}
	setXCache(h, hit, status)
	x.w.WriteHeader(status)
	return status
}

// preconditions evaluates the client's conditions against the response whose header is
// given, in the order of RFC 9110, section 13.2.2; 0 when it is to be sent.
func (x *exchange) preconditions(h http.Header) int {
	in := x.in.Header
	if len(in["If-None-Match"])+len(in["If-Modified-Since"])+len(in["If-Match"])+len(in["If-Unmodified-Since"]) == 0 {
		return 0
	}
	etag := h.Get("Etag")
	modified, timeErr := http.ParseTime(h.Get("Last-Modified"))
	if lines := in["If-Match"]; len(lines) > 0 {
		if !anyTag(lines, etag, strongMatch) {
			return http.StatusPreconditionFailed
		}
	} else if since, err := http.ParseTime(in.Get("If-Unmodified-Since")); err == nil && timeErr == nil && modified.After(since) {
		return http.StatusPreconditionFailed
	}
	if lines := in["If-None-Match"]; len(lines) > 0 {
		if anyTag(lines, etag, weakMatch) {
			return http.StatusNotModified
		}
		return 0 // If-Modified-Since does not count then
	}
	line := in["If-Modified-Since"]
	if len(line) == 0 {
		return 0
	}
	if timeErr != nil { // RFC 9111, section 4.3.2: the date it was made
		modified, timeErr = http.ParseTime(h.Get("Date"))
	}
	if since, err := http.ParseTime(line[0]); err == nil && timeErr == nil && !modified.After(since) {
		return http.StatusNotModified
	}
	return 0
}

// copy of an object is for those that have their body in memory.
func (o *object) copy(_ context.Context, w http.ResponseWriter, from, to int64) error {
	if _, err := w.Write(o.body[from:to]); err != nil {
		return errClient
	}
	return nil
}

func (o *object) close() {}

// copy of a reader begins where the last one ended or later.
func (r *reader) copy(ctx context.Context, w http.ResponseWriter, from, to int64) error {
	r.skip(from)
	control := http.NewResponseController(w)
	for to < 0 || r.at < to {
		p, err := r.next(ctx, to)
		switch {
		case err == io.EOF && to < 0:
			return nil
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		case p == nil:
			_ = control.Flush() // not supported: the server sends when it likes
			continue
		}
		if _, err := w.Write(p); err != nil {
			return errClient
		}
	}
	return nil
}

// skip moves on to a position.
func (r *reader) skip(to int64) {
	r.spool.mu.Lock()
	r.at = max(r.at, to)
	r.spool.mu.Unlock()
}

// stay waits until the response has been stored, so that a client which has had all of
// it finds it there.
func (r *reader) stay(ctx context.Context) {
	for {
		if _, err := r.next(ctx, -1); err != nil {
			return
		}
	}
}

func (r *reader) close() {}
