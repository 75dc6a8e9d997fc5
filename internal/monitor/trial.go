package monitor

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// test makes one check of a monitor now, from each of the locations named; for none,
// from all that the monitor has. It leaves no trace.
func (m *Monitors) test(ctx context.Context, one *Monitor, names []string) ([]Result, error) {
	if len(names) == 0 {
		names = one.Locations
	}
	if len(names) == 0 && strings.HasPrefix(one.URL, "/") {
		names = []string{Here}
	}
	tasks, answers, err := m.trial(one, names)
	if err != nil {
		return nil, err
	}
	var here sync.WaitGroup
	defer here.Wait()
	for _, t := range tasks {
		here.Go(func() { m.deliver(ctx, Here, m.Checks.Check(ctx, t)) })
	}
	list := []Result{}
	patience := time.After(one.timeout() + slack)
	for range cap(answers) {
		select {
		case r := <-answers:
			list = append(list, r)
		case <-patience: // the others will not come
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	slices.SortFunc(list, func(a, b Result) int { return cmp.Compare(a.Location, b.Location) })
	if len(list) == 0 {
		return nil, fault.Errorf(fault.Unavailable, "no location has answered within %v", one.timeout()+slack)
	}
	return list, nil
}

// trial asks probes for a check that is a test, and returns those to be made here. The
// channel has room for all answers.
func (m *Monitors) trial(one *Monitor, names []string) (here []Task, answers chan Result, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ask []*location
	for _, l := range m.locations {
		if l.joined() && (len(names) == 0 || slices.Contains(names, l.Name)) {
			ask = append(ask, l)
		}
	}
	for _, name := range names {
		if !m.hasJoined(name) {
			return nil, nil, fault.Errorf(fault.NotFound, "location %q is not heard from; `dropstack monitor location list` lists those that are", name)
		}
	}
	answers = make(chan Result, len(ask))
	for _, l := range ask {
		t := Task{ID: rand.Text(), Monitor: one.Name, Inside: one.Inside, Target: m.target(one)}
		m.asked[t.ID] = check{monitor: one.Name, location: l.Name, until: time.Now().Add(t.timeout() + slack), answer: answers}
		if l.Name == Here {
			here = append(here, t)
			continue
		}
		select {
		case l.conn.tasks <- t:
		default: // it has too much to do
		}
	}
	return here, answers, nil
}
