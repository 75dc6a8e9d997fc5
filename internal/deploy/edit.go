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

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

// APIStack is the stack of what calls of the AWS API make: functions, topics and
// rules that no serverless.yml has. It is there as soon as there is something in
// it, and nobody deploys it.
const APIStack = "api"

// keepRevisions is how many revisions of a stack outlive an edit: enough to see
// what was changed lately, while a script may edit for ever.
const keepRevisions = 20

// Edit makes the next revision of a stack from its present one and returns it.
// change is given a copy of its own, which it may change as it likes; it must not
// call the deployer. When it fails, or changes nothing, no revision is written;
// when any later step fails the old revision keeps serving. Edits and deployments
// come one after the other, so change sees what the last one left.
func (d *Deployer) Edit(ctx context.Context, stack string, change func(*Revision) error) (*Revision, error) {
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
	if err := d.fetch(ctx, next); err != nil {
		return nil, err
	}
	active, err := d.activate(ctx, old, at, next)
	if err != nil {
		return nil, err
	}
	d.prune(ctx, active)
	return active, nil
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

// prune forgets all but the newest revisions of a stack, never the active one.
// What cannot be forgotten now is with the next edit.
func (d *Deployer) prune(ctx context.Context, active *Revision) {
	if err := d.forget(ctx, active); err != nil {
		d.Log.Warn("old revisions not removed", "stack", active.Stack, "err", err)
	}
}

func (d *Deployer) forget(ctx context.Context, active *Revision) error {
	const prefix = "$KV.revisions." // a purge of the stream leaves no marker behind, as one of the bucket would
	stream, err := d.Streams.Stream(ctx, "KV_revisions")
	if err != nil {
		return err
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(prefix+active.Stack+".*"))
	if err != nil {
		return err
	}
	var subjects []string
	for subject := range info.State.Subjects {
		if subject != prefix+active.Stack+"."+active.ID {
			subjects = append(subjects, subject)
		}
	}
	slices.Sort(subjects) // by time, as their ids begin with it
	for _, subject := range subjects[:max(0, len(subjects)-keepRevisions+1)] {
		if err := stream.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
			return err
		}
	}
	return nil
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
	next.ID = newID(next.Created)
	next.Functions = dated(old, r.Functions, next.Created)
	next.APIKeys = valued(old, r.APIKeys)
	if err := d.write(ctx, &next, old); err != nil {
		return nil, err
	}
	if err := d.point(ctx, next.Stack, next.ID, at); err != nil {
		return nil, err
	}
	if err := d.apply(ctx, old, &next); err != nil {
		return nil, errors.Join(fmt.Errorf("activate %s of %s: %w", next.ID, next.Stack, err), d.revert(ctx, &next, old))
	}
	d.remember(next.Stack, &next)
	return &next, nil
}
