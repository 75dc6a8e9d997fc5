package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/wire"
)

// Group is a group as IAM's answers have it.
type Group struct {
	Path, GroupName, GroupId, Arn string
	CreateDate                    wire.Time
}

// The inputs and outputs of groups.
type (
	CreateGroupInput  struct{ GroupName, Path string }
	CreateGroupOutput struct{ Group Group }
	GetGroupInput     struct {
		GroupName string
		Paging
	}
	GetGroupOutput struct {
		Group Group
		Users []User
		Page
	}
	ListGroupsInput struct {
		PathPrefix string
		Paging
	}
	ListGroupsOutput struct {
		Groups []Group
		Page
	}
	ListGroupsForUserInput struct {
		UserName string
		Paging
	}
	ListGroupsForUserOutput struct {
		Groups []Group
		Page
	}
	DeleteGroupInput          struct{ GroupName string }
	DeleteGroupOutput         struct{}
	AddUserToGroupInput       struct{ GroupName, UserName string }
	AddUserToGroupOutput      struct{}
	RemoveUserFromGroupInput  struct{ GroupName, UserName string }
	RemoveUserFromGroupOutput struct{}
)

func (g *group) shape() Group {
	return Group{Path: g.Path, GroupName: g.Name, GroupId: g.ID, Arn: g.arn(), CreateDate: wire.At(g.Created)}
}

// CreateGroup makes a group of users.
func (a *Authority) CreateGroup(ctx context.Context, in CreateGroupInput) (CreateGroupOutput, error) {
	i, err := newIdentity("group", "AGPA", in.GroupName, in.Path, nil)
	if err != nil {
		return CreateGroupOutput{}, err
	}
	g := &group{i}
	return CreateGroupOutput{g.shape()}, a.create(ctx, "group", g.Name, g)
}

func (a *Authority) group(name string) (*group, error) {
	if g := a.now.Load().groups[strings.ToLower(name)]; g != nil {
		return g, nil
	}
	return nil, noSuch("group", name)
}

// GetGroup tells about a group and lists its users.
func (a *Authority) GetGroup(_ context.Context, in GetGroupInput) (out GetGroupOutput, err error) {
	g, err := a.group(in.GroupName)
	if err != nil {
		return out, err
	}
	out.Group, out.Users = g.shape(), []User{}
	for _, u := range a.now.Load().users {
		if u.in(g.Name) {
			out.Users = append(out.Users, u.shape(false))
		}
	}
	out.Users, out.Page, err = cut(out.Users, func(u User) string { return u.UserName }, in.Paging)
	return out, err
}

func (u *user) in(group string) bool {
	return slices.ContainsFunc(u.Groups, func(name string) bool { return strings.EqualFold(name, group) })
}

// ListGroups lists groups by name.
func (a *Authority) ListGroups(_ context.Context, in ListGroupsInput) (out ListGroupsOutput, err error) {
	out.Groups = []Group{}
	for _, g := range a.now.Load().groups {
		if strings.HasPrefix(g.Path, in.PathPrefix) {
			out.Groups = append(out.Groups, g.shape())
		}
	}
	out.Groups, out.Page, err = cut(out.Groups, func(g Group) string { return g.GroupName }, in.Paging)
	return out, err
}

// ListGroupsForUser lists the groups that a user is in.
func (a *Authority) ListGroupsForUser(ctx context.Context, in ListGroupsForUserInput) (out ListGroupsForUserOutput, err error) {
	u, err := a.user(ctx, in.UserName)
	if err != nil {
		return out, err
	}
	out.Groups = []Group{}
	for _, name := range u.Groups {
		if g := a.now.Load().groups[strings.ToLower(name)]; g != nil {
			out.Groups = append(out.Groups, g.shape())
		}
	}
	out.Groups, out.Page, err = cut(out.Groups, func(g Group) string { return g.GroupName }, in.Paging)
	return out, err
}

// DeleteGroup deletes a group without users and policies.
func (a *Authority) DeleteGroup(ctx context.Context, in DeleteGroupInput) (DeleteGroupOutput, error) {
	return DeleteGroupOutput{}, remove(ctx, a, "group", in.GroupName, func(g *group) error {
		for _, u := range a.now.Load().users {
			if u.in(g.Name) {
				return conflict("DeleteConflict", "Cannot delete entity, must remove users from group first.")
			}
		}
		return g.bare()
	})
}

// AddUserToGroup gives a user what a group may do.
func (a *Authority) AddUserToGroup(ctx context.Context, in AddUserToGroupInput) (out AddUserToGroupOutput, err error) {
	return out, change(ctx, a, "user", in.UserName, func(u *user) error {
		g, err := a.group(in.GroupName) // with the lock, under which it cannot be deleted
		if err != nil || u.in(g.Name) {
			return err
		}
		if len(u.Groups) >= maxAttached {
			return conflict("LimitExceeded", "Cannot exceed quota for GroupsPerUser: %d", maxAttached)
		}
		u.Groups = append(u.Groups, g.Name)
		return nil
	})
}

// RemoveUserFromGroup takes a user out of a group.
func (a *Authority) RemoveUserFromGroup(ctx context.Context, in RemoveUserFromGroupInput) (out RemoveUserFromGroupOutput, err error) {
	if _, err := a.group(in.GroupName); err != nil {
		return out, err
	}
	return out, change(ctx, a, "user", in.UserName, func(u *user) error {
		u.Groups = slices.DeleteFunc(u.Groups, func(name string) bool { return strings.EqualFold(name, in.GroupName) })
		return nil
	})
}
