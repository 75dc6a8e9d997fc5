package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// Tag is a key and a value that somebody gave to a user, role or session.
type Tag struct{ Key, Value string }

// The inputs and outputs of tags.
type (
	TagUserInput struct {
		UserName string
		Tags     []Tag
	}
	TagUserOutput  struct{}
	UntagUserInput struct {
		UserName string
		TagKeys  []string
	}
	UntagUserOutput   struct{}
	ListUserTagsInput struct {
		UserName string
		Paging
	}
	ListUserTagsOutput struct {
		Tags []Tag
		Page
	}
	TagRoleInput struct {
		RoleName string
		Tags     []Tag
	}
	TagRoleOutput  struct{}
	UntagRoleInput struct {
		RoleName string
		TagKeys  []string
	}
	UntagRoleOutput   struct{}
	ListRoleTagsInput struct {
		RoleName string
		Paging
	}
	ListRoleTagsOutput struct {
		Tags []Tag
		Page
	}
)

// addTags adds tags to others. A key's case is kept and does not count.
func addTags(to, tags []Tag) ([]Tag, error) {
	given := map[string]bool{}
	for _, t := range tags {
		lower := strings.ToLower(t.Key)
		switch {
		case t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256:
			return nil, invalid("tag %q: a key has 1 to 128 characters and a value at most 256", t.Key)
		case strings.HasPrefix(lower, "aws:"):
			return nil, invalid("tag %q: keys that begin with aws: are reserved", t.Key)
		case given[lower]:
			return nil, fault.Coded(fault.Invalid, "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		given[lower] = true
		to = append(removeTags(to, []string{t.Key}), t)
	}
	if len(to) > maxTags {
		return nil, conflict("LimitExceeded", "Cannot exceed quota for TagsPerResource: %d", maxTags)
	}
	return to, nil
}

func removeTags(from []Tag, keys []string) []Tag {
	return slices.DeleteFunc(slices.Clone(from), func(t Tag) bool {
		return slices.ContainsFunc(keys, func(key string) bool { return strings.EqualFold(key, t.Key) })
	})
}

func (i *identity) tag(tags []Tag) (err error) {
	i.Tags, err = addTags(i.Tags, tags)
	return err
}

func tagKey(t Tag) string { return t.Key }

// TagUser gives a user tags.
func (a *Authority) TagUser(ctx context.Context, in TagUserInput) (TagUserOutput, error) {
	return TagUserOutput{}, change(ctx, a, "user", in.UserName, func(u *user) error { return u.tag(in.Tags) })
}

// UntagUser takes tags from a user.
func (a *Authority) UntagUser(ctx context.Context, in UntagUserInput) (UntagUserOutput, error) {
	return UntagUserOutput{}, change(ctx, a, "user", in.UserName, func(u *user) error {
		u.Tags = removeTags(u.Tags, in.TagKeys)
		return nil
	})
}

// ListUserTags lists a user's tags by key.
func (a *Authority) ListUserTags(ctx context.Context, in ListUserTagsInput) (out ListUserTagsOutput, err error) {
	u, err := a.user(ctx, in.UserName)
	if err != nil {
		return out, err
	}
	out.Tags, out.Page, err = cut(slices.Clone(u.Tags), tagKey, in.Paging)
	return out, err
}

// TagRole gives a role tags.
func (a *Authority) TagRole(ctx context.Context, in TagRoleInput) (TagRoleOutput, error) {
	return TagRoleOutput{}, a.changeRole(ctx, in.RoleName, func(r *role) error { return r.tag(in.Tags) })
}

// UntagRole takes tags from a role.
func (a *Authority) UntagRole(ctx context.Context, in UntagRoleInput) (UntagRoleOutput, error) {
	return UntagRoleOutput{}, a.changeRole(ctx, in.RoleName, func(r *role) error {
		r.Tags = removeTags(r.Tags, in.TagKeys)
		return nil
	})
}

// ListRoleTags lists a role's tags by key.
func (a *Authority) ListRoleTags(_ context.Context, in ListRoleTagsInput) (out ListRoleTagsOutput, err error) {
	r, err := a.role(in.RoleName)
	if err != nil {
		return out, err
	}
	out.Tags, out.Page, err = cut(slices.Clone(r.Tags), tagKey, in.Paging)
	return out, err
}
