package ban

import (
	"context"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

// AllowInput allows a client.
type AllowInput struct {
	Client string `json:"client"` // an address or a prefix
	Reason string `json:"reason"`
}

// Allow lets no ban turn a client away any more, neither one that holds nor one to come.
func (b *Bans) Allow(ctx context.Context, in AllowInput) (Allowed, error) {
	client, err := ParseClient(in.Client)
	if err == nil {
		err = narrow(client, widestAllowed)
	}
	if err == nil {
		err = checkText("reason", in.Reason)
	}
	if err != nil {
		return Allowed{}, err
	}
	asked := Allowed{Client: client, Reason: in.Reason, Since: time.Now().UTC()}
	if who, known := iam.Caller(ctx); known {
		asked.By = who.ARN
	}
	if s := b.now.Load(); s != nil && s.allowed.Size() >= MaxAllowed {
		if _, there := s.allowed.Get(client); !there {
			return Allowed{}, fault.Coded(fault.TooLarge, "LimitExceeded", "%d clients are allowed, which is the limit; take one from the list, or name a prefix of several", MaxAllowed)
		}
	}
	return change(ctx, b, allowKey, client, func(Allowed, bool) (Allowed, error) { return asked, nil })
}

// Disallow takes a client from the list.
func (b *Bans) Disallow(ctx context.Context, in RemoveInput) (struct{}, error) {
	client, err := ParseClient(in.Client)
	if err != nil {
		return struct{}{}, err
	}
	found, err := b.remove(ctx, allowKey, client, func(uint64) bool { return true })
	if err == nil && !found {
		err = fault.Errorf(fault.NotFound, "%s is not on the list of those who are allowed", client)
	}
	return struct{}{}, err
}

// AllowedOutput is who is allowed, by client.
type AllowedOutput struct {
	Allowed []Allowed `json:"allowed"`
}

// ListAllowed lists who is allowed by an operator.
func (b *Bans) ListAllowed(context.Context, struct{}) (AllowedOutput, error) {
	s := b.now.Load()
	if s == nil {
		return AllowedOutput{}, errNotLoaded
	}
	out := AllowedOutput{Allowed: []Allowed{}}
	for _, r := range s.allowed.AllSorted() {
		out.Allowed = append(out.Allowed, r.Allowed)
	}
	return out, nil
}
