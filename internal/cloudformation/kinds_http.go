package cloudformation

import (
	"cmp"
	"context"
	"strings"

	"github.com/dropstack/dropstack/internal/gateway"
)

// httpAPI is AWS::ApiGatewayV2::Api.
func httpAPI(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	api := gateway.API{
		Stack: p.stack, ID: p.apiID(r, gateway.HTTP, "HttpApi"), Kind: gateway.HTTP, Name: in.text("Name"), Stage: "$default",
		Description: in.text("Description"), Tags: in.tags("Tags"),
	}
	if kind := in.text("ProtocolType"); kind != "HTTP" {
		in.fail("ProtocolType", "%q is not supported here: no connection would stay open; use HTTP", kind)
	}
	if in.has("CorsConfiguration") {
		api.CORS = in.object("CorsConfiguration").cors()
	}
	in.refuse("write its integrations and routes; an OpenAPI document is not read", "Body", "BodyS3Location")
	in.refuse("write an integration and a route", "Target", "RouteKey", "CredentialsArn")
	in.refuse("it would answer at that address all the same", "DisableExecuteApiEndpoint")
	in.known("ApiKeySelectionExpression", "BasePath", "DisableSchemaValidation", "FailOnWarnings", "IpAddressType", "RouteSelectionExpression", "Version")
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	p.revision.APIs = append(p.revision.APIs, api)
	at := p.at(api.ID + ".execute-api." + p.region + ".localhost")
	return Identity{Physical: api.ID, Attributes: map[string]string{"ApiId": api.ID, "ApiEndpoint": at}}, nil
}

// httpStage is AWS::ApiGatewayV2::Stage.
func httpStage(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("ApiId", "StageName")
	api := p.api(in, "ApiId", gateway.HTTP)
	name := in.text("StageName")
	if name != "$default" {
		in.fail("StageName", "%q: an HTTP API has the stage $default alone here", name)
	}
	in.object("DefaultRouteSettings").stageSettings(api, "")
	in.stageSettings(api, "StageVariables")
	in.refuse("a limit can be of a whole stage here: write DefaultRouteSettings", "RouteSettings")
	in.known("AutoDeploy", "DeploymentId", "AccessPolicyId")
	return Identity{Physical: name}, in.done(p)
}

// httpDeployment is AWS::ApiGatewayV2::Deployment: what is declared is deployed.
func httpDeployment(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("ApiId")
	p.api(in, "ApiId", gateway.HTTP)
	in.known("Description", "StageName")
	id := p.fixed(r, 6)
	return Identity{Physical: id, Attributes: map[string]string{"DeploymentId": id}}, in.done(p)
}

// httpIntegration is AWS::ApiGatewayV2::Integration, which routes look at.
func httpIntegration(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("ApiId", "IntegrationType")
	p.api(in, "ApiId", gateway.HTTP)
	in.integration(&gateway.Route{Method: "ANY"})
	id := p.fixed(r, 7)
	return Identity{Physical: id, Attributes: map[string]string{"IntegrationId": id}}, in.done(p)
}

