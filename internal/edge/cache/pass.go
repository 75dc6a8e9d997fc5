package cache

import (
	"bufio"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// pass has the origin answer the client directly, with the client's own conditions and
// range; reason is why, in the words of Cache-Status.
func (x *exchange) pass(reason string) Outcome {
	return x.through(&passing{ResponseWriter: x.w, exchange: x, reason: reason})
}

// head passes a HEAD on to the origin; what its response says of the stored one counts
// (RFC 9111, section 4.3.5).
func (x *exchange) head(o *object) Outcome {
	return x.through(&passing{ResponseWriter: x.w, exchange: x, reason: x.reason(o), stored: o})
}

func (x *exchange) through(w *passing) Outcome {
	for _, name := range conditions {
		if values := x.in.Header[name]; len(values) > 0 {
			x.out.Header[name] = values
		} else {
			delete(x.out.Header, name)
		}
	}
	w.requested = time.Now()
	x.cache.counts.passes.Add(1)
	x.origin.ServeHTTP(w, x.out)
	if w.status == 0 {
		w.WriteHeader(http.StatusOK) // as a server does when a handler writes nothing
	}
	return outcome(miss, w.status)
}

// passing is the ResponseWriter of an origin that answers one client. Nothing in it
// holds anything back.
type passing struct {
	http.ResponseWriter
	exchange  *exchange
	reason    string
	stored    *object // that a HEAD speaks of
	requested time.Time
	status    int
}

// Unwrap lets http.ResponseController reach the connection.
func (w *passing) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *passing) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	if status < 200 && status != http.StatusSwitchingProtocols {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.status = status
	w.learn(status)
	w.exchange.sayForwarded(w.Header(), status, w.reason, false)
	w.ResponseWriter.WriteHeader(status)
}

func (w *passing) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// FlushError sends what has been written.
func (w *passing) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is for those who ask for an http.Flusher.
func (w *passing) Flush() { _ = w.FlushError() }

// Hijack hands the connection over: a WebSocket's origin speaks to the client itself.
func (w *passing) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil && w.status == 0 {
		w.status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}

// learn takes from the head of a response what it means for what is stored, before the
// client knows of it.
func (w *passing) learn(status int) {
	x := w.exchange
	switch x.method {
	case http.MethodGet:
		if x.key == (key{}) || x.noStore || status == http.StatusPartialContent || status == http.StatusNotModified {
			return
		}
		if j := x.judge(status, w.Header(), w.requested, time.Now()); j.store && contentLength(w.Header()) <= x.cache.largest() {
			x.cache.passes.unmark(x.flightKey())
		}
	case http.MethodHead:
		if w.stored != nil {
			x.freshenByHead(w.stored, status, w.Header(), w.requested)
		}
	case http.MethodOptions, http.MethodTrace, "PROPFIND", "REPORT", "SEARCH", "QUERY": // safe
	default:
		if status >= 200 && status < 400 {
			x.unsafeDone(w.Header())
		}
	}
}

// unsafeDone invalidates what a successful request with an unsafe method has changed:
// everything stored of its path, and of the paths that Location and Content-Location
// name on the same host (RFC 9111, section 4.4). Other queries and hosts of a path go
// too: that costs a fetch, and what a POST changes is seldom seen under one query only.
func (x *exchange) unsafeDone(h http.Header) {
	x.cache.forget(x.zone, x.in.URL.EscapedPath())
	for _, name := range []string{"Location", "Content-Location"} {
		for _, value := range h[name] {
			u, err := url.Parse(value)
			if err != nil {
				continue
			}
			at := x.in.URL.ResolveReference(u)
			if u.Host == "" || strings.EqualFold(u.Host, x.in.Host) {
				x.cache.forget(x.zone, at.EscapedPath())
			}
		}
	}
}
