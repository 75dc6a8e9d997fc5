package iam

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/dropstack/dropstack/internal/wire"
)

// Policy is a managed policy as IAM's answers have it.
type Policy struct {
	PolicyName, PolicyId, Arn, Path, DefaultVersionId string
	AttachmentCount, PermissionsBoundaryUsageCount    int
	IsAttachable                                      bool
	Description                                       string `json:",omitempty"`
	CreateDate, UpdateDate                            wire.Time
	Tags                                              []Tag `json:",omitempty"`
}

// PolicyVersion is a version of a managed policy; its document is URL-encoded.
type PolicyVersion struct {
	Document         string `json:",omitempty"`
	VersionId        string
	IsDefaultVersion bool
	CreateDate       wire.Time
}

// The inputs and outputs of managed policies.
type (
	CreatePolicyInput struct {
		PolicyName, Path, PolicyDocument, Description string
		Tags                                          []Tag
	}
	CreatePolicyOutput struct{ Policy Policy }
	GetPolicyInput     struct{ PolicyArn string }
	GetPolicyOutput    struct{ Policy Policy }
	ListPoliciesInput  struct {
		Scope, PathPrefix, PolicyUsageFilter string
		OnlyAttached                         bool
		Paging
	}
	ListPoliciesOutput struct {
		Policies []Policy
		Page
	}
	DeletePolicyInput        struct{ PolicyArn string }
	DeletePolicyOutput       struct{}
	CreatePolicyVersionInput struct {
		PolicyArn, PolicyDocument string
		SetAsDefault              bool
	}
	CreatePolicyVersionOutput struct{ PolicyVersion PolicyVersion }
	ListPolicyVersionsInput   struct {
		PolicyArn string
		Paging
	}
	ListPolicyVersionsOutput struct {
		Versions []PolicyVersion
		Page
	}
	GetPolicyVersionInput         struct{ PolicyArn, VersionId string }
	GetPolicyVersionOutput        struct{ PolicyVersion PolicyVersion }
	SetDefaultPolicyVersionInput  struct{ PolicyArn, VersionId string }
	SetDefaultPolicyVersionOutput struct{}
	DeletePolicyVersionInput      struct{ PolicyArn, VersionId string }
	DeletePolicyVersionOutput     struct{}
)

func (m *managed) shape(s *snapshot, tags bool) Policy {
	out := Policy{
		PolicyName: m.Name, PolicyId: m.ID, Arn: m.arn(), Path: m.Path, DefaultVersionId: m.Default, AttachmentCount: len(s.attachedTo(m.arn())),
		IsAttachable: true, Description: m.Description, CreateDate: wire.At(m.Created), UpdateDate: wire.At(m.Updated),
	}
	if tags {
		out.Tags = m.Tags
	}
	return out
}

// attachedTo are the users, roles and groups that a policy is attached to.
func (s *snapshot) attachedTo(arn string) (list []*identity) {
	add := func(i *identity) {
		if slices.Contains(i.Attached, arn) {
			list = append(list, i)
		}
	}
	for _, u := range s.users {
		add(&u.identity)
	}
	for _, g := range s.groups {
		add(&g.identity)
	}
	for _, r := range s.arns {
		add(&r.identity)
	}
	return list
}

// managed finds a managed policy, AWS's too.
func (a *Authority) managed(arn string) (*managed, error) {
	if m := a.now.Load().policy(arn); m != nil {
		return m, nil
	}
	return nil, noSuchPolicy(arn)
}

func noSuchPolicy(arn string) error {
	return fault.Coded(fault.NotFound, "NoSuchEntity", "Policy %s does not exist or is not attachable.", arn)
}

// own finds a managed policy that may be changed.
func (a *Authority) own(arn string) (*managed, error) {
	m, err := a.managed(arn)
	if err == nil && m.aws {
		err = denied("Policy %s is AWS's own and cannot be changed.", arn)
	}
	return m, err
}

func checkManaged(document string) error {
	if err := checkSize("PolicySize", document, maxManagedSize); err != nil {
		return err
	}
	_, err := policy.Parse(policy.Identity, document)
	return err
}

// CreatePolicy makes a managed policy.
func (a *Authority) CreatePolicy(ctx context.Context, in CreatePolicyInput) (out CreatePolicyOutput, err error) {
	path, err := checkName("policy", in.PolicyName, in.Path)
	if err != nil {
		return out, err
	}
	tags, err := addTags(nil, in.Tags)
	if err != nil {
		return out, err
	}
	if err := checkDescription(in.Description); err != nil {
		return out, err
	}
	if err := checkManaged(in.PolicyDocument); err != nil {
		return out, err
	}
	at := time.Now().UTC()
	m := &managed{
		Name: in.PolicyName, Path: path, ID: newID("ANPA"), Description: in.Description, Created: at, Updated: at, Tags: tags,
		Versions: []version{{"v1", in.PolicyDocument, at}}, Default: "v1", Last: 1,
	}
	if err := a.create(ctx, "policy", m.Name, m); err != nil {
		return out, err
	}
	return CreatePolicyOutput{m.shape(a.now.Load(), true)}, nil
}

// GetPolicy tells about a managed policy.
func (a *Authority) GetPolicy(_ context.Context, in GetPolicyInput) (out GetPolicyOutput, err error) {
	m, err := a.managed(in.PolicyArn)
	if err != nil {
		return out, err
	}
	return GetPolicyOutput{m.shape(a.now.Load(), true)}, nil
}

