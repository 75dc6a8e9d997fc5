package instance

import (
	"math/bits"
	"time"
)

// rhythm is how a function is called: for how long its instances had been idle
// when they were wanted again. It decides how long idle ones are kept, as
// "Serverless in the Wild" (USENIX ATC 2020) proposes: long enough for nearly all
// gaps that were seen, if that is bearable, and not longer.
type rhythm struct {
	gaps   [20]float64 // weight of gaps by powers of two: [n] counts those under 2^n seconds
	sum    float64
	missed time.Time // since when the instance that was stopped last had been idle
}

const (
	forget = 0.98 // what is left of a gap's weight when the next one is seen
	most   = 0.99 // share of the gaps that keeping has to cover
)

// wanted records that an instance was wanted after a gap.
func (r *rhythm) wanted(gap time.Duration) {
	for n := range r.gaps {
		r.gaps[n] *= forget
	}
	r.sum = r.sum*forget + 1
	r.gaps[min(bits.Len64(uint64(max(0, gap)/time.Second)), len(r.gaps)-1)]++
}

// started records a cold start: an instance was wanted that had been stopped.
func (r *rhythm) started(now time.Time) {
	if !r.missed.IsZero() {
		r.wanted(now.Sub(r.missed))
		r.missed = time.Time{}
	}
}

// keep is how long an idle instance is worth its memory: between least and most.
// Gaps over the upper bound are given up on, and when they are the rule, so is
// keeping.
func (r *rhythm) keep(least, longest time.Duration) time.Duration {
	var bearable float64
	for n, weight := range r.gaps {
		if time.Second<<n/2 < longest {
			bearable += weight
		}
	}
	if bearable < r.sum/2 {
		return least
	}
	var seen float64
	for n, weight := range r.gaps {
		if seen += weight; seen >= bearable*most {
			return min(max(least, time.Second<<n), max(least, longest))
		}
	}
	return least
}
