package cloudformation

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/gateway"
)

// rest is a REST API with a function F, and more.
func rest(more string) string {
	return `{"Resources": {"F": ` + fn("") + `,
		"Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "api"}},
		"Items": {"Type": "AWS::ApiGateway::Resource", "Properties": {"RestApiId": {"Ref": "Api"}, "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]}, "PathPart": "items"}},
		"Item": {"Type": "AWS::ApiGateway::Resource", "Properties": {"RestApiId": {"Ref": "Api"}, "ParentId": {"Ref": "Items"}, "PathPart": "{id}"}},
		"Deployed": {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": {"Ref": "Api"}, "StageName": "dev"}}` + more + `}}`
}

// method is a method of the path /items/{id}.
func method(more string) string {
	return `{"Type": "AWS::ApiGateway::Method", "Properties": {"RestApiId": {"Ref": "Api"}, "ResourceId": {"Ref": "Item"}, ` + more + `}}`
}

const (
	uri   = `"Uri": {"Fn::Join": ["", ["arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/", {"Fn::GetAtt": ["F", "Arn"]}, "/invocations"]]}`
	proxy = `"Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", ` + uri + `}`
)

func TestMethods(t *testing.T) {
	templates := frameworkTemplatesOf(t)
	for _, c := range []struct {
		name, more string
		want       []gateway.Route
	}{
		{"a proxy", `, "M": ` + method(`"HttpMethod": "get", "AuthorizationType": "NONE", "OperationName": "x", `+proxy), []gateway.Route{{Method: "GET", Path: "/items/{id}", Function: "f"}}},
		{
			"a stream", `, "M": ` + method(`"HttpMethod": "GET", "Integration": {"Type": "AWS_PROXY", "ResponseTransferMode": "STREAM", "TimeoutInMillis": "5000",
			"Uri": {"Fn::Join": ["", ["arn:aws:apigateway:us-east-1:lambda:path/2021-11-15/functions/", {"Fn::GetAtt": ["F", "Arn"]}, ":live/response-streaming-invocations"]]}}`),
			[]gateway.Route{{Method: "GET", Path: "/items/{id}", Function: "f:live", Stream: true, Timeout: 5000}},
		},
		{
			"signed, with a key", `, "M": ` + method(`"HttpMethod": "GET", "AuthorizationType": "AWS_IAM", "ApiKeyRequired": "true", `+proxy),
			[]gateway.Route{{Method: "GET", Path: "/items/{id}", Function: "f", Authorizer: gateway.AuthorizerIAM, KeyRequired: true}},
		},
		{
			"an event", `, "M": ` + method(`"HttpMethod": "GET", "Integration": {"Type": "AWS", `+uri+`, "RequestTemplates": `+templates+`,
			"IntegrationResponses": [{"StatusCode": 200}, {"StatusCode": "404", "SelectionPattern": "[\\s\\S]*\\[404\\][\\s\\S]*"}]}`),
			[]gateway.Route{{Method: "GET", Path: "/items/{id}", Function: "f", Integration: gateway.IntegrationEvent}},
		},
		{
			"an event that is not waited for", `, "M": ` + method(`"HttpMethod": "GET", "Integration": {"Type": "AWS", `+uri+`, "RequestTemplates": `+templates+`,
			"RequestParameters": {"integration.request.header.X-Amz-Invocation-Type": "'Event'"}}`),
			[]gateway.Route{{Method: "GET", Path: "/items/{id}", Function: "f", Integration: gateway.IntegrationAsync}},
		},
		{
			"another server", `, "M": ` + method(`"HttpMethod": "ANY", "RequestParameters": {"method.request.path.id": true}, "Integration": {"Type": "HTTP_PROXY", "IntegrationHttpMethod": "ANY", "Uri": "https://example.com/{id}",
			"RequestParameters": {"integration.request.path.id": "method.request.path.id"}}`),
			[]gateway.Route{{Method: "ANY", Path: "/items/{id}", Integration: gateway.IntegrationHTTP, URL: "https://example.com/{id}"}},
		},
		{
			"preflight requests alone", `, "M": ` + method(`"HttpMethod": "OPTIONS", `+mockCORS("")),
			[]gateway.Route{{Method: "OPTIONS", Path: "/items/{id}", Integration: gateway.IntegrationMock, CORS: &gateway.CORS{Origins: []string{"https://a.example"}, Methods: []string{"GET", "PUT"}}}},
		},
		{
			"preflight requests of several origins", `, "A": ` + method(`"HttpMethod": "OPTIONS", `+mockCORS(origins)) + `, "M": ` + method(`"HttpMethod": "GET", `+proxy),
			[]gateway.Route{{Method: "GET", Path: "/items/{id}", Function: "f", CORS: &gateway.CORS{Origins: []string{"https://a.example", "https://*.b.example"}, Methods: []string{"GET", "PUT"}}}},
		},
		{
			"what has to be there", `, "M": ` + method(`"HttpMethod": "GET", "RequestParameters": {"method.request.querystring.page": true, "method.request.header.X": false},
			"RequestModels": {"application/json": {"Ref": "Model"}}, "RequestValidatorId": {"Ref": "V"}, `+proxy) + `,
			"Model": {"Type": "AWS::ApiGateway::Model", "Properties": {"RestApiId": {"Ref": "Api"}, "Schema": {"type": "object"}, "ContentType": "application/json"}},
			"V": {"Type": "AWS::ApiGateway::RequestValidator", "Properties": {"RestApiId": {"Ref": "Api"}, "ValidateRequestBody": "true", "ValidateRequestParameters": true}}`,
			[]gateway.Route{{Method: "GET", Path: "/items/{id}", Function: "f", Validation: &gateway.Validation{Parameters: []string{"querystring.page"}, Models: map[string]string{"application/json": `{"type":"object"}`}}}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := planned(t, &ground{}, rest(c.more))
			if diff := cmp.Diff(c.want, p.revision.APIs[0].Routes); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// origins is how the Serverless Framework compares several origins.
const origins = `#set($origin = $input.params(\"Origin\"))\n#if($origin == \"\") #set($origin = $input.params(\"origin\")) #end\n` +
	`#if($origin.matches(\"https://a[.]example\") || $origin.matches(\"https://.+[.]b[.]example\")) #set($context.responseOverride.header.Access-Control-Allow-Origin = $origin) #end`

func mockCORS(template string) string {
	return `"Integration": {"Type": "MOCK", "ContentHandling": "CONVERT_TO_TEXT", "RequestTemplates": {"application/json": "{statusCode:200}"}, "IntegrationResponses": [{"StatusCode": "200", "ResponseParameters": {
		"method.response.header.Access-Control-Allow-Origin": "'https://a.example'", "method.response.header.Access-Control-Allow-Methods": "'GET,PUT'"}, "ResponseTemplates": {"application/json": "` + template + `"}}]}`
}

// frameworkTemplatesOf are the templates that the Serverless Framework writes.
func frameworkTemplatesOf(t *testing.T) string {
	t.Helper()
	doc, err := os.ReadFile("testdata/framework.json")
	if err != nil {
		t.Fatal(err)
	}
	m := parse(t, string(doc)).Resources["ApiGatewayMethodAsyncjobPost"].Properties["Integration"].(map[string]any)
	text, err := json.Marshal(m["RequestTemplates"])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestStagesAndAccess(t *testing.T) {
	p := planned(t, &ground{}, rest(`,
		"Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": {"RestApiId": {"Ref": "Api"}, "DeploymentId": {"Ref": "Deployed"}, "StageName": "dev", "Variables": {"a": 1},
			"AccessLogSetting": {"DestinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:/x:*", "Format": "$context.status"},
			"MethodSettings": [{"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": "10", "ThrottlingBurstLimit": 20}], "TracingEnabled": true}},
		"Denied": {"Type": "AWS::ApiGateway::GatewayResponse", "Properties": {"RestApiId": {"Ref": "Api"}, "ResponseType": "DEFAULT_4XX", "StatusCode": "418", "ResponseParameters": {"gatewayresponse.header.X": "'y'"}}},
		"Auth": {"Type": "AWS::ApiGateway::Authorizer", "Properties": {"RestApiId": {"Ref": "Api"}, "Name": "auth", "Type": "REQUEST", "IdentitySource": "method.request.header.A, method.request.querystring.b",
			"AuthorizerUri": {"Fn::Join": ["", ["arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/", {"Fn::GetAtt": ["F", "Arn"]}, "/invocations"]]}}},
		"M": `+method(`"HttpMethod": "GET", "AuthorizationType": "CUSTOM", "AuthorizerId": {"Ref": "Auth"}, `+proxy)+`,
		"Key": {"Type": "AWS::ApiGateway::ApiKey", "Properties": {"Name": "k", "Enabled": true, "StageKeys": [{"RestApiId": {"Ref": "Api"}, "StageName": "dev"}]}},
		"Plan": {"Type": "AWS::ApiGateway::UsagePlan", "Properties": {"UsagePlanName": "p", "ApiStages": [{"ApiId": {"Ref": "Api"}, "Stage": "dev"}], "Quota": {"Limit": "100", "Period": "WEEK"}, "Throttle": {"RateLimit": 1.5, "BurstLimit": 2}}},
		"PlanKey": {"Type": "AWS::ApiGateway::UsagePlanKey", "Properties": {"KeyId": {"Ref": "Key"}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": "Plan"}}}`))
	api := gateway.API{
		Stack: "shop-dev", ID: p.made["Api"].Physical, Kind: gateway.REST, Name: "api", Stage: "dev", Variables: map[string]string{"a": "1"},
		AccessLog: &gateway.AccessLog{Group: "/x", Format: "$context.status"}, Throttle: &gateway.Throttle{Rate: 10, Burst: 20},
		Authorizers: []gateway.Authorizer{{Name: "auth", Kind: "REQUEST", Function: "f", Identity: []string{"method.request.header.A", "method.request.querystring.b"}, TTL: 300}},
		Responses:   []gateway.Response{{Type: "DEFAULT_4XX", Status: 418, Parameters: map[string]string{"gatewayresponse.header.X": "'y'"}}},
		Routes:      []gateway.Route{{Method: "GET", Path: "/items/{id}", Function: "f", Authorizer: "auth"}},
	}
	if diff := cmp.Diff([]gateway.API{api}, p.revision.APIs); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	key := gateway.APIKey{Stack: "shop-dev", ID: p.made["Key"].Physical, Name: "k"}
	if diff := cmp.Diff([]gateway.APIKey{key}, p.revision.APIKeys); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	plan := gateway.UsagePlan{
		Stack: "shop-dev", ID: p.made["Plan"].Physical, Name: "p", Stages: []gateway.PlanStage{{API: api.ID, Stage: "dev"}}, Keys: []string{key.ID},
		Quota: &gateway.Quota{Limit: 100, Period: "WEEK"}, Throttle: &gateway.Throttle{Rate: 1.5, Burst: 2},
	}
	if diff := cmp.Diff([]gateway.UsagePlan{plan}, p.revision.UsagePlans); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if want := []Warning{{"Stage", "TracingEnabled has no effect: every stage is traced"}}; !cmp.Equal(want, p.warnings) {
		t.Errorf("warnings %v, want %v", p.warnings, want)
	}
}

func TestTwoAPIsOfAKindHaveIDsOfTheirOwn(t *testing.T) {
	p := planned(t, &ground{stacks: map[string]*deploy.Revision{}}, `{"Resources": {
		"ApiGatewayRestApi": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "a"}},
		"Other": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "b"}}}}`)
	first, second := p.made["ApiGatewayRestApi"].Physical, p.made["Other"].Physical
	if want := arn.APIID("shop-dev", gateway.REST); first != want || second == want || len(second) != len(want) {
		t.Errorf("got %s and %s, want the first to be %s", first, second, want)
	}
}

func TestHTTPAPIs(t *testing.T) {
	p := planned(t, &ground{}, `{"Resources": {"F": `+fn("")+`,
		"HttpApi": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "h", "ProtocolType": "HTTP", "CorsConfiguration": {"AllowOrigins": ["*"], "AllowMethods": ["GET"]}, "Tags": {"a": "b"}}},
		"Stage": {"Type": "AWS::ApiGatewayV2::Stage", "Properties": {"ApiId": {"Ref": "HttpApi"}, "StageName": "$default", "AutoDeploy": true, "DefaultRouteSettings": {"ThrottlingRateLimit": 5, "ThrottlingBurstLimit": 6},
			"AccessLogSettings": {"DestinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:/x:*", "Format": "$context.status"}}},
		"I": {"Type": "AWS::ApiGatewayV2::Integration", "Properties": {"ApiId": {"Ref": "HttpApi"}, "IntegrationType": "AWS_PROXY", "IntegrationUri": {"Fn::GetAtt": ["F", "Arn"]}, "PayloadFormatVersion": "2.0", "TimeoutInMillis": 1000}},
		"J": {"Type": "AWS::ApiGatewayV2::Integration", "Properties": {"ApiId": {"Ref": "HttpApi"}, "IntegrationType": "HTTP_PROXY", "IntegrationMethod": "ANY", "IntegrationUri": "https://example.com/", "PayloadFormatVersion": "1.0"}},
		"JWT": {"Type": "AWS::ApiGatewayV2::Authorizer", "Properties": {"ApiId": {"Ref": "HttpApi"}, "Name": "jwt", "AuthorizerType": "JWT", "IdentitySource": ["$request.header.Authorization"], "JwtConfiguration": {"Issuer": "https://i.example", "Audience": ["a"]}}},
		"Own": {"Type": "AWS::ApiGatewayV2::Authorizer", "Properties": {"ApiId": {"Ref": "HttpApi"}, "Name": "own", "AuthorizerType": "REQUEST", "AuthorizerPayloadFormatVersion": "2.0", "EnableSimpleResponses": true,
			"AuthorizerUri": {"Fn::Join": ["", ["arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/", {"Fn::GetAtt": ["F", "Arn"]}, "/invocations"]]}}},
		"R1": {"Type": "AWS::ApiGatewayV2::Route", "Properties": {"ApiId": {"Ref": "HttpApi"}, "RouteKey": "GET /a/{id}", "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "I"}]]}, "AuthorizationType": "JWT", "AuthorizerId": {"Ref": "JWT"}, "AuthorizationScopes": ["s"]}},
		"R2": {"Type": "AWS::ApiGatewayV2::Route", "Properties": {"ApiId": {"Ref": "HttpApi"}, "RouteKey": "$default", "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "J"}]]}}},
		"R3": {"Type": "AWS::ApiGatewayV2::Route", "Properties": {"ApiId": {"Ref": "HttpApi"}, "RouteKey": "POST /b", "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "I"}]]}, "AuthorizationType": "CUSTOM", "AuthorizerId": {"Ref": "Own"}}}
	}}`)
	want := gateway.API{
		Stack: "shop-dev", ID: arn.APIID("shop-dev", gateway.HTTP), Kind: gateway.HTTP, Name: "h", Stage: "$default", Tags: map[string]string{"a": "b"},
		CORS: &gateway.CORS{Origins: []string{"*"}, Methods: []string{"GET"}}, Throttle: &gateway.Throttle{Rate: 5, Burst: 6}, AccessLog: &gateway.AccessLog{Group: "/x", Format: "$context.status"},
		Authorizers: []gateway.Authorizer{
			{Name: "jwt", Kind: "JWT", Identity: []string{"$request.header.Authorization"}, Issuer: "https://i.example", Audience: []string{"a"}},
			{Name: "own", Kind: "REQUEST", Function: "f", Payload: "2.0", Simple: true},
		},
		Routes: []gateway.Route{
			{Method: "GET", Path: "/a/{id}", Function: "f", Payload: "2.0", Timeout: 1000, Authorizer: "jwt", Scopes: []string{"s"}},
			{Method: "ANY", Path: "$default", Integration: gateway.IntegrationHTTP, URL: "https://example.com/"},
			{Method: "POST", Path: "/b", Function: "f", Payload: "2.0", Timeout: 1000, Authorizer: "own"},
		},
	}
	if diff := cmp.Diff([]gateway.API{want}, p.revision.APIs); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
