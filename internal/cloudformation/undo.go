package cloudformation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
)

// cancelled is told of resources that were on the way when another one failed.
var cancelled = map[string]string{creating: "Resource creation cancelled", updating: "Resource update cancelled"}

// undo tells what failed, and takes back what the change has done so far.
func (c *change) undo(ctx context.Context, cause error) {
	w := c.stack.Work
	why := reasons(cause)
	kinds := map[string]string{}
	if t, err := Parse(w.Order.Template); err == nil {
		for id, d := range t.Resources {
			kinds[id] = d.Type
		}
	}
	before := byID(c.before)
	c.Log.Info("stack not deployed", "stack", c.stack.Name, "err", cause)
	failing := names(why)
	summary := fmt.Sprintf("The following resource(s) failed to %s: [%s]. ", strings.ToLower(w.Action), strings.Join(failing, ", "))
	if len(why) == 0 {
		summary = cause.Error()
	}
	err := c.step(ctx, func(t *story) {
		for _, id := range failing {
			was, there := before[id]
			r, action := resource{ID: id, Type: kinds[id], Physical: was.Physical}, creating
			if there {
				action = updating
			}
			t.of(r, action+failed, why[id])
		}
		for _, r := range w.Result { // began, and ends with the one that failed
			was, there := before[r.ID]
			if action := actionOf(was, there, r); action != "" && !slices.Contains(failing, r.ID) {
				t.of(r, action+failed, cancelled[action])
			}
		}
		switch {
		case w.Action == creating && w.Order.OnFailure == onFailureNothing:
			t.told(creating+failed, strings.TrimSpace(summary))
			t.stack.Order, t.stack.Work = w.Order, nil
		case w.Action == creating && w.Order.OnFailure == onFailureDelete:
			t.told(deleting+inProgress, summary+"Delete requested by user.")
		case w.Action == creating:
			t.told("ROLLBACK"+inProgress, summary+"Rollback requested by user.")
		default:
			t.told("UPDATE_ROLLBACK"+inProgress, summary)
		}
	})
	if err != nil {
		return
	}
	c.executed(ctx, w, executedFailed)
	if c.stack.Work == nil {
		return
	}
	c.back(ctx)
}

// back returns to the revision that was active, and deletes what was made since:
// what functions have made while those functions are there.
func (c *change) back(ctx context.Context) {
	err := c.again(ctx)
	w := c.stack.Work
	customs, buckets := c.fruits(w)
	if err == nil {
		err = c.discard(ctx, customs, true)
	}
	if err == nil {
		err = c.revert(ctx, w)
	}
	if err != nil {
		c.stuck(ctx, w, err)
		return
	}
	if w.Action == updating {
		if c.step(ctx, func(t *story) { t.told(rollbackCleanup, "") }) != nil {
			return
		}
	}
	if c.discard(ctx, buckets, true) != nil {
		return
	}
	_ = c.step(ctx, func(t *story) { // logged
		switch {
		case w.Action == updating:
			t.told("UPDATE_ROLLBACK_COMPLETE", "")
		case w.Order.OnFailure == onFailureDelete:
			t.told(deleteComplete, "")
			t.stack.Deleted, t.stack.Order = t.stack.State.Since, w.Order
		default:
			t.told("ROLLBACK_COMPLETE", "")
			t.stack.Order = w.Order
		}
		t.stack.Work = nil
	})
}

// stuck tells that it is not possible to go back.
func (c *change) stuck(ctx context.Context, w *work, err error) {
	if c.base.Err() != nil {
		return
	}
	status := "UPDATE_ROLLBACK_FAILED"
	if w.Action == creating {
		status = "ROLLBACK_FAILED"
	}
	_ = c.step(ctx, func(t *story) { // logged
		t.told(status, err.Error())
		if w.Action == creating { // else ContinueUpdateRollback goes on
			t.stack.Work = nil
		}
	})
}

// fruits are the resources that outlive a revision and that the change has made.
func (c *change) fruits(w *work) (customs, buckets []resource) {
	before := byID(c.stack.Resources)
	for _, r := range slices.Backward(w.Called) {
		if was, there := before[r.ID]; !there || replaced(was, r.resource) {
			customs = append(customs, r.resource)
		}
	}
	for _, name := range slices.Backward(w.Made) {
		r := resource{ID: name, Type: bucketType, Physical: name}
		for _, result := range w.Result {
			if result.Type == bucketType && result.Physical == name {
				r = result
			}
		}
		buckets = append(buckets, r)
	}
	return customs, buckets
}

// revert activates the revision from before, if another one is active, and has
// custom resources be what they were.
func (c *change) revert(ctx context.Context, w *work) error {
	active, there := c.Deployer.Active(c.stack.Name)
	switch {
	case w.Before == "" && there && active.Owner == deploy.OwnerCloudFormation:
		if err := c.Deployer.Remove(context.WithoutCancel(ctx), c.stack.Name); err != nil {
			return err
		}
	case w.Before != "" && (!there || active.ID != w.Before):
		old, err := c.Deployer.Recall(ctx, c.stack.Name, w.Before)
		if err != nil {
			return err
		}
		if _, err := c.Deployer.Deploy(context.WithoutCancel(ctx), old); err != nil {
			return err
		}
	}
	before := byID(c.stack.Resources)
	for _, r := range slices.Backward(w.Called) {
		was, there := before[r.ID]
		if !there || replaced(was, r.resource) {
			continue
		}
		if _, err := c.ask(ctx, called{resource: was, Action: updating, Request: newUUID(), Old: r.Properties}); err != nil {
			return fmt.Errorf("%s: %w", r.ID, err)
		}
	}
	return nil
}

// resume goes on with the changes that were under way when the platform ended.
func (s *Stacks) resume() {
	for _, st := range s.left {
		s.start(s.base, func(ctx context.Context) { (&change{Stacks: s, stack: st, before: st.Resources}).resume(ctx) })
	}
	s.left = nil
}

func (c *change) resume(ctx context.Context) {
	w, status := c.stack.Work, c.stack.State.Status
	active, there := c.Deployer.Active(c.stack.Name)
	c.Log.Info("the platform ended while a stack was changed", "stack", c.stack.Name, "status", status)
	switch {
	case w.Action == deleting:
		c.delete(ctx)
	case strings.Contains(status, "ROLLBACK") || status == deleting+inProgress:
		c.back(ctx)
	case status == updateCleanup:
		c.cleanup(ctx, w)
	case w.Final && there && active.Source == w.Mark:
		if err := c.shifted(ctx, active.ID); err == nil {
			c.finish(ctx, w)
		} else if c.base.Err() == nil {
			c.undo(ctx, err)
		}
	default:
		c.undo(ctx, fault.Errorf(fault.Unavailable, "The platform ended while the stack was changed. "))
	}
}
