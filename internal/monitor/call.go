package monitor

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// Status is a monitor as it stands.
type Status struct {
	Monitor
	State    State     `json:"state"`
	Since    time.Time `json:"since,omitzero"`
	Until    time.Time `json:"until,omitzero"` // of maintenance
	Incident *Incident `json:"incident,omitempty"`
	// Uptime are shares of time, by how many days they are of: 1, 7, 30, 90. Days of
	// which nothing is known do not count.
	Uptime map[int]float64 `json:"uptime,omitempty"`
	Places []Place         `json:"places"`
	Days   Days            `json:"days,omitempty"` // if they are asked for
}

// Place is a monitor as it is seen from a location.
type Place struct {
	Location string   `json:"location"`
	Joined   bool     `json:"joined"`           // the location is heard from
	Cut      bool     `json:"cut,omitempty"`    // it reaches nothing, and has no say
	Usual    Duration `json:"usual,omitzero"`   // from which on a check is slow, as it is usual
	Last     *Result  `json:"last,omitempty"`   // nil: none yet
	Failing  int      `json:"failing,omitzero"` // results in a row
}

// ListInput narrows a list of monitors.
type ListInput struct {
	Stack string `json:"stack,omitempty"`
	Days  bool   `json:"days,omitempty"` // tell of the days of each, too
}

// ListOutput is monitors by name.
type ListOutput struct {
	Monitors []Status `json:"monitors"`
}

// NameInput names a monitor.
type NameInput struct {
	Name string `json:"name"`
}

