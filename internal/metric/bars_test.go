package metric_test

import (
	"math"
	"testing"

	"github.com/dropstack/dropstack/internal/metric"
)

func TestBars(t *testing.T) {
	for _, c := range []struct {
		name      string
		values    []float64
		low, high float64
		want      string
	}{
		{"from low to high", []float64{0, 4, 8}, 0, 8, "▁▄█"},
		{"with gaps", []float64{math.NaN(), 1, math.Inf(1)}, 0, 1, " █ "},
		{"all alike", []float64{5, 5}, 5, 5, "▁▁"},
		{"beyond the ends", []float64{-1, 9}, 0, 8, "▁█"},
		{"nothing", nil, 0, 1, ""},
	} {
		if got := metric.Bars(c.values, c.low, c.high); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
