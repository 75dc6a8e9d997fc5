package cloudformation

import (
	"cmp"
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/pattern"
	"github.com/dropstack/dropstack/internal/schedule"
)

var eventName = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

// maxTargets is how many targets a rule may have.
const maxTargets = 5

// eventsRule is AWS::Events::Rule. A rule with an expression of time is as many
// schedules as it has targets; one with a pattern is a rule of its bus.
func eventsRule(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	name := in.text("Name")
	if name == "" {
		name = p.name(Resource{ID: r.ID, Physical: nameIn(r.Physical)}, "", 64)
	}
	if !eventName.MatchString(name) {
		in.fail("Name", "%q must be 1 to 64 letters, digits and .-_", name)
	}
	on := in.bus()
	rule := bus.Rule{
		Stack: p.stack, Name: name, ARN: arn.Rule(p.region, name), Bus: on, Pattern: in.json("EventPattern"), Description: in.text("Description"),
		Disabled: in.choice("State", "ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS") == "DISABLED", Tags: in.tags("Tags"),
	}
	in.known("RoleArn") // targets are reached without one
	physical := name
	if on != "" {
		rule.ARN, physical = p.arn("events", "rule/"+on+"/"+name), on+"|"+name
	}
	expression := in.text("ScheduleExpression")
	targets := in.targets()
	switch {
	case expression == "" && rule.Pattern == "":
		in.fail("EventPattern", "a rule needs an EventPattern or a ScheduleExpression")
	case expression != "" && on != "":
		in.fail("ScheduleExpression", "schedules are on the default bus only")
	case expression != "":
		if _, err := schedule.Parse(expression); err != nil {
			in.fail("ScheduleExpression", "%v", err)
		}
		p.tick(in, expression, rule, targets)
	}
	if rule.Pattern != "" {
		for _, t := range targets {
			rule.Targets = append(rule.Targets, t.Target)
		}
		p.revision.Rules = append(p.revision.Rules, rule)
	}
	return Identity{Physical: physical, Attributes: map[string]string{"Arn": rule.ARN}}, in.done(p)
}

// nameIn is the name of a rule in what its physical id is.
func nameIn(physical string) string { return physical[strings.LastIndex(physical, "|")+1:] }

// bus reads the name of a bus; "" is the default one.
func (p *properties) bus() string {
	name := p.text("EventBusName")
	if a, err := arn.Parse(name); err == nil {
		if a.Account != arn.Account {
			p.fail("EventBusName", "%s is in another account; this one is %s", name, arn.Account)
		}
		name = strings.TrimPrefix(a.Resource, "event-bus/")
	}
	if name == bus.Default {
		return ""
	}
	return name
}

// target is a target and where it is read from.
type target struct {
	bus.Target
	in *properties
}

// targets reads the targets of a rule.
func (p *properties) targets() (list []target) {
	for _, in := range p.each("Targets") {
		in.need("Id", "Arn")
		t := bus.Target{ID: in.text("Id"), ARN: in.text("Arn"), Input: in.input(), Group: in.object("SqsParameters").text("MessageGroupId")}
		t.DeadLetter = in.object("DeadLetterConfig").text("Arn")
		again := in.object("RetryPolicy")
		t.MaxAge, t.MaxRetries = again.numberOr("MaximumEventAgeInSeconds", 60, 86400, 0), again.number("MaximumRetryAttempts", 0, 185)
		in.known("RoleArn")
		in.refuse("events go to functions, topics, queues and buses here", "AppSyncParameters", "BatchParameters", "EcsParameters", "HttpParameters", "KinesisParameters",
			"RedshiftDataParameters", "RunCommandParameters", "SageMakerPipelineParameters")
		if a, err := arn.Parse(t.ARN); t.ARN != "" && (err != nil || a.Service != "lambda" && a.Service != "sns" && a.Service != "sqs" && a.Service != "events") {
			in.fail("Arn", "%s is no function, topic, queue or bus", t.ARN)
		} else if a.Service == "lambda" {
			in.function("Arn")
		}
		list = append(list, target{t, in})
	}
	if len(list) > maxTargets {
		p.fail("Targets", "%d; a rule has at most %d", len(list), maxTargets)
	}
	return list
}

// input reads what a target gets in place of the event.
func (p *properties) input() (in pattern.Input) {
	in.Text, in.Path = p.text("Input"), p.text("InputPath")
	given := 0
	if p.has("InputTransformer") {
		t := p.object("InputTransformer")
		t.need("InputTemplate")
		in.Transformer = &pattern.Transformer{Paths: t.pairs("InputPathsMap"), Template: t.text("InputTemplate")}
		given++
	}
	for _, s := range []string{in.Text, in.Path} {
		if s != "" {
			given++
		}
	}
	if given > 1 {
		p.fail("Input", "there can be one of Input, InputPath and InputTransformer")
	}
	return in
}

