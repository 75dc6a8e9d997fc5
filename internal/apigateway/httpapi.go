package apigateway

import (
	"context"
	"slices"
	"time"

	"github.com/dropstack/dropstack/internal/gateway"
)

// HTTPPageInput asks for a page of a list of HTTP APIs, or of what one has.
type HTTPPageInput struct {
	ApiId      string `json:"apiId,omitempty"`
	MaxResults *int   `json:"maxResults,omitempty"`
	NextToken  string `json:"nextToken,omitempty"`
}

// HTTPPage is a page of a list, and where the next one begins.
type HTTPPage[T any] struct {
	Items     []T    `json:"items"`
	NextToken string `json:"nextToken,omitempty"`
}

// httpPage is page, in the words of the second version of the API.
func httpPage[T any](list []T, id func(T) string, in HTTPPageInput) (HTTPPage[T], error) {
	if in.MaxResults == nil {
		in.MaxResults = new(maxLimit)
	}
	p, err := page(list, id, PageInput{in.MaxResults, in.NextToken})
	return HTTPPage[T]{p.Item, p.Position}, err
}

// HTTPApi is an HTTP API as API Gateway shows it.
type HTTPApi struct {
	ApiID                     string            `json:"apiId"`
	Name                      string            `json:"name"`
	ProtocolType              string            `json:"protocolType"`
	Description               string            `json:"description,omitempty"`
	APIEndpoint               string            `json:"apiEndpoint"`
	CorsConfiguration         *Cors             `json:"corsConfiguration,omitempty"`
	CreatedDate               string            `json:"createdDate"`
	RouteSelectionExpression  string            `json:"routeSelectionExpression"`
	DisableExecuteAPIEndpoint bool              `json:"disableExecuteApiEndpoint"`
	Tags                      map[string]string `json:"tags"`
}

// Cors is what preflight requests are answered with.
type Cors struct {
	AllowCredentials bool     `json:"allowCredentials"`
	AllowHeaders     []string `json:"allowHeaders,omitempty"`
	AllowMethods     []string `json:"allowMethods,omitempty"`
	AllowOrigins     []string `json:"allowOrigins,omitempty"`
	ExposeHeaders    []string `json:"exposeHeaders,omitempty"`
	MaxAge           int      `json:"maxAge,omitempty"`
}

