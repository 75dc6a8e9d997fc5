package apigateway

import (
	"context"

	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/wire"
)

// RestApi is a REST API as API Gateway shows it.
type RestApi struct {
	ID                        string            `json:"id"`
	Name                      string            `json:"name"`
	Description               string            `json:"description,omitempty"`
	CreatedDate               wire.Time         `json:"createdDate"`
	BinaryMediaTypes          []string          `json:"binaryMediaTypes,omitempty"`
	MinimumCompressionSize    *int              `json:"minimumCompressionSize,omitempty"`
	APIKeySource              string            `json:"apiKeySource"`
	EndpointConfiguration     Endpoint          `json:"endpointConfiguration"`
	Tags                      map[string]string `json:"tags,omitempty"`
	DisableExecuteAPIEndpoint bool              `json:"disableExecuteApiEndpoint"`
	RootResourceID            string            `json:"rootResourceId"`
}

// Endpoint is the kind of an API's address. There is only one place here.
type Endpoint struct {
	Types []string `json:"types"`
}

func describeREST(d deployed) RestApi {
	source := d.KeySource
	if source == "" {
		source = "HEADER"
	}
	return RestApi{
		ID: d.ID, Name: d.Name, Description: d.Description, CreatedDate: at(d.created()), BinaryMediaTypes: d.BinaryTypes,
		MinimumCompressionSize: d.Compress, APIKeySource: source, EndpointConfiguration: Endpoint{[]string{"REGIONAL"}},
		Tags: d.Tags, RootResourceID: gateway.PartID(d.ID, "/"),
	}
}

// GetRestApis lists the REST APIs.
func (a *APIs) GetRestApis(_ context.Context, in PageInput) (Page[RestApi], error) {
	var list []RestApi
	for _, d := range a.all(gateway.REST) {
		list = append(list, describeREST(d))
	}
	return page(list, func(r RestApi) string { return r.ID }, in)
}

// RestApiInput names a REST API.
type RestApiInput struct {
	RestApiId string `json:"restApiId,omitempty"`
}

// GetRestApi describes a REST API.
func (a *APIs) GetRestApi(_ context.Context, in RestApiInput) (RestApi, error) {
	d, err := a.find(gateway.REST, in.RestApiId)
	if err != nil {
		return RestApi{}, err
	}
	return describeREST(d), nil
}

// RestApiPageInput asks for a page of what a REST API has.
type RestApiPageInput struct {
	PageInput
	RestApiId string   `json:"restApiId,omitempty"`
	Embed     []string `json:"embed,omitempty"`
}

// Deployment is a state of an API that a stage shows. Here an API is what its stack
// was deployed as last: there is one, and it is another with each revision.
type Deployment struct {
	ID          string    `json:"id"`
	Description string    `json:"description,omitempty"`
	CreatedDate wire.Time `json:"createdDate"`
}

func deploymentOf(d deployed) Deployment {
	return Deployment{ID: partID(d.ID, "deployment", d.revision.ID), CreatedDate: at(d.revision.Created)}
}

// GetDeployments lists an API's deployment.
func (a *APIs) GetDeployments(_ context.Context, in RestApiPageInput) (Page[Deployment], error) {
	d, err := a.find(gateway.REST, in.RestApiId)
	if err != nil {
		return Page[Deployment]{}, err
	}
	return page([]Deployment{deploymentOf(d)}, func(d Deployment) string { return d.ID }, in.PageInput)
}

// DeploymentInput names a deployment.
type DeploymentInput struct {
	RestApiId    string `json:"restApiId,omitempty"`
	DeploymentId string `json:"deploymentId,omitempty"`
}

// GetDeployment describes an API's deployment.
func (a *APIs) GetDeployment(_ context.Context, in DeploymentInput) (Deployment, error) {
	d, err := a.find(gateway.REST, in.RestApiId)
	if err != nil {
		return Deployment{}, err
	}
	if is := deploymentOf(d); is.ID == in.DeploymentId {
		return is, nil
	}
	return Deployment{}, notFound("Invalid Deployment identifier specified")
}
