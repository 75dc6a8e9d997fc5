package spec

import (
	"regexp"

	"github.com/dropstack/dropstack/internal/arn"
)

// resources reads a CloudFormation fragment, or a list of fragments.
func (r *reader) resources(n *node) {
	if n.kind == list {
		r.each(n, "resources", func(item *node) {
			if r.is(item, object, "an item of resources") {
				r.resources(item)
			}
		})
		return
	}
	r.object(n, "resources", keys{
		"Resources": func(v *node) {
			if r.is(v, object, "resources.Resources") {
				for _, f := range v.fields {
					r.resource(f)
				}
			}
		},
		"Outputs":    r.outputs,
		"extensions": r.extensions,
		"Conditions": nil, "Parameters": nil, "Mappings": nil, // read before
		"Description": nil, "AWSTemplateFormatVersion": nil, "Metadata": nil, "Rules": nil,
	}, effects{})
}

func (r *reader) resource(f field) {
	n := r.vars.resolve(f.value)
	if !r.is(n, object, "resource "+f.key) {
		return
	}
	if !r.conditional(n.get("Condition"), "resource "+f.key) {
		r.undone[f.key] = r.undeployedResource(f.key)
		return
	}
	typ := r.vars.resolve(n.get("Type"))
	if typ == nil || !typ.scalar() {
		r.fail(f.pos, "resource %s has no Type", f.key)
		return
	}
	if _, twice := r.names[f.key]; twice {
		r.fail(f.pos, "resource %s is there twice", f.key)
		return
	}
	switch typ.text {
	case "AWS::SNS::Topic":
		r.topic(f, n)
	case "AWS::SNS::Subscription", "AWS::SNS::TopicPolicy":
		r.later = append(r.later, func() { r.aboutTopic(typ.text, f, n) }) // it may refer to what is below it
	case "AWS::S3::Bucket":
		r.bucket(f, n)
	case "AWS::S3::BucketPolicy":
		r.later = append(r.later, func() { r.bucketPolicy(f, n) })
	case "AWS::SQS::Queue":
		r.nameQueue(f, n)
	case "AWS::SQS::QueuePolicy":
		r.later = append(r.later, func() { r.queuePolicy(f, n) })
	case "AWS::Events::EventBus":
		r.bus(f, n)
	case "AWS::Events::Rule":
		r.naming = append(r.naming, func() { r.nameRule(f, n, r.eventsRule) }) // it may name a bus below it
	case "AWS::Scheduler::Schedule":
		r.naming = append(r.naming, func() { r.nameRule(f, n, r.scheduled) })
	case "AWS::CloudWatch::Alarm":
		r.nameAlarm(f, n)
	case "AWS::Logs::MetricFilter":
		r.metricFilter(f, n)
	case "AWS::Logs::LogGroup":
		r.logGroup(f, n)
	default:
		if r.nameNetwork(typ.text, f, n) || r.nameIAM(typ.text, f, n) || r.gatewayResource(typ.text, f, n) || r.nameEdge(typ.text, f, n) {
			return
		}
		r.undone[f.key] = r.undeployedResource(f.key)
		if why := needless[typ.text]; why != "" {
			r.warn(f.pos, "resource %s of type %s is not needed: %s", f.key, typ.text, why)
			return
		}
		r.warn(f.pos, "resource %s of type %s is not deployed", f.key, typ.text)
	}
}

// needless are types of resource for what is so anyway, or said elsewhere.
var needless = map[string]string{
	"AWS::Lambda::Permission":                  "topics, rules, buckets and APIs of the platform may call functions",
	"AWS::S3::BucketPolicy":                    "who may do what with a bucket is said by the policies of roles and users",
	"AWS::Events::EventBusPolicy":              "who may put events is said by the policies of roles and users",
	"AWS::ApiGateway::RequestValidator":        "request of an http event says what is validated",
	"AWS::ApiGateway::Model":                   "request.schemas of an http event says what is validated",
	"AWS::ApiGateway::Account":                 "the gateway writes its logs without a role",
	"AWS::Scheduler::ScheduleGroup":            "a group is there as soon as a schedule names it",
	"AWS::Lambda::EventInvokeConfig":           "destinations, maximumEventAge and maximumRetryAttempts of a function say it",
	"AWS::WAFv2::LoggingConfiguration":         "the access log has the rule that ended a request, and its labels",
	"AWS::CloudFormation::WaitConditionHandle": "a deployment waits for nothing",
}

// logGroup reads an AWS::Logs::LogGroup.
func (r *reader) logGroup(f field, n *node) {
	what := "resource " + f.key
	g := LogGroup{Pos: f.pos, Name: r.svc.Stack() + "-" + f.key}
	r.around(n, what, func(v *node) {
		r.object(v, what, keys{
			"LogGroupName":    func(v *node) { g.Name = r.value(v, what+".LogGroupName") },
			"RetentionInDays": func(v *node) { g.Retention = r.retention(v, what+".RetentionInDays") },
			"Tags":            func(v *node) { g.Tags = r.topicTags(v, what+".Tags") },
			"KmsKeyId":        nil, "LogGroupClass": nil, // all are kept encrypted, and as long as all
		}, effects{})
	})
	a := arn.ARN{Partition: "aws", Service: "logs", Region: r.svc.Region, Account: arn.Account, Resource: "log-group:" + g.Name + ":*"}
	r.names[f.key] = resource{g.Name, g.Name, map[string]string{"Arn": a.String()}}
	r.svc.LogGroups = append(r.svc.LogGroups, g)
}

// LogGroup is an AWS::Logs::LogGroup.
type LogGroup struct {
	Pos       Pos
	Name      string
	Retention *Retention // nil: not said
	Tags      map[string]string
}

// generated are those resources that an extension would have changed.
var generated = regexp.MustCompile(`(LambdaFunction|LambdaVersion|LambdaAlias)$|^(ApiGateway|HttpApi)`)

// extensions says that what the framework generates is not changed by hand.
func (r *reader) extensions(n *node) {
	if !r.is(n, object, "resources.extensions") {
		return
	}
	for _, f := range n.fields {
		if generated.MatchString(f.key) {
			r.fail(f.pos, "resources.extensions.%s is not supported: functions and APIs are not made of a template here; set the key in functions, provider.apiGateway or provider.httpApi", f.key)
		} else {
			r.warn(f.pos, "resources.extensions.%s has no effect: what the framework would generate is not made of a template here", f.key)
		}
	}
}
