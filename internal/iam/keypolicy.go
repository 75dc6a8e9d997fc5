package iam

import (
	"context"

	"github.com/dropstack/dropstack/internal/iam/policy"
)

// Callers returns the ARNs that the caller in the context answers to, the most
// precise first: for a session of a role the session and the role. It is empty when
// nobody calls.
func (a *Authority) Callers(ctx context.Context) []string {
	who, ok := Caller(ctx)
	if !ok {
		return nil
	}
	list := []string{who.String()}
	if who.RoleARN != "" {
		list = append(list, who.RoleARN)
	}
	return list
}

// AuthorizeKey is AuthorizeWith with the policy of a key as text; without one the
// caller's own policies decide.
func (a *Authority) AuthorizeKey(ctx context.Context, action, resource, keyPolicy string, conditions map[string][]string) error {
	if keyPolicy == "" {
		return a.Authorize(ctx, action, resource, conditions)
	}
	document, err := a.parsed.Parse(policy.Resource, keyPolicy)
	if err != nil {
		return err
	}
	return a.AuthorizeWith(ctx, action, resource, conditions, document)
}

// CheckKeyPolicy says what is wrong with a key policy.
func (a *Authority) CheckKeyPolicy(text string) error {
	_, err := policy.Parse(policy.Resource, text)
	return err
}
