package iam

import "strings"

// UserARN is the ARN of a user: with the path that it has, or, if there is none,
// would have without one.
func (a *Authority) UserARN(name string) string {
	if u := a.now.Load().users[strings.ToLower(name)]; u != nil {
		return u.arn()
	}
	return arnOf("iam", "user/"+name)
}

// RoleARN is the ARN of a role, as UserARN is a user's.
func (a *Authority) RoleARN(name string) string {
	s := a.now.Load()
	for _, all := range []map[string]*role{s.roles, s.declared} {
		if r := all[strings.ToLower(name)]; r != nil {
			return r.arn()
		}
	}
	return arnOf("iam", "role/"+name)
}

// GroupARN is the ARN of a group, as UserARN is a user's.
func (a *Authority) GroupARN(name string) string {
	if g := a.now.Load().groups[strings.ToLower(name)]; g != nil {
		return g.arn()
	}
	return arnOf("iam", "group/"+name)
}

// NewARN is the ARN that a user, role, group or policy with a name and a path is
// to have.
func NewARN(kind, path, name string) string {
	if path == "" {
		path = "/"
	}
	return arnOf("iam", kind+path+name)
}
