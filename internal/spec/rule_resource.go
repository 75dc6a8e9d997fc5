package spec

import (
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
)

// Rule is an AWS::Events::Rule, or an AWS::Scheduler::Schedule, which has one
// target.
type Rule struct {
	Pos       Pos
	RuleEvent // without what is said of a target
	Scheduler bool
	Zone      string    // of Scheduler
	Group     string    // likewise
	Start     time.Time `json:",omitzero"` // likewise: no tick before it
	End       time.Time `json:",omitzero"` // and none after it
	Tags      map[string]string
	Targets   []RuleTarget
}

// RuleTarget is where a rule sends events.
type RuleTarget struct {
	Pos        Pos
	ID         string
	ARN        string
	Input      Input
	Group      string // of messages, in a FIFO queue
	MaxAge     int    `json:",omitzero"`
	MaxRetries *int
	DeadLetter string
}

const maxTargets = 5

// nameRule makes a rule known to Ref and Fn::GetAtt before it is read, which is
// when what it refers to has a name.
func (r *reader) nameRule(f field, n *node, read func(field, *node, Rule)) {
	what := "resource " + f.key
	rule := Rule{Pos: f.pos}
	props := r.vars.resolve(n.get("Properties"))
	rule.Name = short(r.svc.Stack() + "-" + f.key)
	if props != nil && props.kind == object {
		if v := r.vars.resolve(props.get("Name")); v != nil && v.kind != null {
			if rule.Name = r.value(v, what+".Name"); !ruleName.MatchString(rule.Name) {
				r.fail(v.pos, "%s.Name must be 1 to 64 letters, digits and . - _, not %q", what, rule.Name)
			}
		}
		if v := r.vars.resolve(props.get("EventBusName")); v != nil && v.kind != null {
			rule.Bus, _ = r.busOf(v, what+".EventBusName")
		}
	}
	a := arn.BusRule(r.svc.Region, rule.Bus, rule.Name)
	if rule.Scheduler = r.str(n.get("Type"), what+".Type") == "AWS::Scheduler::Schedule"; rule.Scheduler {
		a = arn.Schedule(r.svc.Region, defaultBus, rule.Name)
	}
	r.names[f.key] = resource{rule.Name, rule.Name, map[string]string{"Arn": a}}
	r.later = append(r.later, func() { read(f, n, rule) })
}

// eventsRule reads an AWS::Events::Rule.
func (r *reader) eventsRule(f field, n *node, e Rule) {
	what := "resource " + f.key
	e.PatternPos = f.pos
	r.around(n, what, func(v *node) {
		r.object(v, what, keys{
			"Name": nil, "EventBusName": nil, // read before
			"RoleArn":     nil, // targets are reached without one
			"Description": func(v *node) { e.Description = r.ruleDescription(v, what+".Description") },
			"State": func(v *node) {
				e.Disabled = r.choice(v, what+".State", "ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS") == "DISABLED"
			},
			"EventPattern":       func(v *node) { e.Pattern, e.PatternPos = r.text(r.jsonOf(v, what), v, what), v.pos },
			"ScheduleExpression": func(v *node) { e.Expression = Expression{v.pos, r.value(v, what+".ScheduleExpression")} },
			"Tags":               func(v *node) { e.Tags = r.topicTags(v, what+".Tags") },
			"Targets": func(v *node) {
				r.each(v, what+".Targets", func(v *node) { e.Targets = append(e.Targets, r.ruleTarget(v, what+".Targets")) })
				if len(e.Targets) > maxTargets {
					r.fail(v.pos, "%s has %d targets; the limit is %d", what, len(e.Targets), maxTargets)
				}
			},
		}, effects{})
	})
	switch {
	case e.Pattern == "" && e.Expression.Text == "":
		r.fail(f.pos, "%s wants an EventPattern or a ScheduleExpression", what)
		return
	case e.Expression.Text != "" && e.Bus != "":
		r.fail(e.Expression.Pos, "%s.ScheduleExpression goes with the default bus only", what)
	}
	r.svc.Rules = append(r.svc.Rules, e)
}

