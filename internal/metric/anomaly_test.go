package metric_test

import (
	"math"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/metric"
)

// Thirteen days of a wave, and then a tenth of it.
func TestUnusualInPromQL(t *testing.T) {
	s := open(t, t.TempDir())
	now := time.Now().Truncate(time.Minute)
	for at := now.Add(-13 * 24 * time.Hour); !at.After(now); at = at.Add(5 * time.Minute) {
		v := 100 + 50*math.Sin(2*math.Pi*float64(at.Unix()%86400)/86400) + float64(at.Unix()/300%3)
		if at.After(now.Add(-10 * time.Minute)) {
			v /= 10
		}
		if err := s.Record(t.Context(), "visits", metric.Labels{"page": "a"}, at, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Record(t.Context(), "visits", metric.Labels{"page": "new"}, now, 1); err != nil {
		t.Fatal(err)
	}
	value := func(expression string) float64 {
		t.Helper()
		got, err := s.Instant(t.Context(), expression, now)
		if err != nil || len(got) != 1 || got[0].Labels["page"] != "a" || got[0].Labels["__name__"] != "" {
			t.Fatalf("%s: got %v, %v, want one of page a", expression, got, err)
		}
		return got[0].Points[0].Value
	}
	for _, mode := range []string{"agile", "robust"} {
		f := "anomaly_" + mode
		score, expected, deviation := value(f+"(visits[14d])"), value(f+"_expected(visits[14d])"), value(f+"_deviation(visits[14d])")
		if score > -5 || expected < 45 || deviation <= 0 {
			t.Errorf("%s scores a tenth %.1f (expected %.1f, deviation %.1f)", f, score, expected, deviation)
		}
		if got, want := score, (value("visits{page=\"a\"} + 0")-expected)/deviation; math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: got %v, want %v", f, got, want)
		}
		if got := value(f + "(visits[14d], 1000)"); got != 0 {
			t.Errorf("%s scores %v below the volume, want 0", f, got)
		}
	}
	if got := value("anomaly_basic(visits[14d])"); got > 0 {
		t.Errorf("basic scores a tenth %v", got)
	}
	if _, err := s.Instant(t.Context(), `anomaly_agile(visits[14d], "many")`, now); err == nil {
		t.Error("a volume that is no number is taken")
	}
}
