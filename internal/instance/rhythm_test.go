package instance

import (
	"testing"
	"time"
)

func TestKeepFollowsTheGaps(t *testing.T) {
	const least, longest = 5 * time.Minute, time.Hour
	repeat := func(n int, gap time.Duration) (gaps []time.Duration) {
		for range n {
			gaps = append(gaps, gap)
		}
		return gaps
	}
	for name, c := range map[string]struct {
		gaps []time.Duration
		want time.Duration
	}{
		"never called":                     {nil, least},
		"called all the time":              {repeat(500, 20*time.Millisecond), least},
		"every ten minutes":                {repeat(5, 10*time.Minute), 1024 * time.Second},
		"every forty minutes":              {repeat(5, 40*time.Minute), longest},
		"once a day":                       {repeat(5, 24*time.Hour), least},
		"bursts every ten minutes":         {append(repeat(20, time.Second), repeat(1, 10*time.Minute)...), 1024 * time.Second},
		"what was long ago does not count": {append(repeat(20, 10*time.Minute), repeat(500, time.Second)...), least},
		"a clock that went back":           {repeat(3, -time.Hour), least},
	} {
		t.Run(name, func(t *testing.T) {
			var r rhythm
			for _, gap := range c.gaps {
				r.wanted(gap)
			}
			if got := r.keep(least, longest); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// A gap longer than an instance was kept is seen only by the cold start at its end.
func TestAColdStartTellsOfALongGap(t *testing.T) {
	var r rhythm
	now := time.Now()
	for range 3 {
		r.missed = now
		now = now.Add(10 * time.Minute)
		r.started(now)
	}
	r.started(now.Add(time.Hour)) // scaling out: no instance was missed
	if got, want := r.keep(5*time.Minute, time.Hour), 1024*time.Second; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
