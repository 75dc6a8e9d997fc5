package monitor

import (
	"math"
	"time"
)

// keepDays is for how long the days of a monitor are kept.
const keepDays = 90

// Day is how long a monitor was in which state on one day, in seconds.
type Day struct {
	Day         string  `json:"day"` // 2006-01-02, UTC
	Up          float64 `json:"up,omitempty"`
	Slow        float64 `json:"slow,omitempty"`
	Down        float64 `json:"down,omitempty"`
	Maintenance float64 `json:"maintenance,omitempty"`
	Incidents   int     `json:"incidents,omitempty"` // that began on it
}

// Uptime is the share of the time in which the monitor was not down, maintenance
// aside; NaN if nothing is known.
func (d Day) Uptime() float64 {
	if known := d.Up + d.Slow + d.Down; known > 0 {
		return (d.Up + d.Slow) / known
	}
	return math.NaN()
}

// Days are those of a monitor, the oldest first. Days of which nothing is known are
// not there.
type Days []Day

// Sum is all days since a day as one.
func (list Days) Sum(since string) (sum Day) {
	for _, d := range list {
		if d.Day >= since {
			sum.Up, sum.Slow, sum.Down = sum.Up+d.Up, sum.Slow+d.Slow, sum.Down+d.Down
			sum.Maintenance, sum.Incidents = sum.Maintenance+d.Maintenance, sum.Incidents+d.Incidents
		}
	}
	return sum
}

// on is the day of a moment, which is there afterwards.
func (list *Days) on(at time.Time) *Day {
	day := at.UTC().Format(time.DateOnly)
	if n := len(*list); n == 0 || (*list)[n-1].Day < day {
		*list = append(*list, Day{Day: day})
		*list = (*list)[max(0, len(*list)-keepDays):]
	}
	for i := len(*list) - 1; i >= 0; i-- {
		if (*list)[i].Day == day {
			return &(*list)[i]
		}
	}
	return &(*list)[0] // the clock was set back by days
}

// count adds the time from one moment to another as spent in a state.
func (list *Days) count(from, to time.Time, state State) {
	for from.Before(to) {
		end := from.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
		if end.After(to) {
			end = to
		}
		seconds := end.Sub(from).Seconds()
		switch d := list.on(from); state {
		case Up:
			d.Up += seconds
		case Slow:
			d.Slow += seconds
		case Down:
			d.Down += seconds
		case Maintenance:
			d.Maintenance += seconds
		}
		from = end
	}
}
