package event

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/pattern"
	"github.com/dropstack/dropstack/internal/schedule"
)

// PutRuleInput is a rule.
type PutRuleInput struct {
	Name               string
	ScheduleExpression string `json:",omitempty"`
	EventPattern       string `json:",omitempty"`
	State              string `json:",omitempty"`
	Description        string `json:",omitempty"`
	RoleArn            string `json:",omitempty"`
	EventBusName       string `json:",omitempty"`
	Tags               []Tag  `json:",omitempty"`
}

// PutRuleOutput is the rule's name.
type PutRuleOutput struct{ RuleArn string }

// PutRule makes a rule, or makes it anew; its targets and tags stay.
func (r *Rules) PutRule(ctx context.Context, in PutRuleInput) (PutRuleOutput, error) {
	if err := in.check(); err != nil {
		return PutRuleOutput{}, err
	}
	onBus, err := r.onBus(in.EventBusName)
	if err != nil {
		return PutRuleOutput{}, err
	}
	name := r.arnOf(in.Name, onBus)
	err = r.edit(ctx, in.Name, onBus, func(found *rule) (*rule, error) {
		if found == nil {
			found = &rule{Rule: bus.Rule{Name: in.Name, ARN: name, Tags: tagMap(in.Tags)}}
			if onBus != bus.Default {
				found.Bus = onBus
			}
		}
		found.expression, found.Pattern, found.Description, found.Disabled = in.ScheduleExpression, in.EventPattern, in.Description, in.State == disabled
		return found, checkTags(found.Tags)
	})
	return PutRuleOutput{name}, err
}

func (in *PutRuleInput) check() error {
	switch {
	case !ruleName.MatchString(in.Name):
		return invalid("Name %q must be 1 to 64 letters, digits and .-_", in.Name)
	case in.EventPattern == "" && in.ScheduleExpression == "":
		return invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
	case in.EventPattern != "" && in.ScheduleExpression != "":
		return invalid("a rule has either an EventPattern or a ScheduleExpression here; make two rules with the same targets")
	case in.ScheduleExpression != "" && bus.Name(in.EventBusName) != bus.Default:
		return invalid("ScheduleExpression is supported only on the default event bus.")
	case in.State != "" && in.State != enabled && in.State != disabled:
		return invalid("State %q is neither %s nor %s", in.State, enabled, disabled)
	case in.RoleArn != "":
		return invalid("RoleArn is not supported here: targets are reached without one")
	case len(in.Description) > 512:
		return invalid("Description has %d bytes; the limit is 512", len(in.Description))
	}
	if in.EventPattern != "" {
		_, err := pattern.Parse(in.EventPattern)
		return err
	}
	_, err := schedule.Parse(in.ScheduleExpression)
	return err
}

// RuleInput names a rule.
type RuleInput struct {
	Name         string
	EventBusName string `json:",omitempty"`
	Force        bool   `json:",omitempty"`
}

// Rule is what there is of a rule.
type Rule struct {
	Name               string
	Arn                string
	EventPattern       string `json:",omitempty"`
	ScheduleExpression string `json:",omitempty"`
	State              string
	Description        string `json:",omitempty"`
	EventBusName       string
	CreatedBy          string `json:",omitempty"`
}

func describe(r *rule) Rule {
	out := Rule{
		Name: r.Name, Arn: r.ARN, EventPattern: r.Pattern, ScheduleExpression: r.expression, State: enabled, Description: r.Description, EventBusName: r.onBus(),
	}
	if r.Disabled {
		out.State = disabled
	}
	return out
}

// DescribeRule describes a rule.
func (r *Rules) DescribeRule(_ context.Context, in RuleInput) (Rule, error) {
	found, err := r.existing(in.Name, in.EventBusName)
	if err != nil {
		return Rule{}, err
	}
	out := describe(found)
	out.CreatedBy = arn.Account
	return out, nil
}

// existing is a rule that is there.
func (r *Rules) existing(name, busName string) (*rule, error) {
	onBus, err := r.onBus(busName)
	if err != nil {
		return nil, err
	}
	_, found := r.find(name, onBus)
	if found == nil {
		return nil, noRule(name, onBus)
	}
	return found, nil
}

// ListRulesInput narrows and pages a list of rules.
type ListRulesInput struct {
	NamePrefix   string `json:",omitempty"`
	EventBusName string `json:",omitempty"`
	NextToken    string `json:",omitempty"`
	Limit        *int   `json:",omitempty"`
}

// ListRulesOutput is a page of rules.
type ListRulesOutput struct {
	Rules     []Rule
	NextToken string `json:",omitempty"`
}

// ListRules lists the rules of a bus, of all stacks, by name.
func (r *Rules) ListRules(_ context.Context, in ListRulesInput) (ListRulesOutput, error) {
	rules, err := r.on(in.EventBusName)
	if err != nil {
		return ListRulesOutput{}, err
	}
	var list []Rule
	for _, found := range rules {
		if strings.HasPrefix(found.Name, in.NamePrefix) {
			list = append(list, describe(found))
		}
	}
	list, next, err := page(list, in.NextToken, in.Limit)
	return ListRulesOutput{list, next}, err
}

// on are the rules of a bus, by name.
func (r *Rules) on(busName string) (list []*rule, err error) {
	onBus, err := r.onBus(busName)
	if err != nil {
		return nil, err
	}
	for _, rev := range r.Deployer.List() {
		for _, found := range r.all(rev) {
			if found.onBus() == onBus {
				list = append(list, found)
			}
		}
	}
	slices.SortFunc(list, func(a, b *rule) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// EnableRule has a rule fire again, its rate counting from now.
func (r *Rules) EnableRule(ctx context.Context, in RuleInput) (struct{}, error) {
	return struct{}{}, r.set(ctx, in, false)
}

// DisableRule keeps a rule from firing.
func (r *Rules) DisableRule(ctx context.Context, in RuleInput) (struct{}, error) {
	return struct{}{}, r.set(ctx, in, true)
}

func (r *Rules) set(ctx context.Context, in RuleInput, disabled bool) error {
	return r.edit(ctx, in.Name, in.EventBusName, existing(in.Name, in.EventBusName, func(found *rule) error {
		found.Disabled = disabled
		return nil
	}))
}

// DeleteRule removes a rule that has no targets any more. One that is gone already
// is no error.
func (r *Rules) DeleteRule(ctx context.Context, in RuleInput) (struct{}, error) {
	return struct{}{}, r.edit(ctx, in.Name, in.EventBusName, func(found *rule) (*rule, error) {
		if found != nil && len(found.Targets) > 0 {
			return nil, invalid("Rule can't be deleted since it has targets.")
		}
		return nil, nil
	})
}

// page is one page of a list; a token is the place of the next item.
func page[T any](list []T, token string, limit *int) ([]T, string, error) {
	from, n := 0, 100
	if token != "" {
		var err error
		if from, err = strconv.Atoi(token); err != nil || from < 0 {
			return nil, "", invalid("NextToken %q is none of ours", token)
		}
	}
	if limit != nil {
		if n = *limit; n < 1 || n > 100 {
			return nil, "", invalid("Limit %d is not between 1 and 100", n)
		}
	}
	from = min(from, len(list))
	to := min(from+n, len(list))
	next := ""
	if to < len(list) {
		next = strconv.Itoa(to)
	}
	return append([]T{}, list[from:to]...), next, nil
}
