package schedule

import (
	"maps"
	"slices"
	"time"
)

// plan holds what Run does next. Only Run's goroutine touches it.
type plan struct {
	pending map[string]*pending // by key
	now     time.Time           // of the last look, on the wall clock
}

// pending is the next tick of one schedule.
type pending struct {
	entry
	tick   time.Time
	wake   time.Time // tick, or the time of the next attempt
	failed int       // attempts for this tick
	never  bool      // nothing is left to fire
	told   bool      // that it is completed
}

// update takes over a new set of schedules. A schedule that stays keeps its next
// tick, even one that is due at this moment.
func (p *plan) update(stacks map[string][]entry, now time.Time) {
	now = now.Round(0)
	if now.Before(p.now.Add(-late)) {
		p.pending = nil // the clock was set back: what was planned is too far away
	}
	p.now = now
	next := map[string]*pending{}
	for _, entries := range stacks {
		for _, e := range entries {
			if e.Disabled || !e.Aimed() {
				continue
			}
			d := &pending{entry: e}
			if old := p.pending[e.key()]; old != nil && old.sameTicks(e) {
				d.tick, d.wake, d.failed, d.never, d.told = old.tick, old.wake, old.failed, old.never, old.told
			} else {
				d.advance(now)
			}
			next[e.key()] = d
		}
	}
	p.pending = next
}

// sameTicks reports whether two schedules fire at the same instants.
func (e entry) sameTicks(other entry) bool {
	return e.Expression == other.Expression && e.Zone == other.Zone && e.Start.Equal(other.Start) && e.End.Equal(other.End) && e.since.Equal(other.since)
}

// skipped are the ticks of a schedule that are passed over.
type skipped struct {
	Schedule
	first time.Time
	count int // at most maxSkipped
}

// maxSkipped bounds the counting, after a machine was asleep for long.
const maxSkipped = 10_000

// due returns the schedules to fire now, in the order of their rules. Ticks that
// are too late are passed over; they are in missed, by schedule.
func (p *plan) due(now time.Time) (due []*pending, missed map[string]skipped) {
	now = now.Round(0)
	for _, rule := range slices.Sorted(maps.Keys(p.pending)) {
		d := p.pending[rule]
		if !d.never && d.tick.Before(now.Add(-late)) {
			if missed == nil {
				missed = map[string]skipped{}
			}
			s := skipped{d.Schedule, d.tick, 0}
			for until := now.Add(-late); !d.never && d.tick.Before(until) && s.count < maxSkipped; s.count++ {
				d.advance(d.tick)
			}
			d.advance(now.Add(-late - 1))
			missed[rule] = s
		}
		if !d.never && !d.wake.After(now) {
			due = append(due, d)
		}
	}
	return due, missed
}

// completed returns the schedules that are to be removed, as nothing is left of them,
// each once.
func (p *plan) completed() (list []Schedule) {
	for _, d := range p.pending {
		if d.DeleteAfter && d.never && !d.told {
			d.told = true
			list = append(list, d.Schedule)
		}
	}
	return list
}

// sleep is the time until something is due, at most a nap.
func (p *plan) sleep(now time.Time) time.Duration {
	left := nap
	for _, d := range p.pending {
		if !d.never {
			left = min(left, d.wake.Sub(now.Round(0)))
		}
	}
	return left
}

// advance moves on to the first tick after t.
func (d *pending) advance(t time.Time) {
	next, ok := d.expr.Next(d.since, t)
	d.tick, d.wake, d.failed, d.never = next, next, 0, !ok
}

// retry plans another attempt for the tick, after 1, 2, 4, 8, 8 ... seconds; false
// when that would be too late.
func (d *pending) retry(now time.Time) bool {
	d.wake = now.Round(0).Add(time.Second << min(d.failed, 3))
	d.failed++
	return !d.wake.After(d.tick.Add(late))
}
