package edge

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/logs/logstest"
	"github.com/dropstack/dropstack/internal/trace"
)

// A client's trace goes on only if its header is well formed, and the origin sees
// the edge's span as the parent.
func TestTraceOfAClient(t *testing.T) {
	const root, parent = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
	const w3c = "00-5759e988bd862e3fe1be46a994272793-" + parent + "-01"
	for name, c := range map[string]struct {
		amazon, w3c string
		goesOn      bool
		tellsW3C    bool // the origin gets a traceparent
	}{
		"none":                      {},
		"Amazon's":                  {amazon: "Root=" + root + ";Parent=" + parent + ";Sampled=1", goesOn: true},
		"W3C's":                     {w3c: w3c, goesOn: true, tellsW3C: true},
		"both, Amazon's counts":     {amazon: "Root=" + root + ";Sampled=1", w3c: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", goesOn: true, tellsW3C: true},
		"malformed":                 {amazon: "Root=" + root + "; evil", goesOn: true},
		"malformed root":            {amazon: "Root=1-x;Parent=" + parent},
		"malformed both":            {amazon: "Root", w3c: "00-xyz"},
		"malformed beside a good":   {amazon: "Root", w3c: w3c, goesOn: true, tellsW3C: true},
		"a header of many thousand": {amazon: "Root=" + root + ";" + string(make([]byte, 4000))},
	} {
		t.Run(name, func(t *testing.T) {
			book := &logstest.Book{}
			r := httptest.NewRequest("GET", "/a?token=secret", nil)
			r.Header.Set("Tracestate", "vendor=1")
			if c.amazon != "" {
				r.Header.Set(trace.HeaderName, c.amazon)
			}
			if c.w3c != "" {
				r.Header.Set(traceParent, c.w3c)
			}
			v := &visit{reply: newReply(httptest.NewRecorder()), in: r, server: &Server{Traces: &trace.Traces{Logs: book}}}
			v.record = AccessRecord{Time: time.Now(), Method: "GET", Host: "h", Path: "/a", Result: "Miss"}
			out := r.Header.Clone()
			v.trace(out)
			h, ok := trace.Parse(out.Get(trace.HeaderName))
			if !ok || h.Parent == parent || (h.Root == root) != c.goesOn || v.record.Trace != h.Root {
				t.Fatalf("the origin gets %q, the record has %q; goes on: want %v", out.Get(trace.HeaderName), v.record.Trace, c.goesOn)
			}
			_, told := trace.ParseParent(out.Get(traceParent))
			if told != c.tellsW3C || told != (out.Get("Tracestate") != "") {
				t.Errorf("traceparent %q, tracestate %q; want one: %v", out.Get(traceParent), out.Get("Tracestate"), c.tellsW3C)
			}
			again := http.Header{}
			v.trace(again)
			if diff := cmp.Diff(out.Get(trace.HeaderName), again.Get(trace.HeaderName)); diff != "" {
				t.Errorf("asked a second time for the same request: %s", diff)
			}
			v.status = http.StatusBadGateway
			v.traced(false)
			records := book.Records()
			if len(records) != 1 {
				t.Fatalf("got %d spans of a failure, want 1", len(records))
			}
			if got, want := records[0].Message[:len("edge GET h/a error")], "edge GET h/a error"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestWhatTheCacheAnswersHasNoSpan(t *testing.T) {
	book := &logstest.Book{}
	r := httptest.NewRequest("GET", "/", nil)
	v := &visit{reply: newReply(httptest.NewRecorder()), in: r, server: &Server{Traces: &trace.Traces{Logs: book}}}
	v.record = AccessRecord{Time: time.Now(), Result: "Hit"}
	v.trace(http.Header{})
	v.status = 200
	v.traced(false)
	if got := len(book.Records()); got != 0 {
		t.Errorf("got %d spans, want none", got)
	}
}
