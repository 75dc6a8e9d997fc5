package monitor

import (
	"context"
	"errors"
	"slices"

	"github.com/dropstack/dropstack/internal/fault"
)

// Admit says what keeps the monitors of a stack from being watched.
func (m *Monitors) Admit(stack string, list []Monitor) error {
	var wrong []error
	names := map[string]bool{}
	for _, one := range list {
		one.Stack = stack
		if names[one.Name] {
			wrong = append(wrong, fault.Errorf(fault.Invalid, "two monitors have the name %s", one.Name))
		}
		names[one.Name] = true
		wrong = append(wrong, one.Check(), m.admit(&one))
		m.mu.Lock()
		if w := m.watches[one.Name]; w != nil && w.Stack != stack {
			wrong = append(wrong, fault.Errorf(fault.Conflict, "there is a monitor %s already, %s", one.Name, w.owner()))
		}
		m.mu.Unlock()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if others := len(m.watches) - len(m.declared[stack]); others+len(list) > MaxMonitors {
		wrong = append(wrong, fault.Errorf(fault.TooLarge, "there are %d monitors of others, and %d are the limit", others, MaxMonitors))
	}
	return errors.Join(wrong...)
}

func (w *watch) owner() string {
	if w.Stack == "" {
		return "that no stack declares"
	}
	return "of stack " + w.Stack
}

// Replace makes a list the whole of a stack's monitors, none to remove them. What is
// known of those that stay is kept. Their stack was deployed just now, or the platform
// has started.
func (m *Monitors) Replace(ctx context.Context, stack string, list []Monitor) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	var names []string
	var wrong []error
	for _, one := range list {
		one.Stack, one.Inside = stack, true // who deploys may have functions call what they like
		names = append(names, one.Name)
		wrong = append(wrong, m.begin(ctx, one))
	}
	m.mu.Lock()
	var gone []*watch
	for _, name := range m.declared[stack] {
		if w := m.watches[name]; w != nil && w.Stack == stack && !slices.Contains(names, name) {
			gone = append(gone, w)
		}
	}
	if m.declared[stack] = names; len(names) == 0 {
		delete(m.declared, stack)
	}
	m.mu.Unlock()
	for _, w := range gone {
		wrong = append(wrong, m.end(ctx, w))
	}
	return errors.Join(wrong...)
}
