package cloudformation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
)

// DeleteStackInput names a stack.
type DeleteStackInput struct {
	StackName          string
	ClientRequestToken string   `json:",omitempty"`
	RetainResources    []string `json:",omitempty"`
	RoleARN            string   `json:",omitempty"`
	DeletionMode       string   `json:",omitempty"`
}

// DeleteStack has a stack deleted, and answers before it is. One that is not there
// is no error.
func (s *Stacks) DeleteStack(ctx context.Context, in DeleteStackInput) (None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(in.StackName)
	if st == nil {
		if _, native := s.native(in.StackName); native {
			return None{}, invalid("Stack [%s] was deployed by `dropstack deploy`; remove it with `dropstack remove`", nameOf(in.StackName))
		}
		return None{}, nil
	}
	switch {
	case !st.here():
		return None{}, nil
	case st.Protected:
		return None{}, invalid("Stack [%s] cannot be deleted while TerminationProtection is enabled", st.Name)
	case st.busy():
		if st.Work != nil && st.Work.Action == deleting {
			return None{}, nil
		}
		return None{}, invalid("Stack [%s] is in %s state and can not be deleted now; wait until that is done", st.Name, st.State.Status)
	case in.DeletionMode == "FORCE_DELETE_STACK" && st.State.Status != deleting+failed:
		return None{}, invalid("DeletionMode FORCE_DELETE_STACK is for stacks in DELETE_FAILED state")
	case len(in.RetainResources) > 0 && st.State.Status != deleting+failed:
		return None{}, invalid("Invalid operation on stack [%s]. When you delete a stack, specify which resources to retain only when the stack is in the DELETE_FAILED state.", st.ID)
	}
	if err := s.leaves(st, nil); err != nil {
		return None{}, err
	}
	retain := in.RetainResources
	if in.DeletionMode == "FORCE_DELETE_STACK" {
		for _, r := range st.Resources {
			if strings.HasSuffix(r.State.Status, failed) {
				retain = append(retain, r.ID)
			}
		}
	}
	for _, set := range s.sets {
		if set.Stack == st.ID {
			if err := s.dropSet(ctx, set); err != nil {
				return None{}, err
			}
		}
	}
	return None{}, s.begin(ctx, st, &work{Action: deleting, Token: in.ClientRequestToken, Order: st.Order, Retain: retain})
}

// delete deletes a stack: first what functions have made, by those functions, then
// the revision, then buckets and log groups, which nothing writes to any more.
func (c *change) delete(ctx context.Context) {
	var customs, stores, others []resource
	for _, r := range slices.Backward(c.stack.Resources) {
		switch {
		case c.made(r.Type):
			customs = append(customs, r)
		case r.Type == bucketType || r.Type == logGroupType:
			stores = append(stores, r)
		default:
			others = append(others, r)
		}
	}
	if failing, err := c.remove(ctx, customs); err != nil || failing { // by functions that are to stay until it succeeds
		c.deleted(ctx, err)
		return
	}
	if err := c.takeDown(ctx, others); err != nil {
		c.deleted(ctx, err)
		return
	}
	_, err := c.remove(ctx, stores)
	c.deleted(ctx, err)
}

// takeDown removes the revision, and with it all that does not outlive one.
func (c *change) takeDown(ctx context.Context, list []resource) error {
	err := c.step(ctx, func(t *story) {
		for _, r := range list {
			if !c.retained(r) {
				t.resources([]resource{r}, deleting+inProgress, "")
			}
		}
	})
	if err != nil {
		return err
	}
	if active, there := c.Deployer.Active(c.stack.Name); there && active.Owner == deploy.OwnerCloudFormation {
		if err := c.Deployer.Remove(context.WithoutCancel(ctx), c.stack.Name); err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	return c.step(ctx, func(t *story) {
		for _, r := range list {
			if c.retained(r) {
				t.removed(r, deleteSkipped, "")
			} else {
				t.removed(r, deleteComplete, r.regret())
			}
		}
	})
}

// retained reports whether a resource stays when its stack is deleted.
func (c *change) retained(r resource) bool {
	return r.kept() || slices.Contains(c.stack.Work.Retain, r.ID)
}

// remove deletes what outlives a revision. failing: some of it could not be; the
// error is one that ends the work for now.
func (c *change) remove(ctx context.Context, list []resource) (failing bool, err error) {
	for _, r := range list {
		if c.retained(r) {
			if err := c.step(ctx, func(t *story) { t.removed(r, deleteSkipped, "") }); err != nil {
				return failing, err
			}
			continue
		}
		if err := c.step(ctx, func(t *story) { t.resources([]resource{r}, deleting+inProgress, "") }); err != nil {
			return failing, err
		}
		refused := c.erase(ctx, r)
		if refused != nil && c.base.Err() != nil {
			return failing, refused
		}
		failing = failing || refused != nil
		err := c.step(ctx, func(t *story) {
			if refused != nil {
				t.resources([]resource{r}, deleting+failed, refused.Error())
			} else {
				t.removed(r, deleteComplete, "")
			}
		})
		if err != nil {
			return failing, err
		}
	}
	return failing, nil
}

// removed takes a resource out of the stack.
func (t *story) removed(r resource, status, reason string) {
	t.of(r, status, reason)
	t.stack.Resources = slices.DeleteFunc(t.stack.Resources, func(other resource) bool { return other.ID == r.ID })
}

// deleted tells what came of the deletion, which an error has ended.
func (c *change) deleted(ctx context.Context, cause error) {
	if cause != nil && c.base.Err() != nil {
		return
	}
	_ = c.step(ctx, func(t *story) { // logged
		var left []string
		for _, r := range t.stack.Resources {
			if r.State.Status == deleting+failed {
				left = append(left, r.ID)
			}
		}
		t.stack.Work = nil
		switch {
		case cause != nil:
			t.told(deleting+failed, cause.Error())
		case len(left) > 0:
			t.told(deleting+failed, fmt.Sprintf("The following resource(s) failed to delete: [%s]. ", strings.Join(left, ", ")))
		default:
			t.told(deleteComplete, "")
			t.stack.Deleted, t.stack.Outputs, t.stack.Imports = t.stack.State.Since, nil, nil
		}
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.forget(ctx); err != nil {
		c.Log.Warn("deleted stacks not forgotten", "err", err)
	}
}
