package metric_test

import (
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/metric"
)

func TestARestartEndsNoStreak(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	before := &metric.Streaks{Store: s}
	for range 4 {
		before.Ran("failing", true)
		before.Ran("mended", true)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	after := &metric.Streaks{Store: s}
	after.Ran("failing", true)
	after.Ran("mended", false)
	after.Ran("new", true)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := s.Instant(t.Context(), "dropstack_function_consecutive_failures", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, one := range list {
		got[one.Labels["function"]] = one.Points[0].Value
	}
	if got["failing"] != 5 || got["mended"] != 0 || got["new"] != 1 || len(got) != 3 {
		t.Errorf("got %v, want 5 in a row, none, and one", got)
	}
}
