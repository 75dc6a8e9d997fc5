package wafv2

import (
	"context"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/edge/waf"
)

func newID() string { return uuid.NewString() }

// CreateIPSetInput makes a set of addresses.
type CreateIPSetInput struct {
	Name, Scope, Description string
	IPAddressVersion         string
	Addresses                []string
	Tags                     []Tag
}

// Tag is read and not kept.
type Tag struct{ Key, Value string }

// CreateIPSet makes a set of addresses.
func (f *Firewalls) CreateIPSet(ctx context.Context, in CreateIPSetInput) (SummaryOutput, error) {
	return ipSets.create(ctx, f, in.Scope, waf.IPSet{Name: in.Name, Description: in.Description, IPAddressVersion: in.IPAddressVersion, Addresses: in.Addresses})
}

// GetIPSetOutput is a set and its lock token.
type GetIPSetOutput struct {
	IPSet     waf.IPSet
	LockToken string
}

// GetIPSet returns a set.
func (f *Firewalls) GetIPSet(_ context.Context, in Ref) (GetIPSetOutput, error) {
	_, found, err := ipSets.find(f, in)
	if err != nil {
		return GetIPSetOutput{}, err
	}
	return GetIPSetOutput{ipSets.shown(*found), token(*found)}, nil
}

// UpdateIPSetInput gives a set other addresses.
type UpdateIPSetInput struct {
	Ref
	Description string
	Addresses   []string
}

// UpdateIPSet gives a set other addresses.
func (f *Firewalls) UpdateIPSet(ctx context.Context, in UpdateIPSetInput) (NextOutput, error) {
	return ipSets.update(ctx, f, in.Ref, func(s *waf.IPSet) { s.Description, s.Addresses = in.Description, in.Addresses })
}

// DeleteIPSet removes a set that no rule refers to.
func (f *Firewalls) DeleteIPSet(ctx context.Context, in Ref) (Empty, error) {
	return ipSets.remove(ctx, f, in)
}

// ListIPSetsOutput is a page of sets.
type ListIPSetsOutput struct {
	IPSets     []Summary
	NextMarker string `json:",omitempty"`
}

// ListIPSets lists the sets of a scope.
func (f *Firewalls) ListIPSets(_ context.Context, in ListInput) (out ListIPSetsOutput, err error) {
	out.IPSets, out.NextMarker, err = ipSets.list(f, in)
	return out, err
}

// CreatePatternSetInput makes a set of patterns.
type CreatePatternSetInput struct {
	Name, Scope, Description string
	RegularExpressionList    []waf.Pattern
	Tags                     []Tag
}

// CreateRegexPatternSet makes a set of patterns.
func (f *Firewalls) CreateRegexPatternSet(ctx context.Context, in CreatePatternSetInput) (SummaryOutput, error) {
	return patternSets.create(ctx, f, in.Scope, waf.RegexPatternSet{Name: in.Name, Description: in.Description, RegularExpressionList: in.RegularExpressionList})
}

// GetPatternSetOutput is a set and its lock token.
type GetPatternSetOutput struct {
	RegexPatternSet waf.RegexPatternSet
	LockToken       string
}

// GetRegexPatternSet returns a set.
func (f *Firewalls) GetRegexPatternSet(_ context.Context, in Ref) (GetPatternSetOutput, error) {
	_, found, err := patternSets.find(f, in)
	if err != nil {
		return GetPatternSetOutput{}, err
	}
	return GetPatternSetOutput{patternSets.shown(*found), token(*found)}, nil
}

// UpdatePatternSetInput gives a set other patterns.
type UpdatePatternSetInput struct {
	Ref
	Description           string
	RegularExpressionList []waf.Pattern
}

// UpdateRegexPatternSet gives a set other patterns.
func (f *Firewalls) UpdateRegexPatternSet(ctx context.Context, in UpdatePatternSetInput) (NextOutput, error) {
	return patternSets.update(ctx, f, in.Ref, func(s *waf.RegexPatternSet) {
		s.Description, s.RegularExpressionList = in.Description, in.RegularExpressionList
	})
}

// DeleteRegexPatternSet removes a set that no rule refers to.
func (f *Firewalls) DeleteRegexPatternSet(ctx context.Context, in Ref) (Empty, error) {
	return patternSets.remove(ctx, f, in)
}

// ListPatternSetsOutput is a page of sets.
type ListPatternSetsOutput struct {
	RegexPatternSets []Summary
	NextMarker       string `json:",omitempty"`
}

// ListRegexPatternSets lists the sets of a scope.
func (f *Firewalls) ListRegexPatternSets(_ context.Context, in ListInput) (out ListPatternSetsOutput, err error) {
	out.RegexPatternSets, out.NextMarker, err = patternSets.list(f, in)
	return out, err
}
