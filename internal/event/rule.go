package event

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
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

// PutRule makes a rule, or makes it anew; its targets stay.
func (r *Rules) PutRule(ctx context.Context, in PutRuleInput) (PutRuleOutput, error) {
	if err := in.check(); err != nil {
		return PutRuleOutput{}, err
	}
	rule := schedule.Schedule{
		Name: in.Name, ARN: arn.Rule(r.Region, in.Name), Expression: in.ScheduleExpression, Description: in.Description, Disabled: in.State == disabled,
	}
	err := r.edit(ctx, in.Name, in.EventBusName, func(list []schedule.Schedule) ([]schedule.Schedule, error) {
		if len(list) == 0 {
			rule.Tags = tagMap(in.Tags) // those of a rule that is there stay
			return []schedule.Schedule{rule}, checkTags(rule.Tags)
		}
		for i := range list {
			s := &list[i]
			s.Expression, s.Description, s.Disabled = rule.Expression, rule.Description, rule.Disabled
		}
		return list, nil
	})
	return PutRuleOutput{rule.ARN}, err
}

func (in *PutRuleInput) check() error {
	switch {
	case !ruleName.MatchString(in.Name):
		return invalid("Name %q must be 1 to 64 letters, digits and .-_", in.Name)
	case in.EventPattern != "":
		return invalid("EventPattern is not supported here yet: the rule would match nothing; give it a ScheduleExpression")
	case in.ScheduleExpression == "":
		return invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
	case in.State != "" && in.State != enabled && in.State != disabled:
		return invalid("State %q is neither %s nor %s", in.State, enabled, disabled)
	case in.RoleArn != "":
		return invalid("RoleArn is not supported here: targets are functions, which are called without one")
	case len(in.Description) > 512:
		return invalid("Description has %d bytes; the limit is 512", len(in.Description))
	}
	if _, err := schedule.Parse(in.ScheduleExpression); err != nil {
		return invalid("Parameter ScheduleExpression is not valid. %w", err)
	}
	return nil
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
	ScheduleExpression string
	State              string
	Description        string `json:",omitempty"`
	EventBusName       string
	CreatedBy          string `json:",omitempty"`
}

func describe(s schedule.Schedule) Rule {
	rule := Rule{Name: s.Name, Arn: s.ARN, ScheduleExpression: s.Expression, State: enabled, Description: s.Description, EventBusName: bus}
	if s.Disabled {
		rule.State = disabled
	}
	return rule
}

// DescribeRule describes a rule.
func (r *Rules) DescribeRule(_ context.Context, in RuleInput) (Rule, error) {
	if err := onBus(in.EventBusName); err != nil {
		return Rule{}, err
	}
	_, list := r.stackOf(in.Name)
	if len(list) == 0 {
		return Rule{}, noRule(in.Name)
	}
	rule := describe(list[0])
	rule.CreatedBy = arn.Account
	return rule, nil
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

// ListRules lists the rules of all stacks, by name.
func (r *Rules) ListRules(_ context.Context, in ListRulesInput) (ListRulesOutput, error) {
	if err := onBus(in.EventBusName); err != nil {
		return ListRulesOutput{}, err
	}
	rules := map[string]Rule{}
	for _, rev := range r.Deployer.List() {
		for _, s := range rev.Schedules {
			if strings.HasPrefix(s.Name, in.NamePrefix) {
				rules[s.Name] = describe(s)
			}
		}
	}
	list := slices.SortedFunc(maps.Values(rules), func(a, b Rule) int { return strings.Compare(a.Name, b.Name) })
	list, next, err := page(list, in.NextToken, in.Limit)
	return ListRulesOutput{list, next}, err
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
	return r.edit(ctx, in.Name, in.EventBusName, existing(in.Name, func(list []schedule.Schedule) ([]schedule.Schedule, error) {
		for i := range list {
			list[i].Disabled = disabled
		}
		return list, nil
	}))
}

// DeleteRule removes a rule that has no targets any more. One that is gone already
// is no error.
func (r *Rules) DeleteRule(ctx context.Context, in RuleInput) (struct{}, error) {
	return struct{}{}, r.edit(ctx, in.Name, in.EventBusName, func(list []schedule.Schedule) ([]schedule.Schedule, error) {
		if slices.ContainsFunc(list, func(s schedule.Schedule) bool { return s.Function != "" }) {
			return nil, invalid("Rule can't be deleted since it has targets.")
		}
		return nil, nil
	})
}

// PutEventsInput is events that nobody would be told of.
type PutEventsInput struct {
	Entries []map[string]any `audit:"hidden"`
}

// PutEvents is refused: no rule has a pattern that could match.
func (r *Rules) PutEvents(context.Context, PutEventsInput) (struct{}, error) {
	return struct{}{}, fault.Coded(fault.Invalid, "NotImplemented", "PutEvents is not supported here yet: rules have no patterns, so nobody would be told of the events; publish to a topic")
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