// integration reads what a route of an HTTP API does.
func (p *properties) integration(route *gateway.Route) {
	uri := p.text("IntegrationUri")
	route.Payload = p.choice("PayloadFormatVersion", "1.0", "2.0")
	route.Timeout = p.numberOr("TimeoutInMillis", 50, 30000, 0)
	p.known("ApiId", "CredentialsArn", "Description", "IntegrationMethod", "PassthroughBehavior", "ContentHandlingStrategy")
	p.refuse("requests and responses are passed on as they are", "RequestParameters", "ResponseParameters", "RequestTemplates", "TemplateSelectionExpression")
	p.refuse("other services are called from a function", "IntegrationSubtype")
	p.refuse("nothing would be reached that way: let a function in the network ask", "ConnectionId", "TlsConfig")
	if kind := p.choice("ConnectionType", "INTERNET", "VPC_LINK"); kind != "INTERNET" {
		p.fail("ConnectionType", "%s leads nowhere here: let a function in the network ask", kind)
	}
	switch kind := p.text("IntegrationType"); kind {
	case "AWS_PROXY":
		if _, rest, ok := strings.Cut(uri, "/functions/"); ok {
			uri = strings.TrimSuffix(rest, "/invocations")
		}
		fn, wrong := functionName(uri)
		if wrong != "" {
			p.fail("IntegrationUri", "%s", wrong)
		}
		route.Function = fn
	case "HTTP_PROXY":
		route.Integration, route.URL, route.Payload = gateway.IntegrationHTTP, uri, ""
		if !strings.HasPrefix(uri, "http://") && !strings.HasPrefix(uri, "https://") {
			p.fail("IntegrationUri", "%q is no URL of http or https", uri)
		}
	case "":
	default:
		p.fail("IntegrationType", "%s is not supported here; AWS_PROXY and HTTP_PROXY are", kind)
	}
}

// httpRoute is AWS::ApiGatewayV2::Route.
func httpRoute(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("ApiId", "RouteKey", "Target")
	api := p.api(in, "ApiId", gateway.HTTP)
	route := gateway.Route{Method: "ANY", Path: in.text("RouteKey")}
	if method, path, ok := strings.Cut(route.Path, " "); ok {
		route.Method, route.Path = strings.ToUpper(method), path
	} else if route.Path != "$default" && route.Path != "" {
		in.fail("RouteKey", "%q is neither $default nor a method and a path, such as GET /notes/{id}", route.Path)
	}
	id := strings.TrimPrefix(in.text("Target"), "integrations/")
	if to, ok := p.physical("AWS::ApiGatewayV2::Integration", id); ok {
		propertiesOf(to).integration(&route)
	} else if id != "" {
		in.fail("Target", "%q is no integration of this template", in.text("Target"))
	}
	p.authorization(in, &route, api, "AWS::ApiGatewayV2::Authorizer")
	in.known("OperationName")
	in.refuse("HTTP APIs have no keys", "ApiKeyRequired")
	in.refuse("it is for WebSocket APIs", "ModelSelectionExpression", "RequestModels", "RequestParameters", "RouteResponseSelectionExpression")
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	api.Routes = append(api.Routes, route)
	physical := p.fixed(r, 7)
	return Identity{Physical: physical, Attributes: map[string]string{"RouteId": physical}}, nil
}

// httpAuthorizer is AWS::ApiGatewayV2::Authorizer.
func httpAuthorizer(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("ApiId", "AuthorizerType", "Name")
	api := p.api(in, "ApiId", gateway.HTTP)
	a := gateway.Authorizer{
		Name: in.text("Name"), Kind: in.text("AuthorizerType"), Function: in.authorizerFunction(), Identity: in.texts("IdentitySource"),
		TTL: in.numberOr("AuthorizerResultTtlInSeconds", 0, 3600, 0), Simple: in.flag("EnableSimpleResponses"),
	}
	jwt := in.object("JwtConfiguration")
	a.Issuer, a.Audience = jwt.text("Issuer"), jwt.texts("Audience")
	if version := in.choice("AuthorizerPayloadFormatVersion", "", "1.0", "2.0"); a.Kind == gateway.AuthorizerRequest {
		a.Payload = cmp.Or(version, "1.0")
	}
	switch a.Kind {
	case gateway.AuthorizerJWT:
		jwt.need("Issuer", "Audience")
	case gateway.AuthorizerRequest:
		in.need("AuthorizerUri")
	case "":
	default:
		in.fail("AuthorizerType", "%q is neither JWT nor REQUEST", a.Kind)
	}
	in.known("AuthorizerCredentialsArn", "IdentityValidationExpression")
	p.authorizer(in, api, a)
	id := p.fixed(r, 6)
	return Identity{Physical: id, Attributes: map[string]string{"AuthorizerId": id}}, in.done(p)
}
