package deploy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/dropstack/dropstack/internal/instance"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/pattern"
	"github.com/dropstack/dropstack/internal/schedule"
	"github.com/dropstack/dropstack/internal/spec"
)

// checker gathers what rooms refuse of a service.
type checker struct {
	svc      *spec.Service
	problems []spec.Problem
}

func (c *checker) report(pos spec.Pos, format string, args ...any) {
	c.problems = append(c.problems, spec.Problem{Pos: pos, Message: fmt.Sprintf(format, args...)})
}

// warn tells of what is deployed all the same.
func (c *checker) warn(pos spec.Pos, format string, args ...any) {
	c.svc.Warnings = append(c.svc.Warnings, spec.Problem{Pos: pos, Message: fmt.Sprintf(format, args...)})
}

// Check asks the rooms what the parts of a service mean, and answers with what
// they refuse, each with its line. What they do in another way is added to
// the service's warnings.
func Check(svc *spec.Service) []spec.Problem {
	c := &checker{svc: svc}
	for i := range svc.Functions {
		c.function(&svc.Functions[i])
	}
	c.routes()
	for _, rule := range svc.Rules {
		c.rule(rule)
	}
	c.retention(svc.LogRetention)
	for _, g := range svc.LogGroups {
		c.retention(g.Retention)
	}
	for _, b := range svc.Buckets {
		c.policy(policy.Resource, b.Policy, "the policy of bucket "+b.Name)
	}
	c.bucketEvents()
	c.logSources()
	for _, q := range svc.Queues {
		c.policy(policy.Resource, q.Policy, "the policy of queue "+q.Name)
	}
	checkRoles(svc, c)
	if _, _, wrong := planTopics(svc); len(wrong) > 0 {
		c.problems = append(c.problems, wrong...)
	}
	c.edge()
	c.alarms()
	c.alertRules()
	c.monitors()
	return c.problems
}

func (c *checker) function(f *spec.Function) {
	for name := range f.Environment {
		if instance.Reserved(name) {
			c.report(f.Pos, "function %q sets %s, which the platform sets; choose another name", f.Key, name)
		}
	}
	if f.LogRetention != c.svc.LogRetention {
		c.retention(f.LogRetention)
	}
	if s := f.Shift; s != nil {
		if _, err := parseTraffic(s.Type); err != nil {
			c.report(s.TypePos, "%v", err)
		}
		if f.ProvisionedConcurrency > 0 {
			c.report(s.Pos, "function %s has provisionedConcurrency, whose alias its callers have; they cannot be shifted too", f.Key)
		}
	}
	r := &Revision{Stack: c.svc.Stack(), Region: c.svc.Region}
	for _, e := range f.Events {
		switch {
		case e.Schedule != nil:
			for _, x := range e.Schedule.Expressions {
				s := r.schedule(f.Name, x.Text, e.Schedule.Input)
				if e.Schedule.Scheduler {
					s.atScheduler(e.Schedule.Group, e.Schedule.Zone)
				}
				c.schedule(s.Schedule, x, e.Schedule.Input)
			}
		case e.Rule != nil:
			c.events(*e.Rule)
			if x := e.Rule.Expression; x.Text != "" {
				c.schedule(r.schedule(f.Name, x.Text, e.Rule.Input).Schedule, x, e.Rule.Input)
			}
		case e.SQS != nil:
			for _, filter := range e.SQS.Filters {
				if _, err := pattern.Parse(filter.Pattern); err != nil {
					c.report(filter.Pos, "%v", err)
				}
			}
			m := r.mapping(*f, e.SQS)
			if err := m.Check(); err != nil {
				c.report(e.Pos, "%v", err)
			}
		}
	}
}

// bucketEvents asks what the events of buckets mean, one after the other, as routes
// does.
func (c *checker) bucketEvents() {
	r := &Revision{Stack: c.svc.Stack(), Region: c.svc.Region}
	ask := func(pos spec.Pos, event string) {
		last := len(r.Notifications) - 1
		if !slices.Contains(bucket.Events, event) {
			c.report(pos, "%q is none of the events of buckets: %s", event, strings.Join(bucket.Events, ", "))
		} else if err := bucket.Check(r.Notifications); err != nil {
			c.report(pos, "%v", err)
		} else {
			return
		}
		r.Notifications = r.Notifications[:last] // the others are fine without it
	}
	for _, f := range c.svc.Functions {
		for n, e := range f.Events {
			if e.S3 != nil {
				r.addEvent(c.svc, f, n, e)
				ask(e.Pos, e.S3.Event)
			}
		}
	}
	for i, n := range c.svc.Notifications {
		r.addNotification(i, n)
		ask(n.Pos, n.Event)
	}
}

