package api

import "context"

// ServiceOf is a service with one operation.
func ServiceOf[In, Out any](scope, prefix, name string, method func(context.Context, In) (Out, error)) *Service {
	return &Service{Scope: scope, Prefix: prefix, Strict: true, Operations: map[string]Operation{name: op(method, nil)}}
}
