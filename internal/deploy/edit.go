package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

// APIStack is the stack of what calls of the AWS API make: functions, topics and
// rules that no serverless.yml has. It is there as soon as there is something in
// it, and nobody deploys it.
const APIStack = "api"

// Edit makes the next revision of a stack from its present one and returns it.
// change is given a copy of its own, which it may change as it likes; it must not
// call the deployer. When it fails, or changes nothing, no revision is written;
// when any later step fails the old revision keeps serving. Edits and deployments
// come one after the other, so change sees what the last one left.
func (d *Deployer) Edit(ctx context.Context, stack string, change func(*Revision) error) (*Revision, error) {
	d.files.RLock()
	defer d.files.RUnlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	old, at, err := d.pointed(ctx, stack)
	if fault.KindOf(err) == fault.NotFound && stack == APIStack {
		old, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	present := old
	if old == nil {
		present = &Revision{Stack: APIStack, Service: APIStack, Region: d.Region}
	}
	next, before, err := present.copy()
	if err != nil {
		return nil, err
	}
	if err := change(next); err != nil {
		return nil, err
	}
	next.ID, next.Created, next.Stack = present.ID, present.Created, stack
	next.Previous, next.Restores = present.Previous, present.Restores
	after, err := json.Marshal(next)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(before, after) {
		return present, nil
	}
	if err := d.validate(next); err != nil {
		return nil, err
	}
	if err := d.disturbs(present, next); err != nil {
		return nil, err
	}
	next.Restores = "" // it is another one
	if err := d.fetch(ctx, next); err != nil {
		return nil, err
	}
	return d.activate(ctx, old, at, next)
}

// copy is a revision that shares nothing with r, and both as a document.
func (r *Revision) copy() (*Revision, []byte, error) {
	doc, err := json.Marshal(r)
	if err != nil {
		return nil, nil, err
	}
	next := new(Revision)
	return next, doc, json.Unmarshal(doc, next)
}

// dated says of each function when it became what it is: now, unless it was so
// before.
func dated(old *Revision, functions []function.Function, now time.Time) []function.Function {
	before := map[string]function.Function{}
	if old != nil {
		for _, f := range old.Functions {
			before[f.Name] = f
		}
	}
	next := slices.Clone(functions)
	for i := range next {
		f := &next[i]
		was, ok := before[f.Name]
		if f.Modified = was.Modified; !ok || !reflect.DeepEqual(*f, was) {
			f.Modified = now
		}
	}
	return next
}

// activate writes next and makes it the active revision in place of old, which
// the pointer at sequence at names; nil and 0 when there is none. The lock is held.
func (d *Deployer) activate(ctx context.Context, old *Revision, at uint64, r *Revision) (*Revision, error) {
	next := *r
	next.Created = time.Now().UTC()
	if old != nil && next.Created.Sub(old.Created) < time.Millisecond {
		next.Created = old.Created.Add(time.Millisecond) // ids sort as revisions came, whatever the clock does
	}
	next.ID = newID(next.Created)
	next.Functions, next.Previous = dated(old, r.Functions, next.Created), ""
	if old != nil {
		next.Previous = old.ID
	}
	if err := d.leave(ctx, old, &next); err != nil {
		return nil, err
	}
	next.APIKeys = valued(old, r.APIKeys)
	if err := d.foretell(ctx, &next); err != nil { // again, since what leaves may have been given a version
		return nil, err
	}
	if err := d.write(ctx, &next, old); err != nil {
		return nil, err
	}
	stood, err := d.standing(&next)
	if err != nil {
		return nil, err
	}
	if err := d.point(ctx, next.Stack, next.ID, at); err != nil {
		if fault.KindOf(err) == fault.Conflict { // else it may have moved all the same
			err = errors.Join(err, d.forget(ctx, next.Stack, next.ID))
		}
		return nil, err
	}
	err = d.apply(ctx, old, &next)
	if err == nil {
		err = d.begin(ctx, &next)
	}
	if d.Tried != nil {
		d.Tried(ctx, old, &next, err)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("activate %s of %s: %w", next.ID, next.Stack, err), d.revert(ctx, &next, old, stood))
	}
	d.remember(next.Stack, &next)
	d.prune(ctx, &next)
	return &next, nil
}

// DeployFunction replaces one function of a stack, which has it already: code and
// configuration, or with configOnly the configuration alone. What calls it stays.
func (d *Deployer) DeployFunction(ctx context.Context, stack string, f function.Function, configOnly bool) (*Revision, error) {
	if active, ok := d.Active(stack); ok && active.Owner != "" {
		return nil, Foreign(active)
	}
	return d.Edit(ctx, stack, func(r *Revision) error {
		i := slices.IndexFunc(r.Functions, func(was function.Function) bool { return was.Name == f.Name })
		if i < 0 {
			return fault.Errorf(fault.NotFound, "stack %s has no function %s; `dropstack deploy` adds it", stack, f.Name)
		}
		next, was := f, r.Functions[i]
		next.Stack, next.Policies = was.Stack, was.Policies
		if next.Tags == nil {
			next.Tags = was.Tags
		}
		next.Shift, next.Provisioned = was.Shift, was.Provisioned // what calls it knows its aliases
		if configOnly {
			next.Artifact, next.CodeSize, next.Layers, next.LayerARNs = was.Artifact, was.CodeSize, was.Layers, was.LayerARNs
		} else if next.Artifact == was.Artifact {
			next.CodeSize = was.CodeSize
		}
		next.Modified = was.Modified
		r.Functions[i] = next
		return nil
	})
}
