package api

import (
	"context"

	"github.com/dropstack/dropstack/internal/deploy"
)

// DeployInput is a revision that is to become active.
type DeployInput struct {
	deploy.Revision
}

// RollbackInput names a stack and the revision that it goes back to.
type RollbackInput struct {
	Stack string `json:"stack"`
	To    string `json:"to,omitempty"` // ID, or time in milliseconds; "": the one before
}

// Whatever changes a stack goes on when its client leaves, which must not cut a
// deployment in two.

func (c *Control) deploy(ctx context.Context, in DeployInput) (Info, error) {
	rev, err := c.Deployer.Deploy(context.WithoutCancel(ctx), &in.Revision)
	return c.about(rev), err
}

func (c *Control) changes(ctx context.Context, in DeployInput) (*deploy.Diff, error) {
	return c.Deployer.Preview(ctx, &in.Revision)
}

func (c *Control) revisions(ctx context.Context, in StackInput) ([]deploy.Past, error) {
	return c.Deployer.History(ctx, in.Stack)
}

func (c *Control) rollback(ctx context.Context, in RollbackInput) (Info, error) {
	rev, err := c.Deployer.Rollback(context.WithoutCancel(ctx), in.Stack, in.To)
	return c.about(rev), err
}

func (c *Control) remove(ctx context.Context, in StackInput) (struct{}, error) {
	return struct{}{}, c.Deployer.Remove(context.WithoutCancel(ctx), in.Stack)
}

// about tells of a revision where it answers.
func (c *Control) about(rev *deploy.Revision) Info { return Info{rev, c.Endpoints, c.Isolation} }
