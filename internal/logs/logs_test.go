package logs_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
)

func open(t testing.TB, streams jetstream.JetStream) *logs.Store {
	t.Helper()
	return openIn(t, streams, t.TempDir())
}

func openIn(t testing.TB, streams jetstream.JetStream, dir string) *logs.Store {
	t.Helper()
	s := &logs.Store{Dir: dir, Streams: streams, State: streams, Region: "us-east-1", Log: slog.New(slog.DiscardHandler)}
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func messages(t testing.TB, s *logs.Store, f logs.Filter) []string {
	t.Helper()
	var list []string
	for {
		page, next, err := s.Filter(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			list = append(list, r.Message)
		}
		if next == 0 {
			return list
		}
		f.After = next
	}
}

var base = time.Now().Add(-time.Hour).UTC().Truncate(time.Second)

// fill appends n records to a group, a second apart.
func fill(s *logs.Store, group string, n int) {
	for i := range n {
		s.Append(logs.Record{
			Time: base.Add(time.Duration(i) * time.Second), Group: group, Stream: fmt.Sprintf("2026/01/01/[$LATEST]%d", i%2),
			Request: fmt.Sprint("r", i/2), Message: fmt.Sprint("line ", i),
		})
	}
}

func TestFilter(t *testing.T) {
	s := open(t, enginetest.Streams(t))
	fill(s, "/aws/lambda/a.b *>", 6)
	fill(s, "/aws/lambda/other", 1)
	at := func(i int) time.Time { return base.Add(time.Duration(i) * time.Second) }
	all := []string{"line 0", "line 1", "line 2", "line 3", "line 4", "line 5"}
	for name, c := range map[string]struct {
		filter logs.Filter
		want   []string
	}{
		"everything":    {logs.Filter{}, all},
		"one at a time": {logs.Filter{Limit: 1}, all},
		"in fours":      {logs.Filter{Limit: 4}, all},
		"stream":        {logs.Filter{Stream: "2026/01/01/[$LATEST]1"}, []string{"line 1", "line 3", "line 5"}},
		"request":       {logs.Filter{Request: "r1"}, []string{"line 2", "line 3"}},
		"text":          {logs.Filter{Pattern: pattern(t, `"e 4"`)}, []string{"line 4"}},
		"from":          {logs.Filter{Start: at(4)}, []string{"line 4", "line 5"}},
		"until":         {logs.Filter{End: at(2)}, []string{"line 0", "line 1"}},
		"between, paged": {
			logs.Filter{Start: at(1), End: at(5), Limit: 3}, []string{"line 1", "line 2", "line 3", "line 4"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.filter.Group = "/aws/lambda/a.b *>"
			if diff := cmp.Diff(c.want, messages(t, s, c.filter)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnknownGroupIsEmpty(t *testing.T) {
	s := open(t, enginetest.Streams(t))
	if got := messages(t, s, logs.Filter{Group: "/aws/lambda/none"}); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

func TestLimitOutOfRange(t *testing.T) {
	s := open(t, enginetest.Streams(t))
	_, _, err := s.Filter(t.Context(), logs.Filter{Group: "g", Limit: 10001})
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v, want invalid", err)
	}
}

func TestManyRecordsKeepTheirOrder(t *testing.T) {
	s := open(t, enginetest.Streams(t))
	const n = 20000
	fill(s, "g", n)
	got := messages(t, s, logs.Filter{Group: "g", Limit: 10000})
	if len(got) != n {
		t.Fatalf("got %d records, want %d", len(got), n)
	}
	for i, m := range got {
		if want := fmt.Sprint("line ", i); m != want {
			t.Fatalf("record %d: got %q, want %q", i, m, want)
		}
	}
}

func TestFollow(t *testing.T) {
	s := open(t, enginetest.Streams(t))
	fill(s, "g", 2)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	seen := 0
	for r, err := range s.Follow(ctx, logs.Filter{Group: "g", Start: base}) {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprint("line ", seen); r.Message != want {
			t.Fatalf("got %q, want %q", r.Message, want)
		}
		if seen++; seen == 2 { // the stored ones are read: now a live one
			s.Append(logs.Record{Time: time.Now(), Group: "other", Message: "not this"})
			s.Append(logs.Record{Time: time.Now(), Group: "g", Message: "line 2"})
		}
		if seen == 3 {
			cancel()
		}
	}
	if seen != 3 {
		t.Errorf("got %d records, want 3", seen)
	}
}

func TestCloseStoresWhatWasAppended(t *testing.T) {
	streams, dir := enginetest.Streams(t), t.TempDir()
	s := openIn(t, streams, dir)
	fill(s, "g", 100)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.Append(logs.Record{Group: "g", Message: "too late"})
	if got := messages(t, openIn(t, streams, dir), logs.Filter{Group: "g"}); len(got) != 100 {
		t.Errorf("got %d records, want 100", len(got))
	}
}

func BenchmarkAppend(b *testing.B) {
	s := open(b, enginetest.Streams(b))
	for i := range b.N {
		s.Append(logs.Record{Time: time.Now(), Group: "g", Stream: "s", Request: "r", Message: "a line of a usual length, such as people write it"})
		if i%50000 == 49999 {
			if err := s.Flush(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := s.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
