package deploy_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/spec"
)

// planned checks a service and derives its revision; every artifact is "sha".
func planned(t *testing.T, svc *spec.Service) *deploy.Revision {
	t.Helper()
	if problems := deploy.Check(svc); len(problems) > 0 {
		t.Fatal(problems)
	}
	functions, layers := map[string]string{}, map[string]string{}
	for _, f := range svc.Functions {
		functions[f.Key] = "sha"
	}
	for _, l := range svc.Layers {
		layers[l.Key] = "sha"
	}
	r, err := deploy.Plan(svc, functions, layers)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPlanOfARESTAPI(t *testing.T) {
	r := planned(t, loaded(t, `service: shop
provider:
  name: aws
  runtime: provided.al2023
  tags: {team: shop}
  logs: {restApi: {format: $context.status}}
  apiGateway:
    stage: v1
    description: sells
    binaryMediaTypes: ["*/*"]
    minimumCompressionSize: 10
    apiKeySourceType: HEADER
    apiKeys: [one, {name: two, value: aaaaaaaaaaaaaaaaaaaa, enabled: false}]
    usagePlan: {quota: {limit: 10, offset: 1, period: DAY}, throttle: {rateLimit: 2.5, burstLimit: 3}}
functions:
  check: {handler: check}
  f:
    handler: f
    events:
      - http:
          method: get
          path: a/{id}
          cors: true
          private: true
          authorizer: {name: check, type: request, identitySource: method.request.header.X}
          timeoutInMillis: 100
          request: {parameters: {paths: {id: true}}, schemas: {application/json: {type: object}}}
      - http: {method: post, path: b, async: true}
      - http: {method: any, path: c, integration: http, request: {uri: "https://example.com/"}}
resources:
  Resources:
    Denied: {Type: AWS::ApiGateway::GatewayResponse, Properties: {ResponseType: UNAUTHORIZED, StatusCode: 403}}
`))
	id := arn.APIID("shop-dev", gateway.REST)
	headers := []string{"Content-Type", "X-Amz-Date", "Authorization", "X-Api-Key", "X-Amz-Security-Token", "X-Amz-User-Agent", "X-Amzn-Trace-Id"}
	want := []gateway.API{{
		Stack: "shop-dev", ID: id, Kind: gateway.REST, Name: "dev-shop", Stage: "v1", Description: "sells",
		BinaryTypes: []string{"*/*"}, Compress: new(10), KeySource: "HEADER", Tags: map[string]string{"team": "shop"},
		Authorizers: []gateway.Authorizer{{Name: "check", Kind: gateway.AuthorizerRequest, Function: "shop-dev-check", Identity: []string{"method.request.header.X"}, TTL: 300}},
		Responses:   []gateway.Response{{Type: "UNAUTHORIZED", Status: 403}},
		AccessLog:   &gateway.AccessLog{Group: "/aws/api-gateway/shop-dev", Format: "$context.status"},
		Routes: []gateway.Route{
			{
				Method: "GET", Path: "/a/{id}", Function: "shop-dev-f", KeyRequired: true, Authorizer: "check", Timeout: 100,
				CORS:       &gateway.CORS{Origins: []string{"*"}, Headers: headers, Methods: []string{"GET", "OPTIONS"}},
				Validation: &gateway.Validation{Parameters: []string{"path.id"}, Models: map[string]string{"application/json": `{"type":"object"}`}},
			},
			{Method: "POST", Path: "/b", Function: "shop-dev-f", Integration: gateway.IntegrationAsync},
			{Method: "ANY", Path: "/c", Function: "shop-dev-f", Integration: gateway.IntegrationHTTP, URL: "https://example.com/"},
		},
	}}
	if diff := cmp.Diff(want, r.APIs); diff != "" {
		t.Errorf("APIs -want +got:\n%s", diff)
	}
	keys := []gateway.APIKey{
		{Stack: "shop-dev", ID: arn.ID(10, "shop-dev", "api key", "one"), Name: "one"},
		{Stack: "shop-dev", ID: arn.ID(10, "shop-dev", "api key", "two"), Name: "two", Value: "aaaaaaaaaaaaaaaaaaaa", Disabled: true},
	}
	if diff := cmp.Diff(keys, r.APIKeys); diff != "" {
		t.Errorf("API keys -want +got:\n%s", diff)
	}
	plans := []gateway.UsagePlan{{
		Stack: "shop-dev", ID: arn.ID(6, "shop-dev", "usage plan", ""), Name: "shop-dev", Description: "Usage plan for shop dev stage",
		Stages: []gateway.PlanStage{{API: id, Stage: "v1"}}, Keys: []string{keys[0].ID, keys[1].ID},
		Quota: &gateway.Quota{Limit: 10, Offset: 1, Period: "DAY"}, Throttle: &gateway.Throttle{Rate: 2.5, Burst: 3},
	}}
	if diff := cmp.Diff(plans, r.UsagePlans); diff != "" {
		t.Errorf("usage plans -want +got:\n%s", diff)
	}
}

func TestPlanOfAnHTTPAPI(t *testing.T) {
	r := planned(t, loaded(t, `service: shop
provider:
  name: aws
  runtime: provided.al2023
  logs: {httpApi: true}
  httpApi:
    shouldStartNameWithService: true
    payload: "1.0"
    authorizers:
      users: {identitySource: [$request.header.Authorization], issuerUrl: "https://id.example/", audience: [shop, till]}
      named: {type: request, functionName: f, enableSimpleResponses: true}
functions:
  f:
    handler: f
    provisionedConcurrency: 1
    events:
      - httpApi: {method: get, path: /a, authorizer: {name: users, scopes: [read]}, timeout: 1}
      - httpApi: {method: get, path: /b, authorizer: {type: aws_iam}}
`))
	api := r.APIs[0]
	if api.Name != "shop-dev" || api.AccessLog == nil || api.AccessLog.Group != "/aws/http-api/shop-dev" {
		t.Errorf("got name %q and log %+v", api.Name, api.AccessLog)
	}
	authorizers := []gateway.Authorizer{
		{Name: "users", Kind: gateway.AuthorizerJWT, Identity: []string{"$request.header.Authorization"}, Issuer: "https://id.example/", Audience: []string{"shop", "till"}},
		{Name: "named", Kind: gateway.AuthorizerRequest, Function: "shop-dev-f:provisioned", Payload: "2.0", Simple: true},
	}
	if diff := cmp.Diff(authorizers, api.Authorizers); diff != "" {
		t.Errorf("authorizers -want +got:\n%s", diff)
	}
	routes := []gateway.Route{
		{Method: "GET", Path: "/a", Function: "shop-dev-f:provisioned", Payload: "1.0", Authorizer: "users", Scopes: []string{"read"}, Timeout: 1000},
		{Method: "GET", Path: "/b", Function: "shop-dev-f:provisioned", Payload: "1.0", Authorizer: gateway.AuthorizerIAM},
	}
	if diff := cmp.Diff(routes, api.Routes); diff != "" {
		t.Errorf("routes -want +got:\n%s", diff)
	}
}

func TestRoutesThatAreWrongAreToldWithTheirLine(t *testing.T) {
	svc := loaded(t, `service: shop
provider: {name: aws, runtime: provided.al2023}
functions:
  f:
    handler: f
    events:
      - http: GET /a/{id}/b
      - http: {method: get, path: "a/{name}"}
      - http: {method: post, path: "a/{x+}/c"}
      - http: {method: post, path: d, request: {schemas: {application/json: {type: 7}}}}
      - http: {method: get, path: e, integration: http-proxy, request: {uri: "https://{host}/"}}
      - httpApi: GET /{a}/{a}
`)
	var got []string
	for _, p := range deploy.Check(svc) {
		p.Pos.File = filepath.Base(p.Pos.File)
		got = append(got, p.String())
	}
	want := []string{
		`serverless.yml:8: route "GET /a/{name}": {id} stands in the same place in another route; a REST API needs one name there`,
		`serverless.yml:9: route "POST /a/{x+}/c": {x+} must be the last part of the path`,
		`serverless.yml:10: route "POST /d": model for application/json: "model:///model.json#" is not valid against metaschema: jsonschema validation failed with 'http://json-schema.org/draft-04/schema#'; at '/type': 'anyOf' failed; at '/type': value must be one of 'array', 'boolean', 'integer', 'null', 'number', 'object', 'string'; at '/type': got number, want array`,
		`serverless.yml:11: route "GET /e": url "https://{host}/" must begin with http:// or https:// and the name of a host; parameters stand in its path`,
		`serverless.yml:12: route "GET /{a}/{a}": the name {a} is there twice`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
