package spec

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

// RuleEvent calls the function with events of a bus, at the instants of an
// expression, or both: an event of kind eventBridge or cloudwatchEvent, or an
// AWS::Events::Rule.
type RuleEvent struct {
	Name        string // "": the platform gives one
	Bus         string // name; "": default
	Description string
	Disabled    bool
	Pattern     string     // JSON; "": none
	Expression  Expression // "": none
	Input       Input
	MaxAge      int  `json:",omitzero"` // seconds; 0: not said
	MaxRetries  *int // nil: not said
	DeadLetter  string
	PatternPos  Pos
}

// Bus is an event bus of the service.
type Bus struct {
	Pos         Pos
	Name        string
	Description string
	Tags        map[string]string
}

// Limits of what a target may ask for.
const (
	minTargetAge, maxTargetAge = 60, 86400 // seconds
	maxTargetRetries           = 185
	defaultBus                 = "default"
)

var busName = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,256}$`)

// RuleName is what the Serverless Framework calls the rule of a function's n-th
// event, counted from 1.
func RuleName(function string, n int) string {
	return within64(fmt.Sprintf("%s-rule-%d", function, n), fmt.Sprintf("rule-%d", n))
}

// TargetID is what it calls a rule's target.
func TargetID(rule string) string { return within64(rule+"-target", "target") }

// within64 makes a name no longer than 64 characters, as the framework does.
func within64(name, suffix string) string {
	if len(name) <= 64 {
		return name
	}
	sum := md5.Sum([]byte(name)) // a name, not a secret
	return name[:31-len(suffix)] + hex.EncodeToString(sum[:]) + "-" + suffix
}

// eventRule reads an event of kind eventBridge, or cloudwatchEvent, which is a rule
// of the default bus.
func (r *reader) eventRule(n *node, kind, what string) *RuleEvent {
	e := &RuleEvent{PatternPos: n.pos}
	pattern := func(v *node) {
		if r.is(v, object, what) {
			e.Pattern, e.PatternPos = r.text(r.jsonOf(v, what), v, what), v.pos
		}
	}
	known := keys{
		"enabled":     func(v *node) { e.Disabled = !r.boolean(v, what+".enabled") },
		"name":        func(v *node) { e.Name = r.ruleName(v, what+".name") },
		"description": func(v *node) { e.Description = r.ruleDescription(v, what+".description") },
	}
	if kind == "cloudwatchEvent" {
		known["event"] = pattern
	} else {
		known["pattern"] = pattern
		known["schedule"] = func(v *node) { e.Expression = Expression{v.pos, r.value(v, what+".schedule")} }
		known["eventBus"] = func(v *node) { e.Bus = r.useBus(v, what+".eventBus") }
		known["retryPolicy"] = func(v *node) {
			r.object(v, what+".retryPolicy", keys{
				"maximumEventAge": func(v *node) {
					e.MaxAge = r.integer(v, what+".retryPolicy.maximumEventAge", minTargetAge, maxTargetAge)
				},
				"maximumRetryAttempts": func(v *node) {
					e.MaxRetries = new(r.integer(v, what+".retryPolicy.maximumRetryAttempts", 0, maxTargetRetries))
				},
			}, effects{})
		}
		known["deadLetterQueueArn"] = func(v *node) { e.DeadLetter = r.queueARN(v, what+".deadLetterQueueArn") }
	}
	r.inputs(known, &e.Input, what)
	r.object(n, what, known, effects{})
	if n.kind != object {
		return nil
	}
	switch {
	case kind == "cloudwatchEvent" && n.get("event") == nil:
		r.fail(n.pos, "%s.event is missing: the pattern of events", what)
		return nil
	case kind == "eventBridge" && n.get("pattern") == nil && n.get("schedule") == nil:
		r.fail(n.pos, "%s wants a pattern or a schedule", what)
		return nil
	case e.Expression.Text != "" && e.Bus != "":
		r.fail(e.Expression.Pos, "%s.schedule goes with the default bus only", what)
	}
	return e
}

// useBus reads the name or the ARN of a bus. One that is only named is made, as in
// the Serverless Framework; one by its ARN is there, or another stack's.
func (r *reader) useBus(n *node, what string) string {
	name, byName := r.busOf(n, what)
	if byName && !slices.ContainsFunc(r.svc.Buses, func(b Bus) bool { return b.Name == name }) {
		r.svc.Buses = append(r.svc.Buses, Bus{Pos: n.pos, Name: name})
	}
	return name
}

// busOf reads what names a bus; "" is the default one. byName says that it was no
// more than the name.
func (r *reader) busOf(n *node, what string) (name string, byName bool) {
	name, byName = r.value(n, what), !isIntrinsic(n)
	if rest, ok := strings.CutPrefix(name, "arn:"); ok {
		byName = false
		_, name, ok = strings.Cut(rest, ":event-bus/")
		if !ok {
			r.fail(n.pos, "%s: arn:%s is not the ARN of an event bus", what, rest)
			return "", false
		}
	}
	switch {
	case name == defaultBus || name == "":
		return "", false
	case !busName.MatchString(name):
		r.fail(n.pos, "%s: the bus %q must be 1 to 256 letters, digits and . - _", what, name)
		return "", false
	}
	return name, byName
}

// bus reads an AWS::Events::EventBus.
func (r *reader) bus(f field, n *node) {
	what := "resource " + f.key
	b := Bus{Pos: f.pos}
	r.around(n, what, func(v *node) {
		r.object(v, what, keys{
			"Name": func(v *node) {
				if b.Name = r.value(v, what+".Name"); !busName.MatchString(b.Name) || b.Name == defaultBus {
					r.fail(v.pos, "%s.Name must be 1 to 256 letters, digits and . - _, and not default, not %q", what, b.Name)
				}
			},
			"Description": func(v *node) { b.Description = r.str(v, what+".Description") },
			"Tags":        func(v *node) { b.Tags = r.topicTags(v, what+".Tags") },
		}, effects{
			"EventSourceName":  "no partner sends events here",
			"Policy":           "who may put events is said by the policies of roles",
			"DeadLetterConfig": "events that cannot be delivered go to the queue of the target; write it there",
		})
	})
	if b.Name == "" {
		b.Name = r.svc.Stack() + "-" + f.key
	}
	a := arn.EventBus(r.svc.Region, b.Name)
	r.names[f.key] = resource{b.Name, b.Name, map[string]string{"Arn": a, "Name": b.Name}}
	r.svc.Buses = append(r.svc.Buses, b)
}
