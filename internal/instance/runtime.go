package instance

import (
	"net"
	"strconv"
	"strings"
	"time"
)

// handleRuntime serves a call of the Runtime API.
func (a *api) handleRuntime(conn net.Conn, r *request, call string) []byte {
	method := "POST"
	_, verb, invocation := splitInvocation(call)
	switch {
	case call == "invocation/next":
		if r.method == "GET" {
			return a.next(conn)
		}
		method = "GET"
	case call == "init/error":
		if r.method == "POST" {
			return a.initError(r)
		}
	case invocation && (verb == "response" || verb == "error"):
		if r.method == "POST" {
			return a.answer(r)
		}
	default:
		return noSuchCall(r)
	}
	return wrongMethod(r, method)
}

// splitInvocation takes invocation/ID/VERB apart.
func splitInvocation(call string) (id, verb string, ok bool) {
	rest, ok := strings.CutPrefix(call, "invocation/")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}

// responseTo is the id of the invocation that the request responds to.
func (r *request) responseTo() (id string, ok bool) {
	call, ok := strings.CutPrefix(r.path, runtimePrefix)
	if !ok || r.method != "POST" {
		return "", false
	}
	id, verb, ok := splitInvocation(call)
	return id, ok && verb == "response"
}

func (a *api) next(conn net.Conn) []byte {
	a.mu.Lock()
	if a.phase == open || a.phase == waiting {
		defer a.mu.Unlock()
		return transition(a.phase, "Ready")
	}
	if a.phase == starting {
		a.exts.closed = true
	}
	a.waiter, a.phase = conn, waiting
	a.advance()
	return nil
}

// advance moves on after the function or an extension has come back for more: to
// the next event, if one is there. The lock is held, and released.
func (a *api) advance() {
	done, report := a.after.take(a.phase == waiting, a.exts.owing == 0)
	if !a.up && a.phase == waiting && a.exts.allReady() {
		a.up = true
		a.telemetry.initOver()
		close(a.ready)
	}
	var conn net.Conn
	var f *flight
	idle := false
	if a.free() {
		if f = a.pending; f != nil {
			conn = a.waiter
			a.pending, a.waiter, a.current, a.phase = nil, nil, f, open
		} else {
			idle, a.detached = a.detached, false
		}
	}
	a.mu.Unlock()
	call(done)
	call(report)
	if f != nil {
		_ = a.give(conn, f) // a broken connection ends the function's process
	}
	if idle {
		a.idles()
	}
}

func call(f func()) {
	if f != nil {
		f()
	}
}

// isReady reports whether the instance has been ready for an event ever.
func (a *api) isReady() bool {
	select {
	case <-a.ready:
		return true
	default:
		return false
	}
}

// free reports whether an event can be given at once; the lock is held.
func (a *api) free() bool { return a.up && a.phase == waiting && a.exts.owing == 0 }

// begin hands an event to the function, or leaves it for when the instance is
// free.
func (a *api) begin(f *flight) (given bool, err error) {
	a.mu.Lock()
	if !a.free() {
		f.event.Payload = append([]byte(nil), f.event.Payload...)
		a.pending = f
		a.mu.Unlock()
		return false, nil
	}
	conn := a.waiter
	a.waiter, a.current, a.phase = nil, f, open
	a.mu.Unlock()
	return true, a.give(conn, f)
}

// withdraw takes an event back that the function has not asked for.
func (a *api) withdraw(f *flight) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pending != f {
		return false
	}
	a.pending = nil
	return true
}

// detach asks for idles to be called when the instance is free; it reports false
// if it is already.
func (a *api) detach() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.detached = !a.free()
	return a.detached
}

func (a *api) isFree() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.free()
}

func (a *api) isDetached() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.detached
}

// lags reports whether the instance is not yet free after an event.
func (a *api) lags(f *flight) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lastID == f.id && a.phase != open && !a.free()
}

// aftermath is what to tell of an invocation once the function has come back for
// the next event (done), and its extensions too (report).
type aftermath struct{ done, report func() }

// take removes what is due.
func (m *aftermath) take(back, allBack bool) (done, report func()) {
	if !back {
		return nil, nil
	}
	done, m.done = m.done, nil
	if allBack {
		report, m.report = m.report, nil
	}
	return done, report
}

// conclude has done and report called in their time, or at once when nobody is
// to come back.
func (a *api) conclude(m aftermath, lost bool) {
	if m.done == nil && !lost {
		return
	}
	a.mu.Lock()
	a.after = m
	done, report := a.after.take(lost || a.phase == waiting, lost || a.exts.owing == 0)
	a.mu.Unlock()
	call(done)
	call(report)
	if lost {
		select {
		case a.told <- struct{}{}:
		default:
		}
	}
}

