package instance

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// waiter is an invocation that found no idle instance. It is served by the first
// that becomes free, or it starts one of its own when there is a place to start:
// a burst of short invocations needs far fewer processes than it has events, and
// starting them all at once would only make each of them late.
type waiter struct {
	cfg Config
	got chan *instance // of capacity 1
}

// longestStart is how long a start may keep its place: an init that hangs must
// not hold up the functions that would not.
const longestStart = 100 * time.Millisecond

// queue adds a waiter; the lock is held.
func (p *Pool) queue(cfg Config) *waiter {
	w := &waiter{cfg: cfg, got: make(chan *instance, 1)}
	if p.waiting == nil {
		p.waiting = map[string][]*waiter{}
	}
	p.waiting[cfg.ID] = append(p.waiting[cfg.ID], w)
	return w
}

// hand gives an instance to the one who has waited longest; the lock is held.
func (p *Pool) hand(inst *instance) bool {
	list := p.waiting[inst.cfg.ID]
	if len(list) == 0 {
		return false
	}
	list[0].got <- inst
	p.leave(list[0])
	return true
}

// leave removes a waiter from the queue; the lock is held.
func (p *Pool) leave(w *waiter) {
	list := p.waiting[w.cfg.ID]
	if i := slices.Index(list, w); i >= 0 {
		list = slices.Delete(list, i, i+1)
	}
	if p.waiting[w.cfg.ID] = list; len(list) == 0 {
		delete(p.waiting, w.cfg.ID)
	}
}

// await returns an instance, or a place to start one, which is given back by
// calling it, or neither when the caller has left.
func (p *Pool) await(ctx context.Context, w *waiter) (*instance, func()) {
	var place func()
	select {
	case inst := <-w.got:
		return inst, nil
	case p.places() <- struct{}{}:
		place = p.occupy()
	case <-ctx.Done():
	}
	p.mu.Lock()
	p.leave(w)
	p.mu.Unlock()
	select {
	case inst := <-w.got:
		if place == nil { // nobody is there to use it
			p.put(inst)
			return nil, nil
		}
		place()
		return inst, nil
	default:
	}
	if place != nil {
		p.mu.Lock()
		p.rhythm(w.cfg.Name).started(time.Now())
		p.mu.Unlock()
	}
	return nil, place
}

// places is what starts queue for: two for each processor.
func (p *Pool) places() chan struct{} {
	p.making.Do(func() { p.starting = make(chan struct{}, max(4, 2*runtime.GOMAXPROCS(0))) })
	return p.starting
}

// occupy returns what gives a place back, which also happens by itself.
func (p *Pool) occupy() func() {
	free := sync.OnceFunc(func() { <-p.starting })
	timer := time.AfterFunc(longestStart, free)
	return func() { timer.Stop(); free() }
}

// Prestart starts n instances of a version that is about to get the traffic of
// another, and returns when they are ready or have failed, which the first event
// will tell. Keep has to name the version next.
func (p *Pool) Prestart(cfg Config, n int) {
	p.mu.Lock()
	if p.live != nil {
		p.live[cfg.ID] = true
	}
	var starts sync.WaitGroup
	for range n {
		if p.closed {
			break
		}
		starts.Add(1)
		p.work.Go(func() {
			defer starts.Done()
			if err := p.start(cfg); err != nil {
				p.Log.Warn("the new version does not start", "function", cfg.ARN, "err", err)
			}
		})
	}
	p.mu.Unlock()
	starts.Wait()
}

// start starts an instance ahead of its first event. The error says why the
// function does not start.
func (p *Pool) start(cfg Config) error {
	p.places() <- struct{}{}
	defer p.occupy()()
	b := p.boot(cfg, newJournal(p, cfg), or(p.InitTimeout, initTimeout), "init")
	if b.err != nil {
		return b.err
	}
	if b.failed != nil {
		return fault.Errorf(fault.Invalid, "function %s does not start: %s: %s", cfg.Name, errorType(*b.failed), message(*b.failed))
	}
	p.put(b.inst)
	return nil
}
