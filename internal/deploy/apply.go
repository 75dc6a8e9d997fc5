package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/queue"
)

// apply moves every room from old (nil: nothing) to next. While callers are being
// switched, functions of both revisions exist, so that no request finds a route
// to a function that is gone or not there yet.
func (d *Deployer) apply(ctx context.Context, old, next *Revision) error {
	var before []function.Function
	if old != nil {
		before = old.Functions
	}
	both := union(next.Functions, before)
	if err := d.connect(old, next); err != nil {
		return err
	}
	if err := d.Rooms.Roles.Replace(next.Stack, permissions(next, old, both)); err != nil {
		return fmt.Errorf("roles: %w", err)
	}
	if err := d.settle(ctx, old, next); err != nil {
		return err
	}
	if err := d.Rooms.Functions.Replace(next.Stack, both); err != nil {
		return fmt.Errorf("functions: %w", err)
	}
	if err := d.Rooms.Functions.PublishChanged(ctx, next.Stack); err != nil { // before a route names a version
		return fmt.Errorf("functions: %w", err)
	}
	if err := d.alias(ctx, next); err != nil {
		return err
	}
	queues := next.Queues
	if old != nil {
		queues = withGone(next.Queues, old.Queues, func(q queue.Queue) string { return q.ARN })
	}
	if err := d.Rooms.Queues.Replace(ctx, next.Stack, queues, next.Mappings); err != nil {
		return fmt.Errorf("queues: %w", err)
	}
	if err := d.Rooms.Topics.Replace(ctx, next.Stack, next.Topics, next.Subscriptions); err != nil {
		return fmt.Errorf("topics: %w", err)
	}
	if err := d.Rooms.Buses.Replace(next.Stack, next.Buses, next.Rules); err != nil {
		return fmt.Errorf("event buses: %w", err)
	}
	if err := d.Rooms.Buckets.Replace(next.Stack, next.Notifications); err != nil {
		return fmt.Errorf("bucket events: %w", err)
	}
	if err := d.imports(next); err != nil {
		return err
	}
	if err := d.Rooms.Gateway.Replace(next.Stack, next.APIs, next.APIKeys, next.UsagePlans); err != nil {
		return fmt.Errorf("APIs: %w", err)
	}
	if err := d.front(old, next); err != nil {
		return err
	}
	if err := d.Rooms.Schedules.Replace(ctx, next.Stack, next.Schedules); err != nil {
		return fmt.Errorf("schedules: %w", err)
	}
	if err := d.alert(ctx, next); err != nil {
		return err
	}
	if d.Rooms.Monitors != nil {
		if err := d.Rooms.Monitors.Replace(ctx, next.Stack, next.Monitors); err != nil {
			return fmt.Errorf("monitors: %w", err)
		}
	}
	if len(both) > len(next.Functions) {
		if err := d.Rooms.Roles.Replace(next.Stack, permissions(next, nil, next.Functions)); err != nil {
			return fmt.Errorf("roles: %w", err)
		}
		if err := d.Rooms.Functions.Replace(next.Stack, next.Functions); err != nil {
			return fmt.Errorf("functions: %w", err)
		}
	}
	if err := d.Rooms.Networks.Replace(next.Stack, next.Network); err != nil {
		return err
	}
	if len(queues) > len(next.Queues) { // last: with them goes what is in them, which no way back returns
		if err := d.Rooms.Queues.Replace(ctx, next.Stack, next.Queues, next.Mappings); err != nil {
			return fmt.Errorf("queues: %w", err)
		}
	}
	return nil
}

// connect makes the networks of next, beside what old had more: its functions are
// still there. Where both cannot be, those of next are all.
func (d *Deployer) connect(old, next *Revision) error {
	if old != nil && !old.Network.Empty() && d.Rooms.Networks.Replace(next.Stack, next.Network.Over(old.Network)) == nil {
		return nil
	}
	return d.Rooms.Networks.Replace(next.Stack, next.Network)
}

// revert points the stack back at old after next could not be applied. Its aliases
// stand where they stood before that: a crash in between goes on with next.
func (d *Deployer) revert(ctx context.Context, next, old *Revision, stood []function.DeclaredAlias) error {
	ctx = context.WithoutCancel(ctx)
	moved := d.moveBack(ctx, stood)
	var err error
	if old == nil {
		err, old = d.stacks.Delete(ctx, next.Stack), &Revision{Stack: next.Stack}
	} else {
		_, err = d.stacks.PutString(ctx, next.Stack, old.ID)
	}
	if err == nil {
		err = d.forget(ctx, next.Stack, next.ID)
	}
	return errors.Join(moved, err, d.apply(ctx, next, old))
}

// union is first, then those of second that first does not name.
func union(first, second []function.Function) []function.Function {
	all := append([]function.Function(nil), first...)
	have := map[string]bool{}
	for _, f := range first {
		have[f.Name] = true
	}
	for _, f := range second {
		if !have[f.Name] {
			all = append(all, f)
		}
	}
	return all
}
