package cloudformation

import (
	"context"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge/cloudfront"
	"github.com/dropstack/dropstack/internal/function"
)

// Resource is a resource of a template whose condition holds. Its properties are
// values: what refers to others has been put in.
type Resource struct {
	ID         string // logical
	Type       string // AWS::SNS::Topic ...
	Properties map[string]any
	Metadata   map[string]any
	Policy     map[string]any // UpdatePolicy
	Retain     bool           // DeletionPolicy: Retain
	Physical   string         // what it is called in the stack as it is; "": it is new
}

// Identity is what the rest of a template sees of a resource.
type Identity struct {
	Physical   string            // its physical id
	Ref        string            // what Ref gives; "": Physical
	Attributes map[string]string // what Fn::GetAtt gives
}

// kind is what a type of resource means here: it adds a resource to the revision
// and says what others see of it. Resources come in the order in which they refer
// to each other. An error is of the resource: it says what is wrong with it and
// what to do, and names the property.
type kind func(ctx context.Context, p *plan, r Resource) (Identity, error)

// plan is the revision that a template is turned into.
type plan struct {
	revision  *deploy.Revision
	stack     string // name
	stackID   string // ARN
	region    string
	platform  Platform
	templates map[string]Resource      // every resource so far, by logical id
	made      map[string]Identity      // likewise
	endpoint  string                   // URL of the AWS endpoint, which those of queues begin with; "": Amazon's
	url       func(host string) string // where the edge answers for a host; nil: https://HOST
	warnings  []Warning
	policies  cloudfront.Policies // of CloudFront, and keys, so far
}

// Warning says what of a resource has no effect here.
type Warning struct {
	ID      string // logical, of the resource
	Message string
}

// Platform is what kinds need to know of what is there already.
type Platform interface {
	// Artifact brings the object of a bucket into the store of artifacts and returns
	// its SHA-256 and size.
	Artifact(ctx context.Context, bucket, key, version string) (sha string, size int64, err error)
	// Store keeps a zip in the store of artifacts and returns its SHA-256 and size.
	Store(ctx context.Context, zip []byte) (sha string, size int64, err error)
	// NextVersion is the number that the next changed version of a function will
	// have, and the newest published one, with Version "" when there is none.
	NextVersion(ctx context.Context, function string) (next int, newest function.Function, err error)
	// List is the active revisions of all stacks.
	List() map[string]*deploy.Revision
	// Secret is a random text of letters and digits for what generates its own.
	Secret() string
}
