package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/dropstack/dropstack/internal/apigateway"
	"github.com/dropstack/dropstack/internal/arn"
)

// APIGateway is API Gateway's own API: the first version, of REST APIs, and below
// /v2 the second, of HTTP APIs.
func APIGateway(a *apigateway.APIs, region string) *Service {
	return &Service{
		Scope: "apigateway",
		Codes: map[string]string{
			"ValidationException": "BadRequestException", "InvalidParameterValueException": "BadRequestException",
			"ResourceNotFoundException": "NotFoundException", "ResourceConflictException": "ConflictException",
		},
		routes: append(restRoutes(a), httpRoutes(a)...),
		need:   func(method, path string) Need { return gatewayNeed(region, method, path) },
	}
}

// gatewayNeed is what policies call a request: its method, and its path.
func gatewayNeed(region, method, path string) Need {
	resource := arn.ARN{Partition: "aws", Service: "apigateway", Region: region, Resource: strings.TrimPrefix(path, "/v2")}
	return Need{Action: "apigateway:" + method, Resource: resource.String()}
}

// restful is a route whose input says nothing more of what its caller must be allowed.
func restful[In, Out any](method, path, name string, status int, do func(context.Context, In) (Out, error)) route {
	return route{method, path, name, status, op(do, nil)}
}

func gets[In, Out any](path, name string, do func(context.Context, In) (Out, error)) route {
	return restful(http.MethodGet, path, name, http.StatusOK, do)
}

func posts[In, Out any](path, name string, do func(context.Context, In) (Out, error)) route {
	return restful(http.MethodPost, path, name, http.StatusCreated, do)
}

func patches[In, Out any](path, name string, do func(context.Context, In) (Out, error)) route {
	return restful(http.MethodPatch, path, name, http.StatusOK, do)
}

func deletes[In, Out any](path, name string, do func(context.Context, In) (Out, error)) route {
	return restful(http.MethodDelete, path, name, http.StatusAccepted, do)
}

func restRoutes(a *apigateway.APIs) []route {
	const api = "/restapis/{RestApiId}"
	const stage, resource = api + "/stages/{StageName}", api + "/resources/{ResourceId}"
	const key, plan, tags = "/apikeys/{ApiKey}", "/usageplans/{UsagePlanId}", "/tags/{ResourceArn}"
	account := patches("/account", "UpdateAccount", a.UpdateAccount)
	account.operation.need = func(_ context.Context, in any) []Need { return accountNeeds(*in.(*apigateway.UpdateAccountInput)) }
	return []route{
		gets("/restapis", "GetRestApis", a.GetRestApis),
		gets(api, "GetRestApi", a.GetRestApi),
		gets(api+"/deployments", "GetDeployments", a.GetDeployments),
		gets(api+"/deployments/{DeploymentId}", "GetDeployment", a.GetDeployment),
		gets(api+"/resources", "GetResources", a.GetResources),
		gets(resource, "GetResource", a.GetResource),
		gets(resource+"/methods/{HttpMethod}", "GetMethod", a.GetMethod),
		gets(resource+"/methods/{HttpMethod}/integration", "GetIntegration", a.GetIntegration),
		gets(api+"/authorizers", "GetAuthorizers", a.GetAuthorizers),
		gets(api+"/authorizers/{AuthorizerId}", "GetAuthorizer", a.GetAuthorizer),
		gets(api+"/stages", "GetStages", a.GetStages),
		posts(api+"/stages", "CreateStage", a.CreateStage),
		gets(stage, "GetStage", a.GetStage),
		patches(stage, "UpdateStage", a.UpdateStage),

		gets("/apikeys", "GetApiKeys", a.GetApiKeys),
		posts("/apikeys", "CreateApiKey", a.CreateApiKey),
		gets(key, "GetApiKey", a.GetApiKey),
		patches(key, "UpdateApiKey", a.UpdateApiKey),
		deletes(key, "DeleteApiKey", a.DeleteApiKey),

		gets("/usageplans", "GetUsagePlans", a.GetUsagePlans),
		posts("/usageplans", "CreateUsagePlan", a.CreateUsagePlan),
		gets(plan, "GetUsagePlan", a.GetUsagePlan),
		patches(plan, "UpdateUsagePlan", a.UpdateUsagePlan),
		deletes(plan, "DeleteUsagePlan", a.DeleteUsagePlan),
		gets(plan+"/usage", "GetUsage", a.GetUsage),
		gets(plan+"/keys", "GetUsagePlanKeys", a.GetUsagePlanKeys),
		posts(plan+"/keys", "CreateUsagePlanKey", a.CreateUsagePlanKey),
		gets(plan+"/keys/{KeyId}", "GetUsagePlanKey", a.GetUsagePlanKey),
		deletes(plan+"/keys/{KeyId}", "DeleteUsagePlanKey", a.DeleteUsagePlanKey),

		gets("/account", "GetAccount", a.GetAccount),
		account,
		gets(tags, "GetTags", a.GetTags),
		restful(http.MethodPut, tags, "TagResource", http.StatusNoContent, a.TagResource),
		restful(http.MethodDelete, tags, "UntagResource", http.StatusNoContent, a.UntagResource),
	}
}

func httpRoutes(a *apigateway.APIs) []route {
	const api = "/v2/apis/{ApiId}"
	return []route{
		gets("/v2/apis", "GetApis", a.GetHTTPApis),
		gets(api, "GetApi", a.GetHTTPApi),
		gets(api+"/routes", "GetRoutes", a.GetRoutes),
		gets(api+"/routes/{RouteId}", "GetRoute", a.GetRoute),
		gets(api+"/stages", "GetStages", a.GetHTTPStages),
		gets(api+"/stages/{StageName}", "GetStage", a.GetHTTPStage),
	}
}

// accountNeeds is what somebody needs to have logs written as a role.
func accountNeeds(in apigateway.UpdateAccountInput) (list []Need) {
	for _, p := range in.PatchOperations {
		if p.Value != "" {
			list = append(list, Need{Action: "iam:PassRole", Resource: p.Value, Conditions: map[string][]string{"iam:PassedToService": {"apigateway.amazonaws.com"}}})
		}
	}
	return list
}
