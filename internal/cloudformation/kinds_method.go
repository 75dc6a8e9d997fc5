package cloudformation

import (
	"context"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/wire"
)

// restMethod is AWS::ApiGateway::Method: a route of its API.
func restMethod(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("HttpMethod", "ResourceId", "RestApiId")
	api := p.api(in, "RestApiId", gateway.REST)
	route := gateway.Route{Method: strings.ToUpper(in.text("HttpMethod")), KeyRequired: in.flag("ApiKeyRequired")}
	if api != nil {
		var ok bool
		if route.Path, ok = p.path(api.ID, in.text("ResourceId")); !ok && in.has("ResourceId") {
			in.fail("ResourceId", "%s is no resource of the API in this template", in.text("ResourceId"))
		}
	}
	p.authorization(in, &route, api, "AWS::ApiGateway::Authorizer")
	p.validation(in, &route)
	in.known("OperationName")
	integration := in.object("Integration")
	integration.connect(&route)
	p.answers(in)
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	addRoute(api, route)
	return Identity{Physical: p.fixed(r, 16)}, nil
}

// answers are what a method says of its responses, which its integration decides.
func (p *plan) answers(in *properties) {
	for _, a := range in.each("MethodResponses") {
		a.known("ResponseModels", "ResponseParameters", "StatusCode")
	}
}

// addRoute adds a route to an API. A method that only answers preflight requests
// becomes the CORS settings of another of its path, where there is one.
func addRoute(api *gateway.API, route gateway.Route) {
	at := slices.IndexFunc(api.Routes, func(other gateway.Route) bool {
		return other.Path == route.Path && (preflight(other) || preflight(route))
	})
	switch {
	case at < 0:
		api.Routes = append(api.Routes, route)
	case preflight(route):
		api.Routes[at].CORS = route.CORS
	default:
		route.CORS = api.Routes[at].CORS
		api.Routes[at] = route
	}
}

// preflight tells a method that only answers preflight requests.
func preflight(r gateway.Route) bool {
	return r.Method == "OPTIONS" && r.Integration == gateway.IntegrationMock && r.CORS != nil
}

// authorization reads who may call a route.
func (p *plan) authorization(in *properties, route *gateway.Route, api *gateway.API, typ string) {
	id := in.text("AuthorizerId")
	route.Scopes = in.texts("AuthorizationScopes")
	switch kind := in.text("AuthorizationType"); kind {
	case "", "NONE":
	case "AWS_IAM":
		route.Authorizer = gateway.AuthorizerIAM
	case "CUSTOM", "JWT":
		a, ok := p.physical(typ, id)
		if !ok || api == nil {
			in.fail("AuthorizerId", "%q is no authorizer of the API in this template", id)
			return
		}
		route.Authorizer, _ = wire.Plain(a.Properties["Name"])
	default:
		in.fail("AuthorizationType", "%s is not supported here: there are no user pools; write a CUSTOM authorizer, or JWT in an HTTP API", kind)
	}
}

// validation reads what a request must have.
func (p *plan) validation(in *properties, route *gateway.Route) {
	needed := in.object("RequestParameters")
	models := in.pairs("RequestModels")
	id := in.text("RequestValidatorId")
	var v gateway.Validation
	for name := range needed.values {
		if needed.flag(name) {
			v.Parameters = append(v.Parameters, strings.TrimPrefix(name, "method.request."))
		}
	}
	slices.Sort(v.Parameters)
	if id == "" {
		return // they are only described
	}
	validator, ok := p.physical("AWS::ApiGateway::RequestValidator", id)
	if !ok {
		in.fail("RequestValidatorId", "%s is none of this template's", id)
		return
	}
	says := propertiesOf(validator)
	if !says.flag("ValidateRequestParameters") {
		v.Parameters = nil
	}
	if says.flag("ValidateRequestBody") {
		for kind, name := range models {
			if v.Models == nil {
				v.Models = map[string]string{}
			}
			model, ok := p.physical("AWS::ApiGateway::Model", name)
			if !ok {
				in.fail("RequestModels", "%s is none of this template's models", name)
			}
			v.Models[kind] = propertiesOf(model).json("Schema")
		}
	}
	if len(v.Parameters)+len(v.Models) > 0 {
		route.Validation = &v
	}
}

// connect reads what a method does.
func (p *properties) connect(route *gateway.Route) {
	p.known("ContentHandling", "CredentialsArn", "Credentials", "PassthroughBehavior")
	p.idle("every answer is made anew", "CacheKeyParameters", "CacheNamespace")
	p.refuse("nothing would be reached that way", "ConnectionId", "IntegrationTarget")
	if kind := p.choice("ConnectionType", "INTERNET", "VPC_LINK"); kind != "INTERNET" {
		p.fail("ConnectionType", "%s leads nowhere here: let a function in the network ask", kind)
	}
	route.Timeout = p.numberOr("TimeoutInMillis", 50, 29000, 0)
	switch kind := p.text("Type"); kind {
	case "AWS_PROXY":
		p.calls(route)
		p.untouched("RequestTemplates", "RequestParameters", "IntegrationResponses")
	case "AWS":
		p.calls(route)
		p.event(route)
	case "HTTP_PROXY":
		route.Integration, route.URL = gateway.IntegrationHTTP, p.text("Uri")
		p.sameMethod(route)
		p.untouched("RequestTemplates", "IntegrationResponses")
		p.passed()
		p.known("ResponseTransferMode")
	case "MOCK":
		p.mock(route)
	case "":
		p.fail("Type", "it is required")
	default:
		p.fail("Type", "%s is not supported here: responses would have to be made by a template; use HTTP_PROXY", kind)
	}
}
