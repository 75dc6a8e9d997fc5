package monitor

import (
	"context"
	"crypto/rand"
	"errors"
	"hash/fnv"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Run checks until ctx ends, and returns nil once the last check has.
func (m *Monitors) Run(ctx context.Context) error {
	m.mu.Lock()
	m.began = time.Now()
	for _, w := range m.watches {
		w.counted = m.began
	}
	m.mu.Unlock()
	var checks sync.WaitGroup
	defer checks.Wait()
	defer close(m.ended)
	for ctx.Err() == nil {
		m.depart(ctx)
		wait := m.dispatch(ctx, &checks)
		select {
		case <-ctx.Done():
		case r := <-m.results:
			m.take(ctx, r)
		case <-m.wake:
		case <-time.After(wait):
		}
		m.remind(ctx)
		m.keepDays(ctx)
	}
	m.save(context.WithoutCancel(ctx))
	return nil
}

// kick wakes Run.
func (m *Monitors) kick() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// nap bounds a sleep, because timers stand still while the machine is suspended.
const nap = 30 * time.Second

// dispatch asks for every check that is due, and returns how long there is nothing to
// do.
func (m *Monitors) dispatch(ctx context.Context, checks *sync.WaitGroup) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	next := now.Add(nap)
	sooner := func(at time.Time) {
		if at.Before(next) {
			next = at
		}
	}
	for id, c := range m.asked {
		if !now.Before(c.until) {
			delete(m.asked, id) // it will not come any more
			continue
		}
		sooner(c.until)
	}
	for _, w := range m.watches {
		if w.Paused {
			continue
		}
		for name, p := range w.at {
			switch {
			case p.asked != "" && now.Before(p.until):
				sooner(p.until)
				continue
			case now.Before(p.due):
				sooner(p.due)
				continue
			}
			l := m.locations[name]
			p.asked = ""
			p.due = after(p.due, now, w.interval())
			sooner(p.due)
			if l == nil || !l.joined() {
				continue
			}
			t := Task{ID: rand.Text(), Monitor: w.Name, Inside: w.Inside, WarmUp: p.cold, Target: m.target(&w.Monitor)}
			p.asked, p.until = t.ID, now.Add(t.timeout()+slack)
			m.asked[t.ID] = check{monitor: w.Name, location: name, until: p.until}
			m.send(ctx, l, t, checks)
		}
	}
	for _, l := range m.locations {
		if l.conn != nil {
			sooner(l.heard.Add(silence))
		}
	}
	return max(time.Until(next), 0)
}

// remind tells again of what goes on: the checks of a monitor may be further apart than
// those who were told remember it.
func (m *Monitors) remind(ctx context.Context) {
	m.changing.Lock() // or it could be over before it is told again
	defer m.changing.Unlock()
	m.mu.Lock()
	now := time.Now()
	var due []*transition
	for _, w := range m.watches {
		if rank(w.State) > 0 && w.incident != nil && now.Sub(w.told) >= reminder {
			w.told = now
			due = append(due, &transition{watch: w, name: w.Name, notices: []Notice{w.notice(w.State)}})
		}
	}
	m.mu.Unlock()
	for _, t := range due {
		m.follow(ctx, t)
	}
}

// after is the first moment after now at a whole number of intervals from due.
func after(due, now time.Time, interval time.Duration) time.Time {
	if due.IsZero() {
		return now.Add(interval)
	}
	return due.Add(now.Sub(due)/interval*interval + interval)
}

// send hands a check to its location; the lock is held. What a probe does not take
// is made up for at the next interval.
func (m *Monitors) send(ctx context.Context, l *location, t Task, checks *sync.WaitGroup) {
	if l.Name != Here {
		select {
		case l.conn.tasks <- t:
		default:
			m.Log.Warn("a location has too many checks to make", "location", l.Name)
		}
		return
	}
	checks.Go(func() {
		select {
		case m.slots <- struct{}{}:
			defer func() { <-m.slots }()
		case <-ctx.Done():
			return
		}
		r := m.Checks.Check(ctx, t)
		if ctx.Err() == nil { // else the end is to blame
			m.deliver(ctx, Here, r)
		}
	})
}

