package cloudformation

import (
	"context"
	"errors"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
)

// Request is what calls that create or change a stack have in common.
type Request struct {
	StackName             string
	TemplateBody          string                 `json:",omitempty" audit:"hidden"`
	TemplateURL           string                 `json:",omitempty"`
	UsePreviousTemplate   bool                   `json:",omitempty"`
	Parameters            []Parameter            `json:",omitempty"`
	Capabilities          []string               `json:",omitempty"`
	Tags                  []Tag                  `json:",omitempty"`
	NotificationARNs      []string               `json:",omitempty"`
	RoleARN               string                 `json:",omitempty"`
	ResourceTypes         []string               `json:",omitempty"`
	RollbackConfiguration *RollbackConfiguration `json:",omitempty"`
	DisableRollback       bool                   `json:",omitempty"`
}

// RollbackConfiguration is what would have a change taken back later.
type RollbackConfiguration struct {
	MonitoringTimeInMinutes int               `json:",omitempty"`
	RollbackTriggers        []RollbackTrigger `json:",omitempty"`
}

// RollbackTrigger is an alarm.
type RollbackTrigger struct{ Arn, Type string }

// What may come of a stack whose creation failed.
const (
	onFailureRollback = "ROLLBACK"
	onFailureDelete   = "DELETE"
	onFailureNothing  = "DO_NOTHING"
)

