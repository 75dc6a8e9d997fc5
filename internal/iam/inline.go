package iam

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam/policy"
)

// The inputs and outputs of inline policies.
type (
	PutUserPolicyInput  struct{ UserName, PolicyName, PolicyDocument string }
	PutUserPolicyOutput struct{}
	GetUserPolicyInput  struct{ UserName, PolicyName string }
	GetUserPolicyOutput struct{ UserName, PolicyName, PolicyDocument string }

	ListUserPoliciesInput struct {
		UserName string
		Paging
	}
	ListUserPoliciesOutput struct {
		PolicyNames []string
		Page
	}
	DeleteUserPolicyInput  struct{ UserName, PolicyName string }
	DeleteUserPolicyOutput struct{}

	PutRolePolicyInput  struct{ RoleName, PolicyName, PolicyDocument string }
	PutRolePolicyOutput struct{}
	GetRolePolicyInput  struct{ RoleName, PolicyName string }
	GetRolePolicyOutput struct{ RoleName, PolicyName, PolicyDocument string }

	ListRolePoliciesInput struct {
		RoleName string
		Paging
	}
	ListRolePoliciesOutput struct {
		PolicyNames []string
		Page
	}
	DeleteRolePolicyInput  struct{ RoleName, PolicyName string }
	DeleteRolePolicyOutput struct{}

	PutGroupPolicyInput  struct{ GroupName, PolicyName, PolicyDocument string }
	PutGroupPolicyOutput struct{}
	GetGroupPolicyInput  struct{ GroupName, PolicyName string }
	GetGroupPolicyOutput struct{ GroupName, PolicyName, PolicyDocument string }

	ListGroupPoliciesInput struct {
		GroupName string
		Paging
	}
	ListGroupPoliciesOutput struct {
		PolicyNames []string
		Page
	}
	DeleteGroupPolicyInput  struct{ GroupName, PolicyName string }
	DeleteGroupPolicyOutput struct{}
)

// changeIdentity changes what users, roles and groups have in common.
func (a *Authority) changeIdentity(ctx context.Context, kind, name string, f func(*identity) error) error {
	switch kind {
	case "user":
		return change(ctx, a, kind, name, func(u *user) error { return f(&u.identity) })
	case "group":
		return change(ctx, a, kind, name, func(g *group) error { return f(&g.identity) })
	}
	return a.changeRole(ctx, name, func(r *role) error { return f(&r.identity) })
}

// identity finds one of them.
func (a *Authority) identity(kind, name string) (*identity, error) {
	s := a.now.Load()
	switch kind {
	case "user":
		if u := s.users[strings.ToLower(name)]; u != nil {
			return &u.identity, nil
		}
	case "group":
		if g := s.groups[strings.ToLower(name)]; g != nil {
			return &g.identity, nil
		}
	default:
		if r := s.role(name); r != nil {
			return &r.identity, nil
		}
	}
	return nil, noSuch(kind, name)
}

func (a *Authority) putPolicy(ctx context.Context, kind, name, policyName, document string) error {
	if _, err := checkName("policy", policyName, ""); err != nil {
		return err
	}
	if _, err := policy.Parse(policy.Identity, document); err != nil {
		return err
	}
	return a.changeIdentity(ctx, kind, name, func(i *identity) error {
		if i.Inline == nil {
			i.Inline = map[string]string{}
		}
		i.Inline[policyName] = document
		var all strings.Builder
		for _, d := range i.Inline {
			all.WriteString(d)
		}
		return checkSize("the inline policies of a "+kind, all.String(), maxInline[kind])
	})
}

func (a *Authority) getPolicy(kind, name, policyName string) (string, error) {
	i, err := a.identity(kind, name)
	if err != nil {
		return "", err
	}
	document, ok := i.Inline[policyName]
	if !ok {
		return "", noSuchInline(kind, policyName)
	}
	return encode(document), nil
}

func noSuchInline(kind, policyName string) error {
	return fault.Coded(fault.NotFound, "NoSuchEntity", "The %s policy with name %s cannot be found.", kind, policyName)
}

func (a *Authority) listPolicies(kind, name string, p Paging) ([]string, Page, error) {
	i, err := a.identity(kind, name)
	if err != nil {
		return nil, Page{}, err
	}
	return cut(slices.AppendSeq([]string{}, maps.Keys(i.Inline)), text, p)
}

