package api

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// ServiceOf is a service with one operation.
func ServiceOf[In, Out any](scope, prefix, name string, method func(context.Context, In) (Out, error)) *Service {
	return &Service{Scope: scope, Prefix: prefix, Strict: true, Operations: map[string]Operation{name: op(method, nil)}}
}

// ObjectNeeds is an S3 request's operation and what its caller needs, as text.
func ObjectNeeds(r *http.Request) (string, error) {
	c, err := objectOperation(r, "us-east-1")
	text := c.name
	for i, n := range c.needs {
		if i > 0 {
			text += ";"
		}
		text += " " + n.Action + " " + n.Resource
		for key, values := range n.Conditions {
			text += " " + key + "=" + strings.Join(values, ",")
		}
	}
	return text, err
}

// LambdaOperations are the operations of Lambda by their names in its API, with
// those that share a path with another.
func LambdaOperations() []string {
	names := map[string]bool{"ListProvisionedConcurrencyConfigs": true, "GetLayerVersionByArn": true}
	for path, route := range lambdaRoutes {
		switch {
		case strings.HasSuffix(path, "/response-streaming-invocations"):
			names["InvokeWithResponseStream"] = true
		case strings.HasSuffix(path, "/invocations"):
			names["Invoke"] = true
		default:
			names[route.operation] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Names are the operations of a service.
func (s *Service) Names() []string {
	names := slices.Collect(maps.Keys(s.Operations))
	for _, r := range s.routes {
		names = append(names, r.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
