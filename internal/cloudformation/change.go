package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/deploy"
)

// begin writes that a change is under way and starts it. The lock is held.
func (s *Stacks) begin(ctx context.Context, st *stack, w *work) error {
	w.Mark = "cloudformation " + newUUID()
	if active, ok := s.Deployer.Active(st.Name); ok {
		w.Before = active.ID
	}
	t := st.story()
	t.stack.Work = w
	switch w.Action {
	case creating:
		t.stack.ChangeSet = w.Set
	case updating:
		t.stack.ChangeSet, t.stack.Updated = w.Set, now()
	}
	t.told(w.Action+inProgress, "User Initiated")
	if err := s.put(ctx, t.stack, t.events); err != nil {
		return err
	}
	s.start(ctx, func(ctx context.Context) {
		c := &change{Stacks: s, stack: t.stack}
		if w.Action == deleting {
			c.delete(ctx)
		} else {
			c.make(ctx)
		}
	})
	return nil
}

// change is a change of a stack that is under way.
type change struct {
	*Stacks
	stack  *stack // as it is stored
	before []resource
}

// step stores what happens in one step of the change.
func (c *change) step(ctx context.Context, happens func(t *story)) error {
	if ctx.Err() != nil && c.base.Err() != nil {
		return c.base.Err() // the next start takes it from here
	}
	t := c.stack.story()
	happens(t)
	if err := c.tell(ctx, t); err != nil {
		return err
	}
	c.stack = t.stack
	return nil
}

// failure is an error of some of a stack's resources.
type failure struct {
	of  map[string]string // reasons by logical id
	err error
}

func (f *failure) Error() string { return f.err.Error() }

// make creates or updates the stack.
func (c *change) make(ctx context.Context) {
	c.before = c.stack.Resources
	bounded, cancel := ctx, context.CancelFunc(func() {})
	if minutes := c.stack.Work.Order.Timeout; minutes > 0 {
		bounded, cancel = context.WithTimeout(ctx, time.Duration(minutes)*time.Minute)
	}
	err := c.activate(bounded)
	cancel()
	switch {
	case err == nil:
		c.finish(ctx, c.stack.Work)
	case c.base.Err() == nil:
		c.undo(ctx, err)
	}
}

// activate calls custom resources as they become ready, and activates the revision
// of the template.
func (c *change) activate(ctx context.Context) error {
	o := c.stack.Work.Order
	t, err := Parse(o.Template)
	if err != nil {
		return err
	}
	answered := map[string]Identity{}
	for {
		p, err := c.plan(ctx, c.stack, &o, t, answered)
		if err != nil {
			return err
		}
		if len(p.ready) == 0 {
			return c.last(ctx, p, o)
		}
		if err := c.between(ctx, p, answered); err != nil {
			return err
		}
	}
}

// last activates the revision that the stack is to be.
func (c *change) last(ctx context.Context, p *pass, o order) error {
	if err := c.spares(c.stack, p.outputs); err != nil {
		return err
	}
	if err := c.buckets(ctx, p); err != nil {
		return err
	}
	result, at := p.resources, now()
	before := byID(c.before)
	err := c.step(ctx, func(t *story) {
		w := t.stack.Work
		for i := range result {
			r := &result[i]
			was, there := before[r.ID]
			action := actionOf(was, there, *r)
			if there {
				r.State = was.State
			}
			if action == "" || w.called(r.ID) {
				continue
			}
			reason := ""
			if action == updating && replaced(was, *r) {
				reason = "Requested update requires the creation of a new physical resource; hence creating one."
			}
			t.of(*r, action+inProgress, reason)
			r.State = state{action + inProgress, "", at}
		}
		for _, r := range result {
			if text := p.warned(r.ID); text != "" {
				if w.Warned == nil {
					w.Warned = map[string]string{}
				}
				w.Warned[r.ID] = text
			}
		}
		w.Final, w.Order, w.Result, w.Output, w.Import = true, o, result, p.outputs, p.imports
		c.keepFunctions(p.plan.revision, result, w)
	})
	if err != nil {
		return err
	}
	p.plan.revision.Source = c.stack.Work.Mark
	active, err := c.Deployer.Deploy(context.WithoutCancel(ctx), p.plan.revision)
	if err != nil {
		return blame(p.resources, err)
	}
	return c.shifted(ctx, active.ID)
}

