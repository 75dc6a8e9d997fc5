package logs_test

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/logs"
)

// TestABusyEdgeLeavesOthersAlone has the edge say more than is kept.
func TestABusyEdgeLeavesOthersAlone(t *testing.T) {
	s := &logs.Store{Dir: t.TempDir(), Streams: enginetest.Streams(t), MaxBytes: 1 << 20, Log: slog.New(slog.DiscardHandler)}
	s.State = s.Streams
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	fill(s, "/aws/lambda/f", 10)
	const n = 4000
	for _, group := range []string{logs.DistributionGroup + "E1", logs.EdgeGroup} {
		for range n {
			s.Append(logs.Record{Time: base, Group: group, Stream: "s", Message: noise(1000)})
		}
		if err := errors.Join(s.Flush(t.Context()), s.Expire(t.Context())); err != nil {
			t.Fatal(err)
		}
		if got := len(messages(t, s, logs.Filter{Group: group, Limit: 10000})); got == 0 || got >= n {
			t.Errorf("%s: %d of %d records kept, want some of them", group, got, n)
		}
	}
	if got := messages(t, s, logs.Filter{Group: "/aws/lambda/f"}); len(got) != 10 {
		t.Errorf("of a function: %d records kept, want 10", len(got))
	}
}

// noise is letters that cannot be compressed.
func noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'A' + byte(rand.IntN(64))
	}
	return string(b)
}
