package iam

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam/policy"
)

// ContextEntry is a condition key with its values, as the simulator takes it.
type ContextEntry struct {
	ContextKeyName   string
	ContextKeyType   string
	ContextKeyValues []string
}

// Position is a place in a policy; both count from 1.
type Position struct{ Line, Column int }

// Statement is a statement that matched.
type Statement struct {
	SourcePolicyId, SourcePolicyType string
	StartPosition, EndPosition       Position
}

// EvaluationResult is what the simulator says of one action on one resource.
type EvaluationResult struct {
	EvalActionName, EvalResourceName, EvalDecision string
	MatchedStatements                              []Statement
	MissingContextValues                           []string
	EvalDecisionDetails                            map[string]string `json:",omitempty"`
}

// The inputs and outputs of the simulator.
type (
	SimulateCustomPolicyInput struct {
		PolicyInputList, ActionNames, ResourceArns []string
		ResourcePolicy, CallerArn, ResourceOwner   string
		ContextEntries                             []ContextEntry
		Paging
	}
	SimulateCustomPolicyOutput struct {
		EvaluationResults []EvaluationResult
		Page
	}
	SimulatePrincipalPolicyInput struct {
		PolicySourceArn                            string
		PolicyInputList, ActionNames, ResourceArns []string
		ResourcePolicy, CallerArn, ResourceOwner   string
		ContextEntries                             []ContextEntry
		Paging
	}
	SimulatePrincipalPolicyOutput struct {
		EvaluationResults []EvaluationResult
		Page
	}
	GetContextKeysForCustomPolicyInput    struct{ PolicyInputList []string }
	GetContextKeysForCustomPolicyOutput   struct{ ContextKeyNames []string }
	GetContextKeysForPrincipalPolicyInput struct {
		PolicySourceArn string
		PolicyInputList []string
	}
	GetContextKeysForPrincipalPolicyOutput struct{ ContextKeyNames []string }
)

// maxSimulated is how many decisions one call may ask for.
const maxSimulated = 10000

// simulation is what both simulators do.
type simulation struct {
	policies           policy.Policies
	caller             Principal
	actions, resources []string
	entries            []ContextEntry
}

// SimulateCustomPolicy decides by policies that are given.
func (a *Authority) SimulateCustomPolicy(_ context.Context, in SimulateCustomPolicyInput) (out SimulateCustomPolicyOutput, err error) {
	s := simulation{actions: in.ActionNames, resources: in.ResourceArns, entries: in.ContextEntries}
	if s.caller, err = a.simulated(in.CallerArn); err != nil {
		return out, err
	}
	if s.policies.Identity, err = inputs(in.PolicyInputList); err != nil {
		return out, err
	}
	if err := s.resourcePolicy(in.ResourcePolicy); err != nil {
		return out, err
	}
	out.EvaluationResults, out.Page, err = s.run(in.Paging)
	return out, err
}

// SimulatePrincipalPolicy decides by the policies of a user, group or role, and by
// others that are given.
func (a *Authority) SimulatePrincipalPolicy(_ context.Context, in SimulatePrincipalPolicyInput) (out SimulatePrincipalPolicyOutput, err error) {
	s := simulation{actions: in.ActionNames, resources: in.ResourceArns, entries: in.ContextEntries}
	own, err := a.sourcesOf(in.PolicySourceArn)
	if err != nil {
		return out, err
	}
	caller := in.CallerArn
	if caller == "" && !strings.Contains(in.PolicySourceArn, ":group/") {
		caller = in.PolicySourceArn
	}
	if s.caller, err = a.simulated(caller); err != nil {
		return out, err
	}
	given, err := inputs(in.PolicyInputList)
	if err != nil {
		return out, err
	}
	s.policies.Identity = append(slices.Clone(own), given...)
	if err := s.resourcePolicy(in.ResourcePolicy); err != nil {
		return out, err
	}
	out.EvaluationResults, out.Page, err = s.run(in.Paging)
	return out, err
}

// sourcesOf are the policies of a user, group or role by its ARN.
func (a *Authority) sourcesOf(name string) ([]policy.Source, error) {
	s := a.now.Load()
	if r := s.roleByARN(name); r != nil {
		return s.ofRole[r], nil
	}
	last := strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
	if u := s.users[last]; u != nil && u.arn() == name {
		return s.ofUser[u], nil
	}
	if g := s.groups[last]; g != nil && g.arn() == name {
		return s.sources(&g.identity), nil
	}
	if _, err := arn.Parse(name); err != nil {
		return nil, invalid("PolicySourceArn: %v", err)
	}
	return nil, noSuch("entity", name)
}

// simulated is the principal of an ARN, nobody in particular for none.
func (a *Authority) simulated(name string) (Principal, error) {
	if name == "" {
		return Principal{Type: TypeUser, AccountID: arn.Account}, nil
	}
	s := a.now.Load()
	last := name[strings.LastIndexByte(name, '/')+1:]
	if u := s.users[strings.ToLower(last)]; u != nil && u.arn() == name {
		return u.principal(), nil
	}
	if r := s.roleByARN(name); r != nil {
		p := r.principal("simulation")
		p.Tags = tagMap(r.Tags, nil)
		return p, nil
	}
	if name == arnOf("iam", "root") {
		return a.administrator(""), nil
	}
	return Principal{}, noSuch("entity", name)
}

