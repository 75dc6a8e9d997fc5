package deploy

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

// Recall returns a revision of a stack that is kept: the active one, or one that was.
func (d *Deployer) Recall(ctx context.Context, stack, id string) (*Revision, error) {
	r, err := d.read(ctx, stack, id)
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrInvalidKey) {
		return nil, fault.Errorf(fault.NotFound, "stack %q has no revision %q", stack, id)
	}
	return r, err
}
