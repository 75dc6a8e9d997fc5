package apigateway

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/wire"
)

// ApiKey is a key as API Gateway shows it. Its value only to those who ask for it.
type ApiKey struct {
	ID              string            `json:"id"`
	Value           string            `json:"value,omitempty" audit:"hidden"`
	Name            string            `json:"name"`
	CustomerID      string            `json:"customerId,omitempty"`
	Description     string            `json:"description,omitempty"`
	Enabled         bool              `json:"enabled"`
	CreatedDate     wire.Time         `json:"createdDate"`
	LastUpdatedDate wire.Time         `json:"lastUpdatedDate"`
	StageKeys       []string          `json:"stageKeys"`
	Tags            map[string]string `json:"tags,omitempty"`
}

// key is a key, and the revision that it is part of.
type key struct {
	gateway.APIKey
	revision *deploy.Revision
}

func (k key) describe(value bool) ApiKey {
	out := ApiKey{
		ID: k.ID, Name: k.Name, CustomerID: k.Customer, Description: k.Description, Enabled: !k.Disabled,
		CreatedDate: at(k.revision.Created), LastUpdatedDate: at(k.revision.Created), StageKeys: []string{}, Tags: k.Tags,
	}
	if value {
		out.Value = k.Value
	}
	return out
}

// keys is every key, in the order of their stacks.
func (a *APIs) keys() (list []key) {
	stacks := a.Deployer.List()
	for _, stack := range slices.Sorted(maps.Keys(stacks)) {
		for _, k := range stacks[stack].APIKeys {
			list = append(list, key{k, stacks[stack]})
		}
	}
	return list
}

func (a *APIs) key(id string) (key, error) {
	list := a.keys()
	if i := slices.IndexFunc(list, func(k key) bool { return k.ID == id }); i >= 0 {
		return list[i], nil
	}
	return key{}, notFound("Invalid API Key identifier specified")
}

const letters = "0123456789abcdefghijklmnopqrstuvwxyz"

// random is a text of n letters and digits that nobody guesses.
func random(n int) string {
	text := make([]byte, 0, n)
	for len(text) < n {
		var b [64]byte
		_, _ = rand.Read(b[:]) // never fails
		for _, c := range b {
			if c < 252 && len(text) < n { // a multiple of the letters, so each is as likely as the others
				text = append(text, letters[c%36])
			}
		}
	}
	return string(text)
}

// CreateApiKeyInput describes a key that is to be. Without a value it gets one.
type CreateApiKeyInput struct {
	Name               string            `json:"name"`
	Description        string            `json:"description,omitempty"`
	Enabled            bool              `json:"enabled"`
	GenerateDistinctId bool              `json:"generateDistinctId,omitempty"`
	Value              string            `json:"value,omitempty" audit:"hidden"`
	StageKeys          []map[string]any  `json:"stageKeys,omitempty"`
	CustomerId         string            `json:"customerId,omitempty"`
	Tags               map[string]string `json:"tags,omitempty"`
}

// CreateApiKey makes a key, and shows its value this once.
func (a *APIs) CreateApiKey(ctx context.Context, in CreateApiKeyInput) (ApiKey, error) {
	k := gateway.APIKey{
		Stack: deploy.APIStack, ID: random(10), Name: in.Name, Value: in.Value, Description: in.Description,
		Customer: in.CustomerId, Disabled: !in.Enabled, Tags: in.Tags,
	}
	switch {
	case len(in.StageKeys) > 0:
		return ApiKey{}, invalid("Keys belong to stages through usage plans: leave stageKeys out, and add the key to a plan")
	case k.Value == "":
		k.Value = random(40)
	}
	err := a.edit(ctx, deploy.APIStack, func(r *deploy.Revision) error {
		if slices.ContainsFunc(a.keys(), func(other key) bool { return other.Value == k.Value }) {
			return conflict("API Key already exists")
		}
		r.APIKeys = append(r.APIKeys, k)
		return nil
	})
	if err != nil {
		return ApiKey{}, err
	}
	made, err := a.key(k.ID)
	return made.describe(true), err
}

