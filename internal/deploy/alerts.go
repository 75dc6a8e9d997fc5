package deploy

import (
	"context"
	"fmt"
	"slices"

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