func (a *Authority) deletePolicy(ctx context.Context, kind, name, policyName string) error {
	return a.changeIdentity(ctx, kind, name, func(i *identity) error {
		if _, ok := i.Inline[policyName]; !ok {
			return noSuchInline(kind, policyName)
		}
		delete(i.Inline, policyName)
		return nil
	})
}

// PutUserPolicy sets an inline policy of a user.
func (a *Authority) PutUserPolicy(ctx context.Context, in PutUserPolicyInput) (PutUserPolicyOutput, error) {
	return PutUserPolicyOutput{}, a.putPolicy(ctx, "user", in.UserName, in.PolicyName, in.PolicyDocument)
}

// GetUserPolicy gives an inline policy of a user, URL-encoded.
func (a *Authority) GetUserPolicy(_ context.Context, in GetUserPolicyInput) (GetUserPolicyOutput, error) {
	document, err := a.getPolicy("user", in.UserName, in.PolicyName)
	return GetUserPolicyOutput{in.UserName, in.PolicyName, document}, err
}

// ListUserPolicies lists the inline policies of a user by name.
func (a *Authority) ListUserPolicies(_ context.Context, in ListUserPoliciesInput) (ListUserPoliciesOutput, error) {
	names, page, err := a.listPolicies("user", in.UserName, in.Paging)
	return ListUserPoliciesOutput{names, page}, err
}

// DeleteUserPolicy deletes an inline policy of a user.
func (a *Authority) DeleteUserPolicy(ctx context.Context, in DeleteUserPolicyInput) (DeleteUserPolicyOutput, error) {
	return DeleteUserPolicyOutput{}, a.deletePolicy(ctx, "user", in.UserName, in.PolicyName)
}

// PutRolePolicy sets an inline policy of a role.
func (a *Authority) PutRolePolicy(ctx context.Context, in PutRolePolicyInput) (PutRolePolicyOutput, error) {
	return PutRolePolicyOutput{}, a.putPolicy(ctx, "role", in.RoleName, in.PolicyName, in.PolicyDocument)
}

// GetRolePolicy gives an inline policy of a role, URL-encoded.
func (a *Authority) GetRolePolicy(_ context.Context, in GetRolePolicyInput) (GetRolePolicyOutput, error) {
	document, err := a.getPolicy("role", in.RoleName, in.PolicyName)
	return GetRolePolicyOutput{in.RoleName, in.PolicyName, document}, err
}

// ListRolePolicies lists the inline policies of a role by name.
func (a *Authority) ListRolePolicies(_ context.Context, in ListRolePoliciesInput) (ListRolePoliciesOutput, error) {
	names, page, err := a.listPolicies("role", in.RoleName, in.Paging)
	return ListRolePoliciesOutput{names, page}, err
}

// DeleteRolePolicy deletes an inline policy of a role.
func (a *Authority) DeleteRolePolicy(ctx context.Context, in DeleteRolePolicyInput) (DeleteRolePolicyOutput, error) {
	return DeleteRolePolicyOutput{}, a.deletePolicy(ctx, "role", in.RoleName, in.PolicyName)
}

// PutGroupPolicy sets an inline policy of a group.
func (a *Authority) PutGroupPolicy(ctx context.Context, in PutGroupPolicyInput) (PutGroupPolicyOutput, error) {
	return PutGroupPolicyOutput{}, a.putPolicy(ctx, "group", in.GroupName, in.PolicyName, in.PolicyDocument)
}

// GetGroupPolicy gives an inline policy of a group, URL-encoded.
func (a *Authority) GetGroupPolicy(_ context.Context, in GetGroupPolicyInput) (GetGroupPolicyOutput, error) {
	document, err := a.getPolicy("group", in.GroupName, in.PolicyName)
	return GetGroupPolicyOutput{in.GroupName, in.PolicyName, document}, err
}

// ListGroupPolicies lists the inline policies of a group by name.
func (a *Authority) ListGroupPolicies(_ context.Context, in ListGroupPoliciesInput) (ListGroupPoliciesOutput, error) {
	names, page, err := a.listPolicies("group", in.GroupName, in.Paging)
	return ListGroupPoliciesOutput{names, page}, err
}

// DeleteGroupPolicy deletes an inline policy of a group.
func (a *Authority) DeleteGroupPolicy(ctx context.Context, in DeleteGroupPolicyInput) (DeleteGroupPolicyOutput, error) {
	return DeleteGroupPolicyOutput{}, a.deletePolicy(ctx, "group", in.GroupName, in.PolicyName)
}
