package cloudformation

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/wire"
)

// restAPI is AWS::ApiGateway::RestApi. It has no stage, and is no use, before a
// deployment or a stage names one.
func restAPI(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	api := gateway.API{
		Stack: p.stack, ID: p.apiID(r, gateway.REST, "ApiGatewayRestApi"), Kind: gateway.REST, Name: in.text("Name"), Description: in.text("Description"),
		BinaryTypes: in.texts("BinaryMediaTypes"), Compress: in.number("MinimumCompressionSize", 0, 10<<20), Tags: in.tags("Tags"),
		KeySource: in.choice("ApiKeySourceType", "", "HEADER", "AUTHORIZER"),
	}
	in.refuse("write its resources and methods; an OpenAPI document is not read", "Body", "BodyS3Location")
	in.refuse("write its resources and methods", "CloneFrom")
	in.refuse("requests would reach functions unchecked", "Policy")
	in.refuse("it would answer at that address all the same", "DisableExecuteApiEndpoint")
	if slices.Contains(in.object("EndpointConfiguration").texts("Types"), "PRIVATE") {
		in.fail("EndpointConfiguration", "a PRIVATE API would answer everybody: make it REGIONAL, and let an authorizer decide")
	}
	in.object("EndpointConfiguration").refuse("it is for PRIVATE APIs", "VpcEndpointIds")
	in.object("EndpointConfiguration").known("Types", "IpAddressType")
	in.known("EndpointConfiguration", "FailOnWarnings", "Mode", "Parameters", "SecurityPolicy", "EndpointAccessMode")
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	p.revision.APIs = append(p.revision.APIs, api)
	return Identity{Physical: api.ID, Attributes: map[string]string{"RestApiId": api.ID, "RootResourceId": gateway.PartID(api.ID, "/")}}, nil
}

// apiID is the id of an API. The one that the Serverless Framework makes has that of
// the stack's only API, as a deployment of a serverless.yml gives it.
func (p *plan) apiID(r Resource, kind, framework string) string {
	switch {
	case r.Physical != "":
		return r.Physical
	case r.ID == framework:
		return arn.APIID(p.stack, kind)
	}
	return arn.APIID(p.stack, kind+" "+r.ID)
}

// api reads the id of an API of the template, nil when it is none of a kind.
func (p *plan) api(in *properties, name, kind string) *gateway.API {
	id := in.text(name)
	i := slices.IndexFunc(p.revision.APIs, func(a gateway.API) bool { return a.ID == id && a.Kind == kind })
	if i < 0 {
		if id != "" {
			in.fail(name, "%s is no %s API of this template; declare it here", id, kind)
		}
		return nil
	}
	return &p.revision.APIs[i]
}

// restResource is AWS::ApiGateway::Resource: a part of a path.
func restResource(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("ParentId", "PathPart", "RestApiId")
	api := p.api(in, "RestApiId", gateway.REST)
	part := in.text("PathPart")
	if strings.Contains(part, "/") {
		in.fail("PathPart", "%q is more than one part of a path; make a resource of each", part)
	}
	id := ""
	if api != nil {
		if parent, ok := p.path(api.ID, in.text("ParentId")); ok {
			id = gateway.PartID(api.ID, strings.TrimSuffix(parent, "/")+"/"+part)
		} else if in.has("ParentId") {
			in.fail("ParentId", "%s is no resource of the API in this template", in.text("ParentId"))
		}
	}
	return Identity{Physical: id, Attributes: map[string]string{"ResourceId": id}}, in.done(p)
}

// path is the path of a resource of a REST API, false when there is no such one.
func (p *plan) path(api, id string) (string, bool) {
	if id == gateway.PartID(api, "/") {
		return "/", true
	}
	r, ok := p.physical("AWS::ApiGateway::Resource", id)
	if !ok {
		return "", false
	}
	parent, _ := wire.Plain(r.Properties["ParentId"])
	part, _ := wire.Plain(r.Properties["PathPart"])
	above, ok := p.path(api, parent)
	return strings.TrimSuffix(above, "/") + "/" + part, ok
}

