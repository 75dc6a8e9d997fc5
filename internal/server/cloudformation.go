package server

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/cloudformation"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/dropstack/dropstack/internal/lambda"
	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/secret/store"
)

// openStacks opens the stacks that templates have made. It comes after the deployer
// and before the API.
func (r *rooms) openStacks(ctx context.Context, cfg Config, at api.Endpoints) (err error) {
	ask := objectAuthority{r}
	s := &cloudformation.Stacks{
		Sealer: r.secrets.kept.Sealer("stacks"), Deployer: r.deployer, Objects: r.eng.Objects, Logs: r.logs, Authorizer: ask, Functions: r.invoker,
		Region: cfg.Region, Log: cfg.Log, Parameter: r.parameter,
		Platform: templates{r, ask, &lambda.Functions{Objects: r.eng.Objects, Invoker: r.invoker, Deployer: r.deployer, Region: cfg.Region}},
		Answers:  r.answersURL(at.AWS, cfg.Region),
		Endpoint: at.AWS, URL: onHost(at.HTTP),
	}
	if s.Bucket, err = store.Open(ctx, r.eng.Streams, "cloudformation"); err != nil {
		return err
	}
	if s.Events, err = store.Open(ctx, r.eng.Streams, "cloudformation-events"); err != nil {
		return err
	}
	r.cloudformation = s
	return s.Load(ctx)
}

// parameter reads a parameter for whoever deploys a template.
func (r *rooms) parameter(ctx context.Context, name string) (string, error) {
	found, err := r.secrets.parameters.Resolve(ctx, []string{name})
	return found[name].Value, err
}

// answersURL is where functions say what became of a custom resource: by AWS's own
// name where sandboxes know it, since AWS's helper for Node takes no other port.
func (r *rooms) answersURL(endpoint, region string) func(token string) string {
	base := endpoint + "/" + api.AnswersBucket + "/"
	if r.boxes.Level == sandbox.Full || r.boxes.Level == sandbox.Userns {
		base = "https://" + api.AnswersBucket + ".s3." + region + ".amazonaws.com/"
	}
	return func(token string) string { return base + token }
}

// objectAuthority decides about objects by their bucket's policy too.
type objectAuthority struct{ *rooms }

func (a objectAuthority) Authorize(ctx context.Context, action, resource string, conditions map[string][]string) error {
	bucket, _, _ := strings.Cut(strings.TrimPrefix(resource, arn.Bucket("")), "/")
	text, err := a.eng.Objects.Policy(ctx, bucket)
	if err != nil {
		return err
	}
	if text == "" {
		return a.keys.Authorize(ctx, action, resource, conditions)
	}
	document, err := policy.Parse(policy.Resource, text)
	if err != nil {
		return fault.Errorf(fault.Internal, "policy of bucket %s: %w", bucket, err)
	}
	return a.keys.AuthorizeWith(ctx, action, resource, conditions, document)
}

// templates is what resources of templates need to know.
type templates struct {
	*rooms
	ask  objectAuthority
	code *lambda.Functions
}

// Artifact implements cloudformation.Platform.
func (t templates) Artifact(ctx context.Context, bucket, key, version string) (sha string, size int64, err error) {
	if version != "" {
		return "", 0, fault.Errorf(fault.Invalid, "S3ObjectVersion is not supported here: objects have one version; leave it out")
	}
	if err := t.ask.Authorize(ctx, "s3:GetObject", arn.Bucket(bucket)+"/"+key, nil); err != nil {
		return "", 0, err
	}
	return t.code.Take(ctx, bucket, key)
}

// Store implements cloudformation.Platform.
func (t templates) Store(ctx context.Context, zip []byte) (sha string, size int64, err error) {
	return t.code.Store(ctx, zip)
}

// NextVersion implements cloudformation.Platform.
func (t templates) NextVersion(ctx context.Context, name string) (int, function.Function, error) {
	return t.invoker.NextVersion(ctx, name)
}

// List implements cloudformation.Platform.
func (t templates) List() map[string]*deploy.Revision { return t.deployer.List() }

// Secret implements cloudformation.Platform.
func (t templates) Secret() string { return rand.Text() }
