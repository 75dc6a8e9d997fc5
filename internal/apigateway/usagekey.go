package apigateway

import (
	"context"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/gateway"
)

// UsagePlanKey is a key in a plan.
type UsagePlanKey struct {
	ID    string `json:"id"`
	Type  string `json:"type"`
	Name  string `json:"name"`
	Value string `json:"value,omitempty" audit:"hidden"`
}

const keyType = "API_KEY"

func (k key) inPlan() UsagePlanKey {
	return UsagePlanKey{ID: k.ID, Type: keyType, Name: k.Name, Value: k.Value}
}

// CreateUsagePlanKeyInput adds a key to a plan.
type CreateUsagePlanKeyInput struct {
	UsagePlanId string `json:"usagePlanId,omitempty"`
	KeyId       string `json:"keyId"`
	KeyType     string `json:"keyType"`
}

// CreateUsagePlanKey adds a key to a plan. A key can be in one plan of a stage only:
// a request has to be of one.
func (a *APIs) CreateUsagePlanKey(ctx context.Context, in CreateUsagePlanKeyInput) (UsagePlanKey, error) {
	if in.KeyType != keyType {
		return UsagePlanKey{}, invalid("Invalid key type %q: it must be %s", in.KeyType, keyType)
	}
	k, err := a.key(in.KeyId)
	if err != nil {
		return UsagePlanKey{}, err
	}
	err = a.changePlan(ctx, in.UsagePlanId, func(p *gateway.UsagePlan) error {
		if slices.Contains(p.Keys, k.ID) {
			return conflict("The key is in the usage plan already")
		}
		for _, other := range a.plans() {
			if other.ID != p.ID && slices.Contains(other.Keys, k.ID) && slices.ContainsFunc(p.Stages, func(s gateway.PlanStage) bool { return slices.Contains(other.Stages, s) }) {
				return conflict("The key is in usage plan %s, which has a stage in common with this one", other.ID)
			}
		}
		p.Keys = append(p.Keys, k.ID)
		return nil
	})
	return k.inPlan(), err
}

// UsagePlanKeyInput names a key of a plan.
type UsagePlanKeyInput struct {
	UsagePlanId string `json:"usagePlanId,omitempty"`
	KeyId       string `json:"keyId,omitempty"`
}

// GetUsagePlanKey describes a key of a plan.
func (a *APIs) GetUsagePlanKey(_ context.Context, in UsagePlanKeyInput) (UsagePlanKey, error) {
	p, err := a.plan(in.UsagePlanId)
	if err != nil {
		return UsagePlanKey{}, err
	}
	k, err := a.key(in.KeyId)
	if err != nil || !slices.Contains(p.Keys, in.KeyId) {
		return UsagePlanKey{}, notFound("Usage Plan Key is not found")
	}
	return k.inPlan(), nil
}

// UsagePlanKeysInput asks for a page of the keys of a plan: those whose name begins
// with Name.
type UsagePlanKeysInput struct {
	PageInput
	UsagePlanId string `json:"usagePlanId,omitempty"`
	Name        string `json:"name,omitempty"`
}

// GetUsagePlanKeys lists the keys of a plan.
func (a *APIs) GetUsagePlanKeys(_ context.Context, in UsagePlanKeysInput) (Page[UsagePlanKey], error) {
	p, err := a.plan(in.UsagePlanId)
	if err != nil {
		return Page[UsagePlanKey]{}, err
	}
	var list []UsagePlanKey
	for _, k := range a.keys() {
		if slices.Contains(p.Keys, k.ID) && strings.HasPrefix(k.Name, in.Name) {
			list = append(list, k.inPlan())
		}
	}
	return page(list, func(k UsagePlanKey) string { return k.ID }, in.PageInput)
}

// DeleteUsagePlanKey takes a key out of a plan.
func (a *APIs) DeleteUsagePlanKey(ctx context.Context, in UsagePlanKeyInput) (struct{}, error) {
	return struct{}{}, a.changePlan(ctx, in.UsagePlanId, func(p *gateway.UsagePlan) error {
		i := slices.Index(p.Keys, in.KeyId)
		if i < 0 {
			return notFound("Usage Plan Key is not found")
		}
		p.Keys = slices.Delete(p.Keys, i, i+1)
		return nil
	})
}
