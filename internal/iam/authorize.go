package iam

import (
	"context"

	"github.com/dropstack/dropstack/internal/iam/policy"
)

// Authorizer is what asks for permission; an Authority is one.
type Authorizer interface {
	// Authorize returns nil when the caller of ctx may do action (such as
	// "ssm:GetParameter") to resource (an ARN, or "*"), or a fault.Denied that
	// names the caller, the action, the resource and why. conditions are the
	// values of the service's own condition keys, such as "ssm:Overwrite".
	Authorize(ctx context.Context, action, resource string, conditions map[string][]string) error
	// AuthorizeWith also asks the policies of the resource.
	AuthorizeWith(ctx context.Context, action, resource string, conditions map[string][]string, resourcePolicies ...policy.Document) error
}
