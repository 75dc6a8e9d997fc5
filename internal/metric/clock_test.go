package metric

import (
	"log/slog"
	"testing"
	"time"
)

// What was written last is an hour ahead of the clock, which was set back.
func TestAClockThatWasSetBack(t *testing.T) {
	s := &Store{Dir: t.TempDir(), Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	visits := s.Counter("visits_total", Labels{"page": "a"})
	visits.Add(1)
	if err := s.flush(t.Context(), time.Now().Add(time.Hour), false); err != nil {
		t.Fatal(err)
	}
	visits.Add(2)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ahead := time.Until(time.UnixMilli(s.flushed)); ahead > back {
		t.Fatalf("what comes is still written %v ahead, and waited for", ahead)
	}
	got, err := s.Instant(t.Context(), `visits_total{page="a"}`, time.Time{})
	if err != nil || len(got) != 1 || got[0].Points[0].Value != 3 {
		t.Errorf("got %v, %v, want what is counted now", got, err)
	}
}
