package instance

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// phase is where an instance stands with its events.
type phase uint8

const (
	starting phase = iota // has not asked for an event yet
	waiting               // asks for an event: waiter
	open                  // has an event: current
	answered              // has answered and not asked for another yet
)

// flight is an event on its way through an instance.
type flight struct {
	id       string
	event    Event
	deadline time.Time
	result   chan reply // of capacity 1
}

// reply is what the function said about an event.
type reply struct {
	payload   []byte
	failed    bool
	errorType string
}

// api is the Runtime API of one instance.
type api struct {
	arn      string
	listener net.Listener
	begins   func(f *flight) // called right before an event is written
	idles    func()          // called when a detached instance asks for an event

	mu       sync.Mutex
	phase    phase
	waiter   net.Conn // asked for the next event
	current  *flight  // given and not answered
	pending  *flight  // to be given to whoever asks next
	lastID   string
	detached bool
	closed   bool
	initErr  *reply
	conns    map[net.Conn]struct{}

	ready chan struct{} // closed when the function asks for its first event
	group sync.WaitGroup
}

func newAPI(arn string, l net.Listener) *api {
	return &api{arn: arn, listener: l, conns: map[net.Conn]struct{}{}, ready: make(chan struct{})}
}

func (a *api) serve() {
	a.group.Go(func() {
		for {
			conn, err := a.listener.Accept()
			if err != nil {
				return
			}
			if a.hold(conn) {
				a.group.Go(func() { a.converse(conn) })
			}
		}
	})
}

// close ends all connections and returns when nothing serves them any more.
func (a *api) close() {
	a.mu.Lock()
	a.closed = true
	a.listener.Close()
	for conn := range a.conns {
		conn.Close()
	}
	a.mu.Unlock()
	a.group.Wait()
}

func (a *api) hold(conn net.Conn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		conn.Close()
		return false
	}
	a.conns[conn] = struct{}{}
	return true
}

func (a *api) drop(conn net.Conn) {
	conn.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.conns, conn)
	if a.waiter == conn {
		a.waiter, a.phase = nil, answered // it asked and left: its next request asks again
	}
}

// converse serves one connection until either side is done with it.
func (a *api) converse(conn net.Conn) {
	defer a.drop(conn)
	br := bufio.NewReaderSize(conn, 16<<10)
	for {
		var r request
		if err := r.read(br); err != nil {
			if err == errMalformed {
				_, _ = conn.Write(failure(400, "BadRequest", "malformed request"))
			}
			return
		}
		if r.expects {
			if _, err := conn.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
				return
			}
		}
		if err := r.readBody(br); err != nil {
			return
		}
		if a.waits(conn) {
			return // a request behind an unanswered one: we promise no pipelining
		}
		if answer := a.handle(conn, &r); answer != nil {
			if _, err := conn.Write(answer); err != nil {
				return
			}
		}
		if r.last && !a.waits(conn) {
			return
		}
	}
}

func (a *api) waits(conn net.Conn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.waiter == conn
}

const prefix = "/2018-06-01/runtime/"

// handle returns the response, or nil if it is written by somebody else.
func (a *api) handle(conn net.Conn, r *request) []byte {
	call, ok := strings.CutPrefix(r.path, prefix)
	if !ok {
		return failure(404, "NotFound", "no such call: "+r.path)
	}
	method := "POST"
	id, verb, invocation := strings.Cut(strings.TrimPrefix(call, "invocation/"), "/")
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
	case invocation && strings.HasPrefix(call, "invocation/") && (verb == "response" || verb == "error"):
		if r.method == "POST" {
			return a.answer(r, id, verb == "error")
		}
	default:
		return failure(404, "NotFound", "no such call: "+r.path)
	}
	return failure(405, "MethodNotAllowed", r.path+" wants "+method)
}

// isReady reports whether the function has asked for an event ever.
func (a *api) isReady() bool {
	select {
	case <-a.ready:
		return true
	default:
		return false
	}
}

