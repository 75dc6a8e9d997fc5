package gateway

import (
	"errors"
	"math"
	"sync"

	"golang.org/x/time/rate"
)

// buckets are the token buckets of stages, and of keys in usage plans. They outlive
// deployments; a crash fills them.
type buckets struct {
	mu  sync.Mutex
	own map[string]*bucket
}

type bucket struct {
	*rate.Limiter
	throttle Throttle
}

// take takes a token out of a bucket; false when there is none. There are as many
// buckets as there are stages and keys: requests make none of their own.
func (b *buckets) take(name string, t Throttle) bool {
	b.mu.Lock()
	one := b.own[name]
	if one == nil || one.throttle != t {
		if b.own == nil {
			b.own = map[string]*bucket{}
		}
		one = &bucket{rate.NewLimiter(rate.Limit(t.Rate), t.burst()), t}
		b.own[name] = one
	}
	b.mu.Unlock()
	return one.Allow()
}

// burst is the bucket's size; without one a second's requests.
func (t Throttle) burst() int {
	if t.Burst == 0 {
		return int(math.Ceil(t.Rate))
	}
	return t.Burst
}

// keep forgets the buckets that are no longer used.
func (b *buckets) keep(used func(name string) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name := range b.own {
		if !used(name) {
			delete(b.own, name)
		}
	}
}

func checkThrottle(t *Throttle) error {
	if t != nil && (t.Rate < 0 || t.Burst < 0 || math.IsNaN(t.Rate) || math.IsInf(t.Rate, 0)) {
		return errors.New("throttle: rate and burst must not be negative")
	}
	return nil
}