// concluded has what is left to tell told, since nobody comes back any more: of
// the invocation that has been answered, or that is just being given up.
func (a *api) concluded(limit time.Duration) {
	a.mu.Lock()
	m, underWay := a.after, a.phase == open
	a.after = aftermath{}
	a.mu.Unlock()
	call(m.done)
	call(m.report)
	if underWay {
		select {
		case <-a.told:
		case <-time.After(limit):
		}
	}
}

// large is the size above which an event is not copied to be written at once
// with its header.
const large = 64 << 10

func (a *api) give(conn net.Conn, f *flight) error {
	a.begins(f)
	ev := &f.event
	arn := ev.InvokedARN
	if arn == "" {
		arn = a.arn
	}
	a.exts.invoke(a, f, arn)
	b := make([]byte, 0, 512+len(ev.ClientContext)+len(ev.CognitoIdentity)+min(len(ev.Payload), large))
	b = append(b, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: "...)
	b = append(b, f.id...)
	b = append(b, "\r\nLambda-Runtime-Deadline-Ms: "...)
	b = strconv.AppendInt(b, f.deadline.UnixMilli(), 10)
	b = append(b, "\r\nLambda-Runtime-Invoked-Function-Arn: "...)
	b = append(b, oneLine(arn)...)
	b = appendField(b, "\r\nLambda-Runtime-Trace-Id: ", ev.TraceID)
	b = appendField(b, "\r\nLambda-Runtime-Client-Context: ", ev.ClientContext)
	b = appendField(b, "\r\nLambda-Runtime-Cognito-Identity: ", ev.CognitoIdentity)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(ev.Payload)), 10)
	b = append(b, "\r\n\r\n"...)
	if len(ev.Payload) <= large {
		_, err := conn.Write(append(b, ev.Payload...))
		return err
	}
	// A function that does not read must not hold us beyond its deadline.
	_ = conn.SetWriteDeadline(f.deadline)
	defer conn.SetWriteDeadline(time.Time{})
	_, err := (&net.Buffers{b, ev.Payload}).WriteTo(conn)
	return err
}

// appendField appends a header field that is left out when it is empty.
func appendField(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return append(append(b, name...), oneLine(value)...)
}

// oneLine keeps a value from ending its header: line ends mean nothing in JSON.
func oneLine(s string) string {
	if !strings.ContainsAny(s, "\r\n\x00") {
		return s
	}
	return strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ").Replace(s)
}

// answer serves a response that is gathered, or an error.
func (a *api) answer(r *request) []byte {
	id, verb, _ := splitInvocation(strings.TrimPrefix(r.path, runtimePrefix))
	rep := reply{payload: r.body, size: r.size, failed: verb == "error", errorType: r.errorType}
	if r.errorType != "" && !rep.failed { // it failed in mid-stream and said so in the trailers
		rep = midStreamError(r, rep)
	}
	result := accepted
	switch {
	case r.mode != "" && r.mode != "streaming" && !rep.failed:
		rep = withRequest(problem("Runtime.InvalidResponseModeHeader", "Invalid function response mode: "+r.mode), id)
		result = failure(400, "InvalidFunctionResponseMode", "Invalid function response mode")
	case r.size > MaxResponse:
		rep = tooLarge(r.size, MaxResponse)
		result = entityTooLarge(MaxResponse)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.phase == open && a.current.id == id && !a.current.taken:
		a.land(rep)
		return result
	case a.phase == open && a.current.id == id, a.lastID == id && id != "" && a.phase != open:
		return transition(a.phase, map[string]string{"response": "InvocationResponse", "error": "InvocationErrorResponse"}[verb])
	}
	return failure(400, "InvalidRequestID", "Invalid request ID")
}

// land ends the flight under way; the lock is held.
func (a *api) land(rep reply) {
	a.current.result <- rep
	a.lastID, a.current, a.phase = a.current.id, nil, answered
}

func (a *api) initError(r *request) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.phase != starting || a.initErr != nil {
		return transition(a.phase, "InitError")
	}
	a.initErr = &reply{payload: r.body, failed: true, errorType: r.errorType}
	close(a.initFailed)
	return accepted
}

// initFailure is what the function said about its own start, if anything.
func (a *api) initFailure() *reply {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.initErr
}

// transition refuses a call in the words of the runtime interface emulator.
func transition(from phase, to string) []byte {
	names := [...]string{"Started", "Ready", "Running", "RuntimeResponseSentState"}
	return failure(403, "InvalidStateTransition",
		"State transition from "+names[from]+" to "+to+" failed for runtime. Error: State transition is not allowed")
}
