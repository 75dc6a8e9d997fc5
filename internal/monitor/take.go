package monitor

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"strings"
	"time"
)

// take draws the conclusions of one result.
func (m *Monitors) take(ctx context.Context, r Result) {
	m.changing.Lock()
	defer m.changing.Unlock()
	m.mu.Lock()
	w := m.watches[r.Monitor]
	if w == nil || w.at[r.Location] == nil || w.Paused {
		m.mu.Unlock()
		return
	}
	p := w.at[r.Location]
	if p.asked == r.ID {
		p.asked = ""
	}
	now := time.Now()
	if r.At.Before(p.last.At) || now.Sub(r.At) > 2*w.interval()+w.timeout()+slack {
		m.mu.Unlock()
		return // something newer is known
	}
	m.measure(w, p, &r, now)
	news := p.news(r.State)
	p.take(r)
	p.cold = false
	if news {
		m.askAgain(w, now)
	}
	m.lost = cut(m.watches, m.hasJoined, now)
	changed := m.judge(w, now)
	m.mu.Unlock()
	m.record(ctx, w, &r)
	m.follow(ctx, changed)
}

// measure says whether a check that was fine was slow, and learns from it what is
// usual; the lock is held.
func (m *Monitors) measure(w *watch, p *place, r *Result, now time.Time) {
	took := time.Duration(r.Phases.Total)
	if r.State != Up || r.WarmUp {
		return
	}
	limit, what := time.Duration(w.Slow), "more than"
	if limit == 0 {
		limit, what = p.usual.limit(now), "and usually less than"
	}
	if limit > 0 && took > limit {
		r.State = Slow
		r.Reason = fmt.Sprintf("it took %v, %s %v", took.Round(time.Millisecond), what, limit.Round(time.Millisecond))
	} else {
		r.Evidence = nil // of what is fine nothing is kept
	}
	p.usual = p.usual.add(now, took)
	w.unsaved = true
}

// askAgain has a monitor checked once more at all of its locations; the lock is held.
// The location that saw something looks again in a moment, the others at once.
func (m *Monitors) askAgain(w *watch, now time.Time) {
	for location, p := range w.at {
		if p.asked != "" || !m.hasJoined(location) {
			continue
		}
		p.due = now
		if now.Sub(p.last.At) < time.Second {
			p.due = now.Add(min(time.Second, w.interval()/4))
		}
	}
}

// transition is what judging a monitor came to.
type transition struct {
	watch    *watch
	name     string
	standing standing
	changed  bool      // the state is another
	incident *Incident // as it is to be stored; nil: it has not changed
	notices  []Notice
}

// judge finds out how a monitor stands; the lock is held. It returns nil if there is
// nothing to be written or told.
func (m *Monitors) judge(w *watch, now time.Time) *transition {
	v := w.look(now, m.counts)
	if len(v.failing) > 0 {
		w.bad = now
	}
	next := w.verdict(v, now)
	if next == Down && w.State != Down && m.gathering(w, now) {
		next = w.State
	}
	if m.inWindow(w.Name, now) {
		next = Maintenance
	} else if w.State == Maintenance && len(v.heard) == 0 {
		next = Unknown
	}
	m.level(w, next)
	m.account(w, now)
	t := &transition{watch: w, name: w.Name}
	before := w.State
	if next != before {
		w.State, w.Since, t.changed = next, now.UTC(), true
	}
	m.proceed(w, v, before, t, now)
	switch {
	case t.changed || t.incident != nil:
		t.standing, w.unsaved = w.stored(), false
	case len(t.notices) == 0:
		return nil
	}
	return t
}

// gathering says whether probes that a restart has cut off may yet come back and have
// a say; the lock is held.
func (m *Monitors) gathering(w *watch, now time.Time) bool {
	if now.Sub(m.began) > gather {
		return false
	}
	for location := range w.at {
		if l := m.locations[location]; l != nil && !l.joined() && l.since.IsZero() {
			return true
		}
	}
	return false
}

// proceed opens, goes on with or ends the incident of a monitor; the lock is held.
func (m *Monitors) proceed(w *watch, v view, before State, t *transition, now time.Time) {
	bad := rank(w.State) > 0
	open := w.incident != nil && w.incident.Resolved.IsZero()
	changed := false
	switch i := w.incident; {
	case bad && !open && i != nil && i.State == w.State && now.Sub(i.Resolved) < relapse:
		i.Resolved, i.Reopened = time.Time{}, i.Reopened+1
		w.Incident, changed = i.ID, true
		i.note(now, "reopened", "", w.cause(v, w.State, now))
	case bad && !open:
		w.incident = &Incident{ID: now.UTC().Format("20060102T150405Z-") + rand.Text()[:6], Monitor: w.Name, Stack: w.Stack, State: w.State, Opened: now.UTC(), Timeline: []Entry{}}
		w.incident.Cause = w.cause(v, w.State, now)
		w.incident.note(now, "opened", "", w.incident.Cause)
		w.Incident, changed = w.incident.ID, true
		w.Days.on(now).Incidents++
	case !bad && open:
		i.Resolved = now.UTC()
		w.Incident, changed = "", true
		text := fmt.Sprintf("after %v", i.Duration(now))
		if w.State == Maintenance {
			text = "maintenance began"
		}
		i.note(now, "resolved", "", text)
	}
	if before != w.State && rank(before) > 0 {
		t.notices = append(t.notices, w.notice(before))
		t.notices[0].Over = true
	}
	if i := w.incident; bad {
		if rank(w.State) > rank(i.State) {
			i.State, i.Cause = w.State, w.cause(v, w.State, now)
			i.note(now, "worse", "", i.Cause)
			changed = true
		}
		changed = i.witness(w, v) || changed
		if changed || before != w.State || now.Sub(w.told) >= reminder {
			t.notices = append(t.notices, w.notice(w.State))
			w.told = now
		}
	}
	if changed {
		t.incident = w.incident.copy()
	}
}

