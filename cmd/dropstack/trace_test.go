package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/trace"
	"github.com/dropstack/dropstack/internal/wire"
)

func TestWaterfall(t *testing.T) {
	began := time.Date(2026, 11, 26, 20, 0, 0, 0, time.Local)
	at := func(ms int) wire.Time { return wire.At(began.Add(time.Duration(ms) * time.Millisecond)) }
	tr := trace.Trace{
		ID: "1-5759e988-bd862e3fe1be46a994272793", Start: at(0), Duration: 1600,
		Spans: []trace.Step{
			{Kind: "edge", Name: "GET h/\x1b[31m", Status: "ok", Start: at(0), Duration: 400, Attributes: map[string]string{"http.status": "200", "edge.request": "x"}},
			{Kind: "function", Name: "notes", Status: "ok", Offset: 100, Duration: 200, Depth: 1, Attributes: map[string]string{"@initDuration": "12.00"}},
			{Kind: "function", Name: "listener", Status: "error", Offset: 1590, Duration: 10, Depth: 2, Attributes: map[string]string{"error": "Boom"}},
		},
		Lines: []trace.Line{
			{Time: at(100), Group: "/aws/lambda/notes", Message: "START RequestId: r Version: 1"},
			{Time: at(1600), Group: "/aws/lambda/listener", Message: "REPORT\t"},
			{Time: at(1600), Group: "/aws/lambda/listener", Message: "more"},
		},
		Withheld: []string{"/aws/lambda/till"},
	}
	var out strings.Builder
	waterfall(&out, tr, 2)
	want := `1-5759e988-bd862e3fe1be46a994272793  2026-11-26 20:00:00.000  1.60 s  3 spans, 1 error
edge GET h/?[31m         400 ms  │██████████                              │ http.status=200
  function notes         200 ms  │  █████                                 │ initDuration=12.00
    function listener     10 ms  │                                       ▓│ ERROR Boom
not shown, because you may not read them (logs:FilterLogEvents): /aws/lambda/till

     +100 ms  notes  START RequestId: r Version: 1
    +1600 ms  listener  REPORT
… 1 more lines; --lines 3 shows them
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("want - got +\n%s", diff)
	}
}
