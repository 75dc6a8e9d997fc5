package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

// Stored is a revision of a stack that is kept: the active one, or one that was.
func (d *Deployer) Stored(ctx context.Context, stack, id string) (*Revision, error) {
	doc, err := d.revisions.Get(ctx, stack+"."+id)
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrInvalidKey) {
		return nil, fault.Errorf(fault.NotFound, "stack %q has no revision %q", stack, id)
	}
	if err != nil {
		return nil, fmt.Errorf("read revision %s of %s: %w", id, stack, err)
	}
	rev := new(Revision)
	if err := json.Unmarshal(doc.Value(), rev); err != nil {
		return nil, fmt.Errorf("revision %s of %s: %w", id, stack, err)
	}
	if err := d.open(ctx, rev); err != nil {
		return nil, fmt.Errorf("revision %s of %s: %w", id, stack, err)
	}
	return rev, nil
}

// owned refuses a revision in the place of one that is somebody else's.
func (r *Revision) owned(old *Revision) error {
	switch {
	case old == nil || old.Owner == r.Owner:
		return nil
	case old.Owner == OwnerCloudFormation:
		return fault.Errorf(fault.Conflict, "stack %q was deployed as a template, by CloudFormation; deploy it that way, or delete it first (aws cloudformation delete-stack --stack-name %s)", r.Stack, r.Stack)
	}
	return fault.Errorf(fault.Conflict, "stack %q was deployed by `dropstack deploy`; deploy it that way, or remove it first (dropstack remove)", r.Stack)
}
