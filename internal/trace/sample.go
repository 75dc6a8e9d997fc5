package trace

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// What is kept: X-Ray's default rule.
const (
	share = 0.05        // of the requests, besides the first of each second
	slow  = time.Second // from which on a span is kept whatever was decided
)

// sampler decides which traces are kept whose callers have not.
type sampler struct{ last atomic.Int64 } // second of which one is kept

func (s *sampler) decide(at time.Time) byte {
	now := at.Unix()
	if last := s.last.Load(); last != now && s.last.CompareAndSwap(last, now) {
		return '1'
	}
	if rand.Float64() < share {
		return '1'
	}
	return '0'
}
