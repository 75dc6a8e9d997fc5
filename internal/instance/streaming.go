package instance

import (
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"time"
)

// MaxStream is what a function may stream in one response, in bytes: 200 MB as
// Lambda's since 2025.
const MaxStream = 200 << 20

// truncationGrace is how long a response that broke off waits for the end of its
// process, which says more about the cause.
const truncationGrace = 2 * time.Second

var errShut = errors.New("the invocation's caller is gone")

// gate keeps Stream's promise that nothing is called once Do has returned.
type gate struct {
	mu    sync.Mutex
	to    Stream
	begun bool
	shut  bool
}

// gated puts a gate before the event's stream; done closes it and must be called
// when Do returns.
func gated(ev Event) (gatedEvent Event, done func()) {
	if ev.Stream == nil {
		return ev, func() {}
	}
	g := &gate{to: ev.Stream}
	ev.Stream = g
	return ev, func() { g.close() }
}

// Begin passes on the first call.
func (g *gate) Begin(contentType string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.shut && !g.begun {
		g.begun = true
		g.to.Begin(contentType)
	}
}

// Write passes b on, or fails once the gate is shut.
func (g *gate) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return 0, errShut
	}
	return g.to.Write(b)
}

// close lets nothing through any more and reports whether anything has been. It
// waits for a call under way.
func (g *gate) close() (begun bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
	return g.begun
}

// streamed ends the stream of an event and reports whether it was begun.
func (f *flight) streamed() bool {
	g, ok := f.event.Stream.(*gate)
	return ok && g.close()
}

// outlet is a streamed response on its way to the caller.
type outlet struct {
	api     *api
	flight  *flight
	room    int64 // what may still be sent
	dropped bool  // the caller left
	over    bool  // past the limit: the flight has its error already
}

// isStreamed reports whether a response is one that the function streams: it says
// so, or it comes in chunks and is not JSON. The latter is how the official Go
// client sends what a handler returns as an io.Reader, which has no header of its
// own for that; JSON it sends in chunks too, whatever the handler.
func (r *request) isStreamed() bool {
	return r.mode == "streaming" || r.mode == "" && r.chunked && r.contentType != "" && r.contentType != "application/json"
}

// streams begins a streamed response, if r is one and the caller takes it so.
func (a *api) streams(r *request) *outlet {
	id, ok := r.responseTo()
	if !ok || !r.isStreamed() {
		return nil
	}
	a.mu.Lock()
	f := a.current
	if a.phase != open || f.id != id || f.taken || f.event.Stream == nil {
		a.mu.Unlock()
		return nil
	}
	f.taken = true
	a.mu.Unlock()
	f.event.Stream.Begin(r.contentType)
	o := &outlet{api: a, flight: f, room: a.maxStream}
	r.sink = o.take
	return o
}

func (o *outlet) take(b []byte) {
	if o.over || o.dropped {
		return
	}
	if int64(len(b)) > o.room {
		b, o.over = b[:o.room], true
	}
	o.room -= int64(len(b))
	if _, err := o.flight.event.Stream.Write(b); err != nil {
		o.dropped = true
	}
	if o.over {
		o.api.settle(o.flight, tooLarge(o.api.maxStream+1, o.api.maxStream))
	}
}

// end answers the request whose body has gone through the outlet.
func (o *outlet) end(r *request) []byte {
	if o.over {
		return entityTooLarge(o.api.maxStream)
	}
	rep := reply{size: r.size}
	if r.errorType != "" {
		rep = midStreamError(r, rep)
	}
	o.api.settle(o.flight, rep)
	return accepted
}

// midStreamError is what the trailers of a response say.
func midStreamError(r *request, rep reply) reply {
	rep.failed, rep.errorType = true, r.errorType
	if body, err := base64.StdEncoding.DecodeString(r.errorBody); err == nil && len(body) > 0 {
		rep.payload = body
	}
	return rep
}

func tooLarge(size, limit int64) reply {
	return problem("Function.ResponseSizeTooLarge",
		fmt.Sprintf("Response payload size (%d bytes) exceeded maximum allowed payload size (%d bytes).", size, limit))
}

func entityTooLarge(limit int64) []byte {
	return failure(413, "RequestEntityTooLarge", fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", limit))
}

// settle gives a flight its reply, unless it has one.
func (a *api) settle(f *flight, rep reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.phase == open && a.current == f {
		a.land(rep)
	}
}

// brokenOff ends the flight whose response did not arrive whole. A process that
// is ending tells the cause by its exit; one that lives has to be answered for.
func (a *api) brokenOff(r *request) {
	id, ok := r.responseTo()
	a.mu.Lock()
	f := a.current
	ours := ok && a.phase == open && f.id == id
	a.mu.Unlock()
	if !ours {
		return
	}
	timer := time.NewTimer(a.truncation)
	defer timer.Stop()
	select {
	case <-a.processEnds():
	case <-a.closing:
	case <-timer.C:
		rep := problem("Runtime.TruncatedResponse", "Response ended before it was complete")
		a.settle(f, withRequest(rep, f.id))
	}
}
