package api

import (
	"cmp"
	"context"
	"slices"

	"github.com/dropstack/dropstack/internal/alert"
)

// Alerts is what the control plane needs of alert rules.
type Alerts interface {
	Rules() []alert.RuleStatus
	Alerts() []alert.Active
	Refused() string
	Replay(ctx context.Context, in alert.ReplayInput) (alert.Replayed, error)
	Explain(ctx context.Context, in alert.ExplainInput) (alert.Explanation, error)
}

// Ringing is what the control plane needs of alarms: those in ALARM.
type Ringing interface {
	Alerts() []alert.Active
}

// AlertsOutput is the alerts that are pending or firing.
type AlertsOutput struct {
	Alerts []alert.Active `json:"alerts"`
}

// RulesOutput is every rule.
type RulesOutput struct {
	Rules   []alert.RuleStatus `json:"rules"`
	Refused string             `json:"refused,omitempty"` // why the files of rules, as they are now, are not taken
}

func (c *Control) listAlerts(context.Context, struct{}) (AlertsOutput, error) {
	list := append(c.Alerts.Alerts(), c.Alarms.Alerts()...)
	slices.SortStableFunc(list, func(a, b alert.Active) int { return cmp.Compare(a.State, b.State) })
	return AlertsOutput{list}, nil
}

func (c *Control) listRules(context.Context, struct{}) (RulesOutput, error) {
	return RulesOutput{c.Alerts.Rules(), c.Alerts.Refused()}, nil
}

func (c *Control) testRule(ctx context.Context, in alert.ReplayInput) (alert.Replayed, error) {
	return c.Alerts.Replay(ctx, in)
}

func (c *Control) explainAlert(ctx context.Context, in alert.ExplainInput) (alert.Explanation, error) {
	return c.Alerts.Explain(ctx, in)
}