// ApiKeyInput names a key.
type ApiKeyInput struct {
	ApiKey       string `json:"apiKey,omitempty"`
	IncludeValue bool   `json:"includeValue,omitempty"`
}

// GetApiKey describes a key.
func (a *APIs) GetApiKey(_ context.Context, in ApiKeyInput) (ApiKey, error) {
	k, err := a.key(in.ApiKey)
	if err != nil {
		return ApiKey{}, err
	}
	return k.describe(in.IncludeValue), nil
}

// ApiKeysInput asks for a page of keys: those whose name begins with Name.
type ApiKeysInput struct {
	PageInput
	Name          string `json:"name,omitempty"`
	CustomerId    string `json:"customerId,omitempty"`
	IncludeValues bool   `json:"includeValues,omitempty"`
}

// GetApiKeys lists keys.
func (a *APIs) GetApiKeys(_ context.Context, in ApiKeysInput) (Page[ApiKey], error) {
	var list []ApiKey
	for _, k := range a.keys() {
		if strings.HasPrefix(k.Name, in.Name) && (in.CustomerId == "" || k.Customer == in.CustomerId) {
			list = append(list, k.describe(in.IncludeValues))
		}
	}
	return page(list, func(k ApiKey) string { return k.ID }, in.PageInput)
}

// changeKey changes a key in the revision that it is part of.
func (a *APIs) changeKey(ctx context.Context, id string, change func(*deploy.Revision, int) error) error {
	k, err := a.key(id)
	if err != nil {
		return err
	}
	return a.edit(ctx, k.revision.Stack, func(r *deploy.Revision) error {
		i := slices.IndexFunc(r.APIKeys, func(k gateway.APIKey) bool { return k.ID == id })
		if i < 0 {
			return notFound("Invalid API Key identifier specified")
		}
		return change(r, i)
	})
}

// UpdateApiKeyInput changes a key.
type UpdateApiKeyInput struct {
	ApiKey          string           `json:"apiKey,omitempty"`
	PatchOperations []PatchOperation `json:"patchOperations"`
}

// UpdateApiKey changes what is said of a key. Its value stays.
func (a *APIs) UpdateApiKey(ctx context.Context, in UpdateApiKeyInput) (ApiKey, error) {
	err := a.changeKey(ctx, in.ApiKey, func(r *deploy.Revision, i int) error {
		for _, p := range in.PatchOperations {
			if err := patchKey(&r.APIKeys[i], p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return ApiKey{}, err
	}
	return a.GetApiKey(ctx, ApiKeyInput{ApiKey: in.ApiKey})
}

func patchKey(k *gateway.APIKey, p PatchOperation) error {
	if _, err := p.parts(); err != nil {
		return err
	}
	switch p.Path {
	case "/name":
		return p.text(&k.Name)
	case "/description":
		return p.text(&k.Description)
	case "/customerId":
		return p.text(&k.Customer)
	case "/enabled":
		enabled := !k.Disabled
		err := p.on(&enabled)
		k.Disabled = !enabled
		return err
	}
	return p.unknown()
}

// DeleteApiKey takes a key away, and out of the plans of its stack. What else names
// it names nothing.
func (a *APIs) DeleteApiKey(ctx context.Context, in ApiKeyInput) (struct{}, error) {
	return struct{}{}, a.changeKey(ctx, in.ApiKey, func(r *deploy.Revision, i int) error {
		r.APIKeys = slices.Delete(r.APIKeys, i, i+1)
		for i := range r.UsagePlans {
			plan := &r.UsagePlans[i]
			plan.Keys = slices.DeleteFunc(plan.Keys, func(id string) bool { return id == in.ApiKey })
		}
		return nil
	})
}
