package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// AttachedPolicy is a managed policy that is attached.
type AttachedPolicy struct{ PolicyName, PolicyArn string }

// The inputs and outputs of attaching.
type (
	AttachUserPolicyInput  struct{ UserName, PolicyArn string }
	AttachUserPolicyOutput struct{}
	DetachUserPolicyInput  struct{ UserName, PolicyArn string }
	DetachUserPolicyOutput struct{}

	ListAttachedUserPoliciesInput struct {
		UserName, PathPrefix string
		Paging
	}
	ListAttachedUserPoliciesOutput struct {
		AttachedPolicies []AttachedPolicy
		Page
	}

	AttachRolePolicyInput  struct{ RoleName, PolicyArn string }
	AttachRolePolicyOutput struct{}
	DetachRolePolicyInput  struct{ RoleName, PolicyArn string }
	DetachRolePolicyOutput struct{}

	ListAttachedRolePoliciesInput struct {
		RoleName, PathPrefix string
		Paging
	}
	ListAttachedRolePoliciesOutput struct {
		AttachedPolicies []AttachedPolicy
		Page
	}

	AttachGroupPolicyInput  struct{ GroupName, PolicyArn string }
	AttachGroupPolicyOutput struct{}
	DetachGroupPolicyInput  struct{ GroupName, PolicyArn string }
	DetachGroupPolicyOutput struct{}

	ListAttachedGroupPoliciesInput struct {
		GroupName, PathPrefix string
		Paging
	}
	ListAttachedGroupPoliciesOutput struct {
		AttachedPolicies []AttachedPolicy
		Page
	}
)

func (a *Authority) attach(ctx context.Context, kind, name, arn string) error {
	return a.changeIdentity(ctx, kind, name, func(i *identity) error {
		m, err := a.managed(arn) // with the lock, under which it cannot be deleted
		if err != nil || slices.Contains(i.Attached, m.arn()) {
			return err
		}
		if len(i.Attached) >= maxAttached {
			return conflict("LimitExceeded", "Cannot exceed quota for PoliciesPer%s: %d", title(kind), maxAttached)
		}
		i.Attached = append(i.Attached, m.arn())
		return nil
	})
}

func (a *Authority) detach(ctx context.Context, kind, name, arn string) error {
	return a.changeIdentity(ctx, kind, name, func(i *identity) error {
		at := slices.Index(i.Attached, arn)
		if at < 0 {
			return fault.Coded(fault.NotFound, "NoSuchEntity", "Policy %s was not found.", arn)
		}
		i.Attached = slices.Delete(i.Attached, at, at+1)
		return nil
	})
}

func (a *Authority) attached(kind, name, prefix string, p Paging) ([]AttachedPolicy, Page, error) {
	i, err := a.identity(kind, name)
	if err != nil {
		return nil, Page{}, err
	}
	list := []AttachedPolicy{}
	for _, arn := range i.Attached {
		if m := a.now.Load().policy(arn); m != nil && strings.HasPrefix(m.Path, prefix) {
			list = append(list, AttachedPolicy{m.Name, m.arn()})
		}
	}
	return cut(list, func(p AttachedPolicy) string { return p.PolicyName + "\x00" + p.PolicyArn }, p)
}

// AttachUserPolicy gives a user what a managed policy allows.
func (a *Authority) AttachUserPolicy(ctx context.Context, in AttachUserPolicyInput) (AttachUserPolicyOutput, error) {
	return AttachUserPolicyOutput{}, a.attach(ctx, "user", in.UserName, in.PolicyArn)
}

// DetachUserPolicy takes a managed policy from a user.
func (a *Authority) DetachUserPolicy(ctx context.Context, in DetachUserPolicyInput) (DetachUserPolicyOutput, error) {
	return DetachUserPolicyOutput{}, a.detach(ctx, "user", in.UserName, in.PolicyArn)
}

// ListAttachedUserPolicies lists the managed policies of a user.
func (a *Authority) ListAttachedUserPolicies(_ context.Context, in ListAttachedUserPoliciesInput) (ListAttachedUserPoliciesOutput, error) {
	list, page, err := a.attached("user", in.UserName, in.PathPrefix, in.Paging)
	return ListAttachedUserPoliciesOutput{list, page}, err
}

// AttachRolePolicy gives a role what a managed policy allows.
func (a *Authority) AttachRolePolicy(ctx context.Context, in AttachRolePolicyInput) (AttachRolePolicyOutput, error) {
	return AttachRolePolicyOutput{}, a.attach(ctx, "role", in.RoleName, in.PolicyArn)
}

// DetachRolePolicy takes a managed policy from a role.
func (a *Authority) DetachRolePolicy(ctx context.Context, in DetachRolePolicyInput) (DetachRolePolicyOutput, error) {
	return DetachRolePolicyOutput{}, a.detach(ctx, "role", in.RoleName, in.PolicyArn)
}

// ListAttachedRolePolicies lists the managed policies of a role.
func (a *Authority) ListAttachedRolePolicies(_ context.Context, in ListAttachedRolePoliciesInput) (ListAttachedRolePoliciesOutput, error) {
	list, page, err := a.attached("role", in.RoleName, in.PathPrefix, in.Paging)
	return ListAttachedRolePoliciesOutput{list, page}, err
}

// AttachGroupPolicy gives a group what a managed policy allows.
func (a *Authority) AttachGroupPolicy(ctx context.Context, in AttachGroupPolicyInput) (AttachGroupPolicyOutput, error) {
	return AttachGroupPolicyOutput{}, a.attach(ctx, "group", in.GroupName, in.PolicyArn)
}

// DetachGroupPolicy takes a managed policy from a group.
func (a *Authority) DetachGroupPolicy(ctx context.Context, in DetachGroupPolicyInput) (DetachGroupPolicyOutput, error) {
	return DetachGroupPolicyOutput{}, a.detach(ctx, "group", in.GroupName, in.PolicyArn)
}

// ListAttachedGroupPolicies lists the managed policies of a group.
func (a *Authority) ListAttachedGroupPolicies(_ context.Context, in ListAttachedGroupPoliciesInput) (ListAttachedGroupPoliciesOutput, error) {
	list, page, err := a.attached("group", in.GroupName, in.PathPrefix, in.Paging)
	return ListAttachedGroupPoliciesOutput{list, page}, err
}