func (i *Incident) copy() *Incident {
	next := *i
	next.Evidence = append([]Result(nil), i.Evidence...)
	next.Timeline = append([]Entry{}, i.Timeline...)
	return &next
}

// notice is what people may have to be told.
func (w *watch) notice(state State) Notice { return w.Monitor.notice(state, w.incident.copy()) }

// Notice is what people may have to be told of a monitor with an incident.
func (s *Status) Notice() Notice { return s.Monitor.notice(s.State, s.Incident) }

func (m *Monitor) notice(state State, i *Incident) Notice {
	n := Notice{Monitor: *m, State: state, Incident: *i}
	title := cmp.Or(m.Title, m.Name)
	n.Summary = title + " is " + string(state)
	if n.Incident.Cause != "" {
		n.Summary += ": " + n.Incident.Cause
	}
	var lines []string
	for _, r := range n.Incident.Evidence {
		line := r.Location + ": " + cmp.Or(r.Reason, string(r.State))
		if r.Evidence != nil && r.Evidence.Address != "" {
			line += " (" + r.Evidence.Address + ")"
		}
		lines = append(lines, line)
	}
	n.Detail = strings.Join(lines, "\n")
	return n
}

// follow writes what judging came to, then tells of it.
func (m *Monitors) follow(ctx context.Context, t *transition) {
	if t == nil {
		return
	}
	ctx = context.WithoutCancel(ctx)
	if t.changed {
		m.Log.Info("monitor", "monitor", t.name, "state", t.standing.State, "incident", t.standing.Incident)
	}
	if t.incident != nil {
		if err := m.putIncident(ctx, t.incident); err != nil {
			m.Log.Error("an incident is not kept", "monitor", t.name, "incident", t.incident.ID, "err", err)
			m.mu.Lock()
			t.watch.unsaved, t.watch.unkept = true, true // it is tried again with the days
			m.mu.Unlock()
		}
	}
	if t.changed || t.incident != nil {
		if err := put(ctx, m.monitors, stateKey(t.name), t.standing); err != nil {
			m.Log.Error("how a monitor stands is not kept", "monitor", t.name, "err", err)
			m.mu.Lock()
			t.watch.unsaved = true
			m.mu.Unlock()
		}
	}
	for _, n := range t.notices { // also when it could not be written: people matter more
		if m.Notify != nil {
			m.Notify(ctx, n)
		}
	}
}

// stored is a copy of what is kept; the lock is held.
func (w *watch) stored() standing {
	s := w.standing
	s.Usual = maps.Clone(w.Usual)
	if s.Usual == nil {
		s.Usual = map[string]usual{}
	}
	for location, p := range w.at {
		s.Usual[location] = append(usual(nil), p.usual...)
	}
	s.Days = append(Days(nil), w.Days...)
	return s
}

// account counts the time since it last did for the days; the lock is held. While the
// machine slept, or nothing was heard, nothing is known.
func (m *Monitors) account(w *watch, now time.Time) {
	from := w.counted
	w.counted = now
	if from.IsZero() || w.Paused || !now.After(from) || !w.heard(now) {
		return
	}
	if most := now.Add(-2*w.interval() - w.timeout() - slack); from.Before(most) {
		from = most
	}
	w.Days.count(from, now, w.State)
	w.unsaved = true
}

// heard says whether any location tells something of the monitor; the lock is held.
func (w *watch) heard(now time.Time) bool {
	for _, p := range w.at {
		if p.fresh(&w.Monitor, now) {
			return true
		}
	}
	return false
}

// level sets the gauge of a monitor's state. One of which nothing is known alarms
// nobody.
func (m *Monitors) level(w *watch, state State) {
	if m.Level != nil {
		labels := w.labels("")
		if w.Stack != "" {
			labels["stack"] = w.Stack // alerts are routed by it
		}
		m.Level("dropstack_monitor_state", labels, levels[state])
	}
}

func (w *watch) labels(location string) map[string]string {
	l := map[string]string{"monitor": w.Name}
	if location != "" {
		l["location"] = location
	}
	return l
}

// record writes what a check measured. A warm-up counts for nothing but whether there
// was an answer.
func (m *Monitors) record(ctx context.Context, w *watch, r *Result) {
	if m.Level != nil {
		up := 1.0
		if r.State == Down {
			up = 0
		}
		m.Level("dropstack_monitor_up", w.labels(r.Location), up)
	}
	if m.Sample == nil || r.WarmUp || r.State == Down {
		return
	}
	r.Phases.each(func(phase string, took time.Duration) {
		labels := w.labels(r.Location)
		labels["phase"] = phase
		if err := m.Sample(ctx, "dropstack_monitor_duration_seconds", labels, r.At, took.Seconds()); err != nil && ctx.Err() == nil {
			m.Log.Warn("a check is not measured", "monitor", w.Name, "err", err)
		}
	})
}