// look is how often a shift of callers is looked at.
const look = 250 * time.Millisecond

// shifted waits until callers have been moved to the versions of a revision; an
// error says that they have been moved back.
func (c *change) shifted(ctx context.Context, revision string) error {
	for {
		s := c.Deployer.Shifting(c.stack.Name)
		switch {
		case s == nil || s.Revision != revision || s.Status == deploy.Succeeded:
			return nil
		case s.Status != deploy.InProgress && !s.Undo:
			why := "callers were moved back to the version before: " + s.Reason
			f := &failure{map[string]string{}, errors.New(why)}
			for _, r := range c.stack.Work.Result {
				if r.Type == "AWS::Lambda::Alias" {
					f.of[r.ID] = why
				}
			}
			return f
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(look):
		}
	}
}

// actionOf is what happens to a resource, "" when nothing does.
func actionOf(was resource, there bool, r resource) string {
	switch {
	case !there:
		return creating
	case !r.same(&was) || was.Physical != r.Physical:
		return updating
	}
	return ""
}

// blame finds the resource that an error names, for the event that tells it.
func blame(list []resource, err error) error {
	text, best, longest := err.Error(), "", 0
	for _, r := range list {
		name := r.Physical
		if i := strings.LastIndexAny(name, "/:"); i >= 0 {
			name = name[i+1:]
		}
		if len(name) > longest && strings.Contains(text, name) && !strings.HasPrefix(r.Type, "AWS::IAM::") {
			best, longest = r.ID, len(name)
		}
	}
	if best == "" {
		return err
	}
	return &failure{map[string]string{best: text}, err}
}

// buckets makes those that are new, so that who is told to use them finds them.
func (c *change) buckets(ctx context.Context, p *pass) error {
	before := byID(c.before)
	var fresh []resource
	for _, r := range p.resources {
		was, there := before[r.ID]
		if r.Type != bucketType || there && was.Physical == r.Physical || slices.Contains(c.stack.Work.Made, r.Physical) {
			continue
		}
		if c.Objects.HasBucket(ctx, r.Physical) == nil {
			return &failure{map[string]string{r.ID: r.Physical + " already exists"}, fmt.Errorf("%s already exists", r.Physical)}
		}
		fresh = append(fresh, r)
	}
	if len(fresh) == 0 {
		return nil
	}
	err := c.step(ctx, func(t *story) {
		for _, r := range fresh {
			t.stack.Work.Made = append(slices.Clone(t.stack.Work.Made), r.Physical)
		}
	})
	for _, r := range fresh {
		if err == nil {
			err = c.Objects.CreateBucket(ctx, r.Physical)
		}
		if err != nil {
			return &failure{map[string]string{r.ID: err.Error()}, err}
		}
	}
	return nil
}

const bucketType = "AWS::S3::Bucket"

// finish tells that the revision is active, and removes what is not in it any more.
func (c *change) finish(ctx context.Context, w *work) {
	before, at := byID(c.before), now()
	after := byID(w.Result)
	err := c.step(ctx, func(t *story) {
		list := slices.Clone(w.Result)
		for i := range list {
			r := &list[i]
			was, there := before[r.ID]
			action := actionOf(was, there, *r)
			if action == "" {
				continue
			}
			r.State = state{action + complete, w.Warned[r.ID], at}
			if !w.called(r.ID) {
				t.of(*r, action+complete, w.Warned[r.ID])
			}
		}
		t.stack.Resources, t.stack.Outputs, t.stack.Imports, t.stack.Order = list, w.Output, w.Import, w.Order
		if w.Action == creating {
			t.told(creating+complete, "")
			t.stack.Work = nil
			return
		}
		for _, was := range slices.Backward(c.before) {
			if r, stays := after[was.ID]; !stays || replaced(was, r) {
				t.stack.Work.Gone = append(t.stack.Work.Gone, was)
			}
		}
		t.told(updateCleanup, "")
	})
	switch {
	case err != nil:
	case w.Action == creating:
		c.executed(ctx, w, executed)
	default:
		c.cleanup(ctx, w)
	}
}

