package trace_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/trace"
)

const root = "1-5759e988-bd862e3fe1be46a994272793"

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		header string
		want   trace.Header
	}{
		"whole":                        {"Root=" + root + ";Parent=53995c3f42cd8ad8;Sampled=1", trace.Header{Root: root, Parent: "53995c3f42cd8ad8", Sampled: '1'}},
		"with the count of Lambda":     {"Root=" + root + ";Parent=53995c3f42cd8ad8;Sampled=0;Lineage=25:a87bd80c:1|68fd508a:5", trace.Header{Root: root, Parent: "53995c3f42cd8ad8", Sampled: '0', Lineage: "25:a87bd80c:1|68fd508a:5"}},
		"of a load balancer":           {"Self=1-67891234-12456789abcdef012345678;Root=" + root + ";CalledFrom=app", trace.Header{Root: root}},
		"spaces between":               {"Root=" + root + "; Sampled=?", trace.Header{Root: root}},
		"no root":                      {"Parent=53995c3f42cd8ad8;Sampled=1", trace.Header{}},
		"root in capitals":             {"Root=" + strings.ToUpper(root), trace.Header{}},
		"root too short":               {"Root=1-5759e988-bd862e3fe1be46a99427279", trace.Header{}},
		"parent that is none":          {"Root=" + root + ";Parent=x", trace.Header{}},
		"sampled neither":              {"Root=" + root + ";Sampled=2", trace.Header{}},
		"a line more":                  {"Root=" + root + ";Lineage=1\r\nX: y", trace.Header{}},
		"endless":                      {"Root=" + root + ";" + strings.Repeat("a=b;", 200), trace.Header{}},
		"nothing":                      {"", trace.Header{}},
		"the last of two roots is bad": {"Root=" + root + ";Root=1", trace.Header{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := trace.Parse(c.header)
			if diff := cmp.Diff(c.want, got); diff != "" || ok != (c.want.Root != "") {
				t.Fatalf("ok %v, want - got +\n%s", ok, diff)
			}
			if got := trace.Root(c.header); got != c.want.Root {
				t.Errorf("root: got %q, want %q", got, c.want.Root)
			}
			if again, _ := trace.Parse(c.want.String()); ok && again != c.want {
				t.Errorf("written and read: got %+v, want %+v", again, c.want)
			}
		})
	}
}

func TestTraceParent(t *testing.T) {
	const w3c = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"
	want := trace.Header{Root: "1-4bf92f35-77b34da6a3ce929d0e0e4736", Parent: "00f067aa0ba902b7", Sampled: '1'}
	for name, c := range map[string]struct {
		header  string
		sampled byte // 0: refused
	}{
		"sampled":                  {"00-" + w3c + "-01", '1'},
		"not sampled":              {"00-" + w3c + "-00", '0'},
		"other flags":              {"00-" + w3c + "-fe", '0'},
		"all flags":                {"00-" + w3c + "-0f", '1'},
		"a later version":          {"cc-" + w3c + "-01-what-follows", '1'},
		"version 0 has no more":    {"00-" + w3c + "-01-what-follows", 0},
		"a version that is none":   {"ff-" + w3c + "-01", 0},
		"a trace of zeros":         {"00-00000000000000000000000000000000-00f067aa0ba902b7-01", 0},
		"a parent of zeros":        {"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", 0},
		"capitals":                 {"00-" + strings.ToUpper(w3c) + "-01", 0},
		"no dashes":                {strings.ReplaceAll("00-"+w3c+"-01", "-", "_"), 0},
		"short":                    {"00-" + w3c, 0},
		"a line end in the flags":  {"00-" + w3c + "-\r\n", 0},
		"something behind a later": {"cc-" + w3c + "-01x", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := trace.ParseParent(c.header)
			if ok != (c.sampled != 0) {
				t.Fatalf("taken: %v", ok)
			}
			if !ok {
				return
			}
			want := want
			want.Sampled = c.sampled
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("want - got +\n%s", diff)
			}
			if got, want := got.TraceParent(), "00-"+w3c+"-0"+string(c.sampled); got != want {
				t.Errorf("written: got %s, want %s", got, want)
			}
		})
	}
}

// book keeps what is appended.
type book []logs.Record

func (b *book) Append(r logs.Record) { *b = append(*b, r) }

func TestWhatIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const undecided = "Root=" + root
		for name, c := range map[string]struct {
			header string
			failed bool
			took   time.Duration
			want   int
		}{
			"the caller has decided for it":     {undecided + ";Sampled=1", false, time.Millisecond, 1},
			"the caller has decided against it": {undecided + ";Sampled=0", false, time.Millisecond, 0},
			"failed all the same":               {undecided + ";Sampled=0", true, time.Millisecond, 1},
			"slow all the same":                 {undecided + ";Sampled=0", false, time.Second, 1},
			"the first of its second":           {undecided, false, time.Millisecond, 1},
		} {
			var kept book
			traces := &trace.Traces{Logs: &kept}
			span := traces.Begin(c.header, trace.KindFunction, "f")
			time.Sleep(c.took)
			span.End(c.failed)
			if len(kept) != c.want {
				t.Errorf("%s: got %d records, want %d", name, len(kept), c.want)
			}
		}
	})
}

// Whoever sends requests from outside may ask for ten a second to be kept.
func TestWishesOfStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traces := &trace.Traces{}
		for range 2 {
			granted := 0
			for range 1000 {
				if traces.Strange(trace.Header{Root: root, Sampled: '1'}, time.Now()).Sampled == '1' {
					granted++
				}
			}
			if granted != 10 {
				t.Errorf("got %d wishes of a second granted, want 10", granted)
			}
			time.Sleep(time.Second)
		}
		for _, decided := range []byte{0, '0'} {
			if got := traces.Strange(trace.Header{Root: root, Sampled: decided}, time.Now()).Sampled; got != decided {
				t.Errorf("decision %q became %q", decided, got)
			}
		}
	})
}

func TestOneOfTwentyIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kept book
		traces := &trace.Traces{Logs: &kept}
		const seconds, each = 20, 1000
		for range seconds {
			for range each {
				span := traces.Begin("", trace.KindFunction, "f")
				span.End(false)
			}
			time.Sleep(time.Second)
		}
		if want := seconds * each / 20; len(kept) < want*8/10 || len(kept) > want*13/10 {
			t.Errorf("got %d of %d kept, want about %d", len(kept), seconds*each, want)
		}
	})
}

func TestSpanRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kept book
		traces := &trace.Traces{Logs: &kept}
		outer := traces.Begin("Root="+root+";Sampled=1", trace.KindAPI, "GET /hello")
		inner := traces.Begin(outer.Header(), trace.KindFunction, "hello")
		time.Sleep(12 * time.Millisecond)
		inner.End(true, logs.Field{Name: "error", Value: "Boom"})
		outer.End(false)
		h, _ := trace.Parse(outer.Header())
		i, _ := trace.Parse(inner.Header())
		want := []logs.Field{
			{Name: "@xrayTraceId", Value: root},
			{Name: "span", Value: i.Parent},
			{Name: "kind", Value: "function"},
			{Name: "name", Value: "hello"},
			{Name: "status", Value: "error"},
			{Name: "@duration", Value: "12.000"},
			{Name: "parent", Value: h.Parent},
			{Name: "error", Value: "Boom"},
		}
		if diff := cmp.Diff(want, kept[0].Fields); diff != "" {
			t.Errorf("want - got +\n%s", diff)
		}
		if got, want := kept[0].Message, "function hello error 12.000 ms"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if i.Root != root || i.Sampled != '1' || i.Parent == h.Parent {
			t.Errorf("the inner header is %+v", i)
		}
	})
}

func TestNobodyRecords(t *testing.T) {
	var none *trace.Traces
	span := none.Begin("", trace.KindEdge, "GET /")
	span.End(true)
	if h, ok := trace.Parse(span.Header()); !ok || h.Parent == "" || h.Sampled != '0' {
		t.Errorf("got %q, want a trace all the same", span.Header())
	}
}

func FuzzParse(f *testing.F) {
	f.Add("Root=" + root + ";Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a:1")
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Fuzz(func(t *testing.T, s string) {
		for _, parse := range []func(string) (trace.Header, bool){trace.Parse, trace.ParseParent} {
			h, ok := parse(s)
			if !ok {
				continue
			}
			if again, ok := trace.Parse(h.String()); !ok || again != h {
				t.Errorf("%q is read as %+v, written %q and read as %+v", s, h, h, again)
			}
			if strings.ContainsAny(h.String(), "\r\n\x00") {
				t.Errorf("%q holds what no header may", h)
			}
		}
	})
}

func BenchmarkUnsampled(b *testing.B) {
	traces := &trace.Traces{Logs: new(book)}
	b.ReportAllocs()
	for b.Loop() {
		span := traces.Begin("Root="+root+";Parent=53995c3f42cd8ad8;Sampled=0", trace.KindFunction, "f")
		_ = span.Header()
		span.End(false)
	}
}
