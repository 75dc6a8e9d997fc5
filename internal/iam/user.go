package iam

import (
	"context"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/wire"
)

// User is a user as IAM's answers have it.
type User struct {
	Path       string
	UserName   string
	UserId     string
	Arn        string
	CreateDate wire.Time
	Tags       []Tag `json:",omitempty"`
}

// The inputs and outputs of users.
type (
	CreateUserInput struct {
		UserName, Path string
		Tags           []Tag
	}
	CreateUserOutput struct{ User User }
	GetUserInput     struct{ UserName string }
	GetUserOutput    struct{ User User }
	ListUsersInput   struct {
		PathPrefix string
		Paging
	}
	ListUsersOutput struct {
		Users []User
		Page
	}
	UpdateUserInput  struct{ UserName, NewUserName, NewPath string }
	UpdateUserOutput struct{}
	DeleteUserInput  struct{ UserName string }
	DeleteUserOutput struct{}
)

func (u *user) shape(tags bool) User {
	out := User{Path: u.Path, UserName: u.Name, UserId: u.ID, Arn: u.arn(), CreateDate: wire.At(u.Created)}
	if tags {
		out.Tags = u.Tags
	}
	return out
}

// newIdentity checks what every new user, role and group has.
func newIdentity(kind, prefix, name, path string, tags []Tag) (identity, error) {
	path, err := checkName(kind, name, path)
	if err != nil {
		return identity{}, err
	}
	tags, err = addTags(nil, tags)
	return identity{Name: name, Path: path, ID: newID(prefix), Created: time.Now().UTC(), Tags: tags}, err
}

// CreateUser makes a user, who may do nothing yet.
func (a *Authority) CreateUser(ctx context.Context, in CreateUserInput) (CreateUserOutput, error) {
	i, err := newIdentity("user", "AIDA", in.UserName, in.Path, in.Tags)
	if err != nil {
		return CreateUserOutput{}, err
	}
	u := &user{identity: i}
	return CreateUserOutput{u.shape(true)}, a.create(ctx, "user", u.Name, u)
}

// user finds a user; an empty name is the caller's.
func (a *Authority) user(ctx context.Context, name string) (*user, error) {
	if name == "" {
		name = a.self(ctx)
	}
	if u := a.now.Load().users[strings.ToLower(name)]; u != nil {
		return u, nil
	}
	if name == "" {
		return nil, invalid("Must specify userName when calling with non-User credentials")
	}
	return nil, noSuch("user", name)
}

// self is the name of the user who calls, empty if it is none.
func (a *Authority) self(ctx context.Context) string {
	if who, ok := Caller(ctx); ok && who.Type == TypeUser {
		return who.Name
	}
	return ""
}

// GetUser tells about a user, without a name about the caller.
func (a *Authority) GetUser(ctx context.Context, in GetUserInput) (GetUserOutput, error) {
	who, ok := Caller(ctx)
	if ok && in.UserName == "" && who.Root() {
		return GetUserOutput{User{Path: "/", UserName: "root", UserId: who.UserID, Arn: who.ARN}}, nil
	}
	u, err := a.user(ctx, in.UserName)
	if err != nil {
		return GetUserOutput{}, err
	}
	return GetUserOutput{u.shape(true)}, nil
}

// ListUsers lists users by name.
func (a *Authority) ListUsers(_ context.Context, in ListUsersInput) (out ListUsersOutput, err error) {
	out.Users = []User{}
	for _, u := range a.now.Load().users {
		if strings.HasPrefix(u.Path, in.PathPrefix) {
			out.Users = append(out.Users, u.shape(false))
		}
	}
	out.Users, out.Page, err = cut(out.Users, func(u User) string { return u.UserName }, in.Paging)
	return out, err
}

// UpdateUser gives a user another path or name. Policies, keys and groups stay.
func (a *Authority) UpdateUser(ctx context.Context, in UpdateUserInput) (UpdateUserOutput, error) {
	u, err := a.user(ctx, in.UserName)
	if err != nil {
		return UpdateUserOutput{}, err
	}
	rename := in.NewUserName != "" && !strings.EqualFold(in.NewUserName, u.Name)
	set := func(u *user) error {
		if in.NewUserName != "" {
			u.Name = in.NewUserName
		}
		if in.NewPath != "" {
			u.Path = in.NewPath
		}
		_, err := checkName("user", u.Name, u.Path)
		return err
	}
	if !rename {
		return UpdateUserOutput{}, change(ctx, a, "user", u.Name, set)
	}
	return UpdateUserOutput{}, a.rename(ctx, u.Name, in.NewUserName, set)
}

// rename moves a user's record to another key. With the new record stored, which
// says whose place it takes, the user is renamed; Load deletes the old one when a
// crash has left it.
func (a *Authority) rename(ctx context.Context, from, to string, set func(*user) error) error {
	a.changes.Lock()
	u, _, err := stored[user](ctx, a, "user", from)
	if err == nil {
		err = set(u)
	}
	if err == nil {
		u.Moved = strings.ToLower(from)
		err = a.create(ctx, "user", to, u)
	}
	a.changes.Unlock()
	if err != nil {
		return err
	}
	return remove(ctx, a, "user", from, func(*user) error { return nil })
}

// finishRenames deletes what a crash has left of users with other names.
func (a *Authority) finishRenames(ctx context.Context) error {
	users := a.now.Load().users
	for _, u := range users {
		old := users[u.Moved]
		if old == nil || old.ID != u.ID || old == u {
			continue
		}
		if err := remove(ctx, a, "user", u.Moved, func(*user) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// DeleteUser deletes a user who has nothing left: no keys, policies, groups.
func (a *Authority) DeleteUser(ctx context.Context, in DeleteUserInput) (DeleteUserOutput, error) {
	return DeleteUserOutput{}, remove(ctx, a, "user", in.UserName, func(u *user) error {
		switch {
		case len(u.Keys) > 0:
			return conflict("DeleteConflict", "Cannot delete entity, must delete access keys first.")
		case len(u.Groups) > 0:
			return conflict("DeleteConflict", "Cannot delete entity, must remove users from group first.")
		}
		return u.bare()
	})
}

// bare tells whether nothing hangs on an identity.
func (i *identity) bare() error {
	switch {
	case len(i.Inline) > 0:
		return conflict("DeleteConflict", "Cannot delete entity, must delete policies first.")
	case len(i.Attached) > 0:
		return conflict("DeleteConflict", "Cannot delete entity, must detach all policies first.")
	}
	return nil
}