// ruleTarget reads a target of a rule, or of a schedule.
func (r *reader) ruleTarget(n *node, what string) RuleTarget {
	t := RuleTarget{Pos: n.pos}
	const elsewhere = "events go to functions, topics, queues and buses here"
	known := keys{
		"Id": func(v *node) { t.ID = r.str(v, what+".Id") },
		"Arn": func(v *node) {
			t.ARN = r.value(v, what+".Arn")
			a, err := arn.Parse(t.ARN)
			if t.ARN != "" && (err != nil || !slices.Contains([]string{"lambda", "sns", "sqs", "events"}, a.Service)) {
				r.fail(v.pos, "%s.Arn: %q is not the ARN of a function, a topic, a queue or a bus", what, t.ARN)
			}
		},
		"RoleArn": nil,
		"RetryPolicy": func(v *node) {
			r.object(v, what+".RetryPolicy", keys{
				"MaximumEventAgeInSeconds": func(v *node) {
					t.MaxAge = r.integer(v, what+".RetryPolicy.MaximumEventAgeInSeconds", minTargetAge, maxTargetAge)
				},
				"MaximumRetryAttempts": func(v *node) {
					t.MaxRetries = new(r.integer(v, what+".RetryPolicy.MaximumRetryAttempts", 0, maxTargetRetries))
				},
			}, effects{})
		},
		"DeadLetterConfig": func(v *node) {
			r.object(v, what+".DeadLetterConfig", keys{"Arn": func(v *node) { t.DeadLetter = r.queueARN(v, what+".DeadLetterConfig.Arn") }}, effects{})
		},
		"SqsParameters": func(v *node) {
			r.object(v, what+".SqsParameters", keys{"MessageGroupId": func(v *node) { t.Group = r.value(v, what+".SqsParameters.MessageGroupId") }}, effects{})
		},
	}
	r.cfnInputs(known, &t.Input, what)
	r.object(n, what, known, effects{
		"EcsParameters": elsewhere, "KinesisParameters": elsewhere, "HttpParameters": elsewhere, "BatchParameters": elsewhere,
		"RunCommandParameters": elsewhere, "RedshiftDataParameters": elsewhere, "SageMakerPipelineParameters": elsewhere, "AppSyncParameters": elsewhere,
	})
	if n.kind == object && (n.get("Arn") == nil) {
		r.fail(n.pos, "%s: a target wants an Arn", what)
	}
	return t
}

// cfnInputs adds the keys that say what a target gets, as CloudFormation spells them.
func (r *reader) cfnInputs(to keys, in *Input, what string) {
	own := keys{}
	r.inputs(own, in, what)
	to["InputPath"] = own["inputPath"]
	to["Input"] = func(v *node) { own["input"](plain(r.value(v, what+".Input"), v.pos)) } // the text of JSON
	to["InputTransformer"] = func(v *node) {
		spelt := &node{pos: v.pos, kind: v.kind, text: v.text, items: v.items}
		for _, f := range v.fields {
			f.key = strings.ToLower(f.key[:1]) + f.key[1:]
			spelt.fields = append(spelt.fields, f)
		}
		own["inputTransformer"](spelt)
	}
}

// scheduled reads an AWS::Scheduler::Schedule.
func (r *reader) scheduled(f field, n *node, e Rule) {
	what := "resource " + f.key
	r.around(n, what, func(v *node) {
		r.object(v, what, keys{
			"Name": nil, "KmsKeyArn": nil,
			"FlexibleTimeWindow": nil, // its beginning is in it
			"Description":        func(v *node) { e.Description = r.ruleDescription(v, what+".Description") },
			"State":              func(v *node) { e.Disabled = r.choice(v, what+".State", "ENABLED", "DISABLED") == "DISABLED" },
			"ScheduleExpression": func(v *node) { e.Expression = Expression{v.pos, r.value(v, what+".ScheduleExpression")} },
			"ScheduleExpressionTimezone": func(v *node) {
				e.Zone = r.str(v, what+".ScheduleExpressionTimezone")
			},
			"GroupName": func(v *node) { e.Group = r.ruleName(v, what+".GroupName") },
			"Target":    func(v *node) { e.Targets = []RuleTarget{r.ruleTarget(v, what+".Target")} },
			"StartDate": func(v *node) { e.Start = r.instant(v, what+".StartDate") },
			"EndDate":   func(v *node) { e.End = r.instant(v, what+".EndDate") },
		}, effects{})
	})
	if e.Expression.Text == "" || len(e.Targets) == 0 {
		r.fail(f.pos, "%s wants a ScheduleExpression and a Target", what)
		return
	}
	r.svc.Rules = append(r.svc.Rules, e)
}

// instant reads a date and a time.
func (r *reader) instant(n *node, what string) time.Time {
	t, err := time.Parse(time.RFC3339, r.str(n, what))
	if err != nil && n.kind != broken {
		r.fail(n.pos, "%s must be such as 2030-01-31T12:00:00Z, not %q", what, n.text)
	}
	return t
}
