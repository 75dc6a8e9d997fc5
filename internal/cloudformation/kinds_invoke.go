package cloudformation

import (
	"context"
	"reflect"
	"slices"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/queue"
	"github.com/dropstack/dropstack/internal/wire"
)

// lambdaEventInvokeConfig is AWS::Lambda::EventInvokeConfig. It is the function's
// here, for all its versions: a second one has to say the same.
func lambdaEventInvokeConfig(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("FunctionName", "Qualifier")
	f, qualifier := in.ownFunction(p, "FunctionName", "Qualifier")
	age, retries := in.numberOr("MaximumEventAgeInSeconds", 60, 21600, 0), in.number("MaximumRetryAttempts", 0, 2)
	to := in.object("DestinationConfig")
	success, failure := to.object("OnSuccess").text("Destination"), to.object("OnFailure").text("Destination")
	if f != nil {
		next := *f
		next.MaxEventAge, next.MaxRetries, next.OnSuccess, next.OnFailure = age, retries, success, failure
		if p.configured(r, f.Name) && !reflect.DeepEqual(*f, next) {
			in.fail("Qualifier", "another AWS::Lambda::EventInvokeConfig of %s says otherwise: it is one for all versions of a function here", f.Name)
		}
		if err := function.Check(next); err != nil {
			in.fail("DestinationConfig", "%v", err)
		}
		*f = next
	}
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	if qualifier == "" {
		qualifier = function.Latest
	}
	return Identity{Physical: f.Name + "|" + qualifier}, nil
}

// configured tells whether another resource has configured a function's events.
func (p *plan) configured(r Resource, name string) bool {
	for id, other := range p.templates {
		if id == r.ID || other.Type != r.Type {
			continue
		}
		if s, ok := wire.Plain(other.Properties["FunctionName"]); ok {
			if other, _ := functionName(s); other == name {
				return true
			}
		}
	}
	return false
}

// lambdaMapping is AWS::Lambda::EventSourceMapping.
func lambdaMapping(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("FunctionName", "EventSourceArn")
	if isAccessStream(in.text("EventSourceArn")) {
		return accessReader(p, r, in)
	}
	m := queue.Mapping{
		Stack: p.stack, ID: p.uuid(r), Source: in.text("EventSourceArn"), Function: in.function("FunctionName"),
		BatchSize: in.numberOr("BatchSize", 1, 10000, 0), Window: in.numberOr("MaximumBatchingWindowInSeconds", 0, 300, 0),
		Disabled: !in.flagOr("Enabled", true), MaxConcurrency: in.object("ScalingConfig").numberOr("MaximumConcurrency", 2, 1000, 0),
	}
	if a, err := arn.Parse(m.Source); m.Source != "" && (err != nil || a.Service != "sqs") {
		in.fail("EventSourceArn", "%s is not a queue: streams and brokers are not offered here; send to an AWS::SQS::Queue, or publish to an AWS::SNS::Topic", m.Source)
	}
	for _, filter := range in.object("FilterCriteria").each("Filters") {
		m.Filters = append(m.Filters, filter.json("Pattern"))
	}
	types := in.texts("FunctionResponseTypes")
	m.ReportFailures = slices.Contains(types, "ReportBatchItemFailures")
	in.refuse("it is for streams and brokers", "SelfManagedEventSource", "SelfManagedKafkaEventSourceConfig", "AmazonManagedKafkaEventSourceConfig", "DocumentDBEventSourceConfig",
		"SourceAccessConfigurations", "Topics", "Queues", "BisectBatchOnFunctionError", "DestinationConfig", "TumblingWindowInSeconds")
	in.idle("it is for streams", "MaximumRecordAgeInSeconds", "MaximumRetryAttempts", "ParallelizationFactor", "StartingPosition", "StartingPositionTimestamp")
	in.idle("messages are polled as fast as they come", "ProvisionedPollerConfig", "MetricsConfig")
	in.known("KmsKeyArn", "Tags", "LoggingConfig")
	if err := m.Check(); err != nil && len(in.wrong) == 0 {
		in.fail("EventSourceArn", "%v", err)
	}
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	p.revision.Mappings = append(p.revision.Mappings, m)
	return Identity{Physical: m.ID, Attributes: map[string]string{"Id": m.ID, "EventSourceMappingArn": p.arn("lambda", "event-source-mapping:"+m.ID)}}, nil
}

// lambdaURL is AWS::Lambda::Url.
func lambdaURL(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("AuthType", "TargetFunctionArn")
	f, qualifier := in.ownFunction(p, "TargetFunctionArn", "Qualifier")
	auth := in.choice("AuthType", gateway.AuthNone, gateway.AuthIAM)
	stream := in.choice("InvokeMode", "BUFFERED", "RESPONSE_STREAM") == "RESPONSE_STREAM"
	var cors *gateway.CORS
	if in.has("Cors") {
		cors = in.object("Cors").cors()
	}
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	api := gateway.FunctionURL(p.stack, f.Name, qualifier)
	api.Auth, api.CORS, api.Routes[0].Stream = auth, cors, stream
	p.revision.APIs = append(p.revision.APIs, api)
	target := f.ARN
	if qualifier != "" {
		target += ":" + qualifier
	}
	at := p.at(gateway.URLHost(api.ID, p.region)) + "/"
	return Identity{Physical: target, Attributes: map[string]string{"FunctionUrl": at, "FunctionArn": target}}, nil
}

// at is the URL of a host that the edge answers for.
func (p *plan) at(host string) string {
	if p.url == nil {
		return "https://" + host
	}
	return p.url(host)
}

// cors reads the CORS settings of an HTTP API or a function URL.
func (p *properties) cors() *gateway.CORS {
	return &gateway.CORS{
		Origins: p.texts("AllowOrigins"), Headers: p.texts("AllowHeaders"), Methods: p.texts("AllowMethods"), ExposeHeaders: p.texts("ExposeHeaders"),
		AllowCredentials: p.flag("AllowCredentials"), MaxAgeSeconds: p.numberOr("MaxAge", 0, 86400, 0),
	}
}
