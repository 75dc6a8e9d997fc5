// Package event is EventBridge's API of rules: what makes, changes and removes the
// schedules of the platform while it runs.
//
// A rule that a call makes is part of the stack deploy.APIStack; one of a
// serverless.yml stays in its own, and what calls change of it lasts until it is
// deployed again. Rules have a schedule; there is no event pattern yet, so nobody
// would be told of events that are put.
package event

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/schedule"
)

// Rules is the room of the API. All fields are required.
type Rules struct {
	Deployer Deployer
	Region   string
}

// Deployer is what the room needs of deployments.
type Deployer interface {
	Edit(ctx context.Context, stack string, change func(*deploy.Revision) error) (*deploy.Revision, error)
	List() map[string]*deploy.Revision
}

// bus is the only event bus.
const bus = "default"

// The states of a rule.
const (
	enabled  = "ENABLED"
	disabled = "DISABLED"
)

var ruleName = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

func invalid(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "ValidationException", format, args...)
}

func noRule(name string) error {
	return fault.Coded(fault.NotFound, "ResourceNotFoundException", "Rule %s does not exist on EventBus %s.", name, bus)
}

// onBus refuses another bus than the one there is, by name or ARN.
func onBus(name string) error {
	if name == "" || name == bus || strings.HasSuffix(name, ":event-bus/"+bus) {
		return nil
	}
	return fault.Coded(fault.NotFound, "ResourceNotFoundException", "Event bus %s does not exist; there is %q", name, bus)
}

// stackOf is the stack that a rule is part of, and its schedules there.
func (r *Rules) stackOf(name string) (stack string, list []schedule.Schedule) {
	all := r.Deployer.List()
	for _, stack := range slices.Sorted(maps.Keys(all)) {
		if list := named(all[stack], name); len(list) > 0 {
			return stack, list
		}
	}
	return deploy.APIStack, nil
}

func named(rev *deploy.Revision, name string) (list []schedule.Schedule) {
	for _, s := range rev.Schedules {
		if s.Name == name {
			list = append(list, s)
		}
	}
	return list
}

// edit changes the schedules of a rule; change is given none when there is no such
// rule.
func (r *Rules) edit(ctx context.Context, name, busName string, change func([]schedule.Schedule) ([]schedule.Schedule, error)) error {
	if err := onBus(busName); err != nil {
		return err
	}
	stack, _ := r.stackOf(name)
	_, err := r.Deployer.Edit(context.WithoutCancel(ctx), stack, func(rev *deploy.Revision) error {
		next, err := change(named(rev, name))
		if err != nil {
			return err
		}
		at := slices.IndexFunc(rev.Schedules, func(s schedule.Schedule) bool { return s.Name == name })
		if at < 0 {
			at = len(rev.Schedules)
		}
		rest := slices.DeleteFunc(slices.Clone(rev.Schedules), func(s schedule.Schedule) bool { return s.Name == name })
		for i := range next {
			next[i].Stack = stack
		}
		rev.Schedules = slices.Insert(rest, min(at, len(rest)), next...)
		return nil
	})
	return err
}

// existing is change for a rule that must be there.
func existing(name string, change func([]schedule.Schedule) ([]schedule.Schedule, error)) func([]schedule.Schedule) ([]schedule.Schedule, error) {
	return func(list []schedule.Schedule) ([]schedule.Schedule, error) {
		if len(list) == 0 {
			return nil, noRule(name)
		}
		return change(list)
	}
}

// nameOf is the name in a rule's name or ARN.
func nameOf(s string) string {
	if a, err := arn.Parse(s); err == nil {
		s = strings.TrimPrefix(strings.TrimPrefix(a.Resource, "rule/"), bus+"/")
	}
	return s
}
