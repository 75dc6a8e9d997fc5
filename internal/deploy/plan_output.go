package deploy

import (
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/spec"
)

// addOutputs adds what the stack shows: what the Serverless Framework would have it
// show, and the service's own, which win.
func (r *Revision) addOutputs(svc *spec.Service) {
	add := func(o Output) {
		if i := slices.IndexFunc(r.Outputs, func(p Output) bool { return p.Key == o.Key }); i >= 0 {
			r.Outputs[i] = o
			return
		}
		r.Outputs = append(r.Outputs, o)
	}
	generated := func(key, value, description string) {
		add(Output{key, value, description, "sls-" + svc.Prefix() + "-" + key})
	}
	for _, l := range r.Layers {
		i := slices.IndexFunc(svc.Layers, func(s spec.Layer) bool { return s.ARN == l.ARN })
		id := svc.Layers[i].LogicalID()
		generated(id+"QualifiedArn", l.ARN, "Current Lambda layer version")
		generated(id+"Hash", l.Artifact, "Current Lambda layer hash")
	}
	for _, f := range svc.Functions {
		if f.URL != nil {
			generated(f.LogicalID()+"Url", spec.URLAddress(r.Region, gateway.URLID(r.Stack, f.Target())), "Lambda Function URL")
		}
	}
	for _, api := range r.APIs {
		at := "https://" + api.ID + ".execute-api." + r.Region + ".amazonaws.com"
		switch api.Kind {
		case gateway.REST:
			generated("ServiceEndpoint", at+"/"+api.Stage, "URL of the service endpoint")
		case gateway.HTTP:
			generated("HttpApiId", api.ID, "Id of the HTTP API")
			generated("HttpApiUrl", at, "URL of the HTTP API")
		}
	}
	r.Imports = svc.Imports
	for _, o := range svc.Outputs {
		add(Output{o.Key, o.Value, o.Description, o.Export})
	}
}

// nameOf is the name of a function, with its qualifier if it has one, of its ARN.
func nameOf(function string) string {
	a, err := arn.Parse(function)
	if err != nil {
		return function
	}
	return strings.TrimPrefix(a.Resource, "function:")
}