// tick adds the schedules of a rule.
func (p *plan) tick(in *properties, expression string, rule bus.Rule, targets []target) {
	s := schedule.Schedule{
		Stack: p.stack, Name: rule.Name, ARN: rule.ARN, Expression: expression, Description: rule.Description, Disabled: rule.Disabled, Tags: rule.Tags,
	}
	if len(targets) == 0 {
		p.revision.Schedules = append(p.revision.Schedules, s)
		return
	}
	for _, t := range targets {
		one := s
		one.Target, one.Input, one.InputPath, one.Transformer = t.ID, t.Input.Text, t.Input.Path, t.Input.Transformer
		if a, err := arn.Parse(t.ARN); err == nil && a.Service != "lambda" { // which is one that there is
			one.To, one.ToGroup, one.DeadLetter, one.MaxAge, one.MaxRetries = t.ARN, t.Group, t.DeadLetter, t.MaxAge, t.MaxRetries
		} else if one.Function, _ = functionName(t.ARN); t.DeadLetter != "" || t.MaxAge > 0 || t.MaxRetries != nil {
			in.without = append(in.without, t.in.path+"RetryPolicy and DeadLetterConfig have no effect: they are the function's, in an AWS::Lambda::EventInvokeConfig")
		}
		p.revision.Schedules = append(p.revision.Schedules, one)
	}
}

// eventsBus is AWS::Events::EventBus.
func eventsBus(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("Name")
	b := bus.Bus{Stack: p.stack, Name: in.text("Name"), Description: in.text("Description"), Tags: in.tags("Tags")}
	if b.ARN = p.arn("events", "event-bus/"+b.Name); b.Name == bus.Default {
		in.fail("Name", "the bus %q is always there; leave EventBusName of its rules out", bus.Default)
	}
	in.refuse("there are no partners whose events would come", "EventSourceName")
	in.refuse("events that are not delivered go to the DeadLetterConfig of a target", "DeadLetterConfig")
	in.idle("it is asked who calls", "Policy")
	in.known("KmsKeyIdentifier", "LogConfig")
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	p.revision.Buses = append(p.revision.Buses, b)
	return Identity{Physical: b.Name, Attributes: map[string]string{"Arn": b.ARN, "Name": b.Name}}, nil
}

// eventsBusPolicy is AWS::Events::EventBusPolicy: there are no other accounts.
func eventsBusPolicy(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("StatementId")
	in.known("Action", "Condition", "EventBusName", "Principal", "Statement")
	in.without = append(in.without, "it has no effect: roles say who may put events, and there are no other accounts")
	return Identity{Physical: in.text("StatementId")}, in.done(p)
}

// schedulerSchedule is AWS::Scheduler::Schedule.
func schedulerSchedule(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("ScheduleExpression", "FlexibleTimeWindow", "Target")
	to := in.object("Target")
	to.need("Arn", "RoleArn")
	s := schedule.Schedule{
		Stack: p.stack, Name: p.name(r, in.text("Name"), 64), Expression: in.text("ScheduleExpression"), Description: in.text("Description"),
		Zone: in.text("ScheduleExpressionTimezone"), Group: in.text("GroupName"), Disabled: in.choice("State", "ENABLED", "DISABLED") == "DISABLED",
		Scheduler: true, Input: to.text("Input"), Start: in.instant("StartDate"), End: in.instant("EndDate"), Role: to.text("RoleArn"),
	}
	again := to.object("RetryPolicy")
	if a, err := arn.Parse(to.text("Arn")); err == nil && (a.Service == "sns" || a.Service == "sqs") {
		s.To, s.ToGroup, s.DeadLetter = to.text("Arn"), to.object("SqsParameters").text("MessageGroupId"), to.object("DeadLetterConfig").text("Arn")
		s.MaxAge, s.MaxRetries = again.numberOr("MaximumEventAgeInSeconds", 60, 86400, 0), again.number("MaximumRetryAttempts", 0, 185)
	} else {
		s.Function = to.function("Arn")
		to.idle("they are the function's, in an AWS::Lambda::EventInvokeConfig", "RetryPolicy", "DeadLetterConfig")
	}
	if !s.Start.IsZero() && !s.End.IsZero() && s.End.Before(s.Start) {
		in.fail("EndDate", "it is before StartDate")
	}
	s.ARN = p.arn("scheduler", "schedule/"+cmp.Or(s.Group, "default")+"/"+s.Name)
	if s.Group == "default" {
		s.Group = ""
	}
	if !eventName.MatchString(s.Name) {
		in.fail("Name", "%q must be 1 to 64 letters, digits and .-_", s.Name)
	}
	if _, err := schedule.Parse(s.Expression); err != nil && s.Expression != "" {
		in.fail("ScheduleExpression", "%v", err)
	}
	if _, err := time.LoadLocation(s.Zone); err != nil || s.Zone == "Local" {
		in.fail("ScheduleExpressionTimezone", "%q is no time zone, such as Europe/Warsaw", s.Zone)
	}
	window := in.object("FlexibleTimeWindow") // the beginning of a window is in it
	window.known("Mode", "MaximumWindowInMinutes")
	in.known("KmsKeyArn")
	to.refuse("a schedule has a function, a topic or a queue as its target here", "EcsParameters", "EventBridgeParameters", "KinesisParameters", "SageMakerPipelineParameters")
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	p.revision.Schedules = append(p.revision.Schedules, s)
	return Identity{Physical: s.Name, Attributes: map[string]string{"Arn": s.ARN}}, nil
}

// instant reads a moment; the zero time is none.
func (p *properties) instant(name string) time.Time {
	text := p.text(name)
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		p.fail(name, "%q is no moment, such as 2030-01-31T08:00:00Z", text)
	}
	return at.UTC()
}

// schedulerGroup is AWS::Scheduler::ScheduleGroup, which is there as soon as a
// schedule names it.
func schedulerGroup(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.known("Tags")
	name := p.name(r, in.text("Name"), 64)
	return Identity{Physical: name, Attributes: map[string]string{"Arn": p.arn("scheduler", "schedule-group/"+name), "State": "ACTIVE"}}, in.done(p)
}
