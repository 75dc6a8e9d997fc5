package apigateway

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/arn"
)

// Account is what is set for all APIs.
type Account struct {
	// CloudwatchRoleArn is the role as which AWS writes logs. Here they are written
	// without one; it is kept for who asks.
	CloudwatchRoleArn string   `json:"cloudwatchRoleArn,omitempty"`
	ThrottleSettings  Throttle `json:"throttleSettings"`
	Features          []string `json:"features"`
	APIKeyVersion     string   `json:"apiKeyVersion"`
}

const accountKey = "account"

// GetAccount describes what is set for all APIs.
func (a *APIs) GetAccount(ctx context.Context, _ struct{}) (Account, error) {
	out, _, err := a.readAccount(ctx)
	return out, err
}

// readAccount also returns at which revision of the record.
func (a *APIs) readAccount(ctx context.Context) (out Account, at uint64, err error) {
	entry, err := a.account.Get(ctx, accountKey)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		err = nil
	case err == nil:
		at, err = entry.Revision(), json.Unmarshal(entry.Value(), &out)
	}
	out.ThrottleSettings = Throttle{RateLimit: defaultRate, BurstLimit: defaultBurst}
	out.Features, out.APIKeyVersion = []string{"UsagePlans"}, "4"
	return out, at, err
}

// UpdateAccountInput changes what is set for all APIs.
type UpdateAccountInput struct {
	PatchOperations []PatchOperation `json:"patchOperations"`
}

// UpdateAccount sets or removes the role of logs.
func (a *APIs) UpdateAccount(ctx context.Context, in UpdateAccountInput) (Account, error) {
	next, at, err := a.readAccount(ctx)
	if err != nil {
		return Account{}, err
	}
	for _, p := range in.PatchOperations {
		if _, err := p.parts(); err != nil {
			return Account{}, err
		}
		if p.Path != "/cloudwatchRoleArn" {
			return Account{}, p.unknown()
		}
		_ = p.text(&next.CloudwatchRoleArn)
	}
	if role := next.CloudwatchRoleArn; role != "" {
		if parsed, err := arn.Parse(role); err != nil || parsed.Service != "iam" {
			return Account{}, invalid("Invalid ARN %q: cloudwatchRoleArn must be that of a role", role)
		}
	}
	doc, err := json.Marshal(Account{CloudwatchRoleArn: next.CloudwatchRoleArn})
	if err != nil {
		return Account{}, err
	}
	if _, err := a.account.Update(ctx, accountKey, doc, at); err != nil {
		if errors.Is(err, jetstream.ErrKeyExists) {
			return Account{}, conflict("The account's settings were changed by another call just now; try again")
		}
		return Account{}, err
	}
	return next, nil
}
