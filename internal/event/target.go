package event

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/pattern"
)

var targetID = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

// PutTargetsInput gives a rule targets.
type PutTargetsInput struct {
	Rule         string
	EventBusName string `json:",omitempty"`
	Targets      []Target
}

// Target is a function, a topic, a queue or an event bus that a rule tells, and what
// it tells it.
type Target struct {
	Id               string
	Arn              string
	Input            string            `json:",omitempty"`
	InputPath        string            `json:",omitempty"`
	InputTransformer *InputTransformer `json:",omitempty"`
	SqsParameters    *SqsParameters    `json:",omitempty"`
	RoleArn          string            `json:",omitempty"`
	DeadLetterConfig *DeadLetterConfig `json:",omitempty"`
	RetryPolicy      *RetryPolicy      `json:",omitempty"`
}

// InputTransformer makes a text of parts of the event.
type InputTransformer struct {
	InputPathsMap map[string]string `json:",omitempty"`
	InputTemplate string
}

// SqsParameters is for FIFO queues.
type SqsParameters struct{ MessageGroupId string }

// DeadLetterConfig names the queue that gets what a target does not take.
type DeadLetterConfig struct {
	Arn string `json:",omitempty"`
}

// RetryPolicy bounds how long a target is tried.
type RetryPolicy struct {
	MaximumEventAgeInSeconds int  `json:",omitempty"`
	MaximumRetryAttempts     *int `json:",omitempty"`
}

// stored is a target as revisions have it.
func (t *Target) stored() (bus.Target, error) {
	out := bus.Target{ID: t.Id, ARN: t.Arn, Input: pattern.Input{Text: t.Input, Path: t.InputPath}}
	if tr := t.InputTransformer; tr != nil {
		out.Input.Transformer = &pattern.Transformer{Paths: tr.InputPathsMap, Template: tr.InputTemplate}
	}
	if t.SqsParameters != nil {
		out.Group = t.SqsParameters.MessageGroupId
	}
	if t.DeadLetterConfig != nil {
		out.DeadLetter = t.DeadLetterConfig.Arn
	}
	if p := t.RetryPolicy; p != nil {
		out.MaxAge, out.MaxRetries = p.MaximumEventAgeInSeconds, p.MaximumRetryAttempts
	}
	switch {
	case !targetID.MatchString(t.Id):
		return out, invalid("target id %q must be 1 to 64 letters, digits and .-_", t.Id)
	case t.RoleArn != "":
		return out, invalid("target %s: RoleArn is not supported here: targets are reached without one", t.Id)
	}
	if err := out.Input.Check(); err != nil {
		return out, invalid("target %s: %w", t.Id, err)
	}
	return out, nil
}

// shown is a target as calls see it.
func shown(t bus.Target) Target {
	out := Target{Id: t.ID, Arn: t.ARN, Input: t.Input.Text, InputPath: t.Input.Path}
	if tr := t.Input.Transformer; tr != nil {
		out.InputTransformer = &InputTransformer{InputPathsMap: tr.Paths, InputTemplate: tr.Template}
	}
	if t.Group != "" {
		out.SqsParameters = &SqsParameters{t.Group}
	}
	if t.DeadLetter != "" {
		out.DeadLetterConfig = &DeadLetterConfig{t.DeadLetter}
	}
	if t.MaxAge != 0 || t.MaxRetries != nil {
		out.RetryPolicy = &RetryPolicy{t.MaxAge, t.MaxRetries}
	}
	return out
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
	targets := make([]bus.Target, len(in.Targets))
	for i := range in.Targets {
		var err error
		if targets[i], err = in.Targets[i].stored(); err != nil {
			return Failures{}, err
		}
	}
	err := r.edit(ctx, in.Rule, in.EventBusName, existing(in.Rule, in.EventBusName, func(found *rule) error {
		for _, t := range targets {
			if i := slices.IndexFunc(found.Targets, func(known bus.Target) bool { return known.ID == t.ID }); i >= 0 {
				found.Targets[i] = t
			} else {
				found.Targets = append(found.Targets, t)
			}
		}
		if len(found.Targets) > bus.MaxTargets {
			return fault.Coded(fault.Invalid, "LimitExceededException", "The requested resource exceeds the maximum number allowed: a rule has at most %d targets", bus.MaxTargets)
		}
		return nil
	}))
	return Failures{FailedEntries: []struct{}{}}, err
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

// RemoveTargetsInput names targets of a rule.
type RemoveTargetsInput struct {
	Rule         string
	EventBusName string `json:",omitempty"`
	Ids          []string
	Force        bool `json:",omitempty"`
}

// RemoveTargets takes targets off a rule, which stays.
func (r *Rules) RemoveTargets(ctx context.Context, in RemoveTargetsInput) (Failures, error) {
	err := r.edit(ctx, in.Rule, in.EventBusName, existing(in.Rule, in.EventBusName, func(found *rule) error {
		found.Targets = slices.DeleteFunc(found.Targets, func(t bus.Target) bool { return slices.Contains(in.Ids, t.ID) })
		return nil
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
	found, err := r.existing(in.Rule, in.EventBusName)
	if err != nil {
		return ListTargetsOutput{}, err
	}
	var targets []Target
	for _, t := range found.Targets {
		targets = append(targets, shown(t))
	}
	targets, next, err := page(targets, in.NextToken, in.Limit)
	return ListTargetsOutput{targets, next}, err
}

// ListRuleNamesInput names a target.
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

// ListRuleNamesByTarget lists the rules of a bus that tell a target.
func (r *Rules) ListRuleNamesByTarget(_ context.Context, in ListRuleNamesInput) (ListRuleNamesOutput, error) {
	rules, err := r.on(in.EventBusName)
	if err != nil {
		return ListRuleNamesOutput{}, err
	}
	var names []string
	for _, found := range rules {
		if slices.ContainsFunc(found.Targets, func(t bus.Target) bool { return t.ARN == in.TargetArn }) {
			names = append(names, found.Name)
		}
	}
	list, next, err := page(names, in.NextToken, in.Limit)
	return ListRuleNamesOutput{list, next}, err
}
