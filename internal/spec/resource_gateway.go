package spec

import (
	"regexp"
)

// GatewayResponse is an AWS::ApiGateway::GatewayResponse: what the REST API answers
// in place of a kind of error of its own.
type GatewayResponse struct {
	Pos        Pos
	Type       string
	Status     int               `json:",omitzero"` // 0: the kind's own
	Parameters map[string]string `json:",omitempty"`
	Templates  map[string]string `json:",omitempty"`
}

var responseType = regexp.MustCompile(`^[A-Z][A-Z0-9_]+$`)

// gatewayResource takes note of a resource of an API; false when its type is none
// that means something here.
func (r *reader) gatewayResource(typ string, f field, n *node) bool {
	switch typ {
	case "AWS::ApiGateway::GatewayResponse":
		r.later = append(r.later, func() { r.gatewayResponse(f, n) })
	case "AWS::ApiGateway::Authorizer":
		r.names[f.key] = resource{f.key, f.key, map[string]string{"AuthorizerId": f.key}}
		r.gates.later = append(r.gates.later, func() { r.declaredAuthorizer(f, n) })
	default:
		return false
	}
	return true
}

func (r *reader) gatewayResponse(f field, n *node) {
	what := "resource " + f.key
	g := GatewayResponse{Pos: f.pos}
	r.around(n, what, func(v *node) {
		r.object(v, what, keys{
			"RestApiId": nil, // the service has one
			"ResponseType": func(v *node) {
				if g.Type = r.str(v, what+".ResponseType"); !responseType.MatchString(g.Type) && v.kind != broken {
					r.fail(v.pos, "%s.ResponseType must be such as DEFAULT_4XX or UNAUTHORIZED, not %q", what, g.Type)
				}
			},
			"StatusCode":         func(v *node) { g.Status = r.integer(v, what+".StatusCode", 100, 599) },
			"ResponseParameters": func(v *node) { g.Parameters = r.stringMap(v, what+".ResponseParameters") },
			"ResponseTemplates":  func(v *node) { g.Templates = r.stringMap(v, what+".ResponseTemplates") },
		}, effects{})
	})
	if g.Type == "" && n.kind == object {
		r.fail(f.pos, "%s has no ResponseType", what)
		return
	}
	r.svc.REST.Responses = append(r.svc.REST.Responses, g)
}

// authorizerURI is how the function of an authorizer is named.
var authorizerURI = regexp.MustCompile(`^arn:aws:apigateway:[a-z0-9-]+:lambda:path/2015-03-31/functions/(.+)/invocations$`)

// declaredAuthorizer reads an AWS::ApiGateway::Authorizer, which events name by
// its id.
func (r *reader) declaredAuthorizer(f field, n *node) {
	what := "resource " + f.key
	a := Authorizer{Pos: f.pos, Name: f.key, Kind: AuthToken, TTL: authorizerTTL}
	var identity *node
	r.around(n, what, func(v *node) {
		r.object(v, what, keys{
			"RestApiId": nil, "AuthorizerCredentials": nil, "AuthType": nil,
			"Name": func(v *node) { a.Name = r.value(v, what+".Name") },
			"Type": func(v *node) {
				if a.Kind = r.str(v, what+".Type"); a.Kind == "COGNITO_USER_POOLS" {
					r.fail(v.pos, userPool, what)
				} else if a.Kind != AuthToken && a.Kind != AuthRequest {
					r.fail(v.pos, "%s.Type must be TOKEN or REQUEST, not %q", what, a.Kind)
				}
			},
			"AuthorizerUri": func(v *node) {
				m := authorizerURI.FindStringSubmatch(r.value(v, what+".AuthorizerUri"))
				ok := m != nil
				if ok {
					a.Function, ok = functionOf(m[1])
				}
				if !ok {
					r.fail(v.pos, "%s.AuthorizerUri is not of the form arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations, with the ARN of a function of this account", what)
				}
			},
			"IdentitySource": set(&identity),
			"IdentityValidationExpression": func(v *node) {
				a.Pattern = r.str(v, what+".IdentityValidationExpression")
			},
			"AuthorizerResultTtlInSeconds": func(v *node) {
				a.TTL = r.integer(v, what+".AuthorizerResultTtlInSeconds", 0, maxAuthorizerTTL)
			},
			"ProviderARNs": nil, // of user pools
		}, effects{})
	})
	a.Identity = r.identity(&a, identity, what)
	r.authorizer(&r.svc.REST, a)
	r.gates.external[a.Name] = f.key
}

// stringMap reads a map of strings, which may be made of CloudFormation's functions.
func (r *reader) stringMap(n *node, what string) map[string]string {
	if !r.is(n, object, what) {
		return nil
	}
	out := map[string]string{}
	for _, f := range n.fields {
		out[f.key] = r.value(f.value, what+"."+f.key)
	}
	return out
}