func inputs(documents []string) (list []policy.Source, err error) {
	for i, text := range documents {
		d, err := policy.Parse(policy.Identity, text)
		if err != nil {
			return nil, fault.Coded(fault.Invalid, "InvalidInput", "PolicyInputList.%d: %w", i+1, err)
		}
		list = append(list, policy.Source{ID: "PolicyInputList." + strconv.Itoa(i+1), Type: "none", Document: &d})
	}
	return list, nil
}

func (s *simulation) resourcePolicy(text string) error {
	if text == "" {
		return nil
	}
	d, err := policy.Parse(policy.Resource, text)
	if err != nil {
		return fault.Coded(fault.Invalid, "InvalidInput", "ResourcePolicy: %w", err)
	}
	s.policies.Resource = []policy.Source{{ID: "ResourcePolicy", Type: "resource", Document: &d}}
	return nil
}

// run decides every action on every resource.
func (s *simulation) run(p Paging) ([]EvaluationResult, Page, error) {
	if len(s.actions) == 0 {
		return nil, Page{}, invalid("ActionNames must name at least one action")
	}
	resources := s.resources
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	if n := len(s.actions) * len(resources); n > maxSimulated {
		return nil, Page{}, invalid("ActionNames and ResourceArns make %d decisions; %d are the most", n, maxSimulated)
	}
	conditions := map[string][]string{}
	for _, e := range s.entries {
		conditions[strings.ToLower(e.ContextKeyName)] = e.ContextKeyValues
	}
	keys := &simulatedKeys{conditions, values{who: &s.caller, conditions: conditions}}
	order := map[string]string{} // of the results: as they were asked for
	list := make([]EvaluationResult, 0, len(s.actions)*len(resources))
	for _, action := range s.actions {
		for _, resource := range resources {
			result := s.decide(action, resource, keys)
			order[action+"\x00"+resource] = fmt.Sprintf("%06d", len(list))
			list = append(list, result)
		}
	}
	return cut(list, func(r EvaluationResult) string { return order[r.EvalActionName+"\x00"+r.EvalResourceName] }, p)
}

func (s *simulation) decide(action, resource string, keys policy.Keys) EvaluationResult {
	r := policy.Request{Action: action, Resource: resource, Caller: s.caller.caller(), Keys: keys}
	ask := s.policies
	ask.All = s.caller.Root() && len(ask.Identity) == 0
	ask.Required = len(ask.Resource) > 0 && (strings.HasPrefix(action, "kms:") || strings.HasPrefix(action, "sts:"))
	out := EvaluationResult{
		EvalActionName: action, EvalResourceName: resource, EvalDecision: policy.Decide(r, ask).Outcome.String(),
		MatchedStatements: []Statement{}, MissingContextValues: policy.Missing(r, ask),
	}
	denied := out.EvalDecision == policy.ExplicitDeny.String()
	for _, why := range policy.Explain(r, ask) {
		if !why.Matches || denied && !why.Deny {
			continue // of a denial, those that deny
		}
		out.MatchedStatements = append(out.MatchedStatements, Statement{
			SourcePolicyId: why.Source.ID, SourcePolicyType: why.Source.Type, StartPosition: Position(why.Start), EndPosition: Position(why.End),
		})
	}
	return out
}

// simulatedKeys are what the simulator is given, and what is known of the caller.
// Unlike at a request, what is given wins.
type simulatedKeys struct {
	given map[string][]string
	own   values
}

func (k *simulatedKeys) Values(key string) []string {
	if v, ok := k.given[key]; ok {
		return v
	}
	if strings.HasPrefix(key, "aws:principal") || key == "aws:username" || key == "aws:userid" {
		return k.own.Values(key)
	}
	return nil
}

// GetContextKeysForCustomPolicy lists the condition keys that policies ask for.
func (a *Authority) GetContextKeysForCustomPolicy(_ context.Context, in GetContextKeysForCustomPolicyInput) (out GetContextKeysForCustomPolicyOutput, err error) {
	list, err := inputs(in.PolicyInputList)
	return GetContextKeysForCustomPolicyOutput{contextKeys(list)}, err
}

// GetContextKeysForPrincipalPolicy lists the condition keys that the policies of a
// user, group or role ask for.
func (a *Authority) GetContextKeysForPrincipalPolicy(_ context.Context, in GetContextKeysForPrincipalPolicyInput) (out GetContextKeysForPrincipalPolicyOutput, err error) {
	own, err := a.sourcesOf(in.PolicySourceArn)
	if err != nil {
		return out, err
	}
	given, err := inputs(in.PolicyInputList)
	return GetContextKeysForPrincipalPolicyOutput{contextKeys(append(slices.Clone(own), given...))}, err
}

func contextKeys(list []policy.Source) []string {
	seen := map[string]bool{}
	for _, s := range list {
		for _, key := range s.Document.ContextKeys() {
			seen[key] = true
		}
	}
	return append([]string{}, slices.Sorted(maps.Keys(seen))...)
}
