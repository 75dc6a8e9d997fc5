package kms

import "context"

// onlyPolicy is the name of the one policy that a key has.
const onlyPolicy = "default"

// GetKeyPolicyInput names a policy of a key.
type GetKeyPolicyInput struct {
	KeyId      string
	PolicyName string `json:",omitempty"` // default
}

// GetKeyPolicyOutput is a policy.
type GetKeyPolicyOutput struct{ Policy, PolicyName string }

// GetKeyPolicy returns the policy of a key.
func (k *Keys) GetKeyPolicy(ctx context.Context, in GetKeyPolicyInput) (GetKeyPolicyOutput, error) {
	if in.PolicyName != "" && in.PolicyName != onlyPolicy {
		return GetKeyPolicyOutput{}, notFound("a key has no policy %q, only %q", in.PolicyName, onlyPolicy)
	}
	found, err := k.find(in.KeyId)
	if err != nil {
		return GetKeyPolicyOutput{}, err
	}
	if err := k.authorize(ctx, found, ask{action: "GetKeyPolicy"}); err != nil {
		return GetKeyPolicyOutput{}, err
	}
	return GetKeyPolicyOutput{found.Policy, onlyPolicy}, nil
}

// PutKeyPolicyInput is the new policy of a key.
type PutKeyPolicyInput struct {
	KeyId                          string
	PolicyName                     string `json:",omitempty"` // default
	Policy                         string
	BypassPolicyLockoutSafetyCheck bool `json:",omitempty"`
}

// PutKeyPolicy replaces the policy of a key.
func (k *Keys) PutKeyPolicy(ctx context.Context, in PutKeyPolicyInput) (None, error) {
	if in.PolicyName != "" && in.PolicyName != onlyPolicy {
		return None{}, invalid("PolicyName %q: a key has the policy %q only", in.PolicyName, onlyPolicy)
	}
	found, err := k.allowed(ctx, in.KeyId, "PutKeyPolicy")
	if err != nil {
		return None{}, err
	}
	if err := k.checkPolicy(ctx, found.ARN, in.Policy, in.BypassPolicyLockoutSafetyCheck); err != nil {
		return None{}, err
	}
	return None{}, k.update(ctx, found.ID, func(r *record) error {
		r.Policy = in.Policy
		return nil
	})
}

// ListKeyPoliciesInput asks for a page.
type ListKeyPoliciesInput struct {
	KeyId  string
	Limit  *int   `json:",omitempty"`
	Marker string `json:",omitempty"`
}

// ListKeyPoliciesOutput is a page.
type ListKeyPoliciesOutput struct {
	PolicyNames []string
	NextMarker  string `json:",omitempty"`
	Truncated   bool
}

// ListKeyPolicies lists the names of a key's policies: there is one.
func (k *Keys) ListKeyPolicies(ctx context.Context, in ListKeyPoliciesInput) (ListKeyPoliciesOutput, error) {
	found, err := k.find(in.KeyId)
	if err != nil {
		return ListKeyPoliciesOutput{}, err
	}
	if err := k.authorize(ctx, found, ask{action: "ListKeyPolicies"}); err != nil {
		return ListKeyPoliciesOutput{}, err
	}
	p, err := pageOf([]string{onlyPolicy}, in.Limit, in.Marker, 100, 1000)
	return ListKeyPoliciesOutput{PolicyNames: p.ids}, err
}
