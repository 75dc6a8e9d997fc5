package spec

import (
	"maps"
	"slices"

	"github.com/dropstack/dropstack/internal/arn"
)

// nameIAM takes note of a resource of IAM; false when its type is none.
func (r *reader) nameIAM(typ string, f field, n *node) bool {
	d := declaredRole{field: f, props: &node{pos: f.pos, kind: object}}
	if v := r.vars.resolve(n.get("Properties")); v != nil && r.is(v, object, "resource "+f.key+".Properties") {
		d.props = v
	}
	switch typ {
	case "AWS::IAM::Role":
		r.perms.declared[f.key] = d
		r.names[f.key] = resource{} // nameRoles fills it in
	case "AWS::IAM::Policy", "AWS::IAM::RolePolicy":
		r.perms.attached = append(r.perms.attached, d)
	case "AWS::IAM::ManagedPolicy":
		r.perms.shared = append(r.perms.shared, d)
		name := r.svc.Stack() + "-" + f.key
		if v := d.props.get("ManagedPolicyName"); v != nil {
			name = r.value(v, "resource "+f.key+".ManagedPolicyName")
		}
		own := arn.Policy("/", name)
		r.names[f.key] = resource{name, own, map[string]string{"PolicyArn": own}}
	default:
		return false
	}
	return true
}

// readPolicies reads the managed policies of the service, which roles refer to.
func (r *reader) readPolicies() {
	for _, d := range r.perms.shared {
		what := "resource " + d.key
		own := r.names[d.key]
		r.object(d.props, what, keys{
			"PolicyDocument":    func(v *node) { r.perms.policies[own.ref] = r.document(v, own.name, what+".PolicyDocument") },
			"ManagedPolicyName": nil, "Path": nil, "Description": nil, "Roles": nil,
		}, effects{
			"Groups": "there are no groups of this service; attach it with IAM's API",
			"Users":  "there are no users of this service; attach it with IAM's API",
		})
		if d.props.get("PolicyDocument") == nil {
			r.fail(d.pos, "%s has no PolicyDocument", what)
		}
	}
}

// useRole reads an AWS::IAM::Role when a function first names it, and returns its
// ARN.
func (r *reader) useRole(id string, d declaredRole) string {
	what := "resource " + id
	own := r.names[id].atts["Arn"]
	if slices.ContainsFunc(r.svc.Roles, func(role Role) bool { return role.ARN == own }) {
		return own
	}
	role := r.identify(d.props, what, "RoleName", "Path", r.svc.Stack()+"-"+id)
	role.Pos = d.pos
	r.object(d.props, what, keys{
		"RoleName": nil, "Path": nil, "Description": nil, "MaxSessionDuration": nil,
		"AssumeRolePolicyDocument": func(v *node) {
			role.Trust = r.document(v, "AssumeRolePolicyDocument", what+".AssumeRolePolicyDocument")
		},
		"ManagedPolicyArns": func(v *node) { r.managed(&role, v, what+".ManagedPolicyArns") },
		"Policies": func(v *node) {
			r.each(v, what+".Policies", func(item *node) {
				if p, ok := r.inline(item, what+".Policies"); ok {
					role.Policies = append(role.Policies, p)
				}
			})
		},
		"Tags": func(v *node) {
			role.Tags = map[string]string{}
			r.each(v, what+".Tags", func(item *node) {
				role.Tags[r.value(item.get("Key"), what+".Tags.Key")] = r.value(item.get("Value"), what+".Tags.Value")
			})
		},
	}, effects{"PermissionsBoundary": unbounded})
	if role.Trust.Document == "" && d.props.get("AssumeRolePolicyDocument") == nil {
		r.fail(d.pos, "%s has no AssumeRolePolicyDocument; without one nobody could assume it", what)
	}
	r.attach(&role, id)
	r.svc.Roles = append(r.svc.Roles, role)
	return own
}

// attach adds the policies that name a role instead of being named by it.
func (r *reader) attach(role *Role, id string) {
	for _, d := range r.perms.attached {
		what := "resource " + d.key
		if r.concerns(d.props, id, what) {
			if p, ok := r.inline(d.props, what); ok {
				role.Policies = append(role.Policies, p)
			}
		}
	}
	for _, d := range r.perms.shared {
		if r.concerns(d.props, id, "resource "+d.key) {
			role.Policies = append(role.Policies, r.perms.policies[r.names[d.key].ref])
		}
	}
}

// concerns tells whether a policy names a role.
func (r *reader) concerns(props *node, id, what string) (found bool) {
	for _, key := range []string{"Roles", "RoleName"} {
		n := r.vars.resolve(props.get(key))
		if n != nil && n.kind != list {
			n = &node{pos: n.pos, kind: list, items: []*node{n}}
		}
		if n != nil && n.kind == list {
			r.each(n, what+"."+key, func(item *node) { found = found || r.value(item, what+"."+key) == r.names[id].name })
		}
	}
	return found
}

// inline reads a policy with its name.
func (r *reader) inline(n *node, what string) (p Policy, ok bool) {
	var name string
	r.object(n, what, keys{
		"PolicyName":     func(v *node) { name = r.value(v, what+".PolicyName") },
		"PolicyDocument": func(v *node) { p, ok = r.document(v, name, what+".PolicyDocument"), true },
		"Roles":          nil, "RoleName": nil, "Groups": nil, "Users": nil,
	}, effects{})
	p.Name = name
	if n.kind == object && (name == "" || !ok) {
		r.fail(n.pos, "%s needs a PolicyName and a PolicyDocument", what)
		return p, false
	}
	return p, ok
}

// unusedRoles warns of roles that no function has: they are not made.
func (r *reader) unusedRoles() {
	for _, id := range slices.Sorted(maps.Keys(r.perms.declared)) {
		own := r.names[id].atts["Arn"]
		if !slices.ContainsFunc(r.svc.Roles, func(role Role) bool { return role.ARN == own }) {
			r.warn(r.perms.declared[id].pos, "resource %s is the role of no function and is not made", id)
		}
	}
}
