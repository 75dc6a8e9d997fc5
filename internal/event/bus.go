package event

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
)

func noBus(name string) error {
	return fault.Coded(fault.NotFound, "ResourceNotFoundException", "Event bus %s does not exist.", name)
}

// bus is a bus that a stack declares.
func (r *Rules) bus(name string) (stack string, found bus.Bus, ok bool) {
	for stack, rev := range r.Deployer.List() {
		for _, b := range rev.Buses {
			if b.Name == name {
				return stack, b, true
			}
		}
	}
	return deploy.APIStack, bus.Bus{}, false
}

// CreateEventBusInput is an event bus.
type CreateEventBusInput struct {
	Name             string
	Description      string            `json:",omitempty"`
	EventSourceName  string            `json:",omitempty"`
	KmsKeyIdentifier string            `json:",omitempty"`
	DeadLetterConfig *DeadLetterConfig `json:",omitempty"`
	Tags             []Tag             `json:",omitempty"`
}

// CreateEventBusOutput is the bus's name.
type CreateEventBusOutput struct {
	EventBusArn string
	Description string `json:",omitempty"`
}

// CreateEventBus makes a bus of its own name.
func (r *Rules) CreateEventBus(ctx context.Context, in CreateEventBusInput) (CreateEventBusOutput, error) {
	switch {
	case in.EventSourceName != "":
		return CreateEventBusOutput{}, invalid("EventSourceName is not supported here: there are no partners")
	case in.KmsKeyIdentifier != "":
		return CreateEventBusOutput{}, invalid("KmsKeyIdentifier is not supported here: a bus keeps no events")
	case in.DeadLetterConfig != nil && in.DeadLetterConfig.Arn != "":
		return CreateEventBusOutput{}, invalid("DeadLetterConfig of a bus is not supported here: give it to the targets")
	}
	if err := bus.CheckName(in.Name); err != nil {
		return CreateEventBusOutput{}, err
	}
	made := bus.Bus{Name: in.Name, ARN: arn.EventBus(r.Region, in.Name), Description: in.Description, Tags: tagMap(in.Tags), Stack: deploy.APIStack}
	if err := checkTags(made.Tags); err != nil {
		return CreateEventBusOutput{}, err
	}
	_, err := r.Deployer.Edit(context.WithoutCancel(ctx), deploy.APIStack, func(rev *deploy.Revision) error {
		if _, _, taken := r.bus(in.Name); taken {
			return fault.Coded(fault.Conflict, "ResourceAlreadyExistsException", "Event bus %s already exists.", in.Name)
		}
		rev.Buses = append(rev.Buses, made)
		return nil
	})
	return CreateEventBusOutput{made.ARN, made.Description}, err
}

// EventBusInput names a bus.
type EventBusInput struct {
	Name string `json:",omitempty"`
}

// EventBus is what there is of a bus.
type EventBus struct {
	Name        string
	Arn         string
	Description string `json:",omitempty"`
}

// DescribeEventBus describes a bus, the default one when none is named.
func (r *Rules) DescribeEventBus(_ context.Context, in EventBusInput) (EventBus, error) {
	name := bus.Name(in.Name)
	if name == bus.Default {
		return r.theDefault(), nil
	}
	_, found, ok := r.bus(name)
	if !ok {
		return EventBus{}, noBus(name)
	}
	return EventBus{found.Name, found.ARN, found.Description}, nil
}

func (r *Rules) theDefault() EventBus {
	return EventBus{Name: bus.Default, Arn: arn.EventBus(r.Region, bus.Default)}
}

// ListEventBusesInput narrows and pages a list of buses.
type ListEventBusesInput struct {
	NamePrefix string `json:",omitempty"`
	NextToken  string `json:",omitempty"`
	Limit      *int   `json:",omitempty"`
}

// ListEventBusesOutput is a page of buses.
type ListEventBusesOutput struct {
	EventBuses []EventBus
	NextToken  string `json:",omitempty"`
}

// ListEventBuses lists the buses of all stacks, by name.
func (r *Rules) ListEventBuses(_ context.Context, in ListEventBusesInput) (ListEventBusesOutput, error) {
	buses := map[string]EventBus{bus.Default: r.theDefault()}
	for _, rev := range r.Deployer.List() {
		for _, b := range rev.Buses {
			buses[b.Name] = EventBus{b.Name, b.ARN, b.Description}
		}
	}
	var list []EventBus
	for _, name := range slices.Sorted(maps.Keys(buses)) {
		if strings.HasPrefix(name, in.NamePrefix) {
			list = append(list, buses[name])
		}
	}
	list, next, err := page(list, in.NextToken, in.Limit)
	return ListEventBusesOutput{list, next}, err
}

// DeleteEventBus removes a bus that has no rules any more. One that is gone already is
// no error.
func (r *Rules) DeleteEventBus(ctx context.Context, in EventBusInput) (struct{}, error) {
	name := bus.Name(in.Name)
	if name == bus.Default {
		return struct{}{}, invalid("Cannot delete event bus default.")
	}
	stack, _, ok := r.bus(name)
	if !ok {
		return struct{}{}, nil
	}
	_, err := r.Deployer.Edit(context.WithoutCancel(ctx), stack, func(rev *deploy.Revision) error {
		if rules, err := r.on(name); err == nil && len(rules) > 0 {
			return invalid("Event bus %s has rules, such as %s; delete them first", name, rules[0].Name)
		}
		rev.Buses = slices.DeleteFunc(rev.Buses, func(b bus.Bus) bool { return b.Name == name })
		return nil
	})
	return struct{}{}, err
}
