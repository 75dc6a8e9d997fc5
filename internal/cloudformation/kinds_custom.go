package cloudformation

import (
	"cmp"
	"context"
	"fmt"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/schedule"
)

// What the Serverless Framework has functions of its own do at a deployment is done
// here by the deployment itself. The functions are deployed with the rest, and never
// called.

// customS3 is Custom::S3: notifications of a bucket that is there already.
func customS3(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("FunctionName", "BucketName")
	in.known("ServiceToken", "ForceDeploy")
	fn, name := in.function("FunctionName"), in.text("BucketName")
	if qualifier := in.text("FunctionQualifier"); qualifier != "" {
		fn += ":" + qualifier
	}
	var list []bucket.Notification
	for i, c := range in.each("BucketConfigs") {
		c.need("Event")
		n := bucket.Notification{Stack: p.stack, ID: fmt.Sprintf("%s-%s-%d", p.stack, r.ID, i+1), Bucket: name, Event: c.text("Event"), Function: fn}
		c.eventType("Event", n.Event)
		c.rules("Rules", &n)
		list = append(list, n)
	}
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	p.revision.Notifications = append(p.revision.Notifications, list...)
	return Identity{Physical: p.fixed(r, 16)}, nil
}

// customEventBridge is Custom::EventBridge: a rule for one function.
func customEventBridge(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("FunctionName", "EventBridgeConfig")
	in.known("ServiceToken")
	c := in.object("EventBridgeConfig")
	c.need("RuleName")
	to := target{in: c, Target: bus.Target{ID: c.text("RuleName"), ARN: arn.Function(p.region, in.function("FunctionName"))}}
	to.Input = c.input()
	rule := bus.Rule{
		Stack: p.stack, Name: c.text("RuleName"), ARN: arn.Rule(p.region, c.text("RuleName")), Pattern: c.json("Pattern"),
		Disabled: c.choice("State", "ENABLED", "DISABLED") == "DISABLED", Targets: []bus.Target{to.Target},
	}
	if on := c.text("EventBus"); on != "" {
		if rule.Bus = lastPart(on); rule.Bus == bus.Default {
			rule.Bus = ""
		} else {
			rule.ARN = p.arn("events", "rule/"+rule.Bus+"/"+rule.Name)
			p.needBus(rule.Bus)
		}
	}
	if expression := c.text("Schedule"); expression != "" {
		if _, err := schedule.Parse(expression); err != nil {
			c.fail("Schedule", "%v", err)
		}
		p.tick(c, expression, rule, []target{to})
	}
	if rule.Pattern != "" {
		p.revision.Rules = append(p.revision.Rules, rule)
	}
	return Identity{Physical: cmp.Or(r.Physical, rule.Name)}, in.done(p)
}

// needBus makes the bus that a rule of the framework is on, as its function would,
// unless there is one.
func (p *plan) needBus(name string) {
	for stack, rev := range p.platform.List() {
		for _, b := range rev.Buses {
			if b.Name == name && stack != p.stack {
				return
			}
		}
	}
	for _, b := range p.revision.Buses {
		if b.Name == name {
			return
		}
	}
	p.revision.Buses = append(p.revision.Buses, bus.Bus{Stack: p.stack, Name: name, ARN: p.arn("events", "event-bus/"+name)})
}

// customAccountRole is Custom::ApiGatewayAccountRole: access logs need no role here.
func customAccountRole(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.known("ServiceToken", "RoleArn")
	return Identity{Physical: p.fixed(r, 16)}, in.done(p)
}

// nothing is AWS::CloudFormation::WaitConditionHandle, which the Serverless Framework
// puts into templates that have nothing else.
func nothing(_ context.Context, p *plan, r Resource) (Identity, error) {
	return Identity{Physical: p.fixed(r, 16)}, propertiesOf(r).done(p)
}
