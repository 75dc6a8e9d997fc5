package deploy

import (
	"fmt"
	"maps"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/spec"
)

// Plan derives the revision that a checked service asks for. artifacts holds the
// SHA-256 of each function's artifact by the function's key, layers those of the
// service's layers by the layer's.
func Plan(svc *spec.Service, artifacts, layers map[string]string) (*Revision, error) {
	r := &Revision{Stack: svc.Stack(), Service: svc.Name, Stage: svc.Stage, Region: svc.Region, Network: svc.Network}
	if svc.KeepVersions > 0 {
		r.Keep = &Keep{Versions: svc.KeepVersions}
	}
	var wrong []spec.Problem
	if r.Topics, r.Subscriptions, wrong = planTopics(svc); len(wrong) > 0 {
		return nil, Problems(wrong)
	}
	for _, b := range svc.Buckets {
		r.addBucket(b)
	}
	if err := r.addLayers(svc, layers); err != nil {
		return nil, err
	}
	for _, f := range svc.Functions {
		sha := artifacts[f.Key]
		if sha == "" {
			return nil, fmt.Errorf("function %q has no artifact", f.Key)
		}
		fn := planFunction(svc, f, sha)
		useLayers(svc, f, layers, &fn)
		r.Functions = append(r.Functions, fn)
		for n, e := range f.Events {
			r.addEvent(svc, f, n, e)
		}
		if f.URL != nil {
			r.addURL(f)
		}
	}
	r.addResources(svc)
	r.addMonitors(svc)
	for _, s := range svc.LogSources {
		r.LogSources = append(r.LogSources, logSource(s))
	}
	r.addAlerts(svc)
	r.addOutputs(svc)
	if err := r.addRoles(svc); err != nil {
		return nil, err
	}
	if wrong := r.addEdge(svc).wrong; len(wrong) > 0 {
		return nil, Problems(wrong)
	}
	return r, nil
}

func planFunction(svc *spec.Service, f spec.Function, sha string) function.Function {
	out := function.Function{
		Stack: svc.Stack(), Name: f.Name, ARN: arn.Function(svc.Region, f.Name),
		Description: f.Description, Version: "$LATEST", Runtime: f.Runtime, Handler: f.Handler,
		Artifact: sha, Environment: f.Environment, MemoryMB: f.MemoryMB, Timeout: f.TimeoutSeconds,
		StorageMB: f.StorageMB, MinIsolation: f.MinIsolation, Concurrency: f.ReservedConcurrency, DeadLetter: f.OnError,
		LogFormat: f.LogFormat, LogLevel: f.LogLevel,
		Publish: f.Publish, Provisioned: f.ProvisionedConcurrency, Warm: f.Warm,
		MaxEventAge: f.MaximumEventAge, MaxRetries: f.MaximumRetryAttempts,
		OnSuccess: f.OnSuccess, OnFailure: f.OnFailure, KeyARN: f.KeyARN, Role: f.Role, Tags: f.Tags,
	}
	if s := f.Shift; s != nil {
		out.Shift = &function.Shift{Alias: s.Alias, Type: s.Type, Before: s.Before, After: s.After, Alarms: s.Alarms}
	}
	for _, s := range f.Secrets {
		out.Secrets = append(out.Secrets, function.Secret{Name: s.Name, Parameter: s.Parameter})
	}
	if f.VPC != nil {
		out.VPC = &function.VPC{Subnets: f.VPC.Subnets, Groups: f.VPC.Groups}
	}
	if f.Mount != nil {
		out.Mount = &function.Mount{Name: f.Mount.Name, Path: f.Mount.Path}
	}
	return out
}

// tags are those of a resource over the service's.
func tags(svc *spec.Service, own map[string]string) map[string]string {
	if len(svc.Tags) == 0 {
		return own
	}
	all := maps.Clone(svc.Tags)
	maps.Copy(all, own)
	return all
}

// Problems joins problems into one error that prints one a line.
func Problems(list []spec.Problem) error {
	if len(list) == 0 {
		return nil
	}
	return &spec.Error{Problems: list}
}

// Describe is a one-line summary for people: "6 functions, 2 topics".
func (r *Revision) Describe() string {
	var parts []string
	for _, c := range []struct {
		n    int
		word string
	}{
		{len(r.Functions), "function"},
		{len(r.Roles), "role"},
		{len(r.Network.VPCs), "VPC"},
		{len(r.APIs), "API"},
		{len(r.Topics), "topic"},
		{len(r.Queues), "queue"},
		{len(r.Buses), "event bus"},
		{len(r.Rules), "rule"},
		{len(r.Schedules), "schedule"},
		{len(r.Buckets), "bucket"},
		{len(r.Distributions), "distribution"},
		{len(r.WebACLs), "web ACL"},
		{len(r.Alerts), "alert rule"},
		{len(r.Alarms), "alarm"},
		{len(r.Monitors), "monitor"},
	} {
		switch plural := "s"; {
		case c.n == 1:
			parts = append(parts, "1 "+c.word)
		case c.n > 1:
			if strings.HasSuffix(c.word, "s") {
				plural = "es"
			}
			parts = append(parts, fmt.Sprintf("%d %s%s", c.n, c.word, plural))
		}
	}
	switch contents := strings.Join(parts, ", "); {
	case r.Stack != APIStack:
		return contents
	case contents == "":
		return "nothing; here is what calls of the AWS API make"
	default:
		return contents + "; made by calls of the AWS API"
	}
}
