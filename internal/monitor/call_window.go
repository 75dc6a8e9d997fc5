package monitor

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

// PutWindow adds a maintenance window.
func (m *Monitors) PutWindow(ctx context.Context, in Window) (Window, error) {
	in.ID = strings.ToLower(rand.Text()[:8])
	if who, known := iam.Caller(ctx); known {
		in.By = who.ARN
	}
	if err := in.Check(); err != nil {
		return Window{}, err
	}
	m.changing.Lock()
	defer m.changing.Unlock()
	m.mu.Lock()
	n := len(m.windows)
	for _, name := range in.Monitors {
		if m.watches[name] == nil {
			m.mu.Unlock()
			return Window{}, unknown(name)
		}
	}
	m.mu.Unlock()
	if n >= maxWindows {
		return Window{}, fault.Errorf(fault.TooLarge, "there are %d maintenance windows, which is the limit", n)
	}
	if err := put(ctx, m.monitors, windowKey(in.ID), in); err != nil {
		return Window{}, err
	}
	m.mu.Lock()
	m.windows[in.ID] = &in
	m.mu.Unlock()
	return in, m.reconsider(ctx)
}

// WindowInput names a maintenance window.
type WindowInput struct {
	ID string `json:"id"`
}

// DeleteWindow removes a maintenance window; one that has begun ends.
func (m *Monitors) DeleteWindow(ctx context.Context, in WindowInput) (struct{}, error) {
	m.changing.Lock()
	defer m.changing.Unlock()
	m.mu.Lock()
	_, there := m.windows[in.ID]
	m.mu.Unlock()
	if !there {
		return struct{}{}, fault.Errorf(fault.NotFound, "maintenance window %q does not exist; `dropstack monitor maintenance list` lists what does", in.ID)
	}
	if err := m.monitors.Purge(ctx, windowKey(in.ID)); err != nil {
		return struct{}{}, fault.Errorf(fault.Unavailable, "remove maintenance window %s: %w", in.ID, err)
	}
	m.mu.Lock()
	delete(m.windows, in.ID)
	m.mu.Unlock()
	return struct{}{}, m.reconsider(ctx)
}

// WindowsOutput is the maintenance windows, the next first.
type WindowsOutput struct {
	Windows []Window `json:"windows"`
}

// Windows lists the maintenance windows that are not over for good.
func (m *Monitors) Windows(context.Context, struct{}) (WindowsOutput, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := WindowsOutput{Windows: []Window{}}
	for _, w := range m.windows {
		if !w.Over(time.Now()) {
			out.Windows = append(out.Windows, *w)
		}
	}
	slices.SortFunc(out.Windows, func(a, b Window) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Weekly, b.Weekly), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// inWindow says whether a monitor is in maintenance; the lock is held.
func (m *Monitors) inWindow(name string, now time.Time) bool {
	for _, w := range m.windows {
		if _, in := w.covers(name, now); in {
			return true
		}
	}
	return false
}

// reconsider judges all monitors anew. The caller holds changing.
func (m *Monitors) reconsider(ctx context.Context) error {
	m.mu.Lock()
	var list []*transition
	for _, w := range m.watches {
		if w.Paused {
			continue
		}
		if t := m.judge(w, time.Now()); t != nil {
			list = append(list, t)
		}
	}
	m.mu.Unlock()
	for _, t := range list {
		m.follow(ctx, t)
	}
	return nil
}
