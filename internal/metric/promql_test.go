package metric_test

import (
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/metric"
)

func TestQuestionsInPromQL(t *testing.T) {
	s := open(t, t.TempDir())
	at := time.Now().Truncate(time.Minute)
	for i, v := range []float64{1, 3, 6} {
		if err := s.Record(t.Context(), "visits", metric.Labels{"page": "a"}, at.Add(time.Duration(i-2)*time.Minute), v); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Instant(t.Context(), `sum by (page) (visits) * 2`, at)
	if err != nil || len(got) != 1 || got[0].Labels["page"] != "a" || got[0].Points[0].Value != 12 {
		t.Errorf("got %v, %v", got, err)
	}
	got, err = s.Range(t.Context(), `visits`, at.Add(-2*time.Minute), at, time.Minute)
	if err != nil || len(got) != 1 || len(got[0].Points) != 3 || got[0].Points[1].Value != 3 || got[0].Labels["__name__"] != "visits" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := s.Instant(t.Context(), `sum(`, at); fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v, want that it is no PromQL", err)
	}
}
