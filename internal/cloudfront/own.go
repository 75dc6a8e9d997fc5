package cloudfront

import (
	"context"
	"slices"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/fault"
)

// Put makes or changes a distribution of the stack of calls.
func (d *Distributions) Put(ctx context.Context, next edge.Distribution) (edge.Distribution, error) {
	if found, err := d.find(next.ID); err == nil && found.revision.Stack != deploy.APIStack {
		return next, fault.Errorf(fault.Conflict, "distribution %s is part of stack %s: change it there and deploy that again", next.ID, found.revision.Stack)
	}
	if err := d.mayPublish(ctx, next); err != nil {
		return next, err
	}
	next.Stack = deploy.APIStack
	_, err := d.edit(ctx, next.ID, func(list []edge.Distribution, at int) ([]edge.Distribution, error) {
		if at < 0 {
			return append(list, next), nil
		}
		list[at] = next
		return list, nil
	})
	return next, err
}

// Remove removes a distribution of the stack of calls.
func (d *Distributions) Remove(ctx context.Context, id string) error {
	found, err := d.find(id)
	if err != nil {
		return err
	}
	if found.revision.Stack != deploy.APIStack {
		return fault.Errorf(fault.Conflict, "distribution %s is part of stack %s: take it out there and deploy that again", id, found.revision.Stack)
	}
	_, err = d.edit(ctx, id, func(list []edge.Distribution, at int) ([]edge.Distribution, error) {
		if at < 0 {
			return nil, fault.Errorf(fault.NotFound, "distribution %s is gone already", id)
		}
		return slices.Delete(list, at, at+1), nil
	})
	return err
}

// List is every distribution as it is, by id.
func (d *Distributions) List() []edge.Distribution {
	list := []edge.Distribution{}
	for _, dist := range d.all() {
		list = append(list, dist.Distribution)
	}
	return list
}
