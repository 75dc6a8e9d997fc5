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
	Silence(ctx context.Context, in notify.PutSilenceInput) (notify.Silence, error)
	Expire(ctx context.Context, in notify.SilenceID) (struct{}, error)
	Silences(ctx context.Context, in notify.ListSilencesInput) (notify.ListSilencesOutput, error)
}

func (c *Control) putReceivers(ctx context.Context, in notify.PutInput) (notify.Receivers, error) {
	return c.Receivers.Put(ctx, in)
}

func (c *Control) getReceivers(ctx context.Context, _ struct{}) (notify.Receivers, error) {
	return c.Receivers.Get(ctx)
}

func (c *Control) testReceiver(ctx context.Context, in notify.TestInput) (notify.Tested, error) {
	return c.Receivers.Test(ctx, in)
}

func (c *Control) putSilence(ctx context.Context, in notify.PutSilenceInput) (notify.Silence, error) {
	return c.Receivers.Silence(ctx, in)
}

func (c *Control) expireSilence(ctx context.Context, in notify.SilenceID) (struct{}, error) {
	return c.Receivers.Expire(ctx, in)
}

func (c *Control) listSilences(ctx context.Context, in notify.ListSilencesInput) (notify.ListSilencesOutput, error) {
	return c.Receivers.Silences(ctx, in)
}
