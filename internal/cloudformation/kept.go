package cloudformation

import (
	"cmp"
	"context"
	"slices"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/iam"
)

// keepFunctions adds the functions to a revision that are to delete custom
// resources which are not in the template any more, as they are now; w notes them.
func (c *change) keepFunctions(next *deploy.Revision, result []resource, w *work) {
	active, there := c.Deployer.Active(c.stack.Name)
	if !there {
		return
	}
	after := byID(result)
	for _, was := range c.before {
		if r, stays := after[was.ID]; !c.made(was.Type) || stays && !replaced(was, r) {
			continue
		}
		token := text(was.Properties["ServiceToken"])
		for _, fn := range active.Functions {
			if fn.ARN != token || slices.ContainsFunc(next.Functions, func(f function.Function) bool { return f.Name == fn.Name }) {
				continue
			}
			next.Functions, w.Kept = append(next.Functions, fn), append(w.Kept, fn.Name)
			for _, role := range active.Roles {
				own := arn.Role(cmp.Or(role.Path, "/"), role.Name) == fn.Role
				if own && !slices.ContainsFunc(next.Roles, func(r iam.DeclaredRole) bool { return r.Name == role.Name }) {
					next.Roles, w.KeptRoles = append(next.Roles, role), append(w.KeptRoles, role.Name)
				}
			}
		}
	}
}

// dropFunctions removes the functions that were kept for a while.
func (c *change) dropFunctions(ctx context.Context) error {
	w := c.stack.Work
	active, there := c.Deployer.Active(c.stack.Name)
	if len(w.Kept) == 0 || !there {
		return nil
	}
	next := *active
	next.Functions = slices.DeleteFunc(slices.Clone(next.Functions), func(f function.Function) bool { return slices.Contains(w.Kept, f.Name) })
	next.Roles = slices.DeleteFunc(slices.Clone(next.Roles), func(r iam.DeclaredRole) bool { return slices.Contains(w.KeptRoles, r.Name) })
	_, err := c.Deployer.Deploy(context.WithoutCancel(ctx), &next)
	return err
}
