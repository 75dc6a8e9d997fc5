package apigateway

import (
	"context"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/gateway"
)

// Authorizer is an authorizer of a REST API.
type Authorizer struct {
	ID                           string `json:"id"`
	Name                         string `json:"name"`
	Type                         string `json:"type"`
	AuthType                     string `json:"authType"`
	AuthorizerURI                string `json:"authorizerUri,omitempty"`
	IdentitySource               string `json:"identitySource,omitempty"`
	IdentityValidationExpression string `json:"identityValidationExpression,omitempty"`
	AuthorizerResultTTLInSeconds int    `json:"authorizerResultTtlInSeconds"`
}

func authorizerID(api, name string) string { return partID(api, "authorizer", name) }

func (a *APIs) authorizers(d deployed) (list []Authorizer) {
	for _, by := range d.Authorizers {
		list = append(list, Authorizer{
			ID: authorizerID(d.ID, by.Name), Name: by.Name, Type: by.Kind, AuthType: "custom", AuthorizerURI: a.invocations(by.Function),
			IdentitySource: strings.Join(by.Identity, ","), IdentityValidationExpression: by.Pattern, AuthorizerResultTTLInSeconds: by.TTL,
		})
	}
	return list
}

// GetAuthorizers lists the authorizers of an API.
func (a *APIs) GetAuthorizers(_ context.Context, in RestApiPageInput) (Page[Authorizer], error) {
	d, err := a.find(gateway.REST, in.RestApiId)
	if err != nil {
		return Page[Authorizer]{}, err
	}
	return page(a.authorizers(d), func(a Authorizer) string { return a.ID }, in.PageInput)
}

// AuthorizerInput names an authorizer.
type AuthorizerInput struct {
	RestApiId    string `json:"restApiId,omitempty"`
	AuthorizerId string `json:"authorizerId,omitempty"`
}

// GetAuthorizer describes an authorizer of an API.
func (a *APIs) GetAuthorizer(_ context.Context, in AuthorizerInput) (Authorizer, error) {
	d, err := a.find(gateway.REST, in.RestApiId)
	if err != nil {
		return Authorizer{}, err
	}
	list := a.authorizers(d)
	if i := slices.IndexFunc(list, func(by Authorizer) bool { return by.ID == in.AuthorizerId }); i >= 0 {
		return list[i], nil
	}
	return Authorizer{}, notFound("Invalid Authorizer identifier specified %s", in.AuthorizerId)
}
