//go:build linux

package conformance_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dropstack/dropstack/internal/instance"
)

func shortHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}

// answer is what came of an invocation.
type answer struct {
	instance.Outcome
	id, log string
}

// failure is the error object that the caller gets.
type failure struct {
	ErrorMessage, ErrorType string
	StackTrace, Trace       json.RawMessage
}

var invocations atomic.Int64

func newID() string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", invocations.Add(1)) }

// sh is an event for the bootstrap in bash.
func sh(script string) string {
	return `"` + base64.StdEncoding.EncodeToString([]byte(script)) + `"`
}

// do invokes a function of a pool. change may complete the event.
func (x *exam) do(p *instance.Pool, cfg instance.Config, payload string, change ...func(*instance.Event)) answer {
	x.Helper()
	ev := instance.Event{RequestID: newID(), Payload: []byte(payload), TraceID: "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"}
	for _, f := range change {
		f(&ev)
	}
	out, err := p.Do(x.Context(), cfg, ev)
	if err != nil {
		x.Fatalf("%.200s: %v", payload, err)
	}
	return answer{out, ev.RequestID, x.sink.of("", ev.RequestID)}
}

// ask is do with the pool of all.
func (x *exam) ask(cfg instance.Config, payload string, change ...func(*instance.Event)) answer {
	x.Helper()
	return x.do(x.pools[x.outside], cfg, payload, change...)
}

// gets checks that an event is answered, with what matches a regular expression.
func (x *exam) gets(cfg instance.Config, payload, want string) answer {
	x.Helper()
	a := x.ask(cfg, payload)
	a.ok(x, want)
	return a
}

func (a answer) ok(x *exam, want string) {
	x.Helper()
	if a.FunctionError != "" {
		x.Errorf("failed: %s %.600s\nlog:\n%.2000s", a.ErrorType, a.Payload, a.log)
		return
	}
	x.matches("answer", string(a.Payload), "^"+want+"$")
}

// failed checks how an invocation failed: the caller's error type and message,
// and the log, as regular expressions. ID stands for the request.
func (a answer) failed(x *exam, errorType, message, log string) {
	x.Helper()
	var f failure
	if err := json.Unmarshal(a.Payload, &f); err != nil {
		x.Errorf("the error is no JSON: %.300s", a.Payload)
	}
	if a.FunctionError != "Unhandled" {
		x.Errorf("function error %q, want Unhandled; payload %.300s", a.FunctionError, a.Payload)
	}
	with := func(pattern string) string { return strings.ReplaceAll(pattern, "ID", a.id) }
	x.matches("error type", a.ErrorType, "^"+errorType+"$")
	x.matches("error type of the object", f.ErrorType, "^"+errorType+"$")
	x.matches("message", f.ErrorMessage, "^"+with(message)+"$")
	x.matches("log", a.log, with(log))
}

// fails checks that an event fails, and that the next one works.
func (x *exam) fails(cfg instance.Config, payload, errorType, message, log string) answer {
	x.Helper()
	a := x.ask(cfg, payload)
	a.failed(x, errorType, message, log)
	x.works(cfg)
	return a
}

// works checks that a function answers.
func (x *exam) works(cfg instance.Config) {
	x.Helper()
	if x.Client == "bash" {
		x.gets(cfg, sh(`echo '"fine"' | respond`), `"fine"\n?`)
		return
	}
	x.gets(cfg, `{"text":"fine"}`, `\{"text":"fine"\}`)
}

// reused checks that invocations share an instance. A client that is slow to ask
// for its next event lets the platform start another one meanwhile, so that
// happens by some try, not each.
func (x *exam) reused(try func() bool) {
	x.Helper()
	x.wait("an instance that is used again", try)
}

// matches wants a regular expression, in which . stands for line ends too and ^
// and $ for the text's; see (?m).
func (x *exam) matches(what, got, want string) {
	x.Helper()
	if !regexp.MustCompile("(?s)" + want).MatchString(got) {
		x.Errorf("%s: got\n%.3000s\nwant it to match\n%s", what, got, want)
	}
}

func (x *exam) lacks(what, got, unwanted string) {
	x.Helper()
	if found := regexp.MustCompile("(?m)" + unwanted).FindString(got); found != "" {
		x.Errorf("%s: there is %q", what, found)
	}
}

// decode reads the answer.
func decode[T any](x *exam, a answer) T {
	x.Helper()
	var v T
	if err := json.Unmarshal(a.Payload, &v); err != nil || a.FunctionError != "" {
		x.Fatalf("%s %.600s: %v\nlog:\n%s", a.ErrorType, a.Payload, err, a.log)
	}
	return v
}

// stream gathers a streamed response.
type stream struct {
	mu          sync.Mutex
	contentType string
	body        []byte
	writes      int
}

func (s *stream) Begin(contentType string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.contentType = contentType
}

func (s *stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body = append(s.body, b...)
	s.writes++
	return len(b), nil
}

func (s *stream) take(ev *instance.Event) { ev.Stream = s }
