package monitor

import (
	"context"
	"slices"
	"time"
)

// Public is what everybody may see: monitors that are public, with their days, their
// incidents and the maintenance of them that goes on or is to come within a week.
type Public struct {
	Monitors  []Status
	Incidents []Incident // the newest first
	Windows   []Window
}

// Public tells what is public. It holds reasons and evidence, which are not to be shown.
func (m *Monitors) Public(ctx context.Context) (Public, error) {
	out := Public{}
	list, err := m.List(ctx, ListInput{})
	if err != nil {
		return out, err
	}
	m.mu.Lock()
	for _, s := range list.Monitors {
		if w := m.watches[s.Name]; w != nil && s.Public {
			s.Days = slices.Clone(w.Days)
			out.Monitors = append(out.Monitors, s)
		}
	}
	now := time.Now()
	for _, w := range m.windows {
		about := len(w.Monitors) == 0 || slices.ContainsFunc(out.Monitors, func(s Status) bool { return slices.Contains(w.Monitors, s.Name) })
		if about && w.Weekly == "" && !w.Over(now) && w.Start.Before(now.AddDate(0, 0, 7)) {
			out.Windows = append(out.Windows, *w)
		}
	}
	m.mu.Unlock()
	slices.SortFunc(out.Windows, func(a, b Window) int { return a.Start.Compare(b.Start) })
	for _, s := range out.Monitors {
		past, err := m.incidentsOf(ctx, s.Name)
		if err != nil {
			return out, err
		}
		out.Incidents = append(out.Incidents, past...)
	}
	slices.SortFunc(out.Incidents, func(a, b Incident) int { return b.Opened.Compare(a.Opened) })
	return out, nil
}
