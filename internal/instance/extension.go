package instance

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/sandbox"
)

// maxExtensions is how many extensions a function may have, external and
// internal ones together.
const maxExtensions = 10

// about is what extensions learn of their function when they register.
type about struct {
	name, version, handler, account string
}

// extension is a process of a layer, or a part of the function's own, that
// follows the life of its instance over the Extensions API.
type extension struct {
	name     string
	id       string
	external bool
	proc     *sandbox.Process // of an external one

	registered bool
	ready      bool // has asked for an event
	events     []string
	waiter     net.Conn // asks for an event
	pending    []byte   // to be given when it asks
	owes       bool     // has an INVOKE and has not come back
	failure    string   // Extension.InitError or Extension.ExitError, as it reported
	reported   string   // its own error type
}

// extensions are those of one instance, guarded by the api's lock.
type extensions struct {
	list       []*extension
	closed     bool          // no registration any more
	registered chan struct{} // closed when all external ones are registered
	fatal      string        // the first failure that one reported
	owing      int           // how many owe
}

// expect makes an external extension known before its process starts.
func (a *api) expect(name string) *extension {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := &extension{name: name, id: newID(), external: true}
	a.exts.list = append(a.exts.list, e)
	return e
}

// newID is a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (x *extensions) allReady() bool {
	return !slices.ContainsFunc(x.list, func(e *extension) bool { return !e.ready })
}

func (x *extensions) waits(conn net.Conn) bool {
	return slices.ContainsFunc(x.list, func(e *extension) bool { return e.waiter == conn })
}

func (x *extensions) drop(conn net.Conn) {
	for _, e := range x.list {
		if e.waiter == conn {
			e.waiter = nil // it asked and left: its next request asks again
		}
	}
}

// extended reports how many extensions there are, by kind.
func (a *api) extended() (internal, external int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.exts.list {
		if e.external {
			external++
		} else {
			internal++
		}
	}
	return internal, external
}

// fatal is the failure that an extension reported first, or "".
func (a *api) fatal() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.exts.fatal
}

