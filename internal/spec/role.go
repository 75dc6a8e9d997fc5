package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

// Role is what functions may do: the one that functions have unless they say
// otherwise, one of a function's own, or an AWS::IAM::Role.
type Role struct {
	Pos      Pos
	Name     string
	Path     string // begins and ends with /
	ARN      string
	Default  bool   // of the functions that name no other: it may write their logs too
	Function string // key of the only function that has it, which may write its logs too
	Trust    Policy // who may assume it; without a Document: functions
	Policies []Policy
	Managed  []string `json:",omitempty"` // ARNs of managed policies
	Tags     map[string]string
}

// unbounded is what comes of a boundary that is not honoured.
const unbounded = "the role could do more than its boundary allows; write what it may do in its statements"

var roleName = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)

// executionRole is the logical id that the Serverless Framework gives the role of
// functions that name no other.
const executionRole = "IamRoleLambdaExecution"

// roles is what the reader gathers of roles.
type roles struct {
	role       *node // provider.iam.role when it is an object
	named      *node // the role that is somewhere else, for functions that name none
	statements *node // the older provider.iamRoleStatements
	managed    *node // the older provider.iamManagedPolicies
	inherit    bool  // custom.serverless-iam-roles-per-function.defaultInherit

	declared map[string]declaredRole // AWS::IAM::Role, by logical id
	attached []declaredRole          // AWS::IAM::Policy
	shared   []declaredRole          // AWS::IAM::ManagedPolicy
	policies map[string]Policy       // AWS::IAM::ManagedPolicy, by their ARN
}

// declaredRole is a resource of IAM.
type declaredRole struct {
	field
	props *node
}

// providerRoles are the keys of provider that are about roles.
func (r *reader) providerRoles() keys {
	return keys{
		"iam": func(v *node) {
			r.object(v, "provider.iam", keys{
				"role": func(v *node) {
					if v.kind == object && !isIntrinsic(v) {
						r.perms.role = v
					} else {
						r.perms.named = v
					}
				},
				"deploymentRole": nil,
			}, effects{})
		},
		"role":               func(v *node) { r.perms.named = v },
		"iamRoleStatements":  func(v *node) { r.perms.statements = v },
		"iamManagedPolicies": func(v *node) { r.perms.managed = v },
		"cfnRole":            nil,
	}
}

// nameRoles makes the roles known to Fn::GetAtt before anything that names them is
// read.
func (r *reader) nameRoles() {
	role := r.defaultRole()
	r.names[executionRole] = roleResource(role)
	for id, d := range r.perms.declared {
		declared := r.identify(d.props, "resource "+id, "RoleName", "Path", r.svc.Stack()+"-"+id)
		r.names[id] = roleResource(declared)
	}
}

func roleResource(role Role) resource {
	return resource{role.Name, role.Name, map[string]string{"Arn": role.ARN, "RoleId": role.Name}}
}

// identify reads the name and path of a role.
func (r *reader) identify(n *node, what, nameKey, pathKey, otherwise string) Role {
	role := Role{Name: short(otherwise), Path: "/"}
	if n != nil {
		role.Pos = n.pos
		if v := r.vars.resolve(n.get(nameKey)); v != nil && v.kind != null {
			if role.Name = r.value(v, what+"."+nameKey); !roleName.MatchString(role.Name) {
				r.fail(v.pos, "the role name %q of %s must be 1 to 64 letters, digits and _+=,.@-", role.Name, what)
			}
		}
		if v := r.vars.resolve(n.get(pathKey)); v != nil && v.kind != null {
			role.Path = r.value(v, what+"."+pathKey)
		}
	}
	if !strings.HasPrefix(role.Path, "/") || !strings.HasSuffix(role.Path, "/") {
		r.fail(role.Pos, "%s.%s must begin and end with /, not %q", what, pathKey, role.Path)
	}
	role.ARN = arn.Role(role.Path, role.Name)
	return role
}

// short makes a name that is made of others no longer than roles have it.
func short(name string) string {
	const most = 64
	if len(name) <= most {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:most-9] + "-" + hex.EncodeToString(sum[:4])
}

// DefaultRole is the name of the role that functions have unless they or the
// provider say otherwise.
func (s *Service) DefaultRole() string { return short(s.Prefix() + "-" + s.Region + "-lambdaRole") }

// defaultRole names the role of functions that name no other.
func (r *reader) defaultRole() Role {
	role := r.identify(r.perms.role, "provider.iam.role", "name", "path", r.svc.DefaultRole())
	role.Default = true
	return role
}

// functionRole reads what a function says of its role, and returns the role's ARN;
// "" is the default role.
func (r *reader) functionRole(f field, own functionRole) string {
	what := "functions." + f.key
	switch {
	case own.role != nil && own.statements != nil:
		r.fail(own.statements.pos, "%s has both a role and iamRoleStatements; statements belong to the role", what)
	case own.role != nil:
		return r.roleARN(own.role, what+".role")
	case own.statements != nil:
		return r.ownRole(f, own)
	}
	if r.perms.named != nil {
		return r.roleARN(r.perms.named, "provider.iam.role")
	}
	return ""
}

