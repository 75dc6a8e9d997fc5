package api

import (
	"context"

	"github.com/dropstack/dropstack/internal/iam"
)

// IAM is AWS Identity and Access Management, which policies of the account's own
// principals decide over like over anything else.
func IAM(a *iam.Authority) *Service {
	named := func(kind string) func(context.Context, string) []Need {
		return func(ctx context.Context, name string) []Need { return on(a.ResourceARN(ctx, kind, name)) }
	}
	attached := func(kind string) func(context.Context, string, string) []Need {
		return func(ctx context.Context, name, policy string) []Need {
			return []Need{{Resource: a.ResourceARN(ctx, kind, name), Conditions: map[string][]string{"iam:PolicyARN": {policy}}}}
		}
	}
	return &Service{Scope: "iam", Namespace: "https://iam.amazonaws.com/doc/2010-05-08/", Operations: merge(
		iamUsers(a, named("user"), attached("user")), iamRoles(a, named("role"), attached("role")),
		iamGroups(a, named("group"), attached("group")), iamPolicies(a),
	)}
}

// merge makes one table of several.
func merge(tables ...map[string]Operation) map[string]Operation {
	all := map[string]Operation{}
	for _, table := range tables {
		for name, o := range table {
			all[name] = o
		}
	}
	return all
}

func iamUsers(a *iam.Authority, on1 func(context.Context, string) []Need, attached func(context.Context, string, string) []Need) map[string]Operation {
	return map[string]Operation{
		"CreateUser": op(a.CreateUser, func(in iam.CreateUserInput) []Need { return on(iam.NewARN("user", in.Path, in.UserName)) }),
		"GetUser":    opBy(a.GetUser, func(ctx context.Context, in iam.GetUserInput) []Need { return on1(ctx, in.UserName) }),
		"ListUsers":  op(a.ListUsers, nil),
		"UpdateUser": opBy(a.UpdateUser, func(ctx context.Context, in iam.UpdateUserInput) []Need { return on1(ctx, in.UserName) }),
		"DeleteUser": opBy(a.DeleteUser, func(ctx context.Context, in iam.DeleteUserInput) []Need { return on1(ctx, in.UserName) }),

		"CreateAccessKey":      opBy(a.CreateAccessKey, func(ctx context.Context, in iam.CreateAccessKeyInput) []Need { return on1(ctx, in.UserName) }),
		"ListAccessKeys":       opBy(a.ListAccessKeys, func(ctx context.Context, in iam.ListAccessKeysInput) []Need { return on1(ctx, in.UserName) }),
		"UpdateAccessKey":      opBy(a.UpdateAccessKey, func(ctx context.Context, in iam.UpdateAccessKeyInput) []Need { return on1(ctx, in.UserName) }),
		"DeleteAccessKey":      opBy(a.DeleteAccessKey, func(ctx context.Context, in iam.DeleteAccessKeyInput) []Need { return on1(ctx, in.UserName) }),
		"GetAccessKeyLastUsed": op(a.GetAccessKeyLastUsed, nil),

		"PutUserPolicy":    opBy(a.PutUserPolicy, func(ctx context.Context, in iam.PutUserPolicyInput) []Need { return on1(ctx, in.UserName) }),
		"GetUserPolicy":    opBy(a.GetUserPolicy, func(ctx context.Context, in iam.GetUserPolicyInput) []Need { return on1(ctx, in.UserName) }),
		"ListUserPolicies": opBy(a.ListUserPolicies, func(ctx context.Context, in iam.ListUserPoliciesInput) []Need { return on1(ctx, in.UserName) }),
		"DeleteUserPolicy": opBy(a.DeleteUserPolicy, func(ctx context.Context, in iam.DeleteUserPolicyInput) []Need { return on1(ctx, in.UserName) }),
		"AttachUserPolicy": opBy(a.AttachUserPolicy, func(ctx context.Context, in iam.AttachUserPolicyInput) []Need {
			return attached(ctx, in.UserName, in.PolicyArn)
		}),
		"DetachUserPolicy": opBy(a.DetachUserPolicy, func(ctx context.Context, in iam.DetachUserPolicyInput) []Need {
			return attached(ctx, in.UserName, in.PolicyArn)
		}),
		"ListAttachedUserPolicies": opBy(a.ListAttachedUserPolicies, func(ctx context.Context, in iam.ListAttachedUserPoliciesInput) []Need { return on1(ctx, in.UserName) }),
		"ListGroupsForUser":        opBy(a.ListGroupsForUser, func(ctx context.Context, in iam.ListGroupsForUserInput) []Need { return on1(ctx, in.UserName) }),
		"TagUser":                  opBy(a.TagUser, func(ctx context.Context, in iam.TagUserInput) []Need { return on1(ctx, in.UserName) }),
		"UntagUser":                opBy(a.UntagUser, func(ctx context.Context, in iam.UntagUserInput) []Need { return on1(ctx, in.UserName) }),
		"ListUserTags":             opBy(a.ListUserTags, func(ctx context.Context, in iam.ListUserTagsInput) []Need { return on1(ctx, in.UserName) }),
	}
}

