// Package event is EventBridge's API of rules and event buses: what makes, changes and
// removes them while the platform runs.
//
// What a call makes is part of the stack deploy.APIStack; what is of a serverless.yml
// stays in its own, and what calls change of it lasts until it is deployed again. A
// rule has a schedule, and then is one schedule a target in its stack's revision, or a
// pattern, and then is a rule of a bus there; here both are a rule.
package event

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
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

// The states of a rule.
const (
	enabled  = "ENABLED"
	disabled = "DISABLED"
)

var ruleName = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

func invalid(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "ValidationException", format, args...)
}

func noRule(name, onBus string) error {
	return fault.Coded(fault.NotFound, "ResourceNotFoundException", "Rule %s does not exist on EventBus %s.", name, onBus)
}

// onBus is the name of a bus that there is, by its name or ARN.
func (r *Rules) onBus(nameOrARN string) (string, error) {
	name := bus.Name(nameOrARN)
	if name == bus.Default {
		return name, nil
	}
	if _, _, ok := r.bus(name); !ok {
		return "", noBus(name)
	}
	return name, nil
}

// find returns a rule and the stack that it is part of; one that is not there yet
// would be part of deploy.APIStack.
func (r *Rules) find(name, onBus string) (stack string, found *rule) {
	all := r.Deployer.List()
	for _, stack := range slices.Sorted(maps.Keys(all)) {
		if found := r.in(all[stack], name, onBus); found != nil {
			return stack, found
		}
	}
	return deploy.APIStack, nil
}

// edit changes a rule; change is given nil when there is none, and returns nil to
// remove it.
func (r *Rules) edit(ctx context.Context, name, busName string, change func(*rule) (*rule, error)) error {
	onBus, err := r.onBus(busName)
	if err != nil {
		return err
	}
	stack, _ := r.find(name, onBus)
	_, err = r.Deployer.Edit(context.WithoutCancel(ctx), stack, func(rev *deploy.Revision) error {
		next, err := change(r.in(rev, name, onBus))
		if err == nil {
			store(rev, name, onBus, next)
		}
		return err
	})
	return err
}

// existing is change for a rule that must be there.
func existing(name, busName string, change func(*rule) error) func(*rule) (*rule, error) {
	return func(found *rule) (*rule, error) {
		if found == nil {
			return nil, noRule(name, bus.Name(busName))
		}
		return found, change(found)
	}
}

// arnOf is the ARN of a rule.
func (r *Rules) arnOf(name, onBus string) string {
	if onBus == bus.Default {
		return arn.Rule(r.Region, name)
	}
	return arn.BusRule(r.Region, onBus, name)
}

// nameOf is the bus and the name in a rule's ARN, or the name alone.
func nameOf(nameOrARN string) (onBus, name string) {
	a, err := arn.Parse(nameOrARN)
	if err != nil {
		return bus.Default, nameOrARN
	}
	name = strings.TrimPrefix(a.Resource, "rule/")
	if onBus, name, found := strings.Cut(name, "/"); found {
		return onBus, name
	}
	return bus.Default, name
}
