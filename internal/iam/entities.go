package iam

import (
	"context"
	"slices"
	"strings"
)

// The users, roles and groups that a policy is attached to.
type (
	PolicyUser struct{ UserName, UserId string }
	// PolicyRole is a role.
	PolicyRole struct{ RoleName, RoleId string }
	// PolicyGroup is a group.
	PolicyGroup struct{ GroupName, GroupId string }

	ListEntitiesForPolicyInput struct {
		PolicyArn, EntityFilter, PathPrefix, PolicyUsageFilter string
		Paging
	}
	ListEntitiesForPolicyOutput struct {
		PolicyGroups []PolicyGroup
		PolicyUsers  []PolicyUser
		PolicyRoles  []PolicyRole
		Page
	}
)

// ResourceARN is the whole name of a user, role or group (kind "user", "role",
// "group") for questions of permission, with the path that it has. Without a name it
// is the user who calls. What does not exist has the path "/".
func (a *Authority) ResourceARN(ctx context.Context, kind, name string) string {
	if name == "" && kind == "user" {
		name = a.self(ctx)
	}
	path := "/"
	if i, err := a.identity(kind, name); err == nil {
		path, name = i.Path, i.Name
	}
	return arnOf("iam", kind+path+name)
}

// entity is one of them, by its kind and name.
type entity struct {
	kind string
	*identity
}

// ListEntitiesForPolicy lists whom a managed policy is attached to.
func (a *Authority) ListEntitiesForPolicy(_ context.Context, in ListEntitiesForPolicyInput) (out ListEntitiesForPolicyOutput, err error) {
	m, err := a.managed(in.PolicyArn)
	if err != nil {
		return out, err
	}
	out.PolicyGroups, out.PolicyUsers, out.PolicyRoles = []PolicyGroup{}, []PolicyUser{}, []PolicyRole{}
	if in.PolicyUsageFilter == "PermissionsBoundary" {
		return out, nil
	}
	kinds := map[string]string{"": "AIDA AROA AGPA", "User": "AIDA", "Role": "AROA", "Group": "AGPA", "LocalManagedPolicy": "", "AWSManagedPolicy": ""}
	wanted, ok := kinds[in.EntityFilter]
	if !ok {
		return out, invalid("EntityFilter must be User, Role or Group, not %q", in.EntityFilter)
	}
	var list []entity
	for _, i := range a.now.Load().attachedTo(m.arn()) {
		if kind := i.ID[:4]; slices.Contains(strings.Fields(wanted), kind) && strings.HasPrefix(i.Path, in.PathPrefix) {
			list = append(list, entity{kind, i})
		}
	}
	list, out.Page, err = cut(list, func(e entity) string { return e.kind + e.Name + "\x00" + e.Path }, in.Paging)
	for _, e := range list {
		switch e.kind {
		case "AIDA":
			out.PolicyUsers = append(out.PolicyUsers, PolicyUser{e.Name, e.ID})
		case "AROA":
			out.PolicyRoles = append(out.PolicyRoles, PolicyRole{e.Name, e.ID})
		default:
			out.PolicyGroups = append(out.PolicyGroups, PolicyGroup{e.Name, e.ID})
		}
	}
	return out, err
}
