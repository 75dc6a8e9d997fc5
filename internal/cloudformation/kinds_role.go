package cloudformation

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/iam/policy"
)

var roleName = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)

// iamRole is AWS::IAM::Role.
func iamRole(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("AssumeRolePolicyDocument")
	d := iam.DeclaredRole{
		Name: p.name(r, in.text("RoleName"), 64), Path: cmp.Or(in.text("Path"), "/"), Description: in.text("Description"),
		Trust: in.document("AssumeRolePolicyDocument", policy.Trust), MaxSessionDuration: in.numberOr("MaxSessionDuration", 3600, 43200, 0),
		Inline: map[string]string{}, Tags: roleTags(in.tags("Tags")),
	}
	if !roleName.MatchString(d.Name) {
		in.fail("RoleName", "%q must be 1 to 64 letters, digits and _+=,.@-", d.Name)
	}
	for _, one := range in.each("Policies") {
		one.need("PolicyName", "PolicyDocument")
		d.Inline[one.text("PolicyName")] = one.document("PolicyDocument", policy.Identity)
	}
	p.attach(in, &d)
	in.refuse("it would bound nothing", "PermissionsBoundary")
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	p.revision.Roles = append(p.revision.Roles, d)
	return Identity{Physical: d.Name, Attributes: map[string]string{"Arn": arn.Role(d.Path, d.Name), "RoleId": "AROA" + strings.ToUpper(p.fixed(Resource{Type: r.Type, ID: r.ID}, 17))}}, nil
}

func roleTags(tags map[string]string) (list []iam.Tag) {
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, iam.Tag{Key: key, Value: tags[key]})
	}
	return list
}

// attach reads the managed policies of a role: those of the template as what they
// say, as they come and go with it.
func (p *plan) attach(in *properties, d *iam.DeclaredRole) {
	for _, name := range in.texts("ManagedPolicyArns") {
		if own, ok := p.managed(name); ok {
			d.Inline[lastPart(name)] = own
			continue
		}
		if strings.HasPrefix(name, "arn:aws:iam::aws:policy/") && !iam.KnownPolicy(name) {
			in.fail("ManagedPolicyArns", "%s is not known here; write its statements", name)
		}
		d.Attached = append(d.Attached, name)
	}
}

// lastPart is the last part of an ARN or a path.
func lastPart(s string) string { return s[strings.LastIndexAny(s, "/:")+1:] }

// managed is the text of a managed policy of the template.
func (p *plan) managed(name string) (string, bool) {
	r, ok := p.physical("AWS::IAM::ManagedPolicy", name)
	if !ok {
		return "", false
	}
	return propertiesOf(r).document("PolicyDocument", policy.Identity), true
}

// iamPolicy is AWS::IAM::Policy and AWS::IAM::RolePolicy, which are inline policies
// of the roles that they name.
func iamPolicy(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("PolicyName", "PolicyDocument")
	name, doc := in.text("PolicyName"), in.document("PolicyDocument", policy.Identity)
	roles, property := in.texts("Roles"), "Roles"
	if one := in.text("RoleName"); one != "" {
		roles, property = []string{one}, "RoleName"
	}
	in.nobody()
	p.grant(in, property, roles, name, doc)
	return Identity{Physical: p.fixed(r, 16), Attributes: map[string]string{"Id": p.fixed(r, 16)}}, in.done(p)
}

// iamManagedPolicy is AWS::IAM::ManagedPolicy.
func iamManagedPolicy(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("PolicyDocument")
	doc, path := in.document("PolicyDocument", policy.Identity), cmp.Or(in.text("Path"), "/")
	name := in.text("ManagedPolicyName")
	if name == "" {
		name = lastPart(p.name(r, "", 128))
	}
	in.known("Description", "Tags")
	in.nobody()
	p.grant(in, "Roles", in.texts("Roles"), name, doc)
	own := arn.Policy(path, name)
	return Identity{Physical: own, Attributes: map[string]string{"PolicyArn": own, "PolicyId": "ANPA" + strings.ToUpper(p.fixed(Resource{Type: r.Type, ID: r.ID}, 17))}}, in.done(p)
}

// nobody refuses what is not a stack's.
func (p *properties) nobody() {
	p.refuse("users are not a stack's; attach it with IAM's API", "Users")
	p.refuse("groups are not a stack's; attach it with IAM's API", "Groups")
}

// grant adds a policy to roles of the template.
func (p *plan) grant(in *properties, property string, roles []string, name, doc string) {
	for _, role := range roles {
		i := slices.IndexFunc(p.revision.Roles, func(d iam.DeclaredRole) bool { return d.Name == role })
		if i < 0 {
			in.fail(property, "%s is none of this template's roles; attach the policy with IAM's API", role)
			continue
		}
		p.revision.Roles[i].Inline[name] = doc
	}
}

// iamInstanceProfile is AWS::IAM::InstanceProfile, which no machine here would have.
func iamInstanceProfile(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.known("Roles", "Path")
	name := p.name(r, in.text("InstanceProfileName"), 128)
	in.without = append(in.without, "it has no effect: there are no virtual machines")
	return Identity{Physical: name, Attributes: map[string]string{"Arn": arn.ARN{Partition: "aws", Service: "iam", Account: arn.Account, Resource: "instance-profile/" + name}.String()}}, in.done(p)
}
