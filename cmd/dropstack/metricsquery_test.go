package main

import (
	"math"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/api"
)

func TestGraph(t *testing.T) {
	nan := math.NaN()
	long := make([]float64, 600)
	for i := range long {
		long[i] = float64(i / 300)
	}
	for _, c := range []struct {
		what   string
		values []float64
		want   string
	}{
		{"a rise", []float64{0, 1, 2, 3, 4, 5, 6, 7}, "▁▂▃▄▅▆▇█"},
		{"gaps", []float64{nan, 1, nan, 2}, " ▁ █"},
		{"all the same", []float64{5, 5}, "▁▁"},
		{"nothing", []float64{nan}, " "},
		{"more than fits", long, "▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁██████████████████████████████"},
	} {
		least, most := math.Inf(1), math.Inf(-1)
		for _, v := range c.values {
			if !math.IsNaN(v) {
				least, most = min(least, v), max(most, v)
			}
		}
		if got := graph(c.values, least, most); got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, got, c.want)
		}
	}
}

func TestValuesOf(t *testing.T) {
	start := time.Unix(1000, 0)
	in := api.QueryMetricsInput{Start: start, End: start.Add(30 * time.Second), Step: 10}
	got := valuesOf([]api.MetricPoint{{Time: start.Add(10 * time.Second), Value: "2.5"}, {Time: start.Add(30 * time.Second), Value: "NaN"}}, in)
	if len(got) != 4 || !math.IsNaN(got[0]) || got[1] != 2.5 || !math.IsNaN(got[3]) {
		t.Errorf("got %v", got)
	}
}
