package trace_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/logstest"
	"github.com/dropstack/dropstack/internal/trace"
)

// walk is a request to an API whose function publishes to a topic that another
// function listens to, which fails.
func walk(t *testing.T, traces *trace.Traces, header, requests string) string {
	t.Helper()
	edge := traces.Begin(header, trace.KindEdge, "GET notes.localhost/")
	time.Sleep(time.Millisecond)
	api := traces.Begin(edge.Header(), trace.KindAPI, "GET /")
	time.Sleep(time.Millisecond)
	first := traces.Begin(api.Header(), trace.KindFunction, "notes")
	time.Sleep(2 * time.Millisecond)
	call := traces.Begin(first.Header(), trace.KindCall, "sns.Publish")
	time.Sleep(3 * time.Millisecond)
	call.End(false, logs.Field{Name: "resource", Value: "arn:aws:sns:us-east-1:000000000000:made"})
	said(traces, "notes", requests+"1", edge.Trace(), "published")
	first.End(false, logs.Field{Name: logs.FieldRequest, Value: requests + "1"})
	api.End(false)
	edge.End(false)
	time.Sleep(5 * time.Millisecond)
	second := traces.Begin(call.Header(), trace.KindFunction, "listener")
	time.Sleep(4 * time.Millisecond)
	said(traces, "listener", requests+"2", edge.Trace(), "no luck")
	second.End(true, logs.Field{Name: trace.FieldError, Value: "Boom"})
	return edge.Trace()
}

// said is what a function's log has of a request: only the lines of the platform
// name the trace.
func said(traces *trace.Traces, function, request, id, message string) {
	group := "/aws/lambda/" + function
	for _, m := range []struct{ text, trace string }{{"START", id}, {message, ""}, {"END", id}} {
		r := logs.Record{Time: time.Now(), Group: group, Stream: "s", Request: request, Message: m.text}
		if m.trace != "" {
			r.Fields = []logs.Field{{Name: logs.FieldTrace, Value: m.trace}}
		}
		traces.Logs.Append(r)
		time.Sleep(time.Microsecond)
	}
}

func newTraces() *trace.Traces {
	book := &logstest.Book{}
	return &trace.Traces{Logs: book, Reader: book, Readable: func(context.Context, string) bool { return true }}
}

// Lines of groups that the caller may not read are withheld, and said to be.
func TestGetWithholdsLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traces := newTraces()
		id := walk(t, traces, "Root="+trace.Start(time.Now()).Root+";Sampled=1", "r")
		traces.Readable = func(_ context.Context, group string) bool { return group != "/aws/lambda/listener" }
		got, err := traces.Get(t.Context(), trace.GetInput{Trace: id})
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, l := range got.Lines {
			lines = append(lines, l.Request+" "+l.Message)
		}
		if diff := cmp.Diff([]string{"r1 START", "r1 published", "r1 END"}, lines); diff != "" {
			t.Errorf("lines: want - got +\n%s", diff)
		}
		if diff := cmp.Diff([]string{"/aws/lambda/listener"}, got.Withheld); diff != "" || len(got.Spans) != 5 {
			t.Errorf("got %d spans, and withheld: want - got +\n%s", len(got.Spans), diff)
		}
		bare := "Root=" + trace.Start(time.Now()).Root
		said(traces, "listener", "r3", trace.Root(bare), "alone")
		if _, err := traces.Get(t.Context(), trace.GetInput{Trace: bare}); fault.KindOf(err) != fault.Denied {
			t.Errorf("a trace of nothing else: got %v", err)
		}
	})
}

