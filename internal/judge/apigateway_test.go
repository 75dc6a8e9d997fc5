package judge

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"

	"github.com/dropstack/dropstack/internal/testkit"
)

func apigatewayCalls(s *sdk) {
	c := apigateway.NewFromConfig(s.config)
	list := call(s, "APIs", c.GetRestApis, &apigateway.GetRestApisInput{Limit: aws.Int32(500)}, func(out *apigateway.GetRestApisOutput) error {
		return same([]any{len(out.Items), *out.Items[0].Name}, []any{1, "dev-judge"})
	})
	api := list.Items[0].Id
	call(s, "API", c.GetRestApi, &apigateway.GetRestApiInput{RestApiId: api}, nil)
	fails(s, "no API", "NotFoundException", c.GetRestApi, &apigateway.GetRestApiInput{RestApiId: aws.String("none")})
	fails(s, "too many APIs at once", "BadRequestException", c.GetRestApis, &apigateway.GetRestApisInput{Limit: aws.Int32(501)})
	apigatewayResources(s, c, api)
	apigatewayStage(s, c, api)
	apigatewayKeys(s, c, api)
	apigatewayHTTP(s)
}

func apigatewayResources(s *sdk, c *apigateway.Client, api *string) {
	all := call(s, "resources", c.GetResources, &apigateway.GetResourcesInput{RestApiId: api}, func(out *apigateway.GetResourcesOutput) error {
		var paths []string
		for _, r := range out.Items {
			paths = append(paths, *r.Path)
		}
		return same(paths, []string{"/", "/echo", "/echo/{id}"})
	})
	first := call(s, "a page of resources", c.GetResources, &apigateway.GetResourcesInput{RestApiId: api, Limit: aws.Int32(2)}, func(out *apigateway.GetResourcesOutput) error { return same(len(out.Items), 2) })
	call(s, "the rest of them", c.GetResources, &apigateway.GetResourcesInput{RestApiId: api, Position: first.Position}, func(out *apigateway.GetResourcesOutput) error {
		return same([]any{len(out.Items), out.Position}, []any{1, (*string)(nil)})
	})
	last := all.Items[2].Id
	call(s, "method", c.GetMethod, &apigateway.GetMethodInput{RestApiId: api, ResourceId: last, HttpMethod: aws.String("GET")}, func(out *apigateway.GetMethodOutput) error {
		return same([]any{*out.AuthorizationType, out.MethodIntegration.Type}, []any{"NONE", types.IntegrationTypeAwsProxy})
	})
	call(s, "integration", c.GetIntegration, &apigateway.GetIntegrationInput{RestApiId: api, ResourceId: last, HttpMethod: aws.String("GET")}, nil)
	fails(s, "no method", "NotFoundException", c.GetMethod, &apigateway.GetMethodInput{RestApiId: api, ResourceId: last, HttpMethod: aws.String("PUT")})
	call(s, "authorizers", c.GetAuthorizers, &apigateway.GetAuthorizersInput{RestApiId: api}, func(out *apigateway.GetAuthorizersOutput) error { return same(len(out.Items), 0) })
}

func apigatewayStage(s *sdk, c *apigateway.Client, api *string) {
	stage := aws.String("dev")
	call(s, "stage", c.GetStage, &apigateway.GetStageInput{RestApiId: api, StageName: stage}, nil)
	set := func(path, value string) types.PatchOperation {
		return types.PatchOperation{Op: types.OpReplace, Path: &path, Value: &value}
	}
	call(s, "log accesses", c.UpdateStage, &apigateway.UpdateStageInput{RestApiId: api, StageName: stage, PatchOperations: []types.PatchOperation{
		set("/accessLogSettings/destinationArn", "arn:aws:logs:us-east-1:000000000000:log-group:go-access"), set("/accessLogSettings/format", "$context.status"),
		set("/*/*/logging/loglevel", "INFO"), set("/*/*/throttling/rateLimit", "50"),
	}}, func(out *apigateway.UpdateStageOutput) error {
		return same([]any{*out.AccessLogSettings.Format, out.MethodSettings["*/*"].ThrottlingRateLimit}, []any{"$context.status", 50.0})
	})
	fails(s, "no such setting", "BadRequestException", c.UpdateStage, &apigateway.UpdateStageInput{RestApiId: api, StageName: stage, PatchOperations: []types.PatchOperation{set("/colour", "green")}})
	fails(s, "the stage that there is", "ConflictException", c.CreateStage, &apigateway.CreateStageInput{RestApiId: api, StageName: stage, DeploymentId: aws.String("d")})
	tagged := aws.String("arn:aws:apigateway:us-east-1::/restapis/" + *api + "/stages/dev")
	call(s, "tag", c.TagResource, &apigateway.TagResourceInput{ResourceArn: tagged, Tags: map[string]string{"team": "paper", "env": "dev"}}, nil)
	call(s, "untag", c.UntagResource, &apigateway.UntagResourceInput{ResourceArn: tagged, TagKeys: []string{"env"}}, nil)
	call(s, "tags", c.GetTags, &apigateway.GetTagsInput{ResourceArn: tagged}, func(out *apigateway.GetTagsOutput) error {
		return same(out.Tags, map[string]string{"team": "paper"})
	})
}

