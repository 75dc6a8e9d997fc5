package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/dropstack/dropstack/internal/spec"
)

// networkPolicy is what the Serverless Framework gives functions in a network.
const networkPolicy = "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"

// checkRoles asks what a service's policies mean.
func checkRoles(svc *spec.Service, c *checker) {
	for _, r := range svc.Roles {
		whose := "a policy of role " + r.Name
		for _, p := range r.Policies {
			c.policy(policy.Identity, p, whose)
		}
		c.policy(policy.Trust, r.Trust, whose)
		for _, name := range r.Managed {
			if strings.HasPrefix(name, "arn:aws:iam::aws:policy/") && !iam.KnownPolicy(name) {
				c.report(r.Pos, "role %s: the managed policy %s is not known here; write its statements", r.Name, name)
			}
		}
	}
}

// addRoles gives the revision the roles of a service, and functions that name none
// the default one, as the Serverless Framework makes it.
func (r *Revision) addRoles(svc *spec.Service) error {
	standard := spec.Role{Name: svc.DefaultRole(), Path: "/", Default: true}
	standard.ARN = arn.Role(standard.Path, standard.Name)
	for _, role := range svc.Roles {
		if role.Default {
			standard = role
			continue
		}
		if err := r.addRole(svc, role, func(f spec.Function) bool { return f.Key == role.Function }); err != nil {
			return err
		}
	}
	unnamed := func(f spec.Function) bool { return f.Role == "" }
	if !slices.ContainsFunc(svc.Functions, unnamed) {
		return nil
	}
	for i := range r.Functions {
		if r.Functions[i].Role == "" {
			r.Functions[i].Role = standard.ARN
		}
	}
	return r.addRole(svc, standard, unnamed)
}

// addRole adds a role; the functions that it was made for may do what goes without
// saying.
func (r *Revision) addRole(svc *spec.Service, role spec.Role, whose func(spec.Function) bool) error {
	made := iam.DeclaredRole{Name: role.Name, Path: role.Path, Trust: role.Trust.Document, Attached: role.Managed, Inline: map[string]string{}}
	for key, value := range role.Tags {
		made.Tags = append(made.Tags, iam.Tag{Key: key, Value: value})
	}
	slices.SortFunc(made.Tags, func(a, b iam.Tag) int { return strings.Compare(a.Key, b.Key) })
	for i, p := range role.Policies {
		name := p.Name
		if _, twice := made.Inline[name]; twice {
			name += "-" + strconv.Itoa(i+1)
		}
		made.Inline[name] = p.Document
	}
	if role.Default || role.Function != "" {
		doc, network, err := execution(svc, whose)
		if err != nil {
			return err
		}
		made.Inline[svc.Stage+"-"+svc.Name+"-lambda"] = doc
		if network && !slices.Contains(made.Attached, networkPolicy) {
			made.Attached = append(slices.Clone(made.Attached), networkPolicy)
		}
	}
	r.Roles = append(r.Roles, made)
	return nil
}

// statement is one of a policy, in the words of the Serverless Framework.
type statement struct {
	Effect   string
	Action   []string
	Resource []string
}

// execution is a policy for what some functions do without a word in their code:
// write their logs, poll queues, and send events that are done with on. network
// says that one of them is in a network.
func execution(svc *spec.Service, whose func(spec.Function) bool) (doc string, network bool, err error) {
	own := arn.ARN{Partition: "aws", Service: "logs", Region: svc.Region, Account: arn.Account, Resource: "log-group:/aws/lambda/"}.String()
	groups := []string{own + svc.Prefix() + "*"}
	once := func(to *[]string, target string) {
		if target != "" && !slices.Contains(*to, target) {
			*to = append(*to, target)
		}
	}
	var queues, onward, keys []string
	for _, f := range svc.Functions {
		if !whose(f) {
			continue
		}
		network = network || f.VPC != nil
		if !strings.HasPrefix(f.Name, svc.Prefix()) {
			groups = append(groups, own+f.Name)
		}
		for _, e := range f.Events {
			if e.SQS != nil {
				once(&queues, e.SQS.ARN)
			}
		}
		for _, to := range []string{f.OnError, f.OnSuccess, f.OnFailure} {
			once(&onward, to)
		}
		once(&keys, f.KeyARN)
	}
	at := map[string][]string{} // onward, by service
	for _, to := range onward {
		if a, err := arn.Parse(to); err == nil {
			at[a.Service] = append(at[a.Service], to)
		}
	}
	var streams, events []string
	for _, g := range groups {
		streams, events = append(streams, g+":*"), append(events, g+":*:*")
	}
	var statements []statement
	for _, s := range []statement{
		{"Allow", []string{"logs:CreateLogStream", "logs:CreateLogGroup", "logs:TagResource"}, streams},
		{"Allow", []string{"logs:PutLogEvents"}, events},
		{"Allow", []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}, queues},
		{"Allow", []string{"lambda:InvokeFunction"}, at["lambda"]},
		{"Allow", []string{"sns:Publish"}, at["sns"]},
		{"Allow", []string{"sqs:SendMessage"}, at["sqs"]},
		{"Allow", []string{"kms:Decrypt"}, keys},
	} {
		if len(s.Resource) > 0 {
			statements = append(statements, s)
		}
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	return string(text), network, err
}

// trusted refuses a function whose role is neither the revision's own nor one that
// Lambda may assume: it would not start.
func (d *Deployer) trusted(ctx context.Context, r *Revision) error {
	own := map[string]bool{"": true}
	for _, role := range r.Roles {
		path := role.Path
		if path == "" {
			path = "/"
		}
		own[arn.Role(path, role.Name)] = true
	}
	for _, f := range r.Functions {
		if own[f.Role] {
			continue
		}
		if err := d.Rooms.Roles.Trusts(ctx, f.Role, "lambda.amazonaws.com"); err != nil {
			return fmt.Errorf("function %s: %w", f.Name, err)
		}
	}
	return nil
}

// permissions are what functions run as, those of old revisions too as long as
// they do.
func permissions(next, old *Revision, fns []function.Function) iam.Declaration {
	d := iam.Declaration{Roles: next.Roles, Functions: map[string]string{}}
	if old != nil {
		d.Roles = slices.Clone(d.Roles)
		for _, r := range old.Roles {
			if !slices.ContainsFunc(next.Roles, func(n iam.DeclaredRole) bool { return n.Name == r.Name }) {
				d.Roles = append(d.Roles, r)
			}
		}
	}
	for _, f := range fns {
		d.Functions[f.ARN] = f.Role
	}
	return d
}
