package deploy

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/alert/alarm"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/spec"
)

// addAlerts adds what a service says of alarms; it has been checked.
func (r *Revision) addAlerts(svc *spec.Service) {
	for _, a := range svc.Alarms {
		if al, err := alarm.Decode(a.Properties); err == nil {
			r.Alarms = append(r.Alarms, al)
		}
	}
	for _, f := range svc.MetricFilters {
		r.MetricFilters = append(r.MetricFilters, metricFilter(f))
	}
	if svc.Alerting == nil {
		return
	}
	r.AlertSettings = settings(svc.Alerting)
	r.Alerts = AlertRules(svc)
}

// AlertRules are the rules of a service that has been checked.
func AlertRules(svc *spec.Service) (list []alert.Rule) {
	if svc.Alerting == nil {
		return nil
	}
	for _, rule := range svc.Alerting.Rules {
		list = append(list, alertRule(svc, rule))
	}
	for _, f := range svc.Alerting.Files {
		if rules, err := alert.Parse(f.Path, f.Doc); err == nil {
			list = append(list, rules...)
		}
	}
	return list
}

func metricFilter(f spec.MetricFilter) alarm.Filter {
	return alarm.Filter{
		Name: f.Name, Group: f.Group, Pattern: f.Pattern, Namespace: f.Namespace, Metric: f.Metric, Value: f.Value,
		Default: f.Default, Unit: f.Unit, Dimensions: f.Dimensions,
	}
}

func alertRule(svc *spec.Service, r spec.AlertRule) alert.Rule {
	source := fmt.Sprintf("%s:%d", filepath.Base(r.Pos.File), r.Pos.Line)
	if rel, err := filepath.Rel(svc.Dir, r.Pos.File); err == nil && filepath.IsLocal(rel) {
		source = fmt.Sprintf("%s:%d", rel, r.Pos.Line)
	}
	return alert.Rule{
		Name: r.Name, Record: r.Record, Group: r.Group, Expr: r.Expr, Query: r.Query, Within: r.Within, Groups: r.LogGroups, For: r.For,
		KeepFiring: r.KeepFiring, Every: r.Every, Behind: r.Behind, Limit: r.Limit, Labels: r.Labels, Annotations: r.Annotations, Source: source,
	}
}

func settings(a *spec.Alerting) alert.Settings {
	s := alert.Settings{Owner: a.Owner, Receiver: a.Receiver}
	for _, t := range a.Shipped {
		if s.Shipped == nil {
			s.Shipped = map[string]alert.Tune{}
		}
		s.Shipped[t.Name] = alert.Tune{Off: t.Off, Threshold: t.Threshold, Minimum: t.Minimum, For: t.For, Severity: t.Severity}
	}
	return s
}

// atLine is how what is wrong in a file of rules says where.
var atLine = regexp.MustCompile(`^(.*?):(\d+): (.*)$`)

// alertRules asks what the rules of a service mean.
func (c *checker) alertRules() {
	a := c.svc.Alerting
	if a == nil {
		return
	}
	for _, rule := range a.Rules {
		if err := alertRule(c.svc, rule).Check(); err != nil {
			c.report(rule.ExprPos, "%s", more.ReplaceAllString(err.Error(), "; "))
		}
	}
	for _, f := range a.Files {
		_, err := alert.Parse(f.Path, f.Doc)
		if err == nil {
			continue
		}
		for line := range strings.Lines(err.Error()) {
			pos, message := f.Pos, strings.TrimSpace(line)
			if m := atLine.FindStringSubmatch(message); m != nil {
				n, _ := strconv.Atoi(m[2]) // digits
				pos, message = spec.Pos{File: filepath.Join(c.svc.Dir, m[1]), Line: n}, m[3]
			}
			c.report(pos, "%s", message)
		}
	}
	for _, t := range a.Shipped {
		one := alert.Settings{Shipped: settings(&spec.Alerting{Shipped: []spec.Tuning{t}}).Shipped}
		if err := one.Check(); err != nil {
			c.report(t.Pos, "%v", err)
		}
	}
}

// alarms asks what the alarms of a service mean.
func (c *checker) alarms() {
	seen := map[string]spec.Pos{}
	for _, a := range c.svc.Alarms {
		al, err := alarm.Decode(a.Properties)
		if err == nil {
			err = al.Check()
		}
		if err != nil {
			c.report(a.Pos, "alarm %s: %v", a.Properties["AlarmName"], err)
		}
		if first, twice := seen[al.AlarmName]; twice {
			c.report(a.Pos, "alarm %s is there already, at %s: give one another nameTemplate", al.AlarmName, first)
		}
		seen[al.AlarmName] = a.Pos
	}
	for _, f := range c.svc.MetricFilters {
		if err := metricFilter(f).Check(); err != nil {
			c.report(f.Pos, "%v", err)
		}
	}
}

// ringing are the alarms in ALARM of those that the shift of a function names.
func (d *Deployer) ringing(name string) []string {
	if d.Rooms.Alarms == nil {
		return nil
	}
	for _, r := range d.List() {
		for _, f := range r.Functions {
			if f.Name == name && f.Shift != nil && len(f.Shift.Alarms) > 0 {
				return d.Rooms.Alarms.Ringing(f.Shift.Alarms)
			}
		}
	}
	return nil
}

// watched is what a revision says of alerts; nil: there is nothing to watch.
func (r *Revision) watched() *alert.Declared {
	if len(r.Functions) == 0 && len(r.Alerts) == 0 {
		return nil
	}
	d := &alert.Declared{Rules: r.Alerts, Settings: r.AlertSettings}
	for _, f := range r.Functions {
		d.Functions = append(d.Functions, f.Name)
	}
	return d
}

// alert has the rules and the alarms of a revision watched.
func (d *Deployer) alert(ctx context.Context, next *Revision) error {
	if d.Rooms.Alerts != nil {
		if err := d.Rooms.Alerts.Replace(next.Stack, next.watched()); err != nil {
			return fmt.Errorf("alert rules: %w", err)
		}
	}
	if d.Rooms.MetricFilters != nil {
		if err := d.Rooms.MetricFilters.Replace(next.Stack, next.MetricFilters); err != nil {
			return fmt.Errorf("metric filters: %w", err)
		}
	}
	if d.Rooms.Alarms != nil {
		if err := d.Rooms.Alarms.Replace(ctx, next.Stack, next.Alarms); err != nil {
			return fmt.Errorf("alarms: %w", err)
		}
	}
	return nil
}

// ownAlerts refuses rules and alarms that could not be watched.
func (d *Deployer) ownAlerts(r *Revision) error {
	for _, rule := range r.Alerts {
		if err := rule.Check(); err != nil {
			return fault.Errorf(fault.Invalid, "%s: %w", rule.Source, err)
		}
	}
	for _, f := range r.MetricFilters {
		if err := f.Check(); err != nil {
			return err
		}
	}
	if err := r.AlertSettings.Check(); err != nil {
		return err
	}
	if d.Rooms.Alarms == nil {
		return nil
	}
	return d.Rooms.Alarms.Admit(r.Stack, r.Alarms)
}

// sourceless is rules without the lines where they stand, which move with others.
func sourceless(rules []alert.Rule) []alert.Rule {
	list := slices.Clone(rules)
	for i := range list {
		list[i].Source = ""
	}
	return list
}
