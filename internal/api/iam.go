package api

import (
	"github.com/dropstack/dropstack/internal/iam"
)

// IAM is AWS Identity and Access Management, which policies of the account's own
// principals decide over like over anything else.
func IAM(a *iam.Authority) *Service {
	users := func(name string) []Need { return on(a.UserARN(name)) }
	roles := func(name string) []Need { return on(a.RoleARN(name)) }
	groups := func(name string) []Need { return on(a.GroupARN(name)) }
	attached := func(principal, policy string) []Need {
		return []Need{{Resource: principal, Conditions: map[string][]string{"iam:PolicyARN": {policy}}}}
	}
	return &Service{Scope: "iam", Namespace: "https://iam.amazonaws.com/doc/2010-05-08/", Operations: merge(
		iamUsers(a, users, attached), iamRoles(a, roles, attached), iamGroups(a, users, groups, attached), iamPolicies(a),
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

func iamUsers(a *iam.Authority, on1 func(string) []Need, attached func(string, string) []Need) map[string]Operation {
	return map[string]Operation{
		"CreateUser": op(a.CreateUser, func(in iam.CreateUserInput) []Need { return on(iam.NewARN("user", in.Path, in.UserName)) }),
		"GetUser":    op(a.GetUser, func(in iam.GetUserInput) []Need { return on1(in.UserName) }),
		"ListUsers":  op(a.ListUsers, nil),
		"UpdateUser": op(a.UpdateUser, func(in iam.UpdateUserInput) []Need { return on1(in.UserName) }),
		"DeleteUser": op(a.DeleteUser, func(in iam.DeleteUserInput) []Need { return on1(in.UserName) }),

		"CreateAccessKey":      op(a.CreateAccessKey, func(in iam.CreateAccessKeyInput) []Need { return on1(in.UserName) }),
		"ListAccessKeys":       op(a.ListAccessKeys, func(in iam.ListAccessKeysInput) []Need { return on1(in.UserName) }),
		"UpdateAccessKey":      op(a.UpdateAccessKey, func(in iam.UpdateAccessKeyInput) []Need { return on1(in.UserName) }),
		"DeleteAccessKey":      op(a.DeleteAccessKey, func(in iam.DeleteAccessKeyInput) []Need { return on1(in.UserName) }),
		"GetAccessKeyLastUsed": op(a.GetAccessKeyLastUsed, nil),

		"PutUserPolicy":            op(a.PutUserPolicy, func(in iam.PutUserPolicyInput) []Need { return on1(in.UserName) }),
		"GetUserPolicy":            op(a.GetUserPolicy, func(in iam.GetUserPolicyInput) []Need { return on1(in.UserName) }),
		"ListUserPolicies":         op(a.ListUserPolicies, func(in iam.ListUserPoliciesInput) []Need { return on1(in.UserName) }),
		"DeleteUserPolicy":         op(a.DeleteUserPolicy, func(in iam.DeleteUserPolicyInput) []Need { return on1(in.UserName) }),
		"AttachUserPolicy":         op(a.AttachUserPolicy, func(in iam.AttachUserPolicyInput) []Need { return attached(a.UserARN(in.UserName), in.PolicyArn) }),
		"DetachUserPolicy":         op(a.DetachUserPolicy, func(in iam.DetachUserPolicyInput) []Need { return attached(a.UserARN(in.UserName), in.PolicyArn) }),
		"ListAttachedUserPolicies": op(a.ListAttachedUserPolicies, func(in iam.ListAttachedUserPoliciesInput) []Need { return on1(in.UserName) }),
		"ListGroupsForUser":        op(a.ListGroupsForUser, func(in iam.ListGroupsForUserInput) []Need { return on1(in.UserName) }),
		"TagUser":                  op(a.TagUser, func(in iam.TagUserInput) []Need { return on1(in.UserName) }),
		"UntagUser":                op(a.UntagUser, func(in iam.UntagUserInput) []Need { return on1(in.UserName) }),
		"ListUserTags":             op(a.ListUserTags, func(in iam.ListUserTagsInput) []Need { return on1(in.UserName) }),
	}
}

func iamRoles(a *iam.Authority, on1 func(string) []Need, attached func(string, string) []Need) map[string]Operation {
	return map[string]Operation{
		"CreateRole":             op(a.CreateRole, func(in iam.CreateRoleInput) []Need { return on(iam.NewARN("role", in.Path, in.RoleName)) }),
		"GetRole":                op(a.GetRole, func(in iam.GetRoleInput) []Need { return on1(in.RoleName) }),
		"ListRoles":              op(a.ListRoles, nil),
		"UpdateRole":             op(a.UpdateRole, func(in iam.UpdateRoleInput) []Need { return on1(in.RoleName) }),
		"UpdateRoleDescription":  op(a.UpdateRoleDescription, func(in iam.UpdateRoleDescriptionInput) []Need { return on1(in.RoleName) }),
		"UpdateAssumeRolePolicy": op(a.UpdateAssumeRolePolicy, func(in iam.UpdateAssumeRolePolicyInput) []Need { return on1(in.RoleName) }),
		"DeleteRole":             op(a.DeleteRole, func(in iam.DeleteRoleInput) []Need { return on1(in.RoleName) }),

		"PutRolePolicy":            op(a.PutRolePolicy, func(in iam.PutRolePolicyInput) []Need { return on1(in.RoleName) }),
		"GetRolePolicy":            op(a.GetRolePolicy, func(in iam.GetRolePolicyInput) []Need { return on1(in.RoleName) }),
		"ListRolePolicies":         op(a.ListRolePolicies, func(in iam.ListRolePoliciesInput) []Need { return on1(in.RoleName) }),
		"DeleteRolePolicy":         op(a.DeleteRolePolicy, func(in iam.DeleteRolePolicyInput) []Need { return on1(in.RoleName) }),
		"AttachRolePolicy":         op(a.AttachRolePolicy, func(in iam.AttachRolePolicyInput) []Need { return attached(a.RoleARN(in.RoleName), in.PolicyArn) }),
		"DetachRolePolicy":         op(a.DetachRolePolicy, func(in iam.DetachRolePolicyInput) []Need { return attached(a.RoleARN(in.RoleName), in.PolicyArn) }),
		"ListAttachedRolePolicies": op(a.ListAttachedRolePolicies, func(in iam.ListAttachedRolePoliciesInput) []Need { return on1(in.RoleName) }),
		"TagRole":                  op(a.TagRole, func(in iam.TagRoleInput) []Need { return on1(in.RoleName) }),
		"UntagRole":                op(a.UntagRole, func(in iam.UntagRoleInput) []Need { return on1(in.RoleName) }),
		"ListRoleTags":             op(a.ListRoleTags, func(in iam.ListRoleTagsInput) []Need { return on1(in.RoleName) }),
	}
}

func iamGroups(a *iam.Authority, users, on1 func(string) []Need, attached func(string, string) []Need) map[string]Operation {
	return map[string]Operation{
		"CreateGroup":         op(a.CreateGroup, func(in iam.CreateGroupInput) []Need { return on(iam.NewARN("group", in.Path, in.GroupName)) }),
		"GetGroup":            op(a.GetGroup, func(in iam.GetGroupInput) []Need { return on1(in.GroupName) }),
		"ListGroups":          op(a.ListGroups, nil),
		"DeleteGroup":         op(a.DeleteGroup, func(in iam.DeleteGroupInput) []Need { return on1(in.GroupName) }),
		"AddUserToGroup":      op(a.AddUserToGroup, func(in iam.AddUserToGroupInput) []Need { return on1(in.GroupName) }),
		"RemoveUserFromGroup": op(a.RemoveUserFromGroup, func(in iam.RemoveUserFromGroupInput) []Need { return on1(in.GroupName) }),

		"PutGroupPolicy":            op(a.PutGroupPolicy, func(in iam.PutGroupPolicyInput) []Need { return on1(in.GroupName) }),
		"GetGroupPolicy":            op(a.GetGroupPolicy, func(in iam.GetGroupPolicyInput) []Need { return on1(in.GroupName) }),
		"ListGroupPolicies":         op(a.ListGroupPolicies, func(in iam.ListGroupPoliciesInput) []Need { return on1(in.GroupName) }),
		"DeleteGroupPolicy":         op(a.DeleteGroupPolicy, func(in iam.DeleteGroupPolicyInput) []Need { return on1(in.GroupName) }),
		"AttachGroupPolicy":         op(a.AttachGroupPolicy, func(in iam.AttachGroupPolicyInput) []Need { return attached(a.GroupARN(in.GroupName), in.PolicyArn) }),
		"DetachGroupPolicy":         op(a.DetachGroupPolicy, func(in iam.DetachGroupPolicyInput) []Need { return attached(a.GroupARN(in.GroupName), in.PolicyArn) }),
		"ListAttachedGroupPolicies": op(a.ListAttachedGroupPolicies, func(in iam.ListAttachedGroupPoliciesInput) []Need { return on1(in.GroupName) }),
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
