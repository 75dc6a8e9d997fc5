package metric

import "math"

// Bars draws values between two others as a row of bars, a character each; a space is
// where there is none, which is NaN or infinite.
func Bars(values []float64, low, high float64) string {
	const bars = "▁▂▃▄▅▆▇█"
	line := make([]rune, len(values))
	for i, v := range values {
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			line[i] = ' '
		case high <= low || math.IsInf(high-low, 0):
			line[i] = '▁'
		default:
			line[i] = []rune(bars)[int(min(max(0, (v-low)/(high-low)), 1)*7.999)]
		}
	}
	return string(line)
}
