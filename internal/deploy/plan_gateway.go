package deploy

import (
	"cmp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/spec"
)

// api returns the revision's API of a kind, made on first use.
func (r *Revision) api(svc *spec.Service, kind string) *gateway.API {
	if i := slices.IndexFunc(r.APIs, func(a gateway.API) bool { return a.Kind == kind }); i >= 0 {
		return &r.APIs[i]
	}
	said, stage := &svc.HTTP, "$default"
	group := "/aws/http-api/" + r.Stack
	if kind == gateway.REST {
		said, stage = &svc.REST, cmp.Or(svc.REST.Stage, r.Stage)
		group = "/aws/api-gateway/" + r.Service + "-" + r.Stage
	}
	api := gateway.API{
		Stack: r.Stack, ID: arn.APIID(r.Stack, kind), Kind: kind, Stage: stage,
		Name:        cmp.Or(said.Name, r.Stage+"-"+r.Service), // as the Serverless Framework names them
		Description: said.Description, BinaryTypes: said.BinaryTypes, Compress: said.Compress, KeySource: said.KeySource,
		CORS: cors(said.CORS), Tags: svc.Tags,
	}
	for _, a := range said.Authorizers {
		api.Authorizers = append(api.Authorizers, gateway.Authorizer{
			Name: a.Name, Kind: a.Kind, Function: a.Function, Identity: a.Identity, Pattern: a.Pattern, TTL: a.TTL,
			Payload: a.Payload, Simple: a.Simple, Issuer: a.Issuer, Audience: a.Audience,
		})
	}
	for _, g := range said.Responses {
		api.Responses = append(api.Responses, gateway.Response{Type: g.Type, Status: g.Status, Parameters: g.Parameters, Templates: g.Templates})
	}
	if said.AccessLog != "" {
		api.AccessLog = &gateway.AccessLog{Group: group, Format: said.AccessLog}
	}
	r.APIs = append(r.APIs, api)
	if kind == gateway.REST {
		r.addKeys(svc, api)
	}
	return &r.APIs[len(r.APIs)-1]
}

// route is what an event of an API asks for.
func route(e *spec.HTTPEvent, target string) gateway.Route {
	out := gateway.Route{
		Method: e.Method, Path: e.Path, Function: target, CORS: cors(e.CORS), Stream: e.Stream,
		Integration: e.Integration, URL: e.URL, Payload: e.Payload, Timeout: e.TimeoutMillis,
		Authorizer: e.Authorizer, Scopes: e.Scopes, KeyRequired: e.Private,
	}
	if len(e.Parameters)+len(e.Models) > 0 {
		out.Validation = &gateway.Validation{Parameters: e.Parameters, Models: e.Models}
	}
	return out
}

// addKeys gives the revision the API keys and usage plans of the REST API, named as
// the Serverless Framework names them.
func (r *Revision) addKeys(svc *spec.Service, api gateway.API) {
	for _, p := range svc.REST.Plans {
		plan := gateway.UsagePlan{
			Stack: r.Stack, ID: arn.ID(6, r.Stack, "usage plan", p.Key), Name: r.Service + "-" + r.Stage,
			Description: "Usage plan for " + r.Service + " " + r.Stage + " stage",
			Stages:      []gateway.PlanStage{{API: api.ID, Stage: api.Stage}},
		}
		if p.Key != "" {
			plan.Name = r.Service + "-" + p.Key + "-" + r.Stage
			plan.Description = `Usage plan "` + p.Key + `" for ` + r.Service + " " + r.Stage + " stage"
		}
		if p.Quota != nil {
			plan.Quota = &gateway.Quota{Limit: p.Quota.Limit, Offset: p.Quota.Offset, Period: p.Quota.Period}
		}
		if p.Throttle != nil {
			plan.Throttle = &gateway.Throttle{Rate: p.Throttle.Rate, Burst: p.Throttle.Burst}
		}
		for _, k := range svc.REST.Keys {
			if k.Plan != p.Key {
				continue
			}
			key := gateway.APIKey{
				Stack: r.Stack, ID: arn.ID(10, r.Stack, "api key", k.Name), Name: k.Name, Value: k.Value,
				Description: k.Description, Customer: k.Customer, Disabled: k.Disabled,
			}
			r.APIKeys = append(r.APIKeys, key)
			plan.Keys = append(plan.Keys, key.ID)
		}
		r.UsagePlans = append(r.UsagePlans, plan)
	}
}

func (r *Revision) addURL(f spec.Function) {
	name, qualifier, _ := strings.Cut(f.Target(), ":")
	url := gateway.FunctionURL(r.Stack, name, qualifier)
	url.Auth, url.CORS = f.URL.Authorizer, cors(f.URL.CORS)
	url.Routes[0].Stream = f.URL.InvokeMode == spec.Stream
	r.APIs = append(r.APIs, url)
}

func cors(c *spec.CORS) *gateway.CORS {
	if c == nil {
		return nil
	}
	converted := gateway.CORS(*c)
	return &converted
}