// ListPolicies lists managed policies by name: AWS's, the account's (Local) or all.
func (a *Authority) ListPolicies(_ context.Context, in ListPoliciesInput) (out ListPoliciesOutput, err error) {
	s := a.now.Load()
	var all []*managed
	switch in.Scope {
	case "", "All":
		all = slices.AppendSeq(slices.Collect(maps.Values(awsManaged)), maps.Values(s.policies))
	case "AWS":
		all = slices.Collect(maps.Values(awsManaged))
	case "Local":
		all = slices.Collect(maps.Values(s.policies))
	default:
		return out, invalid("Scope must be All, AWS or Local, not %q", in.Scope)
	}
	out.Policies = []Policy{}
	for _, m := range all {
		p := m.shape(s, false)
		if strings.HasPrefix(m.Path, in.PathPrefix) && (!in.OnlyAttached || p.AttachmentCount > 0) && in.PolicyUsageFilter != "PermissionsBoundary" {
			out.Policies = append(out.Policies, p)
		}
	}
	out.Policies, out.Page, err = cut(out.Policies, func(p Policy) string { return p.PolicyName + "\x00" + p.Arn }, in.Paging)
	return out, err
}

// DeletePolicy deletes a managed policy that is attached to nobody and has no
// version but the default one.
func (a *Authority) DeletePolicy(ctx context.Context, in DeletePolicyInput) (out DeletePolicyOutput, err error) {
	m, err := a.own(in.PolicyArn)
	if err != nil {
		return out, err
	}
	return out, remove(ctx, a, "policy", m.Name, func(m *managed) error {
		if len(a.now.Load().attachedTo(m.arn())) > 0 {
			return conflict("DeleteConflict", "Cannot delete a policy attached to entities.")
		}
		if len(m.Versions) > 1 {
			return conflict("DeleteConflict", "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		return nil
	})
}

func (v *version) shape(m *managed, document bool) PolicyVersion {
	out := PolicyVersion{VersionId: v.ID, IsDefaultVersion: v.ID == m.Default, CreateDate: wire.At(v.Created)}
	if document {
		out.Document = encode(v.Document)
	}
	return out
}

// CreatePolicyVersion adds a version, of at most five.
func (a *Authority) CreatePolicyVersion(ctx context.Context, in CreatePolicyVersionInput) (out CreatePolicyVersionOutput, err error) {
	m, err := a.own(in.PolicyArn)
	if err != nil {
		return out, err
	}
	if err := checkManaged(in.PolicyDocument); err != nil {
		return out, err
	}
	at := time.Now().UTC()
	return out, change(ctx, a, "policy", m.Name, func(m *managed) error {
		if len(m.Versions) >= maxVersions {
			return conflict("LimitExceeded", "A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions)
		}
		m.Last++
		v := version{"v" + strconv.Itoa(m.Last), in.PolicyDocument, at}
		m.Versions, m.Updated = append(m.Versions, v), at
		if in.SetAsDefault {
			m.Default = v.ID
		}
		out.PolicyVersion = v.shape(m, false)
		return nil
	})
}

// ListPolicyVersions lists a policy's versions, the newest first.
func (a *Authority) ListPolicyVersions(_ context.Context, in ListPolicyVersionsInput) (out ListPolicyVersionsOutput, err error) {
	m, err := a.managed(in.PolicyArn)
	if err != nil {
		return out, err
	}
	out.Versions = []PolicyVersion{}
	age := map[string]string{} // a key that puts the newest first
	for i := range m.Versions {
		out.Versions = append(out.Versions, m.Versions[i].shape(m, false))
		age[m.Versions[i].ID] = string(rune('z' - i))
	}
	out.Versions, out.Page, err = cut(out.Versions, func(v PolicyVersion) string { return age[v.VersionId] }, in.Paging)
	return out, err
}

// changeVersion changes a policy of which a version is named.
func (a *Authority) changeVersion(ctx context.Context, arn, id string, f func(m *managed) error) error {
	m, err := a.own(arn)
	if err != nil {
		return err
	}
	return change(ctx, a, "policy", m.Name, func(m *managed) error {
		if m.version(id) == nil {
			return noSuchVersion(arn, id)
		}
		return f(m)
	})
}

func noSuchVersion(arn, id string) error {
	return fault.Coded(fault.NotFound, "NoSuchEntity", "Policy %s version %s does not exist or is not attachable.", arn, id)
}

// GetPolicyVersion gives a version with its document.
func (a *Authority) GetPolicyVersion(_ context.Context, in GetPolicyVersionInput) (out GetPolicyVersionOutput, err error) {
	m, err := a.managed(in.PolicyArn)
	if err != nil {
		return out, err
	}
	v := m.version(in.VersionId)
	if v == nil {
		return out, noSuchVersion(in.PolicyArn, in.VersionId)
	}
	return GetPolicyVersionOutput{v.shape(m, true)}, nil
}

// SetDefaultPolicyVersion chooses the version that counts.
func (a *Authority) SetDefaultPolicyVersion(ctx context.Context, in SetDefaultPolicyVersionInput) (out SetDefaultPolicyVersionOutput, err error) {
	return out, a.changeVersion(ctx, in.PolicyArn, in.VersionId, func(m *managed) error {
		m.Default, m.Updated = in.VersionId, time.Now().UTC()
		return nil
	})
}

// DeletePolicyVersion deletes a version that is not the default one.
func (a *Authority) DeletePolicyVersion(ctx context.Context, in DeletePolicyVersionInput) (out DeletePolicyVersionOutput, err error) {
	return out, a.changeVersion(ctx, in.PolicyArn, in.VersionId, func(m *managed) error {
		if in.VersionId == m.Default {
			return conflict("DeleteConflict", "Cannot delete the default version of a policy.")
		}
		m.Versions = slices.DeleteFunc(m.Versions, func(v version) bool { return v.ID == in.VersionId })
		return nil
	})
}
