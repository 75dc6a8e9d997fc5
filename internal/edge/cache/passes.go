package cache

import (
	"sync"
	"time"
)

// passes remembers keys whose responses cannot be stored ("hit for miss"): requests
// with them go to the origin each by itself, instead of one waiting for another's
// response only to learn that it is not for it. A response that can be stored ends it.
type passes struct {
	mu    sync.RWMutex
	until map[key]time.Time
}

const (
	passFor   = 2 * time.Minute
	maxPasses = 50_000
)

func (p *passes) mark(k key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.until) >= maxPasses {
		p.thin()
	}
	p.until[k] = time.Now().Add(passFor)
}

// thin makes room: of what has ended or, failing that, of a tenth, whichever comes.
func (p *passes) thin() {
	now := time.Now()
	for k, until := range p.until {
		if now.After(until) {
			delete(p.until, k)
		}
	}
	for k := range p.until {
		if len(p.until) <= maxPasses*9/10 {
			return
		}
		delete(p.until, k)
	}
}

func (p *passes) marked(k key) bool {
	p.mu.RLock()
	until, ok := p.until[k]
	p.mu.RUnlock()
	return ok && time.Now().Before(until)
}

func (p *passes) unmark(k key) {
	p.mu.Lock()
	delete(p.until, k)
	p.mu.Unlock()
}
