package api

import (
	"context"

	"github.com/dropstack/dropstack/internal/edge/ban"
)

// Bans is what the control plane needs of bans.
type Bans interface {
	Put(ctx context.Context, in ban.PutInput) (ban.Ban, error)
	Remove(ctx context.Context, in ban.RemoveInput) (struct{}, error)
	List(ctx context.Context, in ban.ListInput) (ban.ListOutput, error)
	Allow(ctx context.Context, in ban.AllowInput) (ban.Allowed, error)
	Disallow(ctx context.Context, in ban.RemoveInput) (struct{}, error)
	ListAllowed(ctx context.Context, in struct{}) (ban.AllowedOutput, error)
}

// A client that leaves does not cut a change short.

func (c *Control) putBan(ctx context.Context, in ban.PutInput) (ban.Ban, error) {
	return c.Bans.Put(context.WithoutCancel(ctx), in)
}

func (c *Control) deleteBan(ctx context.Context, in ban.RemoveInput) (struct{}, error) {
	return c.Bans.Remove(context.WithoutCancel(ctx), in)
}

func (c *Control) listBans(ctx context.Context, in ban.ListInput) (ban.ListOutput, error) {
	return c.Bans.List(ctx, in)
}

func (c *Control) putAllowed(ctx context.Context, in ban.AllowInput) (ban.Allowed, error) {
	return c.Bans.Allow(context.WithoutCancel(ctx), in)
}

func (c *Control) deleteAllowed(ctx context.Context, in ban.RemoveInput) (struct{}, error) {
	return c.Bans.Disallow(context.WithoutCancel(ctx), in)
}

func (c *Control) listAllowed(ctx context.Context, in struct{}) (ban.AllowedOutput, error) {
	return c.Bans.ListAllowed(ctx, in)
}
