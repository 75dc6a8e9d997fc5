// Package bucket turns changes of objects into S3 events for functions.
//
// It keeps nothing itself: an event is in the function's durable queue before the
// request that changed the object is answered, so a change that was acknowledged
// is an event that will be delivered.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

// Notification sends a bucket's events to a function.
type Notification struct {
	Stack    string `json:"stack"`
	ID       string `json:"id"`
	Bucket   string `json:"bucket"`
	Event    string `json:"event"` // s3:ObjectCreated:*, s3:ObjectRemoved:Delete ...
	Prefix   string `json:"prefix,omitempty"`
	Suffix   string `json:"suffix,omitempty"`
	Function string `json:"function"`
}

// Notifications are those of all stacks. All methods are safe for concurrent use.
type Notifications struct {
	Invoker function.Enqueues
	Region  string
	Log     *slog.Logger

	last    atomic.Int64 // the sequencer given last
	current atomic.Pointer[snapshot]
	change  sync.Mutex // serialises Replace
}

// snapshot is what all stacks together want. It never changes.
type snapshot struct {
	stacks  map[string][]Notification
	buckets map[string][]Notification
}

// Replace makes list what the stack wants, instead of what it wanted before; an
// empty list takes the stack away. A list that Check refuses, alone or beside
// those of other stacks, changes nothing.
func (n *Notifications) Replace(stack string, list []Notification) error {
	n.change.Lock()
	defer n.change.Unlock()
	next := &snapshot{stacks: map[string][]Notification{}, buckets: map[string][]Notification{}}
	if old := n.current.Load(); old != nil {
		maps.Copy(next.stacks, old.stacks)
	}
	next.stacks[stack] = slices.Clone(list)
	if len(list) == 0 {
		delete(next.stacks, stack)
	}
	var all []Notification
	for _, name := range slices.Sorted(maps.Keys(next.stacks)) {
		for _, notification := range next.stacks[name] {
			notification.Stack = name
			all = append(all, notification)
			next.buckets[notification.Bucket] = append(next.buckets[notification.Bucket], notification)
		}
	}
	if err := Check(all); err != nil {
		return fmt.Errorf("notifications of stack %s: %w", stack, err)
	}
	n.current.Store(next)
	return nil
}

// enqueueWithin bounds how long a change of an object waits for the queue.
const enqueueWithin = 30 * time.Second

// OnObject puts the event of a change into the queues of the functions that want
// it. It answers once that is on disk; an error means that the change must not be
// acknowledged. An event that is reported twice is delivered once.
func (n *Notifications) OnObject(e engine.ObjectEvent) error {
	current := n.current.Load()
	if current == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), enqueueWithin)
	defer cancel()
	var errs []error
	for _, notification := range current.buckets[e.Bucket] {
		if !notification.matches(e) {
			continue
		}
		if err := n.enqueue(ctx, notification, e); err != nil {
			errs = append(errs, fmt.Errorf("notify %s of %s in bucket %s: %w", notification.Function, e.Name, e.Bucket, err))
		}
	}
	return errors.Join(errs...)
}

func (n *Notifications) enqueue(ctx context.Context, notification Notification, e engine.ObjectEvent) error {
	payload, err := n.event(notification, e)
	if err != nil {
		return err
	}
	err = n.Invoker.Enqueue(ctx, function.Invocation{ID: invocationID(notification, e), Function: notification.Function, Payload: payload, Trigger: function.TriggerBucket})
	if fault.KindOf(err) == fault.NotFound {
		// The function is being removed. S3 drops events without a destination too,
		// and an upload should not fail for it.
		n.Log.Warn("no function for a change of an object", "function", notification.Function, "bucket", e.Bucket, "event", e.Name, "err", err)
		return nil
	}
	return err
}

// matches tells whether the notification wants the event, by type and by key.
func (n Notification) matches(e engine.ObjectEvent) bool {
	return covers(n.Event, "s3:"+e.Name) && strings.HasPrefix(e.Key, n.Prefix) && strings.HasSuffix(e.Key, n.Suffix)
}

// covers tells whether an event type, which may end in *, includes another.
func covers(pattern, event string) bool {
	if family, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(event, family)
	}
	return pattern == event
}
