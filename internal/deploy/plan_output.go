package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/function"
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
	export := func(key string) string { return "sls-" + svc.Prefix() + "-" + key }
	generated := func(key, value, description string) {
		add(Output{Key: key, Value: value, Description: description, Export: export(key)})
	}
	for _, l := range r.Layers {
		i := slices.IndexFunc(svc.Layers, func(s spec.Layer) bool { return s.ARN == l.ARN })
		id := svc.Layers[i].LogicalID()
		generated(id+"QualifiedArn", l.ARN, "Current Lambda layer version")
		generated(id+"Hash", l.Artifact, "Current Lambda layer hash")
	}
	for _, f := range svc.Functions {
		if i := slices.IndexFunc(r.Functions, func(fn function.Function) bool { return fn.Name == f.Name }); i >= 0 && versioned(r.Functions[i]) {
			key := f.LogicalID() + "QualifiedArn"
			add(Output{Key: key, Value: r.Functions[i].ARN, Description: "Current Lambda function version", Export: export(key), VersionOf: f.Name})
		}
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
	if svc.CloudFront != nil {
		add(Output{Key: spec.APIDistribution, Value: arn.DistributionDomain(arn.DistributionID(r.Stack, spec.APIDistribution)), Description: "Domain name of the API's distribution"})
	}
	r.Imports = svc.Imports
	for _, o := range svc.Outputs {
		add(Output{Key: o.Key, Value: o.Value, Description: o.Description, Export: o.Export})
	}
}

// versioned reports whether a function gets a version with every deployment that
// changes it.
func versioned(f function.Function) bool { return f.Publish || f.Provisioned > 0 || f.Shift != nil }

// foretell has outputs that are versions of functions name those that the revision
// will have once it is active.
func (d *Deployer) foretell(ctx context.Context, r *Revision) error {
	r.Outputs = slices.Clone(r.Outputs)
	for i := range r.Outputs {
		o := &r.Outputs[i]
		k := slices.IndexFunc(r.Functions, func(f function.Function) bool { return f.Name == o.VersionOf })
		if o.VersionOf == "" || k < 0 {
			continue
		}
		f := r.Functions[k]
		f.Stack = r.Stack
		version, err := d.Rooms.Versions.Foretell(ctx, f)
		if err != nil {
			return fmt.Errorf("output %s: %w", o.Key, err)
		}
		o.Value = f.ARN + ":" + version
	}
	return nil
}

// nameOf is the name of a function, with its qualifier if it has one, of its ARN.
func nameOf(function string) string {
	a, err := arn.Parse(function)
	if err != nil {
		return function
	}
	return strings.TrimPrefix(a.Resource, "function:")
}
