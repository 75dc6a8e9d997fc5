package monitor

import (
	"slices"
	"time"
)

const (
	usualAge   = 24 * time.Hour
	usualSlot  = 5 * time.Minute // one sample of each is kept …
	usualLeast = 30              // … once there are this many, which is when they say something
	usualMost  = int(usualAge/usualSlot) + usualLeast
	usualK     = 6 // how many deviations from the median are slow
	// slowLeast is what is never slow compared with what is usual: nobody notices.
	slowLeast = 100 * time.Millisecond
)

// sample is how long a good check took.
type sample struct {
	At   int64 `json:"t"`  // seconds
	Took int64 `json:"ms"` // microseconds would be noise
}

// usual is what is usual for a monitor at a location: some of the last day's checks.
type usual []sample

// add takes a check in.
func (u usual) add(at time.Time, took time.Duration) usual {
	old := at.Add(-usualAge).Unix()
	u = slices.DeleteFunc(u, func(s sample) bool { return s.At < old })
	if n := len(u); n >= usualLeast && at.Unix()-u[n-1].At < int64(usualSlot/time.Second) {
		return u
	}
	u = append(u, sample{at.Unix(), took.Milliseconds()})
	return u[max(0, len(u)-usualMost):]
}

// limit is from which time on a check is slow; 0: too little is known.
func (u usual) limit(now time.Time) time.Duration {
	old := now.Add(-usualAge).Unix()
	var took []float64
	for _, s := range u {
		if s.At >= old {
			took = append(took, float64(s.Took))
		}
	}
	if len(took) < usualLeast {
		return 0
	}
	middle := median(took)
	for i := range took {
		took[i] = max(took[i]-middle, middle-took[i])
	}
	const normal = 1.4826 // makes the median deviation a standard deviation, were it normal
	ms := max(middle+usualK*normal*median(took), 1.5*middle)
	return max(time.Duration(ms*float64(time.Millisecond)), slowLeast)
}

// median sorts the list.
func median(list []float64) float64 {
	slices.Sort(list)
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}