func (a *api) next(conn net.Conn) []byte {
	a.mu.Lock()
	if a.phase == open || a.phase == waiting {
		a.mu.Unlock()
		return transition("next", a.phase)
	}
	if a.phase == starting {
		close(a.ready)
	}
	if f := a.pending; f != nil {
		a.pending, a.current, a.phase = nil, f, open
		a.mu.Unlock()
		_ = a.give(conn, f) // a broken connection ends the function's process
		return nil
	}
	a.waiter, a.phase = conn, waiting
	detached := a.detached
	a.detached = false
	a.mu.Unlock()
	if detached {
		a.idles()
	}
	return nil
}

// begin hands an event to the function, or leaves it for when the function asks.
func (a *api) begin(f *flight) (given bool, err error) {
	a.mu.Lock()
	if a.phase != waiting {
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

// detach asks for idles to be called when the function asks for an event; it
// reports false if it does already.
func (a *api) detach() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.detached = a.phase != waiting
	return a.detached
}

func (a *api) isDetached() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.detached
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
	b := make([]byte, 0, 512+len(ev.ClientContext)+min(len(ev.Payload), large))
	b = append(b, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: "...)
	b = append(b, f.id...)
	b = append(b, "\r\nLambda-Runtime-Deadline-Ms: "...)
	b = strconv.AppendInt(b, f.deadline.UnixMilli(), 10)
	b = append(b, "\r\nLambda-Runtime-Invoked-Function-Arn: "...)
	b = append(b, oneLine(arn)...)
	b = append(b, "\r\nLambda-Runtime-Trace-Id: "...)
	b = append(b, oneLine(ev.TraceID)...)
	if ev.ClientContext != "" {
		b = append(b, "\r\nLambda-Runtime-Client-Context: "...)
		b = append(b, oneLine(ev.ClientContext)...)
	}
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

// oneLine keeps a value from ending its header: line ends mean nothing in JSON.
func oneLine(s string) string {
	if !strings.ContainsAny(s, "\r\n\x00") {
		return s
	}
	return strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ").Replace(s)
}

var accepted = response("202 Accepted", `{"status":"OK"}`+"\n")

func (a *api) answer(r *request, id string, failed bool) []byte {
	rep := reply{payload: r.body, failed: failed, errorType: r.errorType}
	if r.errorType != "" && !failed { // it failed in mid-stream and said so in the trailers
		rep.failed = true
		if body, err := base64.StdEncoding.DecodeString(r.errorBody); err == nil && len(body) > 0 {
			rep.payload = body
		}
	}
	tooLarge := r.size > MaxResponse
	if tooLarge {
		rep = problem("Function.ResponseSizeTooLarge",
			fmt.Sprintf("Response payload size (%d bytes) exceeded maximum allowed payload size (%d bytes).", r.size, MaxResponse))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.phase == open && a.current.id == id:
		a.current.result <- rep
		a.current, a.lastID, a.phase = nil, id, answered
	case a.lastID == id && id != "":
		return transition("response", a.phase)
	default:
		return failure(400, "InvalidRequestID", "Invalid request ID")
	}
	if tooLarge {
		return failure(413, "RequestEntityTooLarge", fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", MaxResponse))
	}
	return accepted
}

func (a *api) initError(r *request) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.phase != starting || a.initErr != nil {
		return transition("init/error", a.phase)
	}
	a.initErr = &reply{payload: r.body, failed: true, errorType: r.errorType}
	return accepted
}

// initFailure is what the function said about its own start, if anything.
func (a *api) initFailure() *reply {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.initErr
}

func transition(call string, from phase) []byte {
	names := [...]string{"Init", "Ready", "Running", "Responded"}
	return failure(403, "InvalidStateTransition", "State transition from "+names[from]+" by "+call+" is not allowed.")
}

var reasons = map[int]string{
	400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 413: "Request Entity Too Large",
}

func failure(status int, errorType, message string) []byte {
	return response(strconv.Itoa(status)+" "+reasons[status], string(problem(errorType, message).payload)+"\n")
}

func response(status, body string) []byte {
	return []byte("HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// problem is an error object of ours.
func problem(errorType, message string) reply {
	b, err := json.Marshal(struct {
		ErrorMessage string `json:"errorMessage"`
		ErrorType    string `json:"errorType"`
	}{message, errorType})
	if err != nil {
		panic(err) // two strings always marshal
	}
	return reply{payload: b, failed: true, errorType: errorType}
}
