package api

import (
	"context"

	"github.com/dropstack/dropstack/internal/alert/notify"
)

// Receivers is what the control plane needs of who is told of alerts.
type Receivers interface {
	Put(ctx context.Context, in notify.PutInput) (notify.Receivers, error)
	Get(ctx context.Context) (notify.Receivers, error)
	Test(ctx context.Context, in notify.TestInput) (notify.Tested, error)
}

func (c *Control) putReceivers(ctx context.Context, in notify.PutInput) (notify.Receivers, error) {
	return c.Receivers.Put(ctx, in)
}

func (c *Control) testReceiver(ctx context.Context, in notify.TestInput) (notify.Tested, error) {
	return c.Receivers.Test(ctx, in)
}

func (c *Control) getReceivers(ctx context.Context, _ struct{}) (notify.Receivers, error) {
	return c.Receivers.Get(ctx)
}
