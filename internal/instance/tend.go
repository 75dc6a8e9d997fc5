package instance

import (
	"slices"
	"time"
)

// reserve is a version of which a number of instances is to be kept.
type reserve struct {
	cfg      Config
	n        int
	starting int
	failures int // in a row
}

// Reserve keeps n instances of a version started, idle or busy, and starts others
// for those that end. 0 ends it, as does Keep for a version that it does not name.
func (p *Pool) Reserve(cfg Config, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n <= 0 || p.closed {
		delete(p.reserved, cfg.ID)
		if !p.closed {
			p.tendBy(time.Now())
		}
		return
	}
	if p.reserved == nil {
		p.reserved = map[string]*reserve{}
	}
	r := p.reserved[cfg.ID]
	if r == nil {
		r = &reserve{}
		p.reserved[cfg.ID] = r
	}
	r.cfg, r.n = cfg, n
	p.refill(cfg.ID)
}

// Ready is the number of instances of a version that have started.
func (p *Pool) Ready(id string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count(id, true)
}

func (p *Pool) count(id string, ready bool) (n int) {
	for inst := range p.all {
		if inst.cfg.ID == id && !inst.stopping.Load() && (!ready || inst.api.isReady()) {
			n++
		}
	}
	return n
}

// refill starts what a reserve lacks; the lock is held.
func (p *Pool) refill(id string) {
	r := p.reserved[id]
	if r == nil || p.closed {
		return
	}
	for up := p.count(id, true); up+r.starting < r.n; r.starting++ {
		p.work.Go(func() { p.replenish(r) })
	}
}

func (p *Pool) replenish(r *reserve) {
	err := p.start(r.cfg)
	p.mu.Lock()
	defer p.mu.Unlock()
	r.starting--
	if p.reserved[r.cfg.ID] != r {
		return
	}
	if err == nil {
		r.failures = 0
		p.refill(r.cfg.ID) // it may have ended already
		return
	}
	pause := time.Second << min(r.failures, 6)
	r.failures++
	p.Log.Warn("an instance kept ready does not start", "function", r.cfg.ARN, "again_in", pause, "err", err)
	time.AfterFunc(pause, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.refill(r.cfg.ID)
	})
}

// rhythm of a function; the lock is held.
func (p *Pool) rhythm(name string) *rhythm {
	r := p.rhythms[name]
	if r == nil {
		r = &rhythm{}
		if p.rhythms == nil {
			p.rhythms = map[string]*rhythm{}
		}
		p.rhythms[name] = r
	}
	return r
}

// tendBy makes sure that idle instances are looked after at a time or before; the
// lock is held.
func (p *Pool) tendBy(at time.Time) {
	if p.tender != nil && !at.Before(p.tends) {
		return
	}
	if p.tender != nil {
		p.tender.Stop()
	}
	p.tends, p.tender = at, time.AfterFunc(time.Until(at), p.tend)
}

// tend freezes the instances that have been idle for a moment, and stops those
// that nobody has wanted for as long as is usual for their function.
func (p *Pool) tend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.tender = nil
	freeze, now := or(p.FreezeAfter, time.Second), time.Now()
	p.discard(now)
	for id, list := range p.idle { // each in order of idleSince
		if list = p.discardWorn(list, now); len(list) == 0 {
			delete(p.idle, id)
			continue
		}
		keep := p.rhythm(list[0].cfg.Name).keep(or(p.IdleAfter, 5*time.Minute), or(p.IdleAtMost, time.Hour))
		spare := len(list)
		if r := p.reserved[id]; r != nil {
			spare = p.count(id, true) - r.n
		}
		n := 0
		for n < len(list) && n < spare && now.Sub(list[n].idleSince) >= keep {
			p.rhythm(list[n].cfg.Name).missed = list[n].idleSince
			p.stop(list[n])
			n++
		}
		if p.idle[id] = slices.Clone(list[n:]); n == len(list) {
			delete(p.idle, id)
		}
		for i, inst := range list[n:] {
			if due := inst.idleSince.Add(freeze); !inst.frozen && now.Before(due) {
				p.tendBy(due)
				continue
			}
			if p.freeze(inst); !inst.frozen { // an extension is at work
				p.tendBy(now.Add(freeze))
			}
			if n+i < spare {
				p.tendBy(inst.idleSince.Add(keep))
			}
			if !inst.expires.IsZero() {
				p.tendBy(inst.expires)
			}
		}
	}
}

// freeze stops an instance's processes until thaw; the lock is held by both.
func (p *Pool) freeze(inst *instance) {
	if !inst.frozen {
		inst.frozen = inst.freeze()
	}
}

func (p *Pool) thaw(inst *instance) {
	if inst.frozen {
		inst.frozen = false
		inst.thaw()
	}
}
