package sandbox

import (
	"sync"
	"time"
)

// interval is how often busy processes are sampled. What a process allocates and
// touches, or writes, within one interval may exceed its limit.
const interval = 100 * time.Millisecond

// watchdog samples all processes from one goroutine, which lives as long as
// there are any: an idle instance costs no timer of its own.
var watchdog struct {
	mu      sync.Mutex
	watched map[*Process]struct{}
	running bool
}

func watch(p *Process) {
	watchdog.mu.Lock()
	defer watchdog.mu.Unlock()
	if watchdog.watched == nil {
		watchdog.watched = map[*Process]struct{}{}
	}
	watchdog.watched[p] = struct{}{}
	if !watchdog.running {
		watchdog.running = true
		go patrol()
	}
}

func unwatch(p *Process) {
	watchdog.mu.Lock()
	defer watchdog.mu.Unlock()
	delete(watchdog.watched, p)
}

func patrol() {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for round := 0; ; round++ {
		<-tick.C
		for _, p := range due(round%10 == 0) {
			p.sample()
		}
		watchdog.mu.Lock()
		if len(watchdog.watched) == 0 {
			watchdog.running = false
			watchdog.mu.Unlock()
			return
		}
		watchdog.mu.Unlock()
	}
}

func due(idleToo bool) []*Process {
	watchdog.mu.Lock()
	defer watchdog.mu.Unlock()
	var list []*Process
	for p := range watchdog.watched {
		if idleToo || p.busy.Load() {
			list = append(list, p)
		}
	}
	return list
}

func (p *Process) sample() {
	p.measure()
	if p.counted {
		return
	}
	kb := residentKB(p.Pid)
	p.raise(kb)
	if limit := p.memoryMB.Load(); limit > 0 && kb > limit*1024 {
		p.oom.Store(true)
		p.Kill()
	}
}
