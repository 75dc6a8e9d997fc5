package deploy_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
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
	rest, http := arn.APIID("the-shop", gateway.REST), arn.APIID("the-shop", gateway.HTTP)
	url := "https://" + gateway.URLID("the-shop", "shop-dev-g-one:provisioned") + ".lambda-url.us-east-1.on.aws/"
	const layer = "arn:aws:lambda:us-east-1:000000000000:layer:tools:1"
	const function = "arn:aws:lambda:us-east-1:000000000000:function:shop-dev-"
	want := []deploy.Output{
		{Key: "ToolsLambdaLayerQualifiedArn", Value: layer, Description: "Current Lambda layer version", Export: "sls-shop-dev-ToolsLambdaLayerQualifiedArn"},
		{Key: "ToolsLambdaLayerHash", Value: "sha", Description: "Current Lambda layer hash", Export: "sls-shop-dev-ToolsLambdaLayerHash"},
		{
			Key: "FLambdaFunctionQualifiedArn", Value: function + "f", Description: "Current Lambda function version",
			Export: "sls-shop-dev-FLambdaFunctionQualifiedArn", VersionOf: "shop-dev-f",
		},
		{
			Key: "GDashoneLambdaFunctionQualifiedArn", Value: function + "g-one", Description: "Current Lambda function version",
			Export: "sls-shop-dev-GDashoneLambdaFunctionQualifiedArn", VersionOf: "shop-dev-g-one",
		},
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

func TestAnExportBelongsToOneStack(t *testing.T) {
	s, h := shelf{}, newHouse()
	d := deployer(t, enginetest.Streams(t), s, h)
	sha := s.artifact(t)
	exporting := func(stack string, names ...string) *deploy.Revision {
		r := &deploy.Revision{Stack: stack, Service: "s", Stage: "dev", Region: "us-east-1", Functions: []function.Function{{Stack: stack, Name: stack, Artifact: sha}}}
		for i, name := range names {
			r.Outputs = append(r.Outputs, deploy.Output{Key: string(rune('A' + i)), Value: "x", Export: name})
		}
		return r
	}
	for _, step := range []struct {
		name, want string
		revision   *deploy.Revision
	}{
		{"the first", "", exporting("a-dev", "one", "", "")},
		{"again", "", exporting("a-dev", "one")},
		{"another stack's", `output B: "one" is exported by stack "a-dev"`, exporting("b-dev", "two", "one")},
		{"twice", `output B: "two" is exported by stack "b-dev"`, exporting("b-dev", "two", "two")},
		{"others", "", exporting("b-dev", "two", "three")},
	} {
		_, err := d.Deploy(t.Context(), step.revision)
		if got := fmt.Sprint(err); err != nil && (got != step.want || fault.KindOf(err) != fault.Conflict) || err == nil && step.want != "" {
			t.Errorf("%s: got %v, want %q", step.name, err, step.want)
		}
	}
}