// restDeployment is AWS::ApiGateway::Deployment. What is declared is deployed as
// soon as the revision is active, so a deployment is only the name of its stage;
// another one in its place, which the Serverless Framework makes each time, changes
// nothing.
func restDeployment(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("RestApiId")
	in.known("Description")
	in.refuse("write an UpdatePolicy of an AWS::Lambda::Alias", "DeploymentCanarySettings")
	api := p.api(in, "RestApiId", gateway.REST)
	about := in.object("StageDescription")
	if name := in.text("StageName"); name != "" && api != nil {
		p.stage(in, api, name)
		about.stageSettings(api, "Variables")
	}
	id := p.fixed(r, 6)
	return Identity{Physical: id, Attributes: map[string]string{"DeploymentId": id}}, in.done(p)
}

var stageName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// stage names the stage of an API, which has one.
func (p *plan) stage(in *properties, api *gateway.API, name string) {
	switch {
	case !stageName.MatchString(name):
		in.fail("StageName", "%q must be 1 to 128 letters, digits, - and _", name)
	case api.Stage != "" && api.Stage != name:
		in.fail("StageName", "the API has the stage %s already, and can have one here: deploy another stack for %s", api.Stage, name)
	default:
		api.Stage = name
	}
}

// restStage is AWS::ApiGateway::Stage.
func restStage(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("RestApiId", "StageName")
	api := p.api(in, "RestApiId", gateway.REST)
	name := in.text("StageName")
	if api != nil {
		p.stage(in, api, name)
	}
	in.known("DeploymentId", "DocumentationVersion", "Description")
	in.stageSettings(api, "Variables")
	return Identity{Physical: name}, in.done(p)
}

// stageSettings reads what a stage says of its API.
func (p *properties) stageSettings(api *gateway.API, variables string) {
	if api == nil {
		api = &gateway.API{}
	}
	if v := p.pairs(variables); v != nil {
		api.Variables = v
	}
	for _, name := range []string{"AccessLogSetting", "AccessLogSettings"} {
		if log := p.object(name); len(log.values) > 0 {
			log.need("DestinationArn", "Format")
			api.AccessLog = &gateway.AccessLog{Group: logs.GroupOf(log.text("DestinationArn")), Format: log.text("Format")}
		}
	}
	for _, m := range p.each("MethodSettings") {
		m.throttling(api)
		m.idle("every answer is made anew", "CachingEnabled", "CacheTtlInSeconds", "CacheDataEncrypted")
		m.idle("write an AccessLogSetting", "LoggingLevel", "DataTraceEnabled")
		m.known("MetricsEnabled")
	}
	p.throttling(api)
	p.idle("every answer is made anew", "CacheClusterEnabled", "CacheClusterSize", "CachingEnabled", "CacheTtlInSeconds", "CacheDataEncrypted")
	p.idle("every stage is traced", "TracingEnabled")
	p.idle("write an AccessLogSetting", "LoggingLevel", "DataTraceEnabled")
	p.refuse("clients would not be asked for one", "ClientCertificateId")
	p.refuse("write an UpdatePolicy of an AWS::Lambda::Alias", "CanarySetting")
	p.known("MetricsEnabled", "DetailedMetricsEnabled", "Tags", "Description", "DocumentationVersion")
}

// throttling reads how many requests a stage takes; one method's alone is refused.
func (p *properties) throttling(api *gateway.API) {
	path, method := p.text("ResourcePath"), p.text("HttpMethod")
	rate, burst := p.decimal("ThrottlingRateLimit"), p.numberOr("ThrottlingBurstLimit", -1, 1<<31-1, 0)
	if rate <= 0 && burst <= 0 {
		return
	}
	if path != "" && path != "/*" || method != "" && method != "*" {
		p.fail("ThrottlingRateLimit", "it can be of a whole stage here, ResourcePath /* and HttpMethod *, not of %s %s", method, path)
	}
	api.Throttle = &gateway.Throttle{Rate: rate, Burst: burst}
}

// restAccount is AWS::ApiGateway::Account: access logs need no role here.
func restAccount(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.known("CloudWatchRoleArn")
	return Identity{Physical: p.fixed(r, 16)}, in.done(p)
}

// restResponse is AWS::ApiGateway::GatewayResponse.
func restResponse(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("RestApiId", "ResponseType")
	api := p.api(in, "RestApiId", gateway.REST)
	answer := gateway.Response{
		Type: in.text("ResponseType"), Status: in.numberOr("StatusCode", 100, 599, 0),
		Parameters: in.pairs("ResponseParameters"), Templates: in.pairs("ResponseTemplates"),
	}
	if api != nil {
		api.Responses = append(api.Responses, answer)
	}
	return Identity{Physical: p.fixed(r, 10), Attributes: map[string]string{"Id": p.fixed(r, 10)}}, in.done(p)
}
