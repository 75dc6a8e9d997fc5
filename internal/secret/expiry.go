package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// ParameterInlinePolicy is a policy of a parameter.
type ParameterInlinePolicy struct {
	PolicyText   string
	PolicyType   string
	PolicyStatus string
}

type parameterPolicy struct {
	Type       string
	Version    string
	Attributes map[string]string
}

// policed gives a parameter the policies of a request: none is as it was, an
// empty list takes them all away.
func (r *record) policed(text string) error {
	if text == "" {
		return nil
	}
	policies, err := parsePolicies(text)
	if err != nil {
		return err
	}
	r.Policies, r.Expires = "", time.Time{}
	if len(policies) == 0 {
		return nil
	}
	if len(policies) > 1 {
		return fault.Coded(fault.Invalid, "IncompatiblePolicyException", "a parameter has at most one policy of type Expiration")
	}
	at, err := time.Parse(time.RFC3339, policies[0].Attributes["Timestamp"])
	if err != nil || len(policies[0].Attributes) != 1 {
		return fault.Coded(fault.Invalid, "InvalidPolicyAttributeException", "a policy of type Expiration has the attribute Timestamp, such as 2030-12-02T21:34:33.000Z, and no other")
	}
	if !at.After(time.Now()) {
		return fault.Coded(fault.Invalid, "InvalidPolicyAttributeException", "the Timestamp of a policy of type Expiration has passed")
	}
	r.Policies, r.Expires = text, at.UTC()
	return nil
}

func parsePolicies(text string) ([]parameterPolicy, error) {
	var policies []parameterPolicy
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&policies); err != nil || decoder.More() {
		return nil, invalid("Policies is not a JSON list of policies: [{\"Type\":\"Expiration\",\"Version\":\"1.0\",\"Attributes\":{\"Timestamp\":\"…\"}}]")
	}
	if len(policies) > maxPolicies {
		return nil, fault.Coded(fault.TooLarge, "PoliciesLimitExceededException", "there are %d policies; at most %d are possible", len(policies), maxPolicies)
	}
	for _, policy := range policies {
		switch {
		case policy.Type == "ExpirationNotification" || policy.Type == "NoChangeNotification":
			return nil, fault.Coded(fault.Invalid, "InvalidPolicyTypeException", "policies of type %s are not supported: nobody would be notified", policy.Type)
		case policy.Type != "Expiration":
			return nil, fault.Coded(fault.Invalid, "InvalidPolicyTypeException", "there are no policies of type %q; there is Expiration", policy.Type)
		case policy.Version != "1.0":
			return nil, fault.Coded(fault.Invalid, "InvalidPolicyAttributeException", "the Version of a policy is 1.0, not %q", policy.Version)
		}
	}
	return policies, nil
}

// inline is the policies of a version as lists show them.
func inline(text string) []ParameterInlinePolicy {
	var policies []json.RawMessage
	if text == "" || json.Unmarshal([]byte(text), &policies) != nil {
		return nil
	}
	var shown []ParameterInlinePolicy
	for _, policy := range policies {
		shown = append(shown, ParameterInlinePolicy{string(policy), "Expiration", "Pending"})
	}
	return shown
}

// retry is how long Run waits after a failure.
const retry = time.Minute

// Run removes parameters when they expire. It returns when ctx ends. Until it
// does, an expired parameter is there for nobody.
func (p *Parameters) Run(ctx context.Context) error {
	for {
		next, err := p.expire(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			p.Log.Error("expired parameters not removed", "err", err)
			next = time.Now().Add(retry)
		}
		var due <-chan time.Time
		if !next.IsZero() {
			due = time.After(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-due:
		case <-p.wake:
		}
	}
}

// expire removes what has expired and returns when the next one will: zero, if
// none will.
func (p *Parameters) expire(ctx context.Context) (next time.Time, err error) {
	names, next := p.index.expiring()
	for _, name := range names {
		removed, failed := p.remove(ctx, name, func(r record) bool { return !r.expired() })
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("remove %s: %w", name, failed))
		}
		if removed {
			p.Log.Info("parameter expired", "parameter", name)
		}
	}
	return next, err
}

// look has Run look again.
func (p *Parameters) look() {
	select {
	case p.wake <- struct{}{}:
	default: // it will look anyway
	}
}
