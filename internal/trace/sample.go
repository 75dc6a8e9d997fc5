package trace

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// What is kept: X-Ray's default rule.
const (
	share = 0.05        // of the requests, besides the first of each second
	slow  = time.Second // from which on a span is kept whatever was decided

	// wishes are how many requests a second are kept because clients that nobody
	// knows want them to be: all that come in would fill the log.
	wishes = 10
)

// sampler decides which traces are kept whose callers have not.
type sampler struct {
	last atomic.Int64 // second of which one is kept

	wished struct {
		sync.Mutex
		second int64
		n      int
	}
}

// grant says whether a stranger's wish is one of the first of its second.
func (s *sampler) grant(at time.Time) bool {
	w := &s.wished
	w.Lock()
	defer w.Unlock()
	if now := at.Unix(); now != w.second {
		w.second, w.n = now, 0
	}
	w.n++
	return w.n <= wishes
}

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