// deliver hands a result to Run, or to who has asked for a test. One that was not asked
// for, or came before, is nobody's.
func (m *Monitors) deliver(ctx context.Context, location string, r Result) {
	m.mu.Lock()
	c, known := m.asked[r.ID]
	if known && c.location == location {
		delete(m.asked, r.ID)
	}
	m.mu.Unlock()
	if !known || c.location != location {
		return
	}
	r.Monitor, r.Location = c.monitor, location
	if r.At.IsZero() {
		r.At = time.Now().UTC()
	}
	to := m.results
	if c.answer != nil {
		select {
		case c.answer <- r:
		default:
		}
		return
	}
	select {
	case to <- r:
	case <-ctx.Done():
	case <-m.ended:
	}
}

// target is what is checked: paths are those of the stack's own URL.
func (m *Monitors) target(w *Monitor) Target {
	t := w.Target
	if strings.HasPrefix(t.URL, "/") && m.URL != nil {
		t.URL = strings.TrimSuffix(m.URL(w.Stack), "/") + t.URL
	}
	return t
}

// hostOf is what a URL leads to; of a path it is nothing.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}

// places gives a monitor the locations that it is checked from; the lock is held. What
// is known of those that stay is kept.
func (m *Monitors) places(w *watch, now time.Time) {
	names := w.Locations
	switch {
	case len(names) == 0 && strings.HasPrefix(w.URL, "/"):
		names = []string{Here} // the name of a stack leads here from here
	case len(names) == 0:
		names = slices.Collect(maps.Keys(m.locations))
	}
	next := map[string]*place{}
	for _, name := range names {
		if m.locations[name] == nil {
			continue
		}
		if next[name] = w.at[name]; next[name] == nil {
			next[name] = &place{cold: true, usual: w.Usual[name], due: now.Add(offset(w.Name, name, w.interval()))}
		}
	}
	w.at = next
}

// offset spreads the first checks of monitors at locations over the interval, though
// over no more than a few seconds of it: who adds one wants to see something.
func offset(monitor, location string, interval time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(monitor + " " + location))
	return min(interval, 5*time.Second) * time.Duration(h.Sum32()%1000) / 1000
}

// keepDays writes from time to time what no change of state has had written.
func (m *Monitors) keepDays(ctx context.Context) {
	m.mu.Lock()
	due := time.Since(m.written) >= savePeriod
	m.mu.Unlock()
	if due && ctx.Err() == nil {
		m.save(ctx)
	}
}

// save writes how the monitors stand that have changed, and what could not be written
// before.
func (m *Monitors) save(ctx context.Context) {
	m.changing.Lock()
	defer m.changing.Unlock()
	docs, incidents := map[*watch]standing{}, map[*watch]*Incident{}
	m.mu.Lock()
	now := time.Now()
	m.written = now
	for _, w := range m.watches {
		m.account(w, now)
		if w.unsaved {
			docs[w] = w.stored()
		}
		if w.unkept && w.incident != nil {
			incidents[w] = w.incident.copy()
		}
		w.unsaved, w.unkept = false, false
	}
	m.mu.Unlock()
	var wrong []error
	for w, s := range docs {
		err := put(ctx, m.monitors, stateKey(w.Name), s)
		kept := true
		if i := incidents[w]; i != nil {
			failed := m.putIncident(ctx, i)
			kept, err = failed == nil, errors.Join(err, failed)
		}
		if err != nil {
			wrong = append(wrong, err)
			m.mu.Lock()
			w.unsaved, w.unkept = true, w.unkept || !kept
			m.mu.Unlock()
		}
	}
	if err := errors.Join(wrong...); err != nil && ctx.Err() == nil {
		m.Log.Error("how monitors stand is not kept", "err", err)
	}
}
