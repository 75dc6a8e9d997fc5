package api

import (
	"context"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/function"
)

// DeployInput is a revision that is to become active.
type DeployInput struct {
	deploy.Revision
	Force bool `json:"force,omitempty"` // also while callers are being moved, who go back first
}

// DeployFunctionInput is one function as its stack's next revision is to have it.
type DeployFunctionInput struct {
	Stack      string            `json:"stack"`
	Function   function.Function `json:"function"`
	ConfigOnly bool              `json:"configOnly,omitempty"` // its code stays
}

// RevisionInput names a revision of a stack.
type RevisionInput struct {
	Stack string `json:"stack"`
	ID    string `json:"id"`
}

// RollbackInput names a stack and the revision that it goes back to.
type RollbackInput struct {
	Stack string `json:"stack"`
	To    string `json:"to,omitempty"` // ID, or time in milliseconds; "": the one before
}

// Whatever changes a stack goes on when its client leaves, which must not cut a
// deployment in two.

func (c *Control) deploy(ctx context.Context, in DeployInput) (Info, error) {
	method := c.Deployer.Deploy
	if in.Force {
		method = c.Deployer.Supersede
	}
	rev, err := method(context.WithoutCancel(ctx), &in.Revision)
	return c.about(rev), err
}

func (c *Control) deployFunction(ctx context.Context, in DeployFunctionInput) (Info, error) {
	rev, err := c.Deployer.DeployFunction(context.WithoutCancel(ctx), in.Stack, in.Function, in.ConfigOnly)
	return c.about(rev), err
}

func (c *Control) changes(ctx context.Context, in DeployInput) (*deploy.Diff, error) {
	return c.Deployer.Preview(ctx, &in.Revision)
}

func (c *Control) revisions(ctx context.Context, in StackInput) ([]deploy.Past, error) {
	return c.Deployer.History(ctx, in.Stack)
}

func (c *Control) describeRevision(ctx context.Context, in RevisionInput) (*deploy.Diff, error) {
	return c.Deployer.Changes(ctx, in.Stack, in.ID)
}

func (c *Control) rollback(ctx context.Context, in RollbackInput) (Info, error) {
	rev, err := c.Deployer.Rollback(context.WithoutCancel(ctx), in.Stack, in.To)
	return c.about(rev), err
}

func (c *Control) remove(ctx context.Context, in StackInput) (struct{}, error) {
	if rev, ok := c.Deployer.Active(in.Stack); ok && rev.Owner != "" {
		return struct{}{}, deploy.Foreign(rev)
	}
	return struct{}{}, c.Deployer.Remove(context.WithoutCancel(ctx), in.Stack)
}

// about tells of a revision where it answers.
func (c *Control) about(rev *deploy.Revision) Info {
	info := Info{Revision: rev.Shown(c.URL), Endpoints: c.Endpoints, Isolation: c.Isolation}
	if rev != nil {
		info.Shift = c.Deployer.Shifting(rev.Stack)
	}
	return info
}