var stackName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,127}$`)

func (r *Request) check() error {
	switch {
	case !stackName.MatchString(nameOf(r.StackName)):
		return invalid("1 validation error detected: Value '%s' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*, at most 128 characters", r.StackName)
	case nameOf(r.StackName) == deploy.APIStack:
		return invalid("the stack name %q is taken: that stack holds what calls of the AWS API make", deploy.APIStack)
	case r.RollbackConfiguration != nil && len(r.RollbackConfiguration.RollbackTriggers) > 0:
		return invalid("RollbackConfiguration: triggers are not supported here: nothing watches alarms of CloudWatch; leave them out")
	case len(r.ResourceTypes) > 0:
		return invalid("ResourceTypes is not supported here; say in a policy what may be deployed")
	case len(r.Tags) > 50:
		return invalid("a stack has at most 50 tags, not %d", len(r.Tags))
	}
	for _, topic := range r.NotificationARNs {
		if topic != "" {
			return invalid("NotificationARNs is not supported here: nothing would be published to %s; leave it out", topic)
		}
	}
	return nil
}

// order works out what is asked of a stack, which is nil when it is new.
func (s *Stacks) order(ctx context.Context, r *Request, st *stack) (order, *Template, error) {
	var o order
	var before map[string]string
	if st != nil {
		before = st.Order.Arguments
	}
	body, err := s.template(ctx, r, st)
	if err != nil {
		return o, nil, err
	}
	t, err := Parse(body)
	if err != nil {
		return o, nil, err
	}
	if err := capable(t, r.Capabilities); err != nil {
		return o, nil, err
	}
	o = order{
		Template: body, Description: t.Description, Tags: r.Tags, Capabilities: r.Capabilities, Role: r.RoleARN, OnFailure: onFailureRollback,
	}
	if r.DisableRollback {
		o.OnFailure = onFailureNothing
	}
	if st != nil && o.Tags == nil {
		o.Tags = st.Order.Tags
	}
	if o.Arguments, err = t.arguments(r.Parameters, before); err != nil {
		return o, nil, err
	}
	for _, name := range names(t.Parameters) {
		if t.Parameters[name].NoEcho {
			o.Hidden = append(o.Hidden, name)
		}
	}
	return o, t, nil
}

// template is the text of the template that a request means.
func (s *Stacks) template(ctx context.Context, r *Request, st *stack) (string, error) {
	given := 0
	for _, there := range []bool{r.TemplateBody != "", r.TemplateURL != "", r.UsePreviousTemplate} {
		if there {
			given++
		}
	}
	switch {
	case given != 1:
		return "", invalid("Either Template URL or Template Body must be specified.")
	case r.UsePreviousTemplate && (st == nil || st.Order.Template == ""):
		return "", invalid("there is no previous template to use")
	case r.UsePreviousTemplate:
		return st.Order.Template, nil
	case r.TemplateBody != "":
		if len(r.TemplateBody) > maxBody {
			return "", invalid("TemplateBody has %d bytes; a template in a request has at most %d, one in a bucket (TemplateURL) %d", len(r.TemplateBody), maxBody, maxTemplate)
		}
		return r.TemplateBody, nil
	}
	return s.fetch(ctx, r.TemplateURL)
}

// fetch reads the template at a URL of S3, as the caller may.
func (s *Stacks) fetch(ctx context.Context, at string) (string, error) {
	bucket, key, err := objectOf(at)
	if err != nil {
		return "", err
	}
	if err := s.Authorizer.Authorize(ctx, "s3:GetObject", arn.Bucket(bucket)+"/"+key, nil); err != nil {
		return "", err
	}
	o, body, err := s.Objects.Get(ctx, bucket, key, 0, -1)
	if fault.KindOf(err) == fault.NotFound {
		return "", invalid("S3 error: The specified key does not exist: %s/%s", bucket, key)
	}
	if err != nil {
		return "", err
	}
	doc, err := io.ReadAll(io.LimitReader(body, maxTemplate+1))
	if err = errors.Join(err, body.Close()); err != nil {
		return "", fault.Errorf(fault.Unavailable, "read the template %s: %w", at, err)
	}
	if len(doc) > maxTemplate {
		return "", invalid("the template at TemplateURL has %d bytes; the limit is %d", o.Size, maxTemplate)
	}
	return string(doc), nil
}

var s3Host = regexp.MustCompile(`^(?:(.+)\.)?s3(?:[.-](?:dualstack\.)?[a-z]{2}(?:-[a-z]+)+-[0-9]+)?\.amazonaws\.com$`)

// objectOf is the object at a URL: of one of S3's hosts, or by path of this
// platform's. Keys may have what a URL should not, such as a colon.
func objectOf(at string) (bucket, key string, err error) {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "", "", invalid("TemplateURL must be a supported URL: https://s3.amazonaws.com/BUCKET/KEY or https://BUCKET.s3.REGION.amazonaws.com/KEY")
	}
	path := strings.TrimPrefix(u.Path, "/")
	m, host := s3Host.FindStringSubmatch(u.Host), u.Hostname()
	switch {
	case m != nil && m[1] != "":
		bucket, key = m[1], path
	case m == nil && strings.HasSuffix(host, ".s3.localhost"):
		bucket, key = strings.TrimSuffix(host, ".s3.localhost"), path
	case m == nil && strings.HasSuffix(host, ".localhost"):
		bucket, key = strings.TrimSuffix(host, ".localhost"), path
	case m == nil && strings.HasSuffix(host, ".amazonaws.com"):
		return "", "", invalid("TemplateURL: %s is no host of S3", host)
	default:
		bucket, key, _ = strings.Cut(path, "/")
	}
	if bucket == "" || key == "" {
		return "", "", invalid("TemplateURL names no object: https://s3.amazonaws.com/BUCKET/KEY")
	}
	return bucket, key, nil
}

// Capabilities that a template may need its deployer to know of.
const (
	capabilityIAM   = "CAPABILITY_IAM"
	capabilityNamed = "CAPABILITY_NAMED_IAM"
)

// needed is the capability that a template needs, and the types because of which.
func needed(t *Template) (capability string, types []string) {
	for _, id := range names(t.Resources) {
		d := t.Resources[id]
		if !strings.HasPrefix(d.Type, "AWS::IAM::") {
			continue
		}
		if !slices.Contains(types, d.Type) {
			types = append(types, d.Type)
		}
		if capability == "" {
			capability = capabilityIAM
		}
		for _, name := range []string{"RoleName", "UserName", "GroupName", "ManagedPolicyName", "InstanceProfileName"} {
			if _, named := d.Properties[name]; named {
				capability = capabilityNamed
			}
		}
	}
	return capability, types
}

func capable(t *Template, has []string) error {
	capability, _ := needed(t)
	if capability == "" || slices.Contains(has, capability) || slices.Contains(has, capabilityNamed) {
		return nil
	}
	return fault.Coded(fault.Invalid, "InsufficientCapabilitiesException", "Requires capabilities : [%s]", capability)
}

var _ Objects = (*engine.Objects)(nil)