// cleanup deletes what an update has left over.
func (c *change) cleanup(ctx context.Context, w *work) {
	if c.discard(ctx, c.stack.Work.Gone, false) != nil {
		return
	}
	if err := c.dropFunctions(ctx); err != nil {
		c.Log.Error("functions that made custom resources stay", "stack", c.stack.Name, "functions", w.Kept, "err", err)
	}
	err := c.step(ctx, func(t *story) {
		t.told(updating+complete, "")
		t.stack.Work = nil
	})
	if err == nil {
		c.executed(ctx, w, executed)
	}
}

// discard tells that resources are not in the stack any more, and deletes what
// outlives a revision: buckets, log groups, and what functions have made. What cannot be
// deleted stays behind, as on AWS. made: they have been made by the change itself.
func (c *change) discard(ctx context.Context, gone []resource, made bool) error {
	for _, r := range gone {
		if r.kept() && (r.Deletion == policyRetain || !made) {
			if err := c.step(ctx, func(t *story) { t.gone(r, deleteSkipped, "") }); err != nil {
				return err
			}
			continue
		}
		if err := c.step(ctx, func(t *story) { t.of(r, deleting+inProgress, "") }); err != nil {
			return err
		}
		status, reason := deleteComplete, r.regret()
		if err := c.erase(ctx, r); err != nil {
			if c.base.Err() != nil {
				return err
			}
			status, reason = deleting+failed, err.Error()
		}
		if err := c.step(ctx, func(t *story) { t.gone(r, status, reason) }); err != nil {
			return err
		}
	}
	return nil
}

// gone tells of a resource that was to be deleted.
func (t *story) gone(r resource, status, reason string) {
	t.of(r, status, reason)
	w := t.stack.Work
	w.Gone = slices.DeleteFunc(slices.Clone(w.Gone), func(g resource) bool { return g.ID == r.ID && g.Physical == r.Physical })
}

// called reports whether a custom resource has been called in the change.
func (w *work) called(id string) bool {
	return slices.ContainsFunc(w.Called, func(r called) bool { return r.ID == id })
}

// erase deletes what outlives a revision.
func (c *change) erase(ctx context.Context, r resource) error {
	switch {
	case r.Type == bucketType:
		return c.Objects.DeleteBucket(ctx, r.Physical)
	case r.Type == logGroupType:
		return c.eraseLogs(ctx, r.Physical)
	case c.made(r.Type):
		_, err := c.ask(ctx, called{resource: r, Action: deleting, Request: newUUID()})
		return err
	}
	return nil
}

// made reports whether a type is one that functions make.
func (s *Stacks) made(kind string) bool {
	known := s.kinds
	if known == nil {
		known = kinds
	}
	_, ours := known[kind]
	return !ours && custom(kind)
}

// executed says of a change set what came of it.
func (c *change) executed(ctx context.Context, w *work, execution string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	set := c.sets[w.Set]
	if set == nil {
		return
	}
	next := *set
	next.Execution = execution
	if err := c.putSet(ctx, &next); err != nil {
		c.Log.Error("change set not written", "stack", c.stack.Name, "err", err)
	}
}

// reasons are what to tell of each resource that an error is of.
func reasons(err error) map[string]string {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.of
	}
	list := map[string]string{}
	for _, problem := range problemsOf(err) {
		if problem.ID == "" {
			continue
		}
		if was, ok := list[problem.ID]; ok {
			problem.Message = was + "\n" + problem.Message
		}
		list[problem.ID] = problem.Message
	}
	return list
}
