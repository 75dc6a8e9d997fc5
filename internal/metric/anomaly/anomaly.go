// Package anomaly says how unusual the newest value of a series is, by what it was
// before.
//
// A value is compared with an expectation, in deviations: a robust measure of how
// far values of that time of day lie from theirs usually (1.4826 times the median
// absolute deviation, which is the standard deviation of what is distributed
// normally, and not moved by a few outliers). There are three ways to expect:
//
//	basic   the median of the whole window. It knows no seasons; it has adopted a
//	        new level when half of the window has it.
//	agile   what the series had at that time of the day on days before, of the same
//	        kind (working days, weekends; the same day of the week once there are
//	        three), at the level of the last three hours. A new level is usual after
//	        half of them.
//	robust  the same at the level of the last two days: slow drifts and outages of
//	        hours do not become usual.
//
// Seasons are looked for when two days of the same kind are known; until then the
// seasonal ways expect as basic does, within the last day, and say nothing before they
// know one.
package anomaly

import (
	"math"
	"slices"
	"time"
)

// Mode is a way to expect.
type Mode int

// The ways to expect.
const (
	Basic Mode = iota
	Agile
	Robust
)

// String is the mode's name, as functions of PromQL have it.
func (m Mode) String() string { return [...]string{"basic", "agile", "robust"}[m] }

// Point is a value at a moment, milliseconds since 1970.
type Point struct {
	Time  int64
	Value float64
}

// Verdict is what was expected of the newest value.
type Verdict struct {
	Value     float64
	Expected  float64
	Deviation float64 // usual distance from Expected; above 0
}

// Score is by how many deviations the value is more than expected, or less, if
// negative. It is 0 when both are below a least volume, which is too little to tell.
func (v Verdict) Score(least float64) float64 {
	if max(math.Abs(v.Value), math.Abs(v.Expected)) < least {
		return 0
	}
	return (v.Value - v.Expected) / v.Deviation
}

const (
	minute = int64(time.Minute / time.Millisecond)
	hour   = 60 * minute
	day    = 24 * hour

	// least is how many values make an expectation.
	least = 30
	// around is how far from the same time of another day values are still of the
	// same time.
	around = 10 * minute
	// guard is how long the newest values have no say in what is expected of them.
	guard = 15 * minute
	// usual is the least deviation, of what is expected: a series that never moved
	// is not alarming when it moves a little.
	usual = 0.05
	// normal makes a standard deviation of a median absolute one.
	normal = 1.4826
	// stops is at how many moments the level is taken.
	stops = 48
)

// level is over which time the present level is taken.
func (m Mode) level() int64 {
	if m == Agile {
		return 3 * hour
	}
	return 2 * day
}

// Judge says what was to be expected of the last of the points, which are in order
// of time. ok is false when too little is known.
func Judge(m Mode, points []Point) (v Verdict, ok bool) {
	if len(points) == 0 {
		return Verdict{}, false
	}
	last := points[len(points)-1]
	past := points[:len(points)-1]
	if m == Basic {
		return plain(last, past)
	}
	s := season{points: past, now: last.Time}
	if len(s.kin(s.now)) < 2 {
		if len(past) == 0 || past[0].Time > last.Time-day+hour {
			return Verdict{}, false // a morning is unusual to who has seen one night
		}
		return plain(last, after(past, last.Time-day))
	}
	return s.judge(m, last)
}

// plain expects the median.
func plain(last Point, past []Point) (Verdict, bool) {
	if len(past) < least {
		return Verdict{}, false
	}
	values := make([]float64, len(past))
	for i, p := range past {
		values[i] = p.Value
	}
	middle := median(values)
	return verdict(last.Value, middle, spread(values, middle)), true
}

func verdict(value, expected, deviation float64) Verdict {
	floor := usual * math.Abs(expected)
	if floor == 0 {
		floor = usual
	}
	return Verdict{Value: value, Expected: expected, Deviation: max(deviation, floor)}
}

// after are the points from a moment on.
func after(points []Point, from int64) []Point {
	i, _ := slices.BinarySearchFunc(points, from, func(p Point, t int64) int { return int(min(1, max(-1, p.Time-t))) })
	return points[i:]
}

// between are those from a moment until another, exclusive.
func between(points []Point, from, to int64) []Point {
	points = after(points, from)
	return points[:len(points)-len(after(points, to))]
}

// median reorders the values.
func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}

// spread is the deviation of values around their middle; it changes them.
func spread(values []float64, middle float64) float64 {
	for i, v := range values {
		values[i] = math.Abs(v - middle)
	}
	return normal * median(values)
}
