package monitor

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

// IncidentsInput narrows a list of incidents.
type IncidentsInput struct {
	Monitor string `json:"monitor,omitempty"`
	Open    bool   `json:"open,omitempty"`  // those only that go on
	Limit   int    `json:"limit,omitempty"` // 0: 100
}

// IncidentsOutput is incidents, the newest first.
type IncidentsOutput struct {
	Incidents []Incident `json:"incidents"`
}

// Incidents lists incidents.
func (m *Monitors) Incidents(ctx context.Context, in IncidentsInput) (IncidentsOutput, error) {
	list, err := m.incidentsOf(ctx, in.Monitor)
	if err != nil {
		return IncidentsOutput{}, err
	}
	if in.Open {
		list = slices.DeleteFunc(list, func(i Incident) bool { return !i.Resolved.IsZero() })
	}
	return IncidentsOutput{list[:min(len(list), cmp.Or(in.Limit, 100))]}, nil
}

// AcknowledgeInput names the incident of a monitor that goes on.
type AcknowledgeInput struct {
	Monitor string `json:"monitor"`
	Text    string `json:"text,omitempty"` // for the timeline
}

// Acknowledge notes that somebody looks after an incident.
func (m *Monitors) Acknowledge(ctx context.Context, in AcknowledgeInput) (Incident, error) {
	if len(in.Text) > 512 || strings.ContainsAny(in.Text, "\r\n\x00") {
		return Incident{}, fault.Errorf(fault.Invalid, "the text is one line of up to 512 bytes")
	}
	m.changing.Lock()
	defer m.changing.Unlock()
	m.mu.Lock()
	w := m.watches[in.Monitor]
	if w == nil || w.incident == nil || !w.incident.Resolved.IsZero() {
		m.mu.Unlock()
		return Incident{}, fault.Errorf(fault.NotFound, "monitor %q has no incident that goes on", in.Monitor)
	}
	next := w.incident.copy()
	m.mu.Unlock()
	next.Acknowledged = time.Now().UTC()
	if who, known := iam.Caller(ctx); known {
		next.By = who.ARN
	}
	next.note(next.Acknowledged, "acknowledged", "", strings.TrimSpace(next.By+" "+in.Text))
	if err := m.putIncident(ctx, next); err != nil {
		return Incident{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	w.incident = next
	return *next.copy(), nil
}
