package deploy

import (
	"cmp"
	"fmt"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/pattern"
	"github.com/dropstack/dropstack/internal/queue"
	"github.com/dropstack/dropstack/internal/schedule"
	"github.com/dropstack/dropstack/internal/spec"
)

// addEvent adds what an event of a function asks for; n counts its events from 0.
func (r *Revision) addEvent(svc *spec.Service, f spec.Function, n int, e spec.Event) {
	switch {
	case e.HTTP != nil:
		api := r.api(svc, gateway.REST)
		api.Routes = append(api.Routes, route(e.HTTP, f.Target()))
	case e.HTTPAPI != nil:
		api := r.api(svc, gateway.HTTP)
		api.Routes = append(api.Routes, route(e.HTTPAPI, f.Target()))
	case e.SQS != nil:
		r.Mappings = append(r.Mappings, r.mapping(f, e.SQS))
	case e.Schedule != nil:
		r.addSchedules(svc, f, n, e.Schedule)
	case e.Rule != nil:
		r.addRule(svc, f, n, e.Rule)
	case e.Access != nil:
		r.AccessReaders = append(r.AccessReaders, accesslog.Reader{
			Stack: r.Stack, ID: arn.UUID(r.Stack, "event source mapping", f.Key, e.Access.ARN), Function: arn.Function(r.Region, f.Target()),
			Batch: e.Access.BatchSize, Window: time.Duration(e.Access.Window) * time.Second, Disabled: e.Access.Disabled,
		})
	case e.S3 != nil:
		r.Notifications = append(r.Notifications, bucket.Notification{
			Stack: r.Stack, ID: fmt.Sprintf("%s-%d", f.Name, n), Bucket: e.S3.Bucket, Event: e.S3.Event,
			Prefix: e.S3.Prefix, Suffix: e.S3.Suffix, Function: f.Target(),
		})
	}
}

// mapping is what polls a queue. Its id is the function's and the queue's, so that
// it stays the same when events change places.
func (r *Revision) mapping(f spec.Function, e *spec.SQSEvent) queue.Mapping {
	m := queue.Mapping{
		Stack: r.Stack, ID: arn.UUID(r.Stack, "event source mapping", f.Key, e.ARN), Source: e.ARN, Function: f.Target(),
		BatchSize: e.BatchSize, Window: e.Window, Disabled: e.Disabled, ReportFailures: e.ReportFailures, MaxConcurrency: e.MaxConcurrency,
	}
	for _, filter := range e.Filters {
		m.Filters = append(m.Filters, filter.Pattern)
	}
	return m
}

// addSchedules adds a schedule for each expression of an event.
func (r *Revision) addSchedules(svc *spec.Service, f spec.Function, n int, e *spec.ScheduleEvent) {
	for i, x := range e.Expressions {
		name := e.Name
		if name == "" {
			name = spec.RuleName(f.Name, n+1)
			if len(e.Expressions) > 1 {
				name = fmt.Sprintf("%s-%d", name, i+1)
			}
		}
		s := r.schedule(name, x.Text, e.Input)
		s.Description, s.Disabled, s.Function, s.Tags = e.Description, e.Disabled, f.Target(), svc.Tags
		if e.Scheduler {
			s.atScheduler(e.Group, e.Zone)
		}
		r.Schedules = append(r.Schedules, s.Schedule)
	}
}

// planned is a schedule that is being made.
type planned struct {
	schedule.Schedule
	region string
}

func (r *Revision) schedule(name, expression string, in spec.Input) planned {
	input := inputOf(in)
	return planned{schedule.Schedule{
		Stack: r.Stack, Name: name, ARN: arn.Rule(r.Region, name), Expression: expression,
		Input: input.Text, InputPath: input.Path, Transformer: input.Transformer,
	}, r.Region}
}

// atScheduler makes it a schedule of EventBridge Scheduler.
func (s *planned) atScheduler(group, zone string) {
	s.Scheduler, s.Zone, s.Group = true, zone, group
	s.ARN = arn.Schedule(s.region, cmp.Or(group, "default"), s.Name)
}

// addRule adds the rule of an event, named as the Serverless Framework names it.
func (r *Revision) addRule(svc *spec.Service, f spec.Function, n int, e *spec.RuleEvent) {
	name := cmp.Or(e.Name, spec.RuleName(f.Name, n+1))
	if e.Expression.Text != "" {
		s := r.schedule(name, e.Expression.Text, e.Input)
		s.Description, s.Disabled, s.Function, s.Tags = e.Description, e.Disabled, f.Target(), svc.Tags
		r.Schedules = append(r.Schedules, s.Schedule)
	}
	if e.Pattern == "" {
		return
	}
	r.Rules = append(r.Rules, bus.Rule{
		Stack: r.Stack, Name: name, ARN: arn.BusRule(r.Region, e.Bus, name), Bus: e.Bus, Pattern: e.Pattern,
		Description: e.Description, Disabled: e.Disabled, Tags: svc.Tags,
		Targets: []bus.Target{{
			ID: spec.TargetID(name), ARN: arn.Function(r.Region, f.Target()), Input: inputOf(e.Input),
			DeadLetter: e.DeadLetter, MaxAge: e.MaxAge, MaxRetries: e.MaxRetries,
		}},
	})
}

func inputOf(in spec.Input) pattern.Input {
	out := pattern.Input{Text: in.Text, Path: in.Path}
	if in.Template != "" {
		out.Transformer = &pattern.Transformer{Paths: in.Paths, Template: in.Template}
	}
	return out
}