// iso is how the second version of the API writes times.
func iso(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (a *APIs) describeHTTP(d deployed) HTTPApi {
	out := HTTPApi{
		ApiID: d.ID, Name: d.Name, ProtocolType: "HTTP", Description: d.Description, APIEndpoint: a.URL(d.ID, d.Stage),
		CreatedDate: iso(d.created()), RouteSelectionExpression: "$request.method $request.path", Tags: known(d.Tags),
	}
	if c := d.CORS; c != nil {
		out.CorsConfiguration = &Cors{c.AllowCredentials, c.Headers, c.Methods, c.Origins, c.ExposeHeaders, c.MaxAgeSeconds}
	}
	return out
}

// GetHTTPApis lists the HTTP APIs.
func (a *APIs) GetHTTPApis(_ context.Context, in HTTPPageInput) (HTTPPage[HTTPApi], error) {
	var list []HTTPApi
	for _, d := range a.all(gateway.HTTP) {
		list = append(list, a.describeHTTP(d))
	}
	return httpPage(list, func(h HTTPApi) string { return h.ApiID }, in)
}

// HTTPInput names an HTTP API, and a part of it.
type HTTPInput struct {
	ApiId     string `json:"apiId,omitempty"`
	StageName string `json:"stageName,omitempty"`
	RouteId   string `json:"routeId,omitempty"`
}

// GetHTTPApi describes an HTTP API.
func (a *APIs) GetHTTPApi(_ context.Context, in HTTPInput) (HTTPApi, error) {
	d, err := a.find(gateway.HTTP, in.ApiId)
	if err != nil {
		return HTTPApi{}, err
	}
	return a.describeHTTP(d), nil
}

// HTTPRoute is a route of an HTTP API.
type HTTPRoute struct {
	RouteID             string   `json:"routeId"`
	RouteKey            string   `json:"routeKey"`
	Target              string   `json:"target"`
	AuthorizationType   string   `json:"authorizationType"`
	AuthorizerID        string   `json:"authorizerId,omitempty"`
	AuthorizationScopes []string `json:"authorizationScopes,omitempty"`
	APIKeyRequired      bool     `json:"apiKeyRequired"`
}

func describeRoutes(d deployed) (list []HTTPRoute) {
	for _, r := range d.Routes {
		route := HTTPRoute{
			RouteID: partID(d.ID, "route", r.Key()), RouteKey: r.Key(), Target: "integrations/" + integrationID(d.ID, r),
			AuthorizationType: "NONE", AuthorizationScopes: r.Scopes,
		}
		if i := slices.IndexFunc(d.Authorizers, func(by gateway.Authorizer) bool { return by.Name == r.Authorizer }); i >= 0 {
			route.AuthorizerID, route.AuthorizationType = authorizerID(d.ID, r.Authorizer), "CUSTOM"
			if d.Authorizers[i].Kind == gateway.AuthorizerJWT {
				route.AuthorizationType = gateway.AuthorizerJWT
			}
		} else if r.Authorizer == gateway.AuthorizerIAM {
			route.AuthorizationType = gateway.AuthorizerIAM
		}
		list = append(list, route)
	}
	return list
}

// integrationID is of what answers a route: routes of one function share it.
func integrationID(api string, r gateway.Route) string {
	return partID(api, "integration", r.Function, r.URL)
}

// GetRoutes lists the routes of an HTTP API.
func (a *APIs) GetRoutes(_ context.Context, in HTTPPageInput) (HTTPPage[HTTPRoute], error) {
	d, err := a.find(gateway.HTTP, in.ApiId)
	if err != nil {
		return HTTPPage[HTTPRoute]{}, err
	}
	return httpPage(describeRoutes(d), func(r HTTPRoute) string { return r.RouteID }, in)
}

// GetRoute describes a route of an HTTP API.
func (a *APIs) GetRoute(_ context.Context, in HTTPInput) (HTTPRoute, error) {
	d, err := a.find(gateway.HTTP, in.ApiId)
	if err != nil {
		return HTTPRoute{}, err
	}
	list := describeRoutes(d)
	if i := slices.IndexFunc(list, func(r HTTPRoute) bool { return r.RouteID == in.RouteId }); i >= 0 {
		return list[i], nil
	}
	return HTTPRoute{}, notFound("Unable to find Route by key %s within the provided RouteContainer", in.RouteId)
}

// HTTPStage is where an HTTP API answers. An API has one.
type HTTPStage struct {
	StageName            string             `json:"stageName"`
	AutoDeploy           bool               `json:"autoDeploy"`
	DeploymentID         string             `json:"deploymentId"`
	CreatedDate          string             `json:"createdDate"`
	LastUpdatedDate      string             `json:"lastUpdatedDate"`
	AccessLogSettings    *AccessLogSettings `json:"accessLogSettings,omitempty"`
	StageVariables       map[string]string  `json:"stageVariables"`
	DefaultRouteSettings RouteSettings      `json:"defaultRouteSettings"`
}

// RouteSettings are what is set of routes.
type RouteSettings struct {
	DetailedMetricsEnabled bool    `json:"detailedMetricsEnabled"`
	ThrottlingBurstLimit   int     `json:"throttlingBurstLimit,omitempty"`
	ThrottlingRateLimit    float64 `json:"throttlingRateLimit,omitempty"`
}

func (a *APIs) describeHTTPStage(d deployed) HTTPStage {
	s := HTTPStage{
		StageName: d.Stage, AutoDeploy: true, DeploymentID: deploymentOf(d).ID, CreatedDate: iso(d.created()),
		LastUpdatedDate: iso(d.revision.Created), StageVariables: known(d.Variables),
	}
	if log := d.AccessLog; log != nil {
		s.AccessLogSettings = &AccessLogSettings{log.Format, a.group(log.Group)}
	}
	if t := d.Throttle; t != nil {
		s.DefaultRouteSettings = RouteSettings{ThrottlingBurstLimit: t.Burst, ThrottlingRateLimit: t.Rate}
	}
	return s
}

// GetHTTPStages lists the stage of an HTTP API.
func (a *APIs) GetHTTPStages(_ context.Context, in HTTPPageInput) (HTTPPage[HTTPStage], error) {
	d, err := a.find(gateway.HTTP, in.ApiId)
	if err != nil {
		return HTTPPage[HTTPStage]{}, err
	}
	return httpPage([]HTTPStage{a.describeHTTPStage(d)}, func(s HTTPStage) string { return s.StageName }, in)
}

// GetHTTPStage describes the stage of an HTTP API.
func (a *APIs) GetHTTPStage(_ context.Context, in HTTPInput) (HTTPStage, error) {
	d, err := a.find(gateway.HTTP, in.ApiId)
	if err == nil && d.Stage != in.StageName {
		err = notFound("Unable to find Stage by name %s within the provided API %s", in.StageName, in.ApiId)
	}
	if err != nil {
		return HTTPStage{}, err
	}
	return a.describeHTTPStage(d), nil
}
