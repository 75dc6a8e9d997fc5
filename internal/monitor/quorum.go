package monitor

import (
	"slices"
	"time"
)

const (
	confirmations = 2 // results that say the same before it is believed
	slack         = 5 * time.Second
)

// place is a monitor at one of its locations.
type place struct {
	last    Result
	failing int // results in a row, the last one included, that were down
	slow    int // likewise slow
	good    int // likewise neither
	usual   usual
	cold    bool      // the next check is a warm-up
	due     time.Time // of the next check
	asked   string    // ID of the check under way
	until   time.Time // when its result is not waited for any longer
}

// take counts a result, which is newer than the last one.
func (p *place) take(r Result) {
	p.last = r
	switch {
	case r.State == Down:
		p.failing, p.slow, p.good = p.failing+1, 0, 0
	case r.State == Slow:
		p.failing, p.slow, p.good = 0, p.slow+1, 0
	default:
		p.failing, p.good = 0, p.good+1
		if p.good >= confirmations {
			p.slow = 0
		}
	}
}

// news says whether a state is another than the location has seen before, which is to be
// looked at twice.
func (p *place) news(state State) bool {
	switch state {
	case Down:
		return p.failing == 0
	case Slow:
		return p.failing+p.slow == 0
	}
	return p.failing > 0 || p.slow > 0 && p.good == 0
}

// fresh says whether what the location has seen last still tells something.
func (p *place) fresh(m *Monitor, now time.Time) bool {
	return !p.last.At.IsZero() && now.Sub(p.last.At) <= 2*m.interval()+m.timeout()+slack
}

// view is what the locations that have a say, say of a monitor.
type view struct {
	heard, failing, slow []string // locations, in order of their names
	failures             int      // results in a row that were down, of all together
	recoveries           int      // that were not
}

// look gathers what is said of a monitor. counts tells which locations have a say.
func (w *watch) look(now time.Time, counts func(location string) bool) (v view) {
	for location, p := range w.at {
		if !p.fresh(&w.Monitor, now) || !counts(location) {
			continue
		}
		v.heard = append(v.heard, location)
		switch {
		case p.failing > 0:
			v.failing = append(v.failing, location)
			v.failures += p.failing
		case p.slow >= confirmations:
			v.slow = append(v.slow, location)
		}
		if p.failing == 0 {
			v.recoveries += p.good + p.slow
		}
	}
	slices.Sort(v.heard)
	slices.Sort(v.failing)
	slices.Sort(v.slow)
	return v
}

// need is how many of the locations that are heard must agree.
func (m *Monitor) need(heard int) int {
	if m.Quorum > 0 {
		return max(1, min(m.Quorum, heard)) // fewer than that are left: they are what is known
	}
	return max(heard/2+1, min(2, heard))
}

// verdict is how a monitor stands after what is said of it. settle is how long it must
// have been without failure to be up again.
func (w *watch) verdict(v view, now time.Time) State {
	if len(v.heard) == 0 {
		return w.State // nobody knows better
	}
	need := w.need(len(v.heard))
	switch {
	case len(v.failing) >= need && (w.State == Down || v.failures >= confirmations):
		return Down
	case w.State == Down && (v.recoveries < confirmations || now.Sub(w.bad) < w.settle()):
		return Down
	case (len(v.slow) > 0 || w.State == Slow) && len(v.slow)+len(v.failing) >= need:
		return Slow
	case len(v.failing) == len(v.heard) && w.State == Unknown:
		return Unknown // it has to be seen once more
	}
	return Up
}

// settle is how long a monitor must be without failure until its incident is over: the
// longer, the more often it has come back.
func (w *watch) settle() time.Duration {
	if w.incident == nil {
		return 0
	}
	return time.Duration(min(w.incident.Reopened, 10)) * 2 * w.interval()
}

// cut are the locations that reach nothing at all of what others get answers from, and
// are fewer than those. What is wrong is with them.
func cut(watches map[string]*watch, joined func(location string) bool, now time.Time) map[string]bool {
	hosts, reaching, lost := map[string]map[string]bool{}, map[string]bool{}, map[string]bool{}
	shared := map[string]bool{} // lost locations that fail at what somebody else has an answer of
	for _, w := range watches {
		answered := false
		for location, p := range w.at {
			if p.fresh(&w.Monitor, now) && joined(location) && p.last.Reached == ReachedAnswer {
				reaching[location], answered = true, true
			}
		}
		for location, p := range w.at {
			if !p.fresh(&w.Monitor, now) || !joined(location) || p.last.Reached != ReachedNothing || p.failing == 0 {
				continue
			}
			if hosts[location] == nil {
				hosts[location] = map[string]bool{}
			}
			hosts[location][hostOf(w.URL)] = true
			shared[location] = shared[location] || answered
		}
	}
	for location := range hosts {
		if !reaching[location] && shared[location] && len(hosts[location]) >= 2 {
			lost[location] = true
		}
	}
	if len(lost) >= len(reaching) {
		return nil
	}
	return lost
}