func (c *checker) retention(kept *spec.Retention) {
	if kept != nil && !slices.Contains(logs.Retentions, kept.Days) {
		c.report(kept.Pos, "records are kept for one of %v days, not for %d", logs.Retentions, kept.Days)
	} else if kept != nil && kept.Days > logs.KeptDays {
		c.warn(kept.Pos, "records are kept for %d days and within the room that logs have; not for %d", logs.KeptDays, kept.Days)
	}
}

// routes asks what the routes of APIs mean, one after the other: what is wrong with
// one is told at its place.
func (c *checker) routes() {
	r := &Revision{Stack: c.svc.Stack(), Service: c.svc.Name, Stage: c.svc.Stage, Region: c.svc.Region}
	said := map[string]bool{}
	for _, f := range c.svc.Functions {
		for n, e := range f.Events {
			if e.HTTP == nil && e.HTTPAPI == nil {
				continue
			}
			r.addEvent(c.svc, f, n, e)
			for _, fault := range parts(gateway.Check(r.APIs)) {
				if !said[fault] {
					said[fault] = true
					c.report(e.Pos, "%s", fault)
				}
			}
		}
	}
}

// more begins the lines of an error but for the first.
var more = regexp.MustCompile(`\n[ -]*`)

// parts are the errors that were joined into one, each in one line.
func parts(err error) (list []string) {
	if joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		for _, one := range joined.Unwrap() {
			list = append(list, more.ReplaceAllString(one.Error(), "; "))
		}
		return list
	}
	if err != nil {
		list = []string{more.ReplaceAllString(err.Error(), "; ")}
	}
	return list
}

// schedule asks what an expression and an input mean.
func (c *checker) schedule(s schedule.Schedule, x spec.Expression, in spec.Input) {
	if err := s.Check(); err != nil {
		pos := x.Pos
		if plain := (schedule.Schedule{Expression: s.Expression, Zone: s.Zone, Scheduler: s.Scheduler}); plain.Check() == nil && in.Pos != (spec.Pos{}) {
			pos = in.Pos
		}
		c.report(pos, "%s: %v", x.Text, err)
	}
}

// events asks what a pattern and an input mean.
func (c *checker) events(e spec.RuleEvent) {
	if e.Pattern != "" {
		if _, err := pattern.Parse(e.Pattern); err != nil {
			c.report(e.PatternPos, "%v", err)
		}
	}
	c.input(e.Input)
}

func (c *checker) input(in spec.Input) {
	if err := inputOf(in).Check(); err != nil {
		c.report(in.Pos, "%v", err)
	}
}

func (c *checker) rule(rule spec.Rule) {
	c.events(rule.RuleEvent)
	for _, t := range rule.Targets {
		if rule.Expression.Text == "" {
			c.input(t.Input)
		}
	}
	if rule.Expression.Text == "" {
		return
	}
	r := &Revision{Stack: c.svc.Stack(), Region: c.svc.Region}
	r.addRuleResource(c.svc, rule)
	for i, s := range r.Schedules {
		in := spec.Input{}
		if i < len(rule.Targets) {
			in = rule.Targets[i].Input
		}
		c.schedule(s, rule.Expression, in)
	}
}

// inLine is how a policy's mistake says where it is.
var inLine = regexp.MustCompile(`^policy, line (\d+), column \d+: `)

// policy asks what a policy means, if there is one.
func (c *checker) policy(kind policy.Kind, p spec.Policy, whose string) {
	if p.Document == "" {
		return
	}
	if _, err := policy.Parse(kind, p.Document); err != nil {
		message, pos := err.Error(), p.Pos
		if m := inLine.FindStringSubmatch(message); m != nil {
			line, _ := strconv.Atoi(m[1]) // digits
			message, pos = message[len(m[0]):], p.At(line)
		}
		c.report(pos, "%s: %s", whose, message)
	}
}
