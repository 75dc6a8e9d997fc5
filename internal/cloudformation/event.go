package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret/store"
	"github.com/dropstack/dropstack/internal/wire"
)

// event is something that happened to a stack, or to a resource of it.
type event struct {
	ID       string    `json:"id"`
	Resource string    `json:"resource"` // logical id; the stack's is its name
	Physical string    `json:"physical,omitempty"`
	Type     string    `json:"type"`
	Status   string    `json:"status"`
	Reason   string    `json:"reason,omitempty"`
	Token    string    `json:"token,omitempty"`
	At       time.Time `json:"at"`
}

// StackEvent is an event as clients see it.
type StackEvent struct {
	StackId              string
	EventId              string
	StackName            string
	LogicalResourceId    string
	PhysicalResourceId   string `json:",omitempty"`
	ResourceType         string
	Timestamp            wire.Time
	ResourceStatus       string
	ResourceStatusReason string `json:",omitempty"`
	ClientRequestToken   string `json:",omitempty"`
}

// DescribeStackEventsInput names a stack and a page.
type DescribeStackEventsInput struct {
	StackName string
	NextToken string `json:",omitempty"`
}

// DescribeStackEventsOutput is a page of events, the newest first.
type DescribeStackEventsOutput struct {
	StackEvents []StackEvent
	NextToken   string `json:",omitempty"`
}

// eventsPage is how many events a page has; lots are never cut.
const eventsPage = 100

// DescribeStackEvents tells what has happened to a stack, the newest first.
func (s *Stacks) DescribeStackEvents(ctx context.Context, in DescribeStackEventsInput) (DescribeStackEventsOutput, error) {
	s.mu.Lock()
	st := s.find(in.StackName)
	id, native := s.native(in.StackName)
	s.mu.Unlock()
	out := DescribeStackEventsOutput{StackEvents: []StackEvent{}}
	if st == nil && native {
		return s.nativeEvents(id, nameOf(in.StackName)), nil
	}
	if st == nil {
		return out, noStackBracketed(in.StackName)
	}
	next := st.Chunks
	if in.NextToken != "" {
		n, err := strconv.Atoi(in.NextToken)
		if err != nil || n < 0 || n > st.Chunks {
			return out, invalid("NextToken is none that an answer gave")
		}
		next = n
	}
	for next > 0 && len(out.StackEvents) < eventsPage {
		next--
		lot, err := s.events(ctx, st, next)
		if err != nil {
			return out, err
		}
		for _, e := range slices.Backward(lot) {
			out.StackEvents = append(out.StackEvents, e.seen(st))
		}
	}
	if next > 0 {
		out.NextToken = strconv.Itoa(next)
	}
	return out, nil
}

// events is a lot of a stack's events.
func (s *Stacks) events(ctx context.Context, st *stack, number int) ([]event, error) {
	record, err := s.Events.Get(ctx, store.Key(eventsKind, st.uuid(), fmt.Sprint(number)))
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "events of %s: %w", st.Name, err)
	}
	var lot []event
	return lot, s.open(record, &lot)
}

func (e event) seen(st *stack) StackEvent {
	return StackEvent{
		StackId: st.ID, EventId: e.ID, StackName: st.Name, LogicalResourceId: e.Resource, PhysicalResourceId: e.Physical,
		ResourceType: e.Type, Timestamp: wire.At(e.At), ResourceStatus: e.Status, ResourceStatusReason: e.Reason, ClientRequestToken: e.Token,
	}
}

// story is what happens to a stack in one step, which is stored together.
type story struct {
	stack  *stack // a copy
	events []event
}

func (s *stack) story() *story { return &story{stack: s.copy()} }

// told adds an event of the stack itself, and gives it that state.
func (t *story) told(status, reason string) {
	st := t.stack
	st.State = state{status, reason, now()}
	t.add(event{ID: newUUID(), Resource: st.Name, Physical: st.ID, Type: stackType, Status: status, Reason: reason, At: st.State.Since})
}

// of adds an event of a resource.
func (t *story) of(r resource, status, reason string) {
	at := now()
	t.add(event{
		ID:       r.ID + "-" + status + "-" + strconv.FormatInt(at.UnixMilli(), 10) + "-" + newUUID()[:8],
		Resource: r.ID, Physical: r.Physical, Type: r.Type, Status: status, Reason: reason, At: at,
	})
}

func (t *story) add(e event) {
	if t.stack.Work != nil {
		e.Token = t.stack.Work.Token
	}
	t.events = append(t.events, e)
}

// resources gives resources of the stack a state, with an event of each.
func (t *story) resources(list []resource, status, reason string) {
	for _, r := range list {
		t.of(r, status, reason)
		t.mark(r, status, reason)
	}
}

// mark gives a resource of the stack a state.
func (t *story) mark(r resource, status, reason string) {
	for i := range t.stack.Resources {
		if t.stack.Resources[i].ID == r.ID {
			t.stack.Resources[i].State = state{status, reason, now()}
			return
		}
	}
}

// tell stores a step and what happened in it.
func (s *Stacks) tell(ctx context.Context, t *story) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if present := s.stacks[t.stack.uuid()]; present != nil { // what calls have changed meanwhile
		t.stack.Protected, t.stack.Policy, t.stack.revision = present.Protected, present.Policy, present.revision
	}
	if err := s.put(ctx, t.stack, t.events); err != nil {
		s.Log.Error("stack not written", "stack", t.stack.Name, "err", err)
		return err
	}
	return nil
}

// raw is a value as JSON, for clients that show it.
func raw(v any) string {
	doc, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(doc)
}
