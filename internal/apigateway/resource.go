package apigateway

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/gateway"
)

// Resource is a path of a REST API, and its methods.
type Resource struct {
	ID              string            `json:"id"`
	ParentID        string            `json:"parentId,omitempty"`
	PathPart        string            `json:"pathPart,omitempty"`
	Path            string            `json:"path"`
	ResourceMethods map[string]Method `json:"resourceMethods,omitempty"`
}

// Method is a method of a resource. In a list that does not ask for methods, it is
// empty.
type Method struct {
	HTTPMethod        string       `json:"httpMethod,omitempty"`
	AuthorizationType string       `json:"authorizationType,omitempty"`
	AuthorizerID      string       `json:"authorizerId,omitempty"`
	APIKeyRequired    *bool        `json:"apiKeyRequired,omitempty"`
	MethodIntegration *Integration `json:"methodIntegration,omitempty"`
}

// Integration is what answers a method.
type Integration struct {
	Type                 string `json:"type"`
	HTTPMethod           string `json:"httpMethod,omitempty"`
	URI                  string `json:"uri,omitempty"`
	TimeoutInMillis      int    `json:"timeoutInMillis,omitempty"`
	ResponseTransferMode string `json:"responseTransferMode,omitempty"`
}

// resources is the tree of an API's paths, by path.
func (a *APIs) resources(d deployed) []Resource {
	tree := map[string]*Resource{}
	var grow func(path string) *Resource
	grow = func(path string) *Resource {
		if r, ok := tree[path]; ok {
			return r
		}
		r := &Resource{ID: gateway.PartID(d.ID, path), Path: path}
		tree[path] = r
		if path != "/" {
			parent, part, _ := cutLast(path)
			r.PathPart, r.ParentID = part, grow(parent).ID
		}
		return r
	}
	grow("/")
	for _, route := range d.Routes {
		r := grow(route.Path)
		if r.ResourceMethods == nil {
			r.ResourceMethods = map[string]Method{}
		}
		r.ResourceMethods[route.Method] = a.method(d, route)
	}
	var list []Resource
	for _, path := range slices.Sorted(maps.Keys(tree)) {
		list = append(list, *tree[path])
	}
	return list
}

// cutLast cuts a path before its last part.
func cutLast(path string) (parent, part string, ok bool) {
	i := strings.LastIndex(path, "/")
	if i <= 0 {
		return "/", strings.TrimPrefix(path, "/"), i == 0
	}
	return path[:i], path[i+1:], true
}

func (a *APIs) method(d deployed, route gateway.Route) Method {
	m := Method{HTTPMethod: route.Method, AuthorizationType: "NONE", APIKeyRequired: &route.KeyRequired}
	switch route.Authorizer {
	case "":
	case gateway.AuthorizerIAM:
		m.AuthorizationType = gateway.AuthorizerIAM
	default:
		m.AuthorizationType, m.AuthorizerID = "CUSTOM", authorizerID(d.ID, route.Authorizer)
	}
	i := Integration{Type: "AWS_PROXY", HTTPMethod: "POST", URI: a.invocations(route.Function), TimeoutInMillis: route.Timeout, ResponseTransferMode: "BUFFERED"}
	switch route.Integration {
	case gateway.IntegrationAsync, gateway.IntegrationEvent:
		i.Type = "AWS"
	case gateway.IntegrationHTTP:
		i = Integration{Type: "HTTP_PROXY", HTTPMethod: route.Method, URI: route.URL, TimeoutInMillis: route.Timeout}
	case gateway.IntegrationMock:
		i = Integration{Type: "MOCK"}
	}
	if route.Stream {
		i.ResponseTransferMode = "STREAM"
	}
	m.MethodIntegration = &i
	return m
}

// invocations is how API Gateway names the calling of a function.
func (a *APIs) invocations(function string) string {
	if function == "" {
		return ""
	}
	return "arn:aws:apigateway:" + a.Region + ":lambda:path/2015-03-31/functions/" + arn.Function(a.Region, function) + "/invocations"
}

// GetResources lists the paths of an API, with their methods if they are asked for.
func (a *APIs) GetResources(_ context.Context, in RestApiPageInput) (Page[Resource], error) {
	d, err := a.find(gateway.REST, in.RestApiId)
	if err != nil {
		return Page[Resource]{}, err
	}
	list := a.resources(d)
	for i := range list {
		list[i] = list[i].without(in.Embed)
	}
	return page(list, func(r Resource) string { return r.ID }, in.PageInput)
}

// without is the resource with its methods' names only, unless they are asked for.
func (r Resource) without(embed []string) Resource {
	if slices.Contains(embed, "methods") {
		return r
	}
	names := map[string]Method{}
	for name := range r.ResourceMethods {
		names[name] = Method{}
	}
	r.ResourceMethods = names
	return r
}

// ResourceInput names a resource, and a method of it.
type ResourceInput struct {
	RestApiId  string   `json:"restApiId,omitempty"`
	ResourceId string   `json:"resourceId,omitempty"`
	HttpMethod string   `json:"httpMethod,omitempty"`
	Embed      []string `json:"embed,omitempty"`
}

// GetResource describes a path of an API.
func (a *APIs) GetResource(_ context.Context, in ResourceInput) (Resource, error) {
	r, err := a.resource(in)
	return r.without(in.Embed), err
}

// GetMethod describes a method of a path.
func (a *APIs) GetMethod(_ context.Context, in ResourceInput) (Method, error) {
	r, err := a.resource(in)
	if err != nil {
		return Method{}, err
	}
	m, ok := r.ResourceMethods[in.HttpMethod]
	if !ok {
		return Method{}, notFound("Invalid Method identifier specified")
	}
	return m, nil
}

// GetIntegration describes what answers a method of a path.
func (a *APIs) GetIntegration(ctx context.Context, in ResourceInput) (Integration, error) {
	m, err := a.GetMethod(ctx, in)
	if err != nil {
		return Integration{}, err
	}
	return *m.MethodIntegration, nil
}

func (a *APIs) resource(in ResourceInput) (Resource, error) {
	d, err := a.find(gateway.REST, in.RestApiId)
	if err != nil {
		return Resource{}, err
	}
	list := a.resources(d)
	if i := slices.IndexFunc(list, func(r Resource) bool { return r.ID == in.ResourceId }); i >= 0 {
		return list[i], nil
	}
	return Resource{}, notFound("Invalid Resource identifier specified")
}
