package iam

import (
	"context"
	"sync"

	"github.com/dropstack/dropstack/internal/iam/policy"
)

// documents remembers how the policies of keys were parsed, which are given as text
// with every use of a key.
type documents struct {
	mu     sync.Mutex
	byText map[string]policy.Document
}

// maxParsed bounds what is remembered; then it begins anew.
const maxParsed = 1024

func (d *documents) parse(text string) (policy.Document, error) {
	d.mu.Lock()
	document, ok := d.byText[text]
	d.mu.Unlock()
	if ok {
		return document, nil
	}
	document, err := policy.Parse(policy.Resource, text)
	if err != nil {
		return document, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byText == nil || len(d.byText) >= maxParsed {
		d.byText = map[string]policy.Document{}
	}
	d.byText[text] = document
	return document, nil
}

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
	document, err := a.parsed.parse(keyPolicy)
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
