package deploy

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/build"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/dropstack/dropstack/internal/logs/ingest"
	"github.com/dropstack/dropstack/internal/network"
)

var (
	stackName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,127}$`)
	shaName   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// validate refuses a document that the rooms would refuse, before anything is
// written. The command has checked most of it already, with lines; a document can
// come from elsewhere.
func (d *Deployer) validate(r *Revision) error {
	if !stackName.MatchString(r.Stack) {
		return fault.Errorf(fault.Invalid, "stack name %q: letters, digits and hyphens, a letter first", r.Stack)
	}
	known := map[string]bool{}
	for _, f := range r.Functions {
		switch {
		case f.Stack != r.Stack:
			return fault.Errorf(fault.Invalid, "function %q belongs to stack %q, not %q", f.Name, f.Stack, r.Stack)
		case known[f.Name]:
			return fault.Errorf(fault.Invalid, "function %q is there twice", f.Name)
		case !shaName.MatchString(f.Artifact):
			return fault.Errorf(fault.Invalid, "function %q: artifact %q is not a SHA-256", f.Name, f.Artifact)
		case len(f.Layers) > build.MaxLayers:
			return fault.Errorf(fault.Invalid, "function %q has %d layers; the limit is %d", f.Name, len(f.Layers), build.MaxLayers)
		}
		for _, sha := range f.Layers {
			if !shaName.MatchString(sha) {
				return fault.Errorf(fault.Invalid, "function %q: layer %q is not a SHA-256", f.Name, sha)
			}
		}
		known[f.Name] = true
	}
	for _, l := range r.Layers {
		if !shaName.MatchString(l.Artifact) {
			return fault.Errorf(fault.Invalid, "layer %q: artifact %q is not a SHA-256", l.Name, l.Artifact)
		}
	}
	if err := ingest.Check(r.LogSources); err != nil {
		return err
	}
	if err := d.ownNames(r); err != nil {
		return err
	}
	if err := d.ownExports(r); err != nil {
		return err
	}
	if err := d.checkShifts(r); err != nil {
		return err
	}
	if err := d.Rooms.Functions.Admit(r.Functions); err != nil {
		return err
	}
	if err := d.Rooms.Networks.Admit(r.Stack, r.Network, d.uses(r)); err != nil {
		return err
	}
	if err := d.ownRules(r); err != nil {
		return err
	}
	if err := d.ownBucketEvents(r); err != nil {
		return err
	}
	for _, t := range r.Topics {
		if t.Policy == "" {
			continue
		}
		if _, err := policy.Parse(policy.Resource, t.Policy); err != nil {
			return fmt.Errorf("policy of topic %s: %w", t.ARN, err)
		}
	}
	if err := d.ownQueues(r); err != nil {
		return err
	}
	if err := d.ownAlerts(r); err != nil {
		return err
	}
	if d.Rooms.Monitors != nil {
		if err := d.Rooms.Monitors.Admit(r.Stack, r.Monitors); err != nil {
			return err
		}
	}
	for _, s := range r.Schedules {
		err := s.Check()
		if err == nil && (s.To != "" || s.DeadLetter != "") {
			err = d.Rooms.Buses.AdmitTarget(bus.Target{
				ID: cmp.Or(s.Target, s.Name), ARN: cmp.Or(s.To, arn.Function(r.Region, s.Function)), Group: s.ToGroup,
				DeadLetter: s.DeadLetter, MaxAge: s.MaxAge, MaxRetries: s.MaxRetries,
			})
		}
		if err != nil {
			return fault.Coded(fault.Invalid, fault.CodeOf(err), "schedule %s: %w", s.Name, err)
		}
	}
	if err := d.Rooms.Buses.Admit(r.Buses, r.Rules); err != nil {
		return err
	}
	if err := gateway.Check(r.APIs); err != nil {
		return err
	}
	if err := gateway.CheckKeys(r.Stack, r.APIKeys, r.UsagePlans); err != nil {
		return err
	}
	if err := d.ownHosts(r); err != nil {
		return err
	}
	return d.checkFirewall(r)
}

// ownHosts refuses distributions that cannot be, and ids and host names that another
// stack's have.
func (d *Deployer) ownHosts(r *Revision) error {
	if err := edge.Check(r.Distributions); err != nil {
		return err
	}
	list := slices.Clone(r.Distributions)
	for stack, other := range d.List() {
		if stack != r.Stack {
			list = append(list, other.Distributions...)
		}
	}
	return edge.Apart(list) // what else is wrong with another stack's is no matter here
}

// checkShifts refuses shifts that cannot be made.
func (d *Deployer) checkShifts(r *Revision) error {
	all := maps.Clone(d.List())
	all[r.Stack] = r
	exists := func(name string) bool {
		for _, other := range all {
			if slices.ContainsFunc(other.Functions, func(f function.Function) bool { return f.Name == name }) {
				return true
			}
		}
		return false
	}
	for _, f := range r.Functions {
		if f.Shift == nil {
			continue
		}
		if _, err := parseTraffic(f.Shift.Type); err != nil {
			return fmt.Errorf("function %q: %w", f.Name, err)
		}
		if f.Provisioned > 0 {
			return fault.Errorf(fault.Invalid, "function %q has provisioned concurrency, whose alias %s its callers have; they cannot be shifted too", f.Name, function.ProvisionedAlias)
		}
		if err := function.CheckAlias(f.Shift.Alias); err != nil {
			return fmt.Errorf("function %q: %w", f.Name, err)
		}
		for _, hook := range []string{f.Shift.Before, f.Shift.After} {
			if hook != "" && !exists(hook) {
				return fault.Errorf(fault.Invalid, "function %q: the hook %q is no function; hooks are named in full", f.Name, hook)
			}
		}
	}
	return nil
}

// uses lists the places in networks that functions of all stacks have once r is
// active: they may be in another stack's.
func (d *Deployer) uses(r *Revision) (list []network.Use) {
	all := maps.Clone(d.List())
	all[r.Stack] = r
	for _, stack := range slices.Sorted(maps.Keys(all)) {
		for _, f := range all[stack].Functions {
			if f.VPC != nil {
				list = append(list, network.Use{Function: f.Name, Subnets: f.VPC.Subnets, Groups: f.VPC.Groups})
			}
		}
	}
	return list
}

// ownRules refuses the name of a rule or an event bus that another stack uses: ticks
// are told apart by it, and calls name no stack.
func (d *Deployer) ownRules(r *Revision) error {
	twice := map[string]bool{}
	for _, s := range r.Schedules {
		key := s.ARN + " " + s.Target // a rule has one for each of its targets
		if twice[key] {
			return fault.Errorf(fault.Invalid, "schedule %q is there twice", s.Name)
		}
		twice[key] = true
	}
	for _, rule := range r.Rules {
		if twice[rule.ARN] {
			return fault.Errorf(fault.Invalid, "rule %q is there twice", rule.Name)
		}
		twice[rule.ARN] = true
	}
	for stack, other := range d.List() {
		if stack == r.Stack {
			continue
		}
		taken := other.events()
		for name := range r.events() {
			if taken[name] {
				return fault.Errorf(fault.Conflict, "%s exists in stack %q", name, stack)
			}
		}
	}
	return nil
}

// ownBucketEvents refuses two functions, also of two stacks, that could both be told
// of one change of an object.
func (d *Deployer) ownBucketEvents(r *Revision) error {
	var list []bucket.Notification
	for stack, other := range d.List() {
		if stack != r.Stack {
			list = append(list, other.Notifications...)
		}
	}
	return bucket.Check(append(list, r.Notifications...))
}

// events are the ARNs of schedules, their groups, rules and event buses.
func (r *Revision) events() map[string]bool {
	names := map[string]bool{}
	for _, s := range r.Schedules {
		names[s.ARN] = true
	}
	for _, g := range r.ScheduleGroups {
		names[g.ARN] = true
	}
	for _, rule := range r.Rules {
		names[rule.ARN] = true
	}
	for _, b := range r.Buses {
		names[b.ARN] = true
	}
	return names
}

// ownQueues refuses queues and mappings that cannot be, and the name of a queue that
// another stack uses.
func (d *Deployer) ownQueues(r *Revision) error {
	taken := map[string]string{}
	for stack, other := range d.List() {
		for _, q := range other.Queues {
			if stack != r.Stack {
				taken[q.ARN] = "exists in stack " + stack
			}
		}
	}
	for _, q := range r.Queues {
		if err := q.Check(); err != nil {
			return err
		}
		if where, ok := taken[q.ARN]; ok {
			return fault.Errorf(fault.Conflict, "queue %q %s", q.Name, where)
		}
		taken[q.ARN] = "is there twice"
		if q.Policy != "" {
			if _, err := policy.Parse(policy.Resource, q.Policy); err != nil {
				return fmt.Errorf("policy of queue %s: %w", q.ARN, err)
			}
		}
	}
	for _, m := range r.Mappings {
		if err := m.Check(); err != nil {
			return err
		}
	}
	return nil
}

// ownNames refuses a function name that another stack uses.
func (d *Deployer) ownNames(r *Revision) error {
	for stack, other := range d.List() {
		if stack == r.Stack {
			continue
		}
		taken := map[string]bool{}
		for _, f := range other.Functions {
			taken[f.Name] = true
		}
		for _, f := range r.Functions {
			if taken[f.Name] {
				return fault.Errorf(fault.Conflict, "function %q exists in stack %q", f.Name, stack)
			}
		}
	}
	return nil
}

// keptExports refuses a revision without an export that another stack is made with.
func (d *Deployer) keptExports(r *Revision) error {
	old, ok := d.Active(r.Stack)
	if !ok || old.Owner == OwnerCloudFormation { // whose owner has seen to it
		return nil
	}
	for _, o := range old.Outputs {
		if o.Export == "" || slices.ContainsFunc(r.Outputs, func(next Output) bool { return next.Export == o.Export }) {
			continue
		}
		for stack, other := range d.List() {
			if stack != r.Stack && slices.Contains(other.Imports, o.Export) {
				return fault.Errorf(fault.Conflict, "export %q of stack %q is imported by stack %q; remove that one first, or deploy it without the import", o.Export, r.Stack, stack)
			}
		}
	}
	return nil
}

// ownExports refuses the name of an export that another stack has, or that is there
// twice: who imports it would not know which is meant.
func (d *Deployer) ownExports(r *Revision) error {
	if err := d.keptExports(r); err != nil {
		return err
	}
	taken := map[string]string{}
	for stack, other := range d.List() {
		if stack == r.Stack {
			continue
		}
		for _, o := range other.Outputs {
			taken[o.Export] = stack
		}
	}
	for _, o := range r.Outputs {
		if stack, ok := taken[o.Export]; ok && o.Export != "" {
			return fault.Errorf(fault.Conflict, "output %s: %q is exported by stack %q", o.Key, o.Export, stack)
		}
		taken[o.Export] = r.Stack
	}
	return nil
}
