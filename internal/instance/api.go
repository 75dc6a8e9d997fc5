package instance

import (
	"bufio"
	"encoding/json"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/sandbox"
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
	taken    bool       // its response is being streamed
}

// reply is what the function said about an event.
type reply struct {
	payload   []byte
	size      int64 // of the response as sent
	failed    bool
	errorType string
}

// api is what one instance's processes talk to: the Runtime API, the Extensions
// API and the Telemetry API, on one listener.
type api struct {
	arn        string
	about      about
	journal    *journal // takes note of subscriptions; nil: nobody does
	maxStream  int64
	truncation time.Duration // how long a broken response waits for the end of its process
	listener   net.Listener
	telemetry  *telemetry
	begins     func(f *flight) // called right before an event is written
	idles      func()          // called when a detached instance is free again
	closing    chan struct{}   // closed by close
	dial       dialer          // to what the function's processes listen on
	booted     chan struct{}   // of a spare: closed when it asks for its assignment

	mu       sync.Mutex
	phase    phase
	exited   <-chan struct{} // closed when the function's process has ended; nil: never
	starter  net.Conn        // a spare that asked for its assignment
	waiter   net.Conn        // asked for the next event
	current  *flight         // given and not answered
	pending  *flight         // to be given to whoever asks next
	lastID   string
	detached bool
	closed   bool
	up       bool // ready is closed
	initErr  *reply
	links    map[net.Conn]*link
	dropped  *sync.Cond // with mu: a link is gone, or turns out to be an extension's
	after    aftermath
	told     chan struct{} // of capacity 1: the end of a lost invocation has been told
	exts     extensions

	ready      chan struct{} // closed when the function and its extensions ask for their first events
	initFailed chan struct{} // closed when the function says that it cannot start
	group      sync.WaitGroup
}

// link is what is known of a connection.
type link struct{ extension bool }

func newAPI(l net.Listener) *api {
	a := &api{
		listener: l, maxStream: MaxStream, truncation: truncationGrace, links: map[net.Conn]*link{},
		ready: make(chan struct{}), initFailed: make(chan struct{}), closing: make(chan struct{}), told: make(chan struct{}, 1),
		telemetry: &telemetry{},
	}
	a.dropped = sync.NewCond(&a.mu)
	a.exts.registered = make(chan struct{})
	return a
}

func (a *api) serve() {
	a.group.Go(func() {
		for {
			conn, err := a.listener.Accept()
			if err != nil {
				return
			}
			if l := a.hold(conn); l != nil {
				a.group.Go(func() { a.converse(conn, l) })
			}
		}
	})
}

// serves says which process the API is the function's of.
func (a *api) serves(proc *sandbox.Process) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.exited = proc.Done()
}

func (a *api) processEnds() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.exited
}

// close ends all connections and returns when nothing serves them any more.
func (a *api) close() {
	a.mu.Lock()
	if !a.closed {
		a.closed = true
		close(a.closing)
	}
	a.listener.Close()
	for conn := range a.links {
		conn.Close()
	}
	a.mu.Unlock()
	a.group.Wait()
}

// quiet waits until the connections that are not extensions' are gone: what the
// function's process said last is heard then. After limit it closes them.
func (a *api) quiet(limit time.Duration) {
	timer := time.AfterFunc(limit, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		for conn, l := range a.links {
			if !l.extension {
				conn.Close()
			}
		}
	})
	defer timer.Stop()
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.talks() {
		a.dropped.Wait()
	}
}

// talks reports whether there is a connection that is not an extension's; the
// lock is held.
func (a *api) talks() bool {
	for _, l := range a.links {
		if !l.extension {
			return true
		}
	}
	return false
}

func (a *api) hold(conn net.Conn) *link {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		conn.Close()
		return nil
	}
	l := &link{}
	a.links[conn] = l
	return l
}

func (a *api) drop(conn net.Conn) {
	conn.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.links, conn)
	if a.waiter == conn {
		a.waiter, a.phase = nil, answered // it asked and left: its next request asks again
	}
	if a.starter == conn {
		a.starter = nil
	}
	a.exts.drop(conn)
	a.dropped.Broadcast()
}

// converse serves one connection until either side is done with it.
func (a *api) converse(conn net.Conn, l *link) {
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
		out := a.streams(&r)
		if err := r.readBody(br); err != nil {
			a.brokenOff(&r)
			return
		}
		if a.waits(conn) {
			return // a request behind an unanswered one: we promise no pipelining
		}
		var answer []byte
		if out != nil {
			answer = out.end(&r)
		} else {
			answer = a.handle(conn, l, &r)
		}
		if answer != nil {
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
	return a.waiter == conn || a.starter == conn || a.exts.waits(conn)
}

const (
	runtimePrefix   = "/2018-06-01/runtime/"
	extensionPrefix = "/2020-01-01/extension/"
	telemetryPath   = "/2022-07-01/telemetry"
	logsPath        = "/2020-08-15/logs"
	startPath       = "/dropstack/start"
)

// handle returns the response, or nil if it is written by somebody else.
func (a *api) handle(conn net.Conn, l *link, r *request) []byte {
	if call, ok := strings.CutPrefix(r.path, runtimePrefix); ok {
		return a.handleRuntime(conn, r, call)
	}
	if r.path == startPath && a.booted != nil {
		return a.boots(conn)
	}
	a.mu.Lock()
	l.extension = true
	a.dropped.Broadcast() // quiet need not wait for it
	a.mu.Unlock()
	if call, ok := strings.CutPrefix(r.path, extensionPrefix); ok {
		return a.handleExtension(conn, r, call)
	}
	switch strings.TrimSuffix(r.path, "/") {
	case telemetryPath:
		return a.handleSubscription(r, false)
	case logsPath:
		return a.handleSubscription(r, true)
	}
	return noSuchCall(r)
}

func noSuchCall(r *request) []byte { return failure(404, "NotFound", "no such call: "+r.path) }

func wrongMethod(r *request, want string) []byte {
	return failure(405, "MethodNotAllowed", r.path+" wants "+want)
}

var accepted = response("202 Accepted", `{"status":"OK"}`+"\n")

var reasons = map[int]string{
	400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 413: "Request Entity Too Large",
}

func failure(status int, errorType, message string) []byte {
	return response(strconv.Itoa(status)+" "+reasons[status], string(problem(errorType, message).payload)+"\n")
}

// response is a whole HTTP response; fields are further header lines.
func response(status, body string, fields ...string) []byte {
	head := "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\n"
	for _, f := range fields {
		head += f + "\r\n"
	}
	return []byte(head + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
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
