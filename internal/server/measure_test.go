package server

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/topic"
)

func openMetrics(t testing.TB) *metric.Store {
	t.Helper()
	s := &metric.Store{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// value asks for the only number that an expression comes to.
func value(t *testing.T, s *metric.Store, expression string) float64 {
	t.Helper()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := s.Instant(t.Context(), expression, time.Now())
	if err != nil || len(list) != 1 {
		t.Fatalf("%s: got %v, %v, want one number", expression, list, err)
	}
	return list[0].Points[0].Value
}

func TestTheEdgeIsMeasured(t *testing.T) {
	s := openMetrics(t)
	m := newEdgeMeter(s)
	for range 3 {
		m.record(&edge.AccessRecord{Distribution: "E1", Status: 200, Result: "Hit", BytesIn: 100, BytesOut: 1000, Took: time.Millisecond})
	}
	m.record(&edge.AccessRecord{Status: 403, Result: "Error", Rule: "ban", Took: time.Second})
	for expression, want := range map[string]float64{
		`dropstack_edge_requests_total{distribution="E1",status="200",result="Hit"}`: 3,
		`sum(dropstack_edge_requests_total{status=~"4.."})`:                          1,
		`dropstack_edge_bytes_total{distribution="E1",direction="out"}`:              3000,
		`histogram_count(dropstack_edge_duration_seconds{distribution="E1"})`:        3,
		`dropstack_edge_banned_total`:                                                1,
	} {
		if got := value(t, s, expression); got != want {
			t.Errorf("%s: got %v, want %v", expression, got, want)
		}
	}
}

func TestSubscribersAreNamed(t *testing.T) {
	for _, c := range []struct {
		sub  topic.Subscription
		want subscriber
	}{
		{topic.Subscription{Topic: "arn:aws:sns:r:0:t", Function: "f:live", ARN: "arn:aws:sns:r:0:t:id"}, subscriber{"t", "f:live", "lambda"}},
		{topic.Subscription{Topic: "arn:aws:sns:r:0:t", Protocol: "sqs", Endpoint: "arn:aws:sqs:r:0:q"}, subscriber{"t", "q", "sqs"}},
		{topic.Subscription{Topic: "arn:aws:sns:r:0:t", Protocol: "https", Endpoint: "https://u:p@h/secret", ARN: "arn:aws:sns:r:0:t:id"}, subscriber{"t", "id", "https"}},
	} {
		if got := subscriberOf(c.sub); got != c.want {
			t.Errorf("got %v, want %v", got, c.want)
		}
	}
}

func TestLevelsComeAndGo(t *testing.T) {
	s := openMetrics(t)
	w := &watcher{rooms: &rooms{metrics: s}, levels: map[string]*levels{}}
	for i, names := range []string{"a b", "b c", "a"} {
		l := w.of("dropstack_bucket_objects")
		for _, name := range strings.Fields(names) {
			l.set(metric.Labels{"bucket": name}, float64(i))
		}
		l.end()
		if got, want := value(t, s, `count(dropstack_bucket_objects)`), float64(len(strings.Fields(names))); got != want {
			t.Errorf("look %d: got %v buckets, want %v", i, got, want)
		}
		if got := value(t, s, `max(dropstack_bucket_objects)`); got != float64(i) {
			t.Errorf("look %d: got %v", i, got)
		}
	}
}

func TestTheProcessIsMeasured(t *testing.T) {
	s := openMetrics(t)
	w := &watcher{rooms: &rooms{metrics: s}, dir: s.Dir, process: processSamples(), levels: map[string]*levels{}}
	w.lookAtProcess()
	w.lookAtDisk()
	for _, name := range []string{"process_heap_bytes", "process_goroutines", "process_cpu_seconds_total", "disk_free_bytes", "disk_size_bytes"} {
		if got := value(t, s, "dropstack_"+name); got <= 0 {
			t.Errorf("%s: got %v", name, got)
		}
	}
	if free, size := value(t, s, "dropstack_disk_free_bytes"), value(t, s, "dropstack_disk_size_bytes"); free > size {
		t.Errorf("%v of %v bytes are free", free, size)
	}
}

// What measuring adds to a request at the edge.
func BenchmarkEdgeMeter(b *testing.B) {
	m := newEdgeMeter(openMetrics(b))
	a := edge.AccessRecord{Distribution: "E1", Status: 200, Result: "Hit", BytesIn: 100, BytesOut: 1000, Took: time.Millisecond}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.record(&a)
		}
	})
}
