package deploy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/gateway"
)

func TestOutputsAreThoseOfTheServerlessFramework(t *testing.T) {
	r := planned(t, loaded(t, `service: shop
provider: {name: aws, runtime: provided.al2023, stackName: the-shop, environment: {API: !Ref HttpApi, URL: !GetAtt GDashoneLambdaFunctionUrl.FunctionUrl}}
layers: {tools: {path: tools, retain: true, description: handy, compatibleRuntimes: [provided.al2023]}}
functions:
  f: {handler: f, events: [{http: GET /}, {httpApi: GET /}]}
  g-one: {handler: g, url: true, provisionedConcurrency: 1}
resources:
  Outputs:
    HttpApiUrl: {Value: !Sub "https://example.com/${HttpApi}", Description: ours}
`))
	rest, http := gateway.APIID("the-shop", gateway.REST), gateway.APIID("the-shop", gateway.HTTP)
	url := "https://" + gateway.URLID("the-shop", "shop-dev-g-one:provisioned") + ".lambda-url.us-east-1.on.aws/"
	const layer = "arn:aws:lambda:us-east-1:000000000000:layer:tools:1"
	want := []deploy.Output{
		{Key: "ToolsLambdaLayerQualifiedArn", Value: layer, Description: "Current Lambda layer version", Export: "sls-shop-dev-ToolsLambdaLayerQualifiedArn"},
		{Key: "ToolsLambdaLayerHash", Value: "sha", Description: "Current Lambda layer hash", Export: "sls-shop-dev-ToolsLambdaLayerHash"},
		{Key: "GDashoneLambdaFunctionUrl", Value: url, Description: "Lambda Function URL", Export: "sls-shop-dev-GDashoneLambdaFunctionUrl"},
		{Key: "ServiceEndpoint", Value: "https://" + rest + ".execute-api.us-east-1.amazonaws.com/dev", Description: "URL of the service endpoint", Export: "sls-shop-dev-ServiceEndpoint"},
		{Key: "HttpApiId", Value: http, Description: "Id of the HTTP API", Export: "sls-shop-dev-HttpApiId"},
		{Key: "HttpApiUrl", Value: "https://example.com/" + http, Description: "ours"},
	}
	if diff := cmp.Diff(want, r.Outputs); diff != "" {
		t.Errorf("outputs -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"API": http, "URL": url}, r.Functions[0].Environment); diff != "" {
		t.Errorf("environment -want +got:\n%s", diff)
	}
	layers := []deploy.Layer{{Name: "tools", ARN: layer, Artifact: "sha", Description: "handy", Runtimes: []string{"provided.al2023"}, Retain: true}}
	if diff := cmp.Diff(layers, r.Layers); diff != "" {
		t.Errorf("layers -want +got:\n%s", diff)
	}
}