// functionRole is what a function says of its role; nil where nothing.
type functionRole struct {
	role                      *node
	statements, inherit, name *node // of serverless-iam-roles-per-function
}

// ownRole makes the role that the plugin serverless-iam-roles-per-function would.
func (r *reader) ownRole(f field, own functionRole) string {
	what := "functions." + f.key
	role := Role{Pos: own.statements.pos, Path: "/", Function: f.key, Name: short(r.svc.Prefix() + "-" + f.key + "-" + r.svc.Region + "-lambdaRole")}
	if own.name != nil {
		if role.Name = r.value(own.name, what+".iamRoleStatementsName"); !roleName.MatchString(role.Name) {
			r.fail(own.name.pos, "the role name %q of function %s must be 1 to 64 letters, digits and _+=,.@-", role.Name, f.key)
		}
	}
	role.ARN = arn.Role(role.Path, role.Name)
	inherit := r.perms.inherit
	if own.inherit != nil {
		inherit = r.boolean(own.inherit, what+".iamRoleStatementsInherit")
	}
	lists := []*node{own.statements}
	if inherit {
		lists = append([]*node{r.perms.statements, r.roleMember("statements")}, lists...)
	}
	if p, ok := r.statements("statements", what+".iamRoleStatements", lists...); ok {
		role.Policies = append(role.Policies, p)
	}
	r.svc.Roles = append(r.svc.Roles, role)
	return role.ARN
}

func (r *reader) roleMember(key string) *node {
	if r.perms.role == nil {
		return nil
	}
	return r.perms.role.get(key)
}

// roleARN reads a role that is named: by its ARN, or by the logical id of a
// resource. A role of this service becomes one of its roles.
func (r *reader) roleARN(n *node, what string) string {
	name := r.value(n, what)
	if name == "" {
		return "" // reported
	}
	for id, d := range r.perms.declared {
		if name == id || name == r.names[id].atts["Arn"] {
			return r.useRole(id, d)
		}
	}
	if name == executionRole || name == r.names[executionRole].atts["Arn"] {
		return ""
	}
	a, err := arn.Parse(name)
	switch {
	case err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "role/"):
		r.fail(n.pos, "%s: %q is neither the ARN of a role nor the logical id of an AWS::IAM::Role", what, name)
	case a.Account != arn.Account:
		r.fail(n.pos, "%s: the role %s is in another account; this one is %s, or ${aws:accountId}", what, name, arn.Account)
	}
	return name
}

// readRoles reads the default role, after everything that it may name.
func (r *reader) readRoles() {
	used := false
	for _, f := range r.svc.Functions {
		used = used || f.Role == ""
	}
	if !used {
		return
	}
	what, role := "provider.iam.role", r.defaultRole()
	if role.Pos == (Pos{}) {
		role.Pos = Pos{File: r.svc.File, Line: 1}
	}
	if p, ok := r.statements("statements", what+".statements", r.perms.statements, r.roleMember("statements")); ok {
		role.Policies = append(role.Policies, p)
	}
	managed := func(v *node) { r.managed(&role, v, what+".managedPolicies") }
	if r.perms.managed != nil {
		managed(r.perms.managed)
	}
	if r.perms.role != nil {
		r.object(r.perms.role, what, keys{
			"name": nil, "path": nil, "statements": nil, "managedPolicies": managed,
			"tags": func(v *node) { role.Tags = r.tags(v, what+".tags") },
		}, effects{
			"mode":                "functions would share a role; write iamRoleStatements in each",
			"permissionsBoundary": unbounded, "permissionBoundary": unbounded,
		})
	}
	if len(role.Policies)+len(role.Managed)+len(role.Tags) == 0 && r.perms.role == nil {
		return // nothing is said of it
	}
	r.svc.Roles = append(r.svc.Roles, role)
}

func (r *reader) tags(n *node, what string) map[string]string {
	tags := map[string]string{}
	if r.is(n, object, what) {
		for _, f := range n.fields {
			tags[f.key] = r.value(f.value, what+"."+f.key)
		}
	}
	return tags
}

// managed adds managed policies to a role: those of this service as what they say.
func (r *reader) managed(role *Role, n *node, what string) {
	r.each(n, what, func(item *node) {
		name := r.value(item, what)
		if p, own := r.perms.policies[name]; own {
			role.Policies = append(role.Policies, p)
		} else if name != "" {
			role.Managed = append(role.Managed, name)
		}
	})
}

// inherits reads the plugin's setting for all functions.
func (r *reader) inherits(custom *node) bool {
	if custom = r.vars.resolve(custom); custom == nil || custom.kind != object {
		return false
	}
	plugin := r.vars.resolve(custom.get("serverless-iam-roles-per-function"))
	if plugin == nil || plugin.kind != object {
		return false
	}
	return r.boolean(plugin.get("defaultInherit"), "custom.serverless-iam-roles-per-function.defaultInherit")
}