func TestGetIsATree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traces := newTraces()
		id := walk(t, traces, "Root="+trace.Start(time.Now()).Root+";Sampled=1", "r")
		walk(t, traces, "Root="+root+";Sampled=1", "other") // another, made elsewhere long ago
		for _, given := range []string{id, "Root=" + id + ";Sampled=1", id[2:10] + id[11:]} {
			got, err := traces.Get(t.Context(), trace.GetInput{Trace: given})
			if err != nil {
				t.Fatal(err)
			}
			var tree []string
			for _, s := range got.Spans {
				tree = append(tree, fmt.Sprintf("%d %s %s %s %.3f", s.Depth, s.Kind, s.Name, s.Status, s.Duration))
			}
			want := []string{
				"0 edge GET notes.localhost/ ok 7.003",
				"1 api GET / ok 6.003",
				"2 function notes ok 5.003",
				"3 call sns.Publish ok 3.000",
				"4 function listener error 4.003",
			}
			if diff := cmp.Diff(want, tree); diff != "" {
				t.Errorf("%s: want - got +\n%s", given, diff)
			}
			var lines []string
			for _, l := range got.Lines {
				lines = append(lines, l.Request+" "+l.Message)
			}
			if diff := cmp.Diff([]string{"r1 START", "r1 published", "r1 END", "r2 START", "r2 no luck", "r2 END"}, lines); diff != "" {
				t.Errorf("lines: want - got +\n%s", diff)
			}
			if got.ID != id || fmt.Sprintf("%.3f", got.Duration) != "16.006" {
				t.Errorf("got %s of %.3f ms, want %s of 16.006 ms", got.ID, got.Duration, id)
			}
			if got, want := got.Spans[4].Attributes["error"], "Boom"; got != want {
				t.Errorf("attribute: got %q, want %q", got, want)
			}
		}
		if _, err := traces.Get(t.Context(), trace.GetInput{Trace: root}); err != nil {
			t.Errorf("a trace whose ID is of another time: %v", err)
		}
	})
}

func TestGetRefuses(t *testing.T) {
	traces := newTraces()
	for name, want := range map[string]fault.Kind{"": fault.Invalid, "1-2": fault.Invalid, "1-5759e988-bd862e3fe1be46a99427279x": fault.Invalid, root: fault.NotFound} {
		if _, err := traces.Get(t.Context(), trace.GetInput{Trace: name}); fault.KindOf(err) != want {
			t.Errorf("%q: got %v, want %v", name, err, want)
		}
	}
}

// Who does not sample has the log lines all the same, and spans that failed.
func TestUnsampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traces := newTraces()
		id := walk(t, traces, "Root="+trace.Start(time.Now()).Root+";Sampled=0", "r")
		got, err := traces.Get(t.Context(), trace.GetInput{Trace: id})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Spans) != 1 || got.Spans[0].Name != "listener" || got.Spans[0].Depth != 0 || len(got.Lines) != 6 {
			t.Errorf("got %+v, want the span that failed and six lines", got)
		}
	})
}

// Parents in a ring are what a client may send; reading them must end.
func TestRing(t *testing.T) {
	traces := newTraces()
	for _, s := range [][2]string{{"a", "b"}, {"b", "a"}, {"c", "c"}} {
		traces.Logs.Append(logs.Record{Time: time.Now(), Group: trace.Group, Fields: []logs.Field{
			{Name: logs.FieldTrace, Value: root}, {Name: trace.FieldSpan, Value: s[0]}, {Name: trace.FieldParent, Value: s[1]},
		}})
	}
	got, err := traces.Get(t.Context(), trace.GetInput{Trace: root})
	if err != nil || len(got.Spans) != 3 {
		t.Errorf("got %v %v, want three spans", got.Spans, err)
	}
}

func TestList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traces := newTraces()
		bad := walk(t, traces, "Root="+trace.Start(time.Now()).Root+";Sampled=1", "r")
		time.Sleep(time.Second)
		slow := traces.Begin("Root="+trace.Start(time.Now()).Root+";Sampled=1", trace.KindFunction, "report")
		time.Sleep(3 * time.Second)
		slow.End(false)
		quick := traces.Begin("Root="+trace.Start(time.Now()).Root+";Sampled=1", trace.KindAPI, "GET /quick")
		time.Sleep(time.Millisecond)
		quick.End(false)
		for name, c := range map[string]struct {
			in   trace.ListInput
			want []string
		}{
			"the newest first":    {trace.ListInput{}, []string{quick.Trace(), slow.Trace(), bad}},
			"the slowest first":   {trace.ListInput{Slowest: true}, []string{slow.Trace(), bad, quick.Trace()}},
			"with errors":         {trace.ListInput{Errors: true}, []string{bad}},
			"of a function":       {trace.ListInput{Function: "listener"}, []string{bad}},
			"of at least so long": {trace.ListInput{Least: 10}, []string{slow.Trace(), bad}},
			"one":                 {trace.ListInput{Limit: 1}, []string{quick.Trace()}},
		} {
			out, err := traces.List(t.Context(), c.in)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range out.Traces {
				got = append(got, s.ID)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s: want - got +\n%s", name, diff)
			}
			for _, s := range out.Traces {
				if s.ID == bad && (s.Name != "edge GET notes.localhost/" || s.Spans != 5 || s.Errors != 1 || len(s.Functions) != 2) {
					t.Errorf("%s: summary is %+v", name, s)
				}
			}
		}
	})
}
