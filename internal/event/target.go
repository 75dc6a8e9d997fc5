package event

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/schedule"
)

// maxTargets is how many targets a rule may have.
const maxTargets = 5

var targetID = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

// PutTargetsInput gives a rule targets.
type PutTargetsInput struct {
	Rule         string
	EventBusName string `json:",omitempty"`
	Targets      []Target
}

// Target is a function that a rule calls. Input replaces the event.
type Target struct {
	Id               string
	Arn              string
	Input            string         `json:",omitempty"`
	InputPath        string         `json:",omitempty"`
	InputTransformer map[string]any `json:",omitempty"`
	RoleArn          string         `json:",omitempty"`
	DeadLetterConfig map[string]any `json:",omitempty"`
	RetryPolicy      map[string]any `json:",omitempty"`
}

// Failures are targets that could not be taken, of which there are none: a call
// with one is refused as a whole.
type Failures struct {
	FailedEntryCount int
	FailedEntries    []struct{}
}

// PutTargets adds targets to a rule, or makes them anew.
func (r *Rules) PutTargets(ctx context.Context, in PutTargetsInput) (Failures, error) {
	if len(in.Targets) == 0 {
		return Failures{}, invalid("Targets must not be empty")
	}
	for _, t := range in.Targets {
		if err := t.check(); err != nil {
			return Failures{}, err
		}
	}
	err := r.edit(ctx, in.Rule, in.EventBusName, existing(in.Rule, func(list []schedule.Schedule) ([]schedule.Schedule, error) {
		for _, t := range in.Targets {
			next := list[0]
			next.Target, next.Function, next.Input = t.Id, functionOf(t.Arn), t.Input
			if i := slices.IndexFunc(list, func(s schedule.Schedule) bool { return s.Function != "" && idOf(s) == t.Id }); i >= 0 {
				next.Target = list[i].Target
				list[i] = next
			} else {
				list = append(list, next)
			}
		}
		if list[0].Function == "" { // which stood for a rule without targets
			list = list[1:]
		}
		if len(list) > maxTargets {
			return nil, fault.Coded(fault.Invalid, "LimitExceededException", "The requested resource exceeds the maximum number allowed: a rule has at most %d targets", maxTargets)
		}
		return list, nil
	}))
	return Failures{FailedEntries: []struct{}{}}, err
}

func (t *Target) check() error {
	switch {
	case !targetID.MatchString(t.Id):
		return invalid("target id %q must be 1 to 64 letters, digits and .-_", t.Id)
	case functionOf(t.Arn) == "":
		return invalid("target %s: %q is not the ARN of a function of this account; other targets are not supported here", t.Id, t.Arn)
	case t.Input != "" && !json.Valid([]byte(t.Input)):
		return invalid("target %s: Input is not JSON", t.Id)
	case t.InputPath != "" || len(t.InputTransformer) > 0:
		return invalid("target %s: InputPath and InputTransformer are not supported here: the function would get the whole event; use Input, or pick in the function", t.Id)
	case t.RoleArn != "":
		return invalid("target %s: RoleArn is not supported here: functions are called without one", t.Id)
	case len(t.DeadLetterConfig) > 0 || len(t.RetryPolicy) > 0:
		return invalid("target %s: retries and dead letters are the function's own; use its event invoke config and DeadLetterConfig", t.Id)
	}
	return nil
}

// functionOf is the name and qualifier in a function's ARN, "" when it is none of
// this account.
func functionOf(s string) string {
	a, err := arn.Parse(s)
	name, ok := strings.CutPrefix(a.Resource, "function:")
	if err != nil || !ok || a.Service != "lambda" || a.Account != arn.Account {
		return ""
	}
	return name
}

// idOf is the id of a target; that of a rule of a serverless.yml has none of its
// own.
func idOf(s schedule.Schedule) string {
	if s.Target == "" {
		return "target"
	}
	return s.Target
}

// RemoveTargetsInput names targets of a rule.
type RemoveTargetsInput struct {
	Rule         string
	EventBusName string `json:",omitempty"`
	Ids          []string
	Force        bool `json:",omitempty"`
}

// RemoveTargets takes targets off a rule, which stays.
func (r *Rules) RemoveTargets(ctx context.Context, in RemoveTargetsInput) (Failures, error) {
	err := r.edit(ctx, in.Rule, in.EventBusName, existing(in.Rule, func(list []schedule.Schedule) ([]schedule.Schedule, error) {
		rule := list[0]
		list = slices.DeleteFunc(list, func(s schedule.Schedule) bool { return s.Function != "" && slices.Contains(in.Ids, idOf(s)) })
		if len(list) == 0 {
			rule.Target, rule.Function, rule.Input = "", "", ""
			list = append(list, rule)
		}
		return list, nil
	}))
	return Failures{FailedEntries: []struct{}{}}, err
}

// ListTargetsInput names a rule.
type ListTargetsInput struct {
	Rule         string
	EventBusName string `json:",omitempty"`
	NextToken    string `json:",omitempty"`
	Limit        *int   `json:",omitempty"`
}

// ListTargetsOutput is a page of targets.
type ListTargetsOutput struct {
	Targets   []Target
	NextToken string `json:",omitempty"`
}

// ListTargetsByRule lists the targets of a rule.
func (r *Rules) ListTargetsByRule(_ context.Context, in ListTargetsInput) (ListTargetsOutput, error) {
	if err := onBus(in.EventBusName); err != nil {
		return ListTargetsOutput{}, err
	}
	_, list := r.stackOf(in.Rule)
	if len(list) == 0 {
		return ListTargetsOutput{}, noRule(in.Rule)
	}
	var targets []Target
	for _, s := range list {
		if s.Function != "" {
			targets = append(targets, Target{Id: idOf(s), Arn: arn.Function(r.Region, s.Function), Input: s.Input})
		}
	}
	targets, next, err := page(targets, in.NextToken, in.Limit)
	return ListTargetsOutput{targets, next}, err
}

// ListRuleNamesInput names a function.
type ListRuleNamesInput struct {
	TargetArn    string
	EventBusName string `json:",omitempty"`
	NextToken    string `json:",omitempty"`
	Limit        *int   `json:",omitempty"`
}

// ListRuleNamesOutput is a page of names.
type ListRuleNamesOutput struct {
	RuleNames []string
	NextToken string `json:",omitempty"`
}

// ListRuleNamesByTarget lists the rules that call a function.
func (r *Rules) ListRuleNamesByTarget(_ context.Context, in ListRuleNamesInput) (ListRuleNamesOutput, error) {
	if err := onBus(in.EventBusName); err != nil {
		return ListRuleNamesOutput{}, err
	}
	names := map[string]bool{}
	for _, rev := range r.Deployer.List() {
		for _, s := range rev.Schedules {
			if s.Function != "" && arn.Function(r.Region, s.Function) == in.TargetArn {
				names[s.Name] = true
			}
		}
	}
	list, next, err := page(slices.Sorted(maps.Keys(names)), in.NextToken, in.Limit)
	return ListRuleNamesOutput{list, next}, err
}
