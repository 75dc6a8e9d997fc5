package iam

import (
	"context"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/dropstack/dropstack/internal/wire"
)

// Role is a role as IAM's answers have it; its trust policy is URL-encoded.
type Role struct {
	Path, RoleName, RoleId, Arn string
	CreateDate                  wire.Time
	AssumeRolePolicyDocument    string
	Description                 string `json:",omitempty"`
	MaxSessionDuration          int
	Tags                        []Tag `json:",omitempty"`
}

// The inputs and outputs of roles.
type (
	CreateRoleInput struct {
		RoleName, Path, AssumeRolePolicyDocument, Description string
		MaxSessionDuration                                    *int
		Tags                                                  []Tag
	}
	CreateRoleOutput struct{ Role Role }
	GetRoleInput     struct{ RoleName string }
	GetRoleOutput    struct{ Role Role }
	ListRolesInput   struct {
		PathPrefix string
		Paging
	}
	ListRolesOutput struct {
		Roles []Role
		Page
	}
	UpdateRoleInput struct {
		RoleName           string
		Description        *string
		MaxSessionDuration *int
	}
	UpdateRoleOutput            struct{}
	UpdateRoleDescriptionInput  struct{ RoleName, Description string }
	UpdateRoleDescriptionOutput struct{ Role Role }

	UpdateAssumeRolePolicyInput  struct{ RoleName, PolicyDocument string }
	UpdateAssumeRolePolicyOutput struct{}
	DeleteRoleInput              struct{ RoleName string }
	DeleteRoleOutput             struct{}
)

func (r *role) shape(whole bool) Role {
	out := Role{
		Path: r.Path, RoleName: r.Name, RoleId: r.ID, Arn: r.arn(), CreateDate: wire.At(r.Created),
		AssumeRolePolicyDocument: encode(r.Trust), Description: r.Description, MaxSessionDuration: r.MaxSession,
	}
	if whole {
		out.Tags = r.Tags
	}
	return out
}

// CreateRole makes a role, which its trust policy says who may assume.
func (a *Authority) CreateRole(ctx context.Context, in CreateRoleInput) (CreateRoleOutput, error) {
	i, err := newIdentity("role", "AROA", in.RoleName, in.Path, in.Tags)
	if err != nil {
		return CreateRoleOutput{}, err
	}
	r := &role{identity: i, Trust: in.AssumeRolePolicyDocument}
	if err := r.set(&in.Description, in.MaxSessionDuration); err != nil {
		return CreateRoleOutput{}, err
	}
	if r.MaxSession == 0 {
		r.MaxSession = defaultSession
	}
	if err := checkTrust(r.Trust); err != nil {
		return CreateRoleOutput{}, err
	}
	a.changes.Lock()
	defer a.changes.Unlock()
	if a.now.Load().declaredRole(r.Name) != nil {
		return CreateRoleOutput{}, conflict("EntityAlreadyExists", "Role with name %s already exists: a deployment declares it.", r.Name)
	}
	return CreateRoleOutput{r.shape(true)}, a.create(ctx, "role", r.Name, r)
}

// declaredRole is a role that a deployment declares, by its name; nil when an API
// call made it, or nobody.
func (s *snapshot) declaredRole(name string) *role {
	if r := s.declared[strings.ToLower(name)]; r != nil && r.Path != ownPath {
		return r
	}
	return nil
}

func checkTrust(document string) error {
	if err := checkSize("ACLSizePerRole", document, maxTrustSize); err != nil {
		return err
	}
	_, err := policy.Parse(policy.Trust, document)
	return err
}

func (r *role) set(description *string, maxSessionDuration *int) error {
	if description != nil {
		if err := checkDescription(*description); err != nil {
			return err
		}
		r.Description = *description
	}
	if maxSessionDuration != nil {
		if n := *maxSessionDuration; n < defaultSession || n > maxSession {
			return invalid("MaxSessionDuration must be from %d to %d seconds, not %d", defaultSession, maxSession, n)
		}
		r.MaxSession = *maxSessionDuration
	}
	return nil
}

// role finds a role by its name.
func (a *Authority) role(name string) (*role, error) {
	if r := a.now.Load().role(name); r != nil {
		return r, nil
	}
	return nil, noSuch("role", name)
}

// changeRole changes a stored role; a declared one changes with its deployment.
func (a *Authority) changeRole(ctx context.Context, name string, f func(*role) error) error {
	if err := a.modifiable(name); err != nil {
		return err
	}
	return change(ctx, a, "role", name, f)
}

func (a *Authority) modifiable(name string) error {
	if r := a.now.Load().role(name); r != nil && r.declared {
		return fault.Coded(fault.Invalid, "UnmodifiableEntity", "Role %s is declared by a deployment; change it there and deploy.", r.Name)
	}
	return nil
}

// GetRole tells about a role.
func (a *Authority) GetRole(_ context.Context, in GetRoleInput) (GetRoleOutput, error) {
	r, err := a.role(in.RoleName)
	if err != nil {
		return GetRoleOutput{}, err
	}
	return GetRoleOutput{r.shape(true)}, nil
}

// ListRoles lists roles by name, those of deployments too.
func (a *Authority) ListRoles(_ context.Context, in ListRolesInput) (out ListRolesOutput, err error) {
	out.Roles = []Role{}
	for _, r := range a.now.Load().arns {
		if strings.HasPrefix(r.Path, in.PathPrefix) {
			out.Roles = append(out.Roles, r.shape(false))
		}
	}
	out.Roles, out.Page, err = cut(out.Roles, func(r Role) string { return r.RoleName + "\x00" + r.Path }, in.Paging)
	return out, err
}

// UpdateRole changes a role's description and longest session.
func (a *Authority) UpdateRole(ctx context.Context, in UpdateRoleInput) (UpdateRoleOutput, error) {
	return UpdateRoleOutput{}, a.changeRole(ctx, in.RoleName, func(r *role) error {
		return r.set(in.Description, in.MaxSessionDuration)
	})
}

// UpdateRoleDescription changes a role's description.
func (a *Authority) UpdateRoleDescription(ctx context.Context, in UpdateRoleDescriptionInput) (out UpdateRoleDescriptionOutput, err error) {
	err = a.changeRole(ctx, in.RoleName, func(r *role) error { return r.set(&in.Description, nil) })
	if err != nil {
		return out, err
	}
	r, err := a.role(in.RoleName)
	if err != nil {
		return out, err
	}
	return UpdateRoleDescriptionOutput{r.shape(true)}, nil
}

// UpdateAssumeRolePolicy replaces a role's trust policy.
func (a *Authority) UpdateAssumeRolePolicy(ctx context.Context, in UpdateAssumeRolePolicyInput) (UpdateAssumeRolePolicyOutput, error) {
	if err := checkTrust(in.PolicyDocument); err != nil {
		return UpdateAssumeRolePolicyOutput{}, err
	}
	return UpdateAssumeRolePolicyOutput{}, a.changeRole(ctx, in.RoleName, func(r *role) error {
		r.Trust = in.PolicyDocument
		return nil
	})
}

// DeleteRole deletes a role without policies. Its sessions end at once.
func (a *Authority) DeleteRole(ctx context.Context, in DeleteRoleInput) (DeleteRoleOutput, error) {
	if err := a.modifiable(in.RoleName); err != nil {
		return DeleteRoleOutput{}, err
	}
	return DeleteRoleOutput{}, remove(ctx, a, "role", in.RoleName, func(r *role) error { return r.bare() })
}
