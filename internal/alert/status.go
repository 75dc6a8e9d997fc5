package alert

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/prometheus/rules"
)

// States of an alert, and of a rule as the highest of its alerts.
const (
	Inactive = "inactive"
	Pending  = "pending" // its condition holds, not for long enough
	Firing   = "firing"
)

// Active is an alert that is pending or firing.
type Active struct {
	Alert
	State string    `json:"state"`
	Since time.Time `json:"since"` // when its condition began to hold
}

// RuleStatus is a rule and how it does.
type RuleStatus struct {
	Rule
	State     string    `json:"state"`           // of a rule that records: ""
	Error     string    `json:"error,omitempty"` // why it could not be evaluated
	Evaluated time.Time `json:"evaluated,omitzero"`
	TookMS    float64   `json:"tookMs"`
	Alerts    int       `json:"alerts"` // that are pending or firing
}

// RuleGroups are the engine's groups, for the Prometheus API.
func (w *Watcher) RuleGroups() []*rules.Group { return w.engine.RuleGroups() }

// AlertingRules are the engine's rules that make alerts, for the Prometheus API.
func (w *Watcher) AlertingRules() []*rules.AlertingRule { return w.engine.AlertingRules() }

// Rules are all rules, in the order of the places where they stand.
func (w *Watcher) Rules() []RuleStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := []RuleStatus{}
	for _, g := range w.engine.RuleGroups() {
		known := slices.Clone(w.loaded[g.File()])
		for _, r := range g.Rules() {
			i := slices.IndexFunc(known, func(k Rule) bool {
				return k.Name == r.Name() && (k.Group == g.Name() || k.Group == "" || k.Every != 0)
			})
			if i < 0 {
				continue // it is being replaced
			}
			list = append(list, statusOf(known[i], r))
			known = slices.Delete(known, i, i+1) // names may come twice
		}
	}
	return list
}

func statusOf(rule Rule, r rules.Rule) RuleStatus {
	s := RuleStatus{Rule: rule, Evaluated: r.GetEvaluationTimestamp(), TookMS: float64(r.GetEvaluationDuration().Microseconds()) / 1000}
	if err := r.LastError(); err != nil {
		s.Error = err.Error()
	}
	a, ok := r.(*rules.AlertingRule)
	if !ok {
		return s
	}
	s.State, s.Alerts = Inactive, len(a.ActiveAlerts())
	switch a.State() {
	case rules.StatePending:
		s.State = Pending
	case rules.StateFiring:
		s.State = Firing
	}
	return s
}

// Alerts are those that are pending or firing: the firing ones first, the newest of
// each first.
func (w *Watcher) Alerts() []Active {
	list := []Active{}
	for _, r := range w.engine.AlertingRules() {
		for _, a := range r.ActiveAlerts() {
			state := Pending
			if a.State == rules.StateFiring {
				state = Firing
			}
			list = append(list, Active{w.alert(a), state, a.ActiveAt})
		}
	}
	slices.SortFunc(list, func(a, b Active) int {
		return cmp.Or(cmp.Compare(a.State, b.State), b.Since.Compare(a.Since), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Labels[FunctionLabel], b.Labels[FunctionLabel]))
	})
	return list
}
