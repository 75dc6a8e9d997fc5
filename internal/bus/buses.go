package bus

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/pattern"
	"github.com/dropstack/dropstack/internal/trace"
)

// Buses are the event buses of all stacks. All methods are safe for concurrent use.
type Buses struct {
	Invoker function.Enqueues
	// Publish publishes to a topic and answers once that is on disk.
	Publish func(ctx context.Context, topicARN string, body []byte, attributes map[string]string) error
	// Send puts a message into a queue and answers once it is on disk; one with an id
	// that was there lately is dropped, and group is for FIFO queues. Optional: then
	// rules cannot send to queues.
	Send func(ctx context.Context, queueARN, id, body, group string, attributes map[string]string) error
	// Traces begins the traces of events that came without one. Optional.
	Traces *trace.Traces
	Region string
	Log    *slog.Logger

	current atomic.Pointer[snapshot]
	change  sync.Mutex // serialises Replace
}

// snapshot is what all stacks together declare. It never changes.
type snapshot struct {
	stacks map[string]declared
	buses  map[string][]*rule // enabled ones with targets, by name of the bus; every bus has an entry
}

// declared is what one stack declares.
type declared struct {
	buses []Bus
	rules []*rule
}

// rule is a rule that is ready to be asked.
type rule struct {
	Rule
	pattern *pattern.Pattern
}

func (r *Rule) bus() string {
	if r.Bus == "" {
		return Default
	}
	return r.Bus
}

// Replace makes buses and rules what the stack declares, instead of what it did
// before; none takes the stack away. On an error nothing has changed.
func (b *Buses) Replace(stack string, buses []Bus, rules []Rule) error {
	if err := b.Admit(buses, rules); err != nil {
		return err
	}
	d := declared{buses: slices.Clone(buses)}
	for _, r := range rules {
		p, err := pattern.Parse(r.Pattern)
		if err != nil {
			return fmt.Errorf("rule %s: %w", r.Name, err)
		}
		d.rules = append(d.rules, &rule{Rule: r, pattern: p})
	}
	b.change.Lock()
	defer b.change.Unlock()
	stacks := map[string]declared{}
	if old := b.current.Load(); old != nil {
		maps.Copy(stacks, old.stacks)
	}
	stacks[stack] = d
	if len(buses)+len(rules) == 0 {
		delete(stacks, stack)
	}
	next, err := gather(stacks)
	if err != nil {
		return err
	}
	b.current.Store(next)
	return nil
}

// gather puts together what stacks declare. Names are those of one stack only.
func gather(stacks map[string]declared) (*snapshot, error) {
	next := &snapshot{stacks: stacks, buses: map[string][]*rule{Default: nil}}
	owners := map[string]string{} // stacks, by ARN
	own := func(arn, stack string) error {
		if other, taken := owners[arn]; taken {
			return fault.Errorf(fault.Conflict, "%s of stack %s exists in stack %s", arn, stack, other)
		}
		owners[arn] = stack
		return nil
	}
	names := slices.Sorted(maps.Keys(stacks))
	for _, stack := range names {
		for _, bus := range stacks[stack].buses {
			if err := own(bus.ARN, stack); err != nil {
				return nil, err
			}
			next.buses[bus.Name] = nil
		}
	}
	for _, stack := range names {
		for _, r := range stacks[stack].rules {
			if err := own(r.ARN, stack); err != nil {
				return nil, err
			}
			// a rule of a bus that is gone waits for it
			if rules, ok := next.buses[r.bus()]; ok && !r.Disabled && len(r.Targets) > 0 {
				next.buses[r.bus()] = append(rules, r)
			}
		}
	}
	return next, nil
}

// rules are the rules of a bus, false when there is no such bus.
func (b *Buses) rules(bus string) ([]*rule, bool) {
	current := b.current.Load()
	if current == nil {
		return nil, bus == Default
	}
	rules, ok := current.buses[bus]
	return rules, ok
}

// Name is the name in a bus's name or ARN, Default for none.
func Name(nameOrARN string) string {
	if nameOrARN == "" {
		return Default
	}
	if a, err := arn.Parse(nameOrARN); err == nil && a.Service == "events" {
		if name, ok := cutResource(a, "event-bus/"); ok {
			return name
		}
	}
	return nameOrARN
}