// List tells of all monitors, or of those of a stack.
func (m *Monitors) List(_ context.Context, in ListInput) (ListOutput, error) {
	out := ListOutput{Monitors: []Status{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.watches {
		if in.Stack == "" || in.Stack == w.Stack {
			s := m.status(w)
			if in.Days {
				s.Days = append(Days(nil), w.Days...)
			}
			out.Monitors = append(out.Monitors, s)
		}
	}
	slices.SortFunc(out.Monitors, func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// Describe tells of one monitor, with its days.
func (m *Monitors) Describe(_ context.Context, in NameInput) (Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.watches[in.Name]
	if w == nil {
		return Status{}, unknown(in.Name)
	}
	s := m.status(w)
	s.Days = append(Days(nil), w.Days...)
	return s, nil
}

func unknown(name string) error {
	return fault.Errorf(fault.NotFound, "monitor %q does not exist; `dropstack monitor list` lists what does", name)
}

// status is a monitor for others; the lock is held. What it says does not change.
func (m *Monitors) status(w *watch) Status {
	now := time.Now()
	s := Status{Monitor: w.Monitor.Shown(), State: w.State, Since: w.Since, Places: []Place{}, Uptime: map[int]float64{}}
	if w.Paused {
		s.State = Paused
	}
	for _, window := range m.windows {
		if end, in := window.covers(w.Name, now); in && end.After(s.Until) {
			s.Until = end
		}
	}
	if w.incident != nil && w.incident.Resolved.IsZero() {
		s.Incident = w.incident.copy()
	}
	for _, n := range []int{1, 7, 30, keepDays} {
		sum := w.Days.Sum(now.UTC().AddDate(0, 0, 1-n).Format(time.DateOnly))
		if sum.Up+sum.Slow+sum.Down > 0 {
			s.Uptime[n] = sum.Uptime()
		}
	}
	for location, p := range w.at {
		one := Place{Location: location, Joined: m.hasJoined(location), Cut: m.lost[location], Failing: p.failing, Usual: Duration(p.usual.limit(now))}
		if !p.last.At.IsZero() {
			last := p.last
			one.Last = &last
		}
		s.Places = append(s.Places, one)
	}
	slices.SortFunc(s.Places, func(a, b Place) int { return cmp.Compare(a.Location, b.Location) })
	return s
}

// Put makes a monitor that no stack declares, or changes it.
func (m *Monitors) Put(ctx context.Context, in Monitor) (Status, error) {
	in.Stack = ""
	in.Inside = m.MayReachInside != nil && m.MayReachInside(ctx)
	if err := errors.Join(in.Check(), m.admit(&in)); err != nil {
		return Status{}, err
	}
	m.changing.Lock()
	defer m.changing.Unlock()
	m.mu.Lock()
	old, n := m.watches[in.Name], len(m.watches)
	m.mu.Unlock()
	switch {
	case old != nil && old.Stack != "":
		return Status{}, fault.Errorf(fault.Conflict, "monitor %q is declared by stack %s; change it in its serverless.yml", in.Name, old.Stack)
	case old == nil && n >= MaxMonitors:
		return Status{}, fault.Errorf(fault.TooLarge, "there are %d monitors, which is the limit", n)
	}
	if old != nil {
		if err := in.unhide(&old.Monitor); err != nil {
			return Status{}, err
		}
	}
	if err := put(ctx, m.monitors, monitorKey(in.Name), in); err != nil {
		return Status{}, err
	}
	if err := m.begin(ctx, in); err != nil {
		return Status{}, err
	}
	return m.Describe(ctx, NameInput{in.Name})
}

// begin watches a monitor that is new, or has changed.
func (m *Monitors) begin(ctx context.Context, one Monitor) error {
	m.mu.Lock()
	w := m.watches[one.Name]
	if w == nil {
		m.mu.Unlock()
		err := m.watch(ctx, one)
		m.kick()
		return err
	}
	defer m.mu.Unlock()
	elsewhere := w.URL != one.URL || w.Stack != one.Stack
	w.Monitor = one
	now := time.Now()
	m.places(w, now)
	if one.Stack != "" {
		w.deployed = now
	}
	for _, p := range w.at {
		if elsewhere {
			p.usual, p.failing, p.slow, p.good, p.last = nil, 0, 0, 0, Result{}
		}
		p.cold, p.due = true, now
	}
	m.kick()
	return nil
}

// admit says what keeps a monitor from this platform.
func (m *Monitors) admit(one *Monitor) error {
	least := cmp.Or(m.Least, MinInterval)
	if one.interval() < least {
		return fault.Errorf(fault.Invalid, "monitor %s: its interval is %v: at least %v", one.Name, one.interval(), least)
	}
	if strings.HasPrefix(one.URL, "/") && m.URL == nil {
		return fault.Errorf(fault.Invalid, "monitor %s: its URL is %q, which has no host", one.Name, one.URL)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range one.Locations {
		if m.locations[name] == nil {
			return fault.Errorf(fault.Invalid, "monitor %s: there is no location %q; `dropstack monitor location add %s` makes it", one.Name, name, name)
		}
	}
	return nil
}

// Delete ends a monitor that no stack declares. Its incidents go with it.
func (m *Monitors) Delete(ctx context.Context, in NameInput) (struct{}, error) {
	m.changing.Lock()
	defer m.changing.Unlock()
	m.mu.Lock()
	w := m.watches[in.Name]
	m.mu.Unlock()
	switch {
	case w == nil:
		return struct{}{}, unknown(in.Name)
	case w.Stack != "":
		return struct{}{}, fault.Errorf(fault.Conflict, "monitor %q is declared by stack %s; take it from its serverless.yml, or pause it", in.Name, w.Stack)
	}
	if err := m.monitors.Purge(ctx, monitorKey(in.Name)); err != nil {
		return struct{}{}, fault.Errorf(fault.Unavailable, "remove monitor %s: %w", in.Name, err)
	}
	return struct{}{}, m.end(ctx, w)
}

// end stops watching a monitor and forgets what is kept of it.
func (m *Monitors) end(ctx context.Context, w *watch) error {
	m.mu.Lock()
	delete(m.watches, w.Name)
	m.level(w, Unknown)
	var over []Notice
	if rank(w.State) > 0 && w.incident != nil {
		n := w.notice(w.State)
		n.Over, n.Incident.Resolved = true, time.Now().UTC()
		over = append(over, n)
	}
	m.mu.Unlock()
	for _, n := range over {
		if m.Notify != nil {
			m.Notify(ctx, n)
		}
	}
	keys, err := all(ctx, m.incidents, incidentKey(w.Name, ""))
	for key := range keys {
		err = errors.Join(err, m.incidents.Purge(ctx, key))
	}
	return errors.Join(err, m.monitors.Purge(ctx, stateKey(w.Name)))
}

// PauseInput pauses a monitor, or has it go on.
type PauseInput struct {
	Name   string `json:"name"`
	Paused bool   `json:"paused"`
}

// Pause keeps a monitor from being checked, or has it checked again. It outlasts
// deployments.
func (m *Monitors) Pause(ctx context.Context, in PauseInput) (Status, error) {
	m.changing.Lock()
	defer m.changing.Unlock()
	m.mu.Lock()
	w := m.watches[in.Name]
	if w == nil {
		m.mu.Unlock()
		return Status{}, unknown(in.Name)
	}
	now := time.Now()
	m.account(w, now)
	t := &transition{watch: w, name: w.Name}
	if before := w.State; w.Paused != in.Paused {
		w.Paused = in.Paused
		w.State, w.Since, t.changed = Unknown, now.UTC(), true
		m.level(w, Unknown)
		m.proceed(w, view{}, before, t, now)
		for _, p := range w.at {
			p.last, p.failing, p.slow, p.good, p.cold, p.due, p.asked = Result{}, 0, 0, 0, true, now, ""
		}
	}
	t.standing = w.stored()
	m.mu.Unlock()
	if err := put(ctx, m.monitors, stateKey(in.Name), t.standing); err != nil {
		return Status{}, err
	}
	m.follow(ctx, t)
	m.kick()
	return m.Describe(ctx, NameInput{in.Name})
}

// TestInput names a monitor, or says what one would be, and where to check it from.
type TestInput struct {
	Monitor   Monitor  `json:"monitor"` // with a name alone: that which exists
	Locations []string `json:"locations,omitempty"`
}

// TestOutput is what each location saw, by location.
type TestOutput struct {
	Results []Result `json:"results"`
}

// Test makes one check now, from each location. Nothing is kept of it.
func (m *Monitors) Test(ctx context.Context, in TestInput) (TestOutput, error) {
	one := in.Monitor
	if one.URL == "" {
		m.mu.Lock()
		w := m.watches[one.Name]
		if w != nil {
			one = w.Monitor
		}
		m.mu.Unlock()
		if w == nil {
			return TestOutput{}, unknown(one.Name)
		}
	} else {
		one.Stack, one.Name = "", cmp.Or(one.Name, "test")
		one.Inside = m.MayReachInside != nil && m.MayReachInside(ctx)
		if err := one.Check(); err != nil {
			return TestOutput{}, err
		}
	}
	list, err := m.test(ctx, &one, in.Locations)
	return TestOutput{list}, err
}
