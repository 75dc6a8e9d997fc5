package api

import (
	"context"
	"net/http"
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