// apigatewayKeys makes a key, and has it open a method that asks for one.
func apigatewayKeys(s *sdk, c *apigateway.Client, api *string) {
	key := call(s, "key", c.CreateApiKey, &apigateway.CreateApiKeyInput{Name: aws.String("go-key"), Enabled: true, Tags: map[string]string{"a": "1"}}, nil)
	fails(s, "too short a key", "BadRequestException", c.CreateApiKey, &apigateway.CreateApiKeyInput{Value: aws.String("short")})
	fails(s, "the same key again", "ConflictException", c.CreateApiKey, &apigateway.CreateApiKeyInput{Value: key.Value})
	plan := call(s, "plan", c.CreateUsagePlan, &apigateway.CreateUsagePlanInput{
		Name: aws.String("go-plan"), ApiStages: []types.ApiStage{{ApiId: api, Stage: aws.String("dev")}},
		Quota: &types.QuotaSettings{Limit: 100, Period: types.QuotaPeriodTypeWeek}, Throttle: &types.ThrottleSettings{RateLimit: 2.5, BurstLimit: 3},
	}, func(out *apigateway.CreateUsagePlanOutput) error {
		return same([]any{out.Throttle.RateLimit, out.Quota.Limit, *out.ApiStages[0].ApiId}, []any{2.5, int32(100), *api})
	})
	fails(s, "a plan for no stage", "BadRequestException", c.CreateUsagePlan, &apigateway.CreateUsagePlanInput{Name: aws.String("go-none"), ApiStages: []types.ApiStage{{ApiId: api, Stage: aws.String("none")}}})
	in := &apigateway.CreateUsagePlanKeyInput{UsagePlanId: plan.Id, KeyId: key.Id, KeyType: aws.String("API_KEY")}
	call(s, "the key in the plan", c.CreateUsagePlanKey, in, nil)
	fails(s, "the key in the plan again", "ConflictException", c.CreateUsagePlanKey, in)
	call(s, "keys of the plan", c.GetUsagePlanKeys, &apigateway.GetUsagePlanKeysInput{UsagePlanId: plan.Id}, func(out *apigateway.GetUsagePlanKeysOutput) error { return same(*out.Items[0].Id, *key.Id) })
	call(s, "keys by name", c.GetApiKeys, &apigateway.GetApiKeysInput{NameQuery: aws.String("go-"), IncludeValues: aws.Bool(true)}, func(out *apigateway.GetApiKeysOutput) error {
		return same([]any{len(out.Items), *out.Items[0].Value}, []any{1, *key.Value})
	})
	call(s, "disable the key", c.UpdateApiKey, &apigateway.UpdateApiKeyInput{ApiKey: key.Id, PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/enabled"), Value: aws.String("false")}}},
		func(out *apigateway.UpdateApiKeyOutput) error { return same(out.Enabled, false) })
	fails(s, "a plan that is in use", "BadRequestException", c.DeleteUsagePlan, &apigateway.DeleteUsagePlanInput{UsagePlanId: plan.Id})
	call(s, "delete the key", c.DeleteApiKey, &apigateway.DeleteApiKeyInput{ApiKey: key.Id}, nil)
	call(s, "no keys of the plan", c.GetUsagePlanKeys, &apigateway.GetUsagePlanKeysInput{UsagePlanId: plan.Id}, func(out *apigateway.GetUsagePlanKeysOutput) error { return same(len(out.Items), 0) })
	call(s, "take the stage out", c.UpdateUsagePlan, &apigateway.UpdateUsagePlanInput{UsagePlanId: plan.Id, PatchOperations: []types.PatchOperation{{Op: types.OpRemove, Path: aws.String("/apiStages"), Value: aws.String(*api + ":dev")}}}, nil)
	call(s, "delete the plan", c.DeleteUsagePlan, &apigateway.DeleteUsagePlanInput{UsagePlanId: plan.Id}, nil)
	fails(s, "a plan that is gone", "NotFoundException", c.GetUsagePlan, &apigateway.GetUsagePlanInput{UsagePlanId: plan.Id})
}

func apigatewayHTTP(s *sdk) {
	c := apigatewayv2.NewFromConfig(s.config)
	list := call(s, "HTTP APIs", c.GetApis, &apigatewayv2.GetApisInput{}, func(out *apigatewayv2.GetApisOutput) error {
		return same([]any{len(out.Items), string(out.Items[0].ProtocolType)}, []any{1, "HTTP"})
	})
	api := list.Items[0]
	call(s, "routes", c.GetRoutes, &apigatewayv2.GetRoutesInput{ApiId: api.ApiId}, func(out *apigatewayv2.GetRoutesOutput) error { return same(*out.Items[0].RouteKey, "GET /echo") })
	call(s, "stages", c.GetStages, &apigatewayv2.GetStagesInput{ApiId: api.ApiId}, func(out *apigatewayv2.GetStagesOutput) error { return same(*out.Items[0].StageName, "$default") })
	fails(s, "no HTTP API", "NotFoundException", c.GetApi, &apigatewayv2.GetApiInput{ApiId: aws.String("none")})
	call(s, "the API's address", getPage(*api.ApiEndpoint+"/echo"), &struct{}{}, func(out *string) error {
		if !strings.Contains(*out, `"rawPath":"/echo"`) {
			return same(*out, "the event")
		}
		return nil
	})
}

// getPage is a request of nobody's API.
func getPage(url string) method[struct{}, struct{}, string] {
	return func(ctx context.Context, _ *struct{}, _ ...func(*struct{})) (*string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		resp, err := testkit.Client().Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		text := string(body)
		return &text, err
	}
}