// handleExtension serves a call of the Extensions API.
func (a *api) handleExtension(conn net.Conn, r *request, call string) []byte {
	want := "POST"
	if call == "event/next" {
		want = "GET"
	}
	if !slices.Contains([]string{"register", "event/next", "init/error", "exit/error"}, call) {
		return noSuchCall(r)
	}
	if r.method != want {
		return wrongMethod(r, want)
	}
	if call == "register" {
		return a.register(r)
	}
	a.mu.Lock()
	e, refusal := a.exts.caller(r)
	if refusal != nil {
		a.mu.Unlock()
		return refusal
	}
	switch call {
	case "event/next":
		return a.nextFor(e, conn)
	case "init/error":
		defer a.mu.Unlock()
		return a.exts.fail(e, r, "Extension.InitError", !e.ready)
	}
	defer a.mu.Unlock()
	return a.exts.fail(e, r, "Extension.ExitError", true)
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// caller finds the extension that a request comes from.
func (x *extensions) caller(r *request) (e *extension, refusal []byte) {
	id := r.extension.id
	switch {
	case id == "":
		return nil, failure(403, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
	case !uuid.MatchString(id):
		return nil, failure(403, "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier")
	}
	for _, e := range x.list {
		if e.id == strings.ToLower(id) && e.registered {
			return e, nil
		}
	}
	return nil, failure(403, "Extension.UnknownExtensionIdentifier", "Unknown extension "+id)
}

func (a *api) register(r *request) []byte {
	name := r.extension.name
	if name == "" {
		return failure(403, "Extension.InvalidExtensionName", "Empty extension name")
	}
	var in struct {
		Events            []string `json:"events"`
		ConfigurationKeys []string `json:"configurationKeys"`
	}
	if err := json.Unmarshal(r.body, &in); err != nil {
		return failure(403, "InvalidRequestFormat", err.Error())
	}
	if len(in.ConfigurationKeys) > 0 {
		return failure(403, "InvalidRequestFormat", "configurationKeys are deprecated; use environment variables instead")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	e, refusal := a.exts.register(name, in.Events)
	if refusal != nil {
		return refusal
	}
	return a.welcome(e, r)
}

// register admits an extension: an external one under the name of its file, any
// other name is a new internal one.
func (x *extensions) register(name string, events []string) (e *extension, refusal []byte) {
	if i := slices.IndexFunc(x.list, func(e *extension) bool { return e.external && e.name == name }); i >= 0 {
		e = x.list[i]
	}
	for _, event := range events {
		if event != "INVOKE" && (event != "SHUTDOWN" || e == nil) {
			return nil, failure(403, "Extension.InvalidEventType", event+": ErrorInvalidEventType")
		}
	}
	if e == nil {
		return x.registerInternal(name, events)
	}
	if e.registered {
		return nil, e.refuse("Registered")
	}
	e.registered, e.events = true, events
	if !slices.ContainsFunc(x.list, func(e *extension) bool { return e.external && !e.registered }) {
		select {
		case <-x.registered:
		default:
			close(x.registered)
		}
	}
	return e, nil
}

func (x *extensions) registerInternal(name string, events []string) (e *extension, refusal []byte) {
	switch {
	case x.closed:
		return nil, failure(403, "Extension.RegistrationClosed", "Extension registration closed already")
	case slices.ContainsFunc(x.list, func(e *extension) bool { return e.name == name }):
		return nil, failure(403, "Extension.InvalidExtensionState", "Extension with this name already registered")
	case len(x.list) >= maxExtensions:
		return nil, failure(403, "Extension.TooManyExtensions", fmt.Sprintf("Extension limit (%d) reached", maxExtensions))
	}
	e = &extension{name: name, id: newID(), registered: true, events: events}
	x.list = append(x.list, e)
	return e, nil
}

func (a *api) welcome(e *extension, r *request) []byte {
	out := struct {
		AccountID       string `json:"accountId,omitempty"`
		FunctionName    string `json:"functionName"`
		FunctionVersion string `json:"functionVersion"`
		Handler         string `json:"handler"`
	}{"", a.about.name, a.about.version, a.about.handler}
	for feature := range strings.SplitSeq(r.extension.features, ",") {
		if strings.TrimSpace(feature) == "accountId" {
			out.AccountID = a.about.account
		}
	}
	body, err := json.Marshal(out)
	if err != nil {
		panic(err) // strings always marshal
	}
	return response("200 OK", string(body), "Lambda-Extension-Identifier: "+e.id)
}

// state names where an extension stands, in the emulator's words.
func (e *extension) state() string {
	switch {
	case e.failure != "":
		return strings.TrimPrefix(e.failure, "Extension.")
	case !e.registered:
		return "Started"
	case !e.ready:
		return "Registered"
	case e.waiter != nil:
		return "Ready"
	}
	return "Running"
}

func (e *extension) refuse(to string) []byte {
	who := e.id
	if to == "Registered" {
		who = e.name
	}
	return failure(403, "Extension.InvalidExtensionState",
		"State transition from "+e.state()+" to "+to+" failed for extension "+who+". Error: State transition is not allowed")
}

// nextFor answers an extension that asks for its next event, now or later. The
// lock is held, and released.
func (a *api) nextFor(e *extension, conn net.Conn) []byte {
	if e.failure != "" || e.waiter != nil {
		defer a.mu.Unlock()
		return e.refuse("Ready")
	}
	e.ready = true
	if b := e.pending; b != nil {
		e.pending = nil
		a.mu.Unlock()
		return b
	}
	e.waiter = conn
	if e.owes {
		e.owes = false
		a.exts.owing--
	}
	a.advance()
	return nil
}

// fail notes what an extension reports of itself; it is expected to exit then.
func (x *extensions) fail(e *extension, r *request, as string, allowed bool) []byte {
	if r.extension.errorType == "" {
		return failure(403, "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found")
	}
	if e.failure == as {
		return accepted
	}
	if e.failure != "" || !allowed {
		return e.refuse(strings.TrimPrefix(as, "Extension."))
	}
	e.failure, e.reported = as, r.extension.errorType
	if x.fatal == "" {
		x.fatal = as
	}
	return accepted
}

// invoke tells the extensions that asked for it of an invocation.
func (x *extensions) invoke(a *api, f *flight, arn string) {
	a.mu.Lock()
	if len(x.list) == 0 {
		a.mu.Unlock()
		return
	}
	event := invokeEvent(f, arn)
	x.tell("INVOKE", event, func(e *extension) {
		e.owes = true
		x.owing++
	})
	a.mu.Unlock()
}

// tell gives an event to the external extensions, or all, that registered for
// it. What is written is small and goes to a peer that waits to read it.
func (x *extensions) tell(event string, b []byte, also func(e *extension)) {
	for _, e := range x.list {
		if !e.ready || e.failure != "" || !slices.Contains(e.events, event) {
			continue
		}
		also(e)
		if e.waiter == nil {
			e.pending = b
			continue
		}
		_ = e.waiter.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = e.waiter.Write(b) // a broken connection ends the extension's process
		_ = e.waiter.SetWriteDeadline(time.Time{})
		e.waiter = nil
	}
}

func invokeEvent(f *flight, arn string) []byte {
	out := struct {
		EventType          string   `json:"eventType"`
		DeadlineMS         int64    `json:"deadlineMs"`
		RequestID          string   `json:"requestId"`
		InvokedFunctionARN string   `json:"invokedFunctionArn"`
		Tracing            *tracing `json:"tracing,omitempty"`
	}{"INVOKE", f.deadline.UnixMilli(), f.id, arn, traced(f.event.TraceID)}
	return eventResponse(out)
}

func shutdownEvent(why string, deadline time.Time) []byte {
	return eventResponse(struct {
		EventType      string `json:"eventType"`
		DeadlineMS     int64  `json:"deadlineMs"`
		ShutdownReason string `json:"shutdownReason"`
	}{"SHUTDOWN", deadline.UnixMilli(), why})
}

func eventResponse(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return response("200 OK", string(body), "Lambda-Extension-Event-Identifier: "+newID())
}