func iamRoles(a *iam.Authority, on1 func(context.Context, string) []Need, attached func(context.Context, string, string) []Need) map[string]Operation {
	return map[string]Operation{
		"CreateRole":             op(a.CreateRole, func(in iam.CreateRoleInput) []Need { return on(iam.NewARN("role", in.Path, in.RoleName)) }),
		"GetRole":                opBy(a.GetRole, func(ctx context.Context, in iam.GetRoleInput) []Need { return on1(ctx, in.RoleName) }),
		"ListRoles":              op(a.ListRoles, nil),
		"UpdateRole":             opBy(a.UpdateRole, func(ctx context.Context, in iam.UpdateRoleInput) []Need { return on1(ctx, in.RoleName) }),
		"UpdateRoleDescription":  opBy(a.UpdateRoleDescription, func(ctx context.Context, in iam.UpdateRoleDescriptionInput) []Need { return on1(ctx, in.RoleName) }),
		"UpdateAssumeRolePolicy": opBy(a.UpdateAssumeRolePolicy, func(ctx context.Context, in iam.UpdateAssumeRolePolicyInput) []Need { return on1(ctx, in.RoleName) }),
		"DeleteRole":             opBy(a.DeleteRole, func(ctx context.Context, in iam.DeleteRoleInput) []Need { return on1(ctx, in.RoleName) }),

		"PutRolePolicy":    opBy(a.PutRolePolicy, func(ctx context.Context, in iam.PutRolePolicyInput) []Need { return on1(ctx, in.RoleName) }),
		"GetRolePolicy":    opBy(a.GetRolePolicy, func(ctx context.Context, in iam.GetRolePolicyInput) []Need { return on1(ctx, in.RoleName) }),
		"ListRolePolicies": opBy(a.ListRolePolicies, func(ctx context.Context, in iam.ListRolePoliciesInput) []Need { return on1(ctx, in.RoleName) }),
		"DeleteRolePolicy": opBy(a.DeleteRolePolicy, func(ctx context.Context, in iam.DeleteRolePolicyInput) []Need { return on1(ctx, in.RoleName) }),
		"AttachRolePolicy": opBy(a.AttachRolePolicy, func(ctx context.Context, in iam.AttachRolePolicyInput) []Need {
			return attached(ctx, in.RoleName, in.PolicyArn)
		}),
		"DetachRolePolicy": opBy(a.DetachRolePolicy, func(ctx context.Context, in iam.DetachRolePolicyInput) []Need {
			return attached(ctx, in.RoleName, in.PolicyArn)
		}),
		"ListAttachedRolePolicies": opBy(a.ListAttachedRolePolicies, func(ctx context.Context, in iam.ListAttachedRolePoliciesInput) []Need { return on1(ctx, in.RoleName) }),
		"TagRole":                  opBy(a.TagRole, func(ctx context.Context, in iam.TagRoleInput) []Need { return on1(ctx, in.RoleName) }),
		"UntagRole":                opBy(a.UntagRole, func(ctx context.Context, in iam.UntagRoleInput) []Need { return on1(ctx, in.RoleName) }),
		"ListRoleTags":             opBy(a.ListRoleTags, func(ctx context.Context, in iam.ListRoleTagsInput) []Need { return on1(ctx, in.RoleName) }),
	}
}

