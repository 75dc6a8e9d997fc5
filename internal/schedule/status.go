package schedule

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/fault"
)

// Status is a rule or a schedule as it stands.
type Status struct {
	Stack      string      `json:"stack"`
	Name       string      `json:"name"`
	Group      string      `json:"group,omitempty"` // of EventBridge Scheduler
	ARN        string      `json:"arn"`
	Expression string      `json:"expression"`
	Zone       string      `json:"timezone"`
	Disabled   bool        `json:"disabled"`
	Targets    []string    `json:"targets"` // names of functions, ARNs of others
	Next       []time.Time `json:"next"`    // ticks to come, none of one that is disabled or has no target
}

// List tells of the rules and schedules of a stack, or of all for "", by stack and
// name, each with its next n ticks.
func (s *Scheduler) List(stack string, n int) []Status {
	list := []Status{}
	stacks, _ := s.snapshot()
	for of, entries := range stacks {
		if stack != "" && stack != of {
			continue
		}
		for _, e := range entries {
			i := slices.IndexFunc(list, func(st Status) bool { return st.ARN == e.ARN })
			if i < 0 {
				i = len(list)
				list = append(list, e.status(n))
			}
			if e.Aimed() {
				list[i].Targets = append(list[i].Targets, cmp.Or(e.Function, e.To))
			}
		}
	}
	slices.SortFunc(list, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Stack, b.Stack), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ARN, b.ARN))
	})
	return list
}

func (e entry) status(n int) Status {
	st := Status{
		Stack: e.Stack, Name: e.Name, ARN: e.ARN, Expression: e.Expression, Zone: cmp.Or(e.Zone, "UTC"), Disabled: e.Disabled,
		Targets: []string{}, Next: []time.Time{},
	}
	if e.Scheduler {
		st.Group = cmp.Or(e.Group, DefaultGroup)
	}
	if e.Disabled || !e.Aimed() {
		return st
	}
	at, more := e.expr.Next(e.since, time.Now())
	for more && len(st.Next) < n {
		st.Next = append(st.Next, at)
		at, more = e.expr.Next(e.since, at)
	}
	return st
}

// Handed is what became of a tick at one target.
type Handed struct {
	Target  string `json:"target"`  // name of a function, ARN of another
	Request string `json:"request"` // ID of the invocation, or of the message
	Error   string `json:"error,omitempty"`
}

// Fire gives a tick of this second to every target of a rule or schedule, of which
// nothing else changes: it may be disabled, and its own ticks come as they would have.
// Each call is a tick of its own. A target that refuses keeps it from no other, and is
// not tried again.
func (s *Scheduler) Fire(ctx context.Context, arn string) ([]Handed, error) {
	var list []Handed
	known := false
	stacks, _ := s.snapshot()
	for _, entries := range stacks {
		for _, e := range entries {
			if e.ARN != arn {
				continue
			}
			known = true
			if !e.Aimed() {
				continue
			}
			h := Handed{Target: cmp.Or(e.Function, e.To), Request: uuid.NewString()}
			if err := s.hand(ctx, &pending{entry: e, tick: time.Now().UTC().Truncate(time.Second)}, h.Request); err != nil {
				h.Error = err.Error()
			}
			list = append(list, h)
		}
	}
	switch {
	case !known:
		return nil, fault.Errorf(fault.NotFound, "no schedule has the ARN %q; `dropstack schedule list` lists what there is", arn)
	case len(list) == 0:
		return nil, fault.Errorf(fault.Invalid, "%s has no target: nobody can be given a tick", arn)
	}
	return list, nil
}
