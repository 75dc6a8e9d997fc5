package bus

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/pattern"
	"github.com/dropstack/dropstack/internal/trace"
)

// patience bounds how long the targets of one event are waited for.
const patience = 30 * time.Second

// publish sends an event to the targets of every rule of a bus that chooses it, and
// answers once all have it. A publisher that leaves does not keep some from getting
// what others got.
func (b *Buses) publish(ctx context.Context, ev event, bus string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return b.fan(ctx, ev, bus, nil)
}

// fan is publish on a bus that the event came to by way of others.
func (b *Buses) fan(ctx context.Context, ev event, bus string, by []string) error {
	rules, ok := b.rules(bus)
	if !ok {
		return fault.Coded(fault.NotFound, "ResourceNotFoundException", "Event bus %s does not exist.", bus)
	}
	by = append(slices.Clip(by), bus)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for _, r := range rules {
		if !r.pattern.Match(ev.doc) {
			continue
		}
		for i := range r.Targets {
			wg.Go(func() {
				if err := b.send(ctx, ev, r, &r.Targets[i], by); err != nil {
					mu.Lock()
					defer mu.Unlock()
					errs = append(errs, fmt.Errorf("rule %s: %s: %w", r.Name, r.Targets[i].ARN, err))
				}
			})
		}
	}
	wg.Wait()
	if len(errs) > 0 {
		return fault.Errorf(fault.Unavailable, "%w", errors.Join(errs...))
	}
	return nil
}

// send hands an event to a target. An error is one that may pass: what a target will
// never take is a dead letter, or lost, and no reason to fail the publisher.
func (b *Buses) send(ctx context.Context, ev event, r *rule, t *Target, by []string) error {
	body, err := t.Input.Apply(ev.doc, pattern.Origin{RuleARN: r.ARN, RuleName: r.Name, Ingested: ev.ingested})
	if err == nil {
		err = b.hand(ctx, ev, r, t, body, by)
	} else {
		err = fault.Errorf(fault.Invalid, "%w", err)
	}
	if err == nil || transient(err) {
		return err
	}
	log := b.Log.With("rule", r.ARN, "target", t.ARN, "event", ev.id, "err", err)
	if t.DeadLetter == "" || b.Send == nil {
		log.Error("event not delivered")
		return nil
	}
	why := map[string]string{"RULE_ARN": r.ARN, "TARGET_ARN": t.ARN, "ERROR_CODE": cmp.Or(fault.CodeOf(err), fault.KindOf(err).String()), "ERROR_MESSAGE": err.Error()}
	if err := b.Send(ctx, t.DeadLetter, deliveryID(ev.id, r.ARN, t.ID, body), string(body), "", why); err != nil {
		if transient(err) {
			return err
		}
		log.Error("event not delivered, and not kept as a dead letter", "queue", t.DeadLetter, "reason", err)
		return nil
	}
	log.Warn("event not delivered; it is a dead letter", "queue", t.DeadLetter)
	return nil
}

// transient says whether the same event may go through later.
func transient(err error) bool {
	switch fault.KindOf(err) {
	case fault.Internal, fault.Throttled, fault.Unavailable:
		return true
	}
	return false
}

func (b *Buses) hand(ctx context.Context, ev event, r *rule, t *Target, body []byte, by []string) error {
	to, err := parseTarget(t.ARN)
	if err != nil {
		return err
	}
	id := deliveryID(ev.id, r.ARN, t.ID, body)
	switch to.kind {
	case functionTarget:
		return b.Invoker.Enqueue(ctx, function.Invocation{ID: id, Function: to.name, Payload: body, TraceID: ev.trace, Trigger: function.TriggerBus})
	case busTarget:
		return b.forward(ctx, ev, to.name, body, by)
	}
	return b.Deliver(trace.With(ctx, ev.trace), t.ARN, t.Group, id, body)
}

// Deliver tells a topic, a queue, with the group of a FIFO one, or an event bus, and
// answers once that is on disk. It is what schedules send by.
func (b *Buses) Deliver(ctx context.Context, target, group, id string, body []byte) error {
	to, err := parseTarget(target)
	if err != nil {
		return err
	}
	switch {
	case to.kind == topicTarget:
		return b.Publish(ctx, target, body, nil)
	case to.kind == queueTarget && b.Send != nil:
		return b.Send(ctx, target, id, string(body), group, nil)
	case to.kind == busTarget:
		return b.publish(ctx, event{id: id, doc: body, ingested: time.Now()}, to.name)
	}
	return invalid("%s cannot be told here", target)
}

// forward puts an event on another bus, as it is but for what the target's input
// makes of it. One that has been there ends: rules of two buses may send each other
// everything.
func (b *Buses) forward(ctx context.Context, ev event, bus string, body []byte, by []string) error {
	if slices.Contains(by, bus) {
		b.Log.Warn("event went in a circle of buses and ends here", "event", ev.id, "buses", strings.Join(append(slices.Clip(by), bus), " > "))
		return nil
	}
	ev.doc = body
	return b.fan(ctx, ev, bus, by)
}

// newID is a random UUID.
func newID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return uuid(id, 4)
}

// deliveryID is the same for the same event, rule, target and input, so that a
// function's queue takes it once. The input is in it because an event may come by two
// ways over other buses.
func deliveryID(event, rule, target string, body []byte) string {
	sum := sha256.Sum256(append([]byte(event+"\n"+rule+"\n"+target+"\n"), body...))
	return uuid([16]byte(sum[:16]), 8)
}

func uuid(id [16]byte, version byte) string {
	id[6] = id[6]&0x0f | version<<4
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
