package deploy

import (
	"fmt"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/queue"
	"github.com/dropstack/dropstack/internal/spec"
)

// addResources adds what a service has under resources, but for topics and roles.
func (r *Revision) addResources(svc *spec.Service) {
	for _, q := range svc.Queues {
		r.Queues = append(r.Queues, queue.Queue{
			Stack: r.Stack, Name: q.Name, ARN: arn.Queue(r.Region, q.Name), FIFO: q.FIFO, ContentDedup: q.ContentDedup,
			Visibility: q.Visibility, Retention: q.Retention, Delay: q.Delay, Wait: q.Wait, MaxSize: q.MaxSize,
			DeadLetter: q.DeadLetter, MaxReceive: q.MaxReceive, Policy: q.Policy.Document, KMSKey: q.KMSKey, Tags: tags(svc, q.Tags),
		})
	}
	for _, b := range svc.Buses {
		r.Buses = append(r.Buses, bus.Bus{Stack: r.Stack, Name: b.Name, ARN: arn.EventBus(r.Region, b.Name), Description: b.Description, Tags: tags(svc, b.Tags)})
	}
	for _, rule := range svc.Rules {
		r.addRuleResource(svc, rule)
	}
	for i, n := range svc.Notifications {
		r.addNotification(i, n)
	}
	r.addLogGroups(svc)
}

// addNotification adds an event of a bucket that is a resource; i counts them.
func (r *Revision) addNotification(i int, n spec.Notification) {
	r.Notifications = append(r.Notifications, bucket.Notification{
		Stack: r.Stack, ID: fmt.Sprintf("%s-%d", n.Bucket, i), Bucket: n.Bucket, Event: n.Event, Prefix: n.Prefix, Suffix: n.Suffix, Function: n.Function,
	})
}

// addBucket adds a bucket and what the service says of it.
func (r *Revision) addBucket(b spec.Bucket) {
	r.Buckets = append(r.Buckets, b.Name)
	if b.Policy.Document == "" && len(b.CORS) == 0 {
		return
	}
	s := bucket.Settings{Bucket: b.Name, Policy: b.Policy.Document}
	for _, c := range b.CORS {
		s.CORS = append(s.CORS, bucket.CORSRule(c))
	}
	r.BucketSettings = append(r.BucketSettings, s)
}

// addLogGroups adds the log groups of which something is said: how long those of
// functions and APIs are kept, and those that are resources.
func (r *Revision) addLogGroups(svc *spec.Service) {
	add := func(name string, kept *spec.Retention, own map[string]string) {
		g := logs.Declared{Name: name, Tags: tags(svc, own)}
		if kept != nil {
			g.Retention = kept.Days
		}
		r.LogGroups = append(r.LogGroups, g)
	}
	for _, f := range svc.Functions {
		if f.LogRetention != nil {
			add("/aws/lambda/"+f.Name, f.LogRetention, nil)
		}
	}
	for _, api := range r.APIs {
		if api.AccessLog != nil && api.Kind != gateway.URL && svc.LogRetention != nil {
			add(api.AccessLog.Group, svc.LogRetention, nil)
		}
	}
	for _, g := range svc.LogGroups {
		add(g.Name, g.Retention, g.Tags)
	}
}

// addRuleResource adds a rule, or a schedule for each of its targets.
func (r *Revision) addRuleResource(svc *spec.Service, rule spec.Rule) {
	out := bus.Rule{
		Stack: r.Stack, Name: rule.Name, ARN: arn.BusRule(r.Region, rule.Bus, rule.Name), Bus: rule.Bus, Pattern: rule.Pattern,
		Description: rule.Description, Disabled: rule.Disabled, Tags: tags(svc, rule.Tags),
	}
	for _, t := range rule.Targets {
		out.Targets = append(out.Targets, bus.Target{
			ID: t.ID, ARN: t.ARN, Input: inputOf(t.Input), Group: t.Group, DeadLetter: t.DeadLetter, MaxAge: t.MaxAge, MaxRetries: t.MaxRetries,
		})
	}
	if rule.Pattern != "" {
		r.Rules = append(r.Rules, out)
	}
	if rule.Expression.Text == "" {
		return
	}
	add := func(t spec.RuleTarget) {
		s := r.schedule(rule.Name, rule.Expression.Text, t.Input)
		s.Description, s.Disabled, s.Tags, s.Target = rule.Description, rule.Disabled, out.Tags, t.ID
		if a, err := arn.Parse(t.ARN); err == nil && a.Service != "lambda" {
			s.To, s.ToGroup = t.ARN, t.Group
		} else {
			s.Function = nameOf(t.ARN)
		}
		if rule.Scheduler {
			s.atScheduler(rule.Group, rule.Zone)
			s.Start, s.End = rule.Start, rule.End
		}
		r.Schedules = append(r.Schedules, s.Schedule)
	}
	for _, t := range rule.Targets {
		add(t)
	}
	if len(rule.Targets) == 0 {
		add(spec.RuleTarget{})
	}
}