func iamGroups(a *iam.Authority, on1 func(context.Context, string) []Need, attached func(context.Context, string, string) []Need) map[string]Operation {
	return map[string]Operation{
		"CreateGroup":         op(a.CreateGroup, func(in iam.CreateGroupInput) []Need { return on(iam.NewARN("group", in.Path, in.GroupName)) }),
		"GetGroup":            opBy(a.GetGroup, func(ctx context.Context, in iam.GetGroupInput) []Need { return on1(ctx, in.GroupName) }),
		"ListGroups":          op(a.ListGroups, nil),
		"DeleteGroup":         opBy(a.DeleteGroup, func(ctx context.Context, in iam.DeleteGroupInput) []Need { return on1(ctx, in.GroupName) }),
		"AddUserToGroup":      opBy(a.AddUserToGroup, func(ctx context.Context, in iam.AddUserToGroupInput) []Need { return on1(ctx, in.GroupName) }),
		"RemoveUserFromGroup": opBy(a.RemoveUserFromGroup, func(ctx context.Context, in iam.RemoveUserFromGroupInput) []Need { return on1(ctx, in.GroupName) }),

		"PutGroupPolicy":    opBy(a.PutGroupPolicy, func(ctx context.Context, in iam.PutGroupPolicyInput) []Need { return on1(ctx, in.GroupName) }),
		"GetGroupPolicy":    opBy(a.GetGroupPolicy, func(ctx context.Context, in iam.GetGroupPolicyInput) []Need { return on1(ctx, in.GroupName) }),
		"ListGroupPolicies": opBy(a.ListGroupPolicies, func(ctx context.Context, in iam.ListGroupPoliciesInput) []Need { return on1(ctx, in.GroupName) }),
		"DeleteGroupPolicy": opBy(a.DeleteGroupPolicy, func(ctx context.Context, in iam.DeleteGroupPolicyInput) []Need { return on1(ctx, in.GroupName) }),
		"AttachGroupPolicy": opBy(a.AttachGroupPolicy, func(ctx context.Context, in iam.AttachGroupPolicyInput) []Need {
			return attached(ctx, in.GroupName, in.PolicyArn)
		}),
		"DetachGroupPolicy": opBy(a.DetachGroupPolicy, func(ctx context.Context, in iam.DetachGroupPolicyInput) []Need {
			return attached(ctx, in.GroupName, in.PolicyArn)
		}),
		"ListAttachedGroupPolicies": opBy(a.ListAttachedGroupPolicies, func(ctx context.Context, in iam.ListAttachedGroupPoliciesInput) []Need { return on1(ctx, in.GroupName) }),
	}
}

func iamPolicies(a *iam.Authority) map[string]Operation {
	return map[string]Operation{
		"CreatePolicy":            op(a.CreatePolicy, func(in iam.CreatePolicyInput) []Need { return on(iam.NewARN("policy", in.Path, in.PolicyName)) }),
		"GetPolicy":               op(a.GetPolicy, func(in iam.GetPolicyInput) []Need { return on(in.PolicyArn) }),
		"ListPolicies":            op(a.ListPolicies, nil),
		"DeletePolicy":            op(a.DeletePolicy, func(in iam.DeletePolicyInput) []Need { return on(in.PolicyArn) }),
		"CreatePolicyVersion":     op(a.CreatePolicyVersion, func(in iam.CreatePolicyVersionInput) []Need { return on(in.PolicyArn) }),
		"ListPolicyVersions":      op(a.ListPolicyVersions, func(in iam.ListPolicyVersionsInput) []Need { return on(in.PolicyArn) }),
		"GetPolicyVersion":        op(a.GetPolicyVersion, func(in iam.GetPolicyVersionInput) []Need { return on(in.PolicyArn) }),
		"SetDefaultPolicyVersion": op(a.SetDefaultPolicyVersion, func(in iam.SetDefaultPolicyVersionInput) []Need { return on(in.PolicyArn) }),
		"DeletePolicyVersion":     op(a.DeletePolicyVersion, func(in iam.DeletePolicyVersionInput) []Need { return on(in.PolicyArn) }),
		"ListEntitiesForPolicy":   op(a.ListEntitiesForPolicy, func(in iam.ListEntitiesForPolicyInput) []Need { return on(in.PolicyArn) }),

		"SimulateCustomPolicy":             op(a.SimulateCustomPolicy, nil),
		"SimulatePrincipalPolicy":          op(a.SimulatePrincipalPolicy, func(in iam.SimulatePrincipalPolicyInput) []Need { return on(in.PolicySourceArn) }),
		"GetContextKeysForCustomPolicy":    op(a.GetContextKeysForCustomPolicy, nil),
		"GetContextKeysForPrincipalPolicy": op(a.GetContextKeysForPrincipalPolicy, func(in iam.GetContextKeysForPrincipalPolicyInput) []Need { return on(in.PolicySourceArn) }),
	}
}

// STS is AWS Security Token Service. Whom a role trusts is the role's to say, and
// who one is anybody may ask.
func STS(a *iam.Authority) *Service {
	return &Service{Scope: "sts", Namespace: "https://sts.amazonaws.com/doc/2011-06-15/", Operations: map[string]Operation{
		"AssumeRole":        op(a.AssumeRole, decidedByRoom),
		"GetCallerIdentity": op(a.GetCallerIdentity, decidedByRoom),
		"GetSessionToken":   op(a.GetSessionToken, decidedByRoom),
		"GetAccessKeyInfo":  op(a.GetAccessKeyInfo, nil),
	}}
}

// decidedByRoom is for operations whose permissions the room asks for itself, since
// they take policies that only it knows, and for those that everybody has.
func decidedByRoom[In any](In) []Need { return nil }
