package iam_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/iam"
	"github.com/google/go-cmp/cmp"
)

func TestUsers(t *testing.T) {
	a := fresh(t)
	u := must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice", Path: "/staff/", Tags: []iam.Tag{{Key: "team", Value: "red"}}}).User
	if u.Arn != arnOf("user/staff/alice") || !strings.HasPrefix(u.UserId, "AIDA") || len(u.UserId) != 21 || u.CreateDate.IsZero() {
		t.Errorf("got %+v", u)
	}
	if got := must(t, a.GetUser, iam.GetUserInput{UserName: "ALICE"}).User; !cmp.Equal(got, u) {
		t.Errorf("names match in any case: got %+v, want %+v", got, u)
	}
	refused(t, a.CreateUser, iam.CreateUserInput{UserName: "Alice"}, "EntityAlreadyExists")
	refused(t, a.CreateUser, iam.CreateUserInput{UserName: "a b"}, "ValidationError")
	refused(t, a.CreateUser, iam.CreateUserInput{UserName: strings.Repeat("a", 65)}, "ValidationError")
	refused(t, a.CreateUser, iam.CreateUserInput{UserName: "bob", Path: "staff"}, "ValidationError")
	refused(t, a.CreateUser, iam.CreateUserInput{UserName: "bob", Tags: []iam.Tag{{Key: "aws:x"}}}, "ValidationError")
	refused(t, a.CreateUser, iam.CreateUserInput{UserName: "bob", Tags: []iam.Tag{{Key: "a"}, {Key: "A"}}}, "InvalidInput")
	refused(t, a.GetUser, iam.GetUserInput{UserName: "bob"}, "NoSuchEntity")
	refused(t, a.GetUser, iam.GetUserInput{}, "ValidationError")
	refused(t, a.UpdateUser, iam.UpdateUserInput{UserName: "bob", NewPath: "/"}, "NoSuchEntity")

	key := newKey(t, a, "alice")
	self := as(t, a, key)
	for name, want := range map[string]string{"": u.Arn, "ALICE": u.Arn, "bob": arnOf("user/bob")} {
		if got := a.ResourceARN(self, "user", name); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
	if out, err := a.GetUser(self, iam.GetUserInput{}); err != nil || out.User.UserName != "alice" {
		t.Errorf("the caller: got %+v, %v", out, err)
	}
	if out, err := a.ListAccessKeys(self, iam.ListAccessKeysInput{}); err != nil || len(out.AccessKeyMetadata) != 1 || out.AccessKeyMetadata[0].AccessKeyId != key.AccessKeyID || out.AccessKeyMetadata[0].Status != "Active" {
		t.Errorf("the caller's keys: got %+v, %v", out, err)
	}
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "bob"})
	theirs := newKey(t, a, "bob")
	// Without a name the caller's keys are meant, never those of the key's owner.
	if _, err := a.DeleteAccessKey(self, iam.DeleteAccessKeyInput{AccessKeyId: theirs.AccessKeyID}); err == nil {
		t.Error("a user deleted another's key")
	}
	used := must(t, a.GetAccessKeyLastUsed, iam.GetAccessKeyLastUsedInput{AccessKeyId: key.AccessKeyID})
	if used.UserName != "alice" || used.AccessKeyLastUsed.ServiceName != "sns" || used.AccessKeyLastUsed.Region != "us-east-1" || used.AccessKeyLastUsed.LastUsedDate.IsZero() {
		t.Errorf("last used: got %+v", used)
	}
	if got := must(t, a.GetAccessKeyLastUsed, iam.GetAccessKeyLastUsedInput{AccessKeyId: theirs.AccessKeyID}).AccessKeyLastUsed; got.ServiceName != "N/A" {
		t.Errorf("never used: got %+v", got)
	}
	refused(t, a.UpdateAccessKey, iam.UpdateAccessKeyInput{UserName: "alice", AccessKeyId: key.AccessKeyID, Status: "Off"}, "ValidationError")
	refused(t, a.UpdateAccessKey, iam.UpdateAccessKeyInput{UserName: "alice", AccessKeyId: theirs.AccessKeyID, Status: "Inactive"}, "NoSuchEntity")

	must(t, a.PutUserPolicy, iam.PutUserPolicyInput{UserName: "alice", PolicyName: "p", PolicyDocument: document("Allow", "s3:*", "*")})
	refused(t, a.DeleteUser, iam.DeleteUserInput{UserName: "alice"}, "DeleteConflict")
	must(t, a.DeleteAccessKey, iam.DeleteAccessKeyInput{UserName: "alice", AccessKeyId: key.AccessKeyID})
	refused(t, a.DeleteUser, iam.DeleteUserInput{UserName: "alice"}, "DeleteConflict")
	must(t, a.DeleteUserPolicy, iam.DeleteUserPolicyInput{UserName: "alice", PolicyName: "p"})
	must(t, a.DeleteUser, iam.DeleteUserInput{UserName: "alice"})
	refused(t, a.DeleteUser, iam.DeleteUserInput{UserName: "alice"}, "NoSuchEntity")
	again := must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice"}).User
	if again.UserId == u.UserId {
		t.Error("a new user has the id of a deleted one")
	}
}

func TestPagesFollowEachOther(t *testing.T) {
	a := fresh(t)
	var want []string
	for i := range 7 {
		name := fmt.Sprintf("u%d", i)
		must(t, a.CreateUser, iam.CreateUserInput{UserName: name, Path: "/x/"})
		want = append(want, name)
	}
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "elsewhere"})
	var got []string
	in := iam.ListUsersInput{PathPrefix: "/x/", Paging: iam.Paging{MaxItems: new(3)}}
	for pages := 0; ; pages++ {
		out := must(t, a.ListUsers, in)
		for _, u := range out.Users {
			got = append(got, u.UserName)
		}
		if out.IsTruncated != (out.Marker != "") || pages > 3 {
			t.Fatalf("got %+v", out.Page)
		}
		if !out.IsTruncated {
			break
		}
		in.Marker = out.Marker
		if pages == 0 { // what is deleted meanwhile moves nothing
			must(t, a.DeleteUser, iam.DeleteUserInput{UserName: "u2"})
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	refused(t, a.ListUsers, iam.ListUsersInput{Paging: iam.Paging{MaxItems: new(0)}}, "ValidationError")
	refused(t, a.ListUsers, iam.ListUsersInput{Paging: iam.Paging{Marker: "?"}}, "ValidationError")
}

func TestInlinePolicies(t *testing.T) {
	a := fresh(t)
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice"})
	must(t, a.CreateRole, iam.CreateRoleInput{RoleName: "worker", AssumeRolePolicyDocument: trust(`"*"`)})
	must(t, a.CreateGroup, iam.CreateGroupInput{GroupName: "readers"})
	doc := document("Allow", "s3:Get*", "arn:aws:s3:::a+b/*")
	must(t, a.PutUserPolicy, iam.PutUserPolicyInput{UserName: "alice", PolicyName: "p", PolicyDocument: doc})
	must(t, a.PutRolePolicy, iam.PutRolePolicyInput{RoleName: "worker", PolicyName: "p", PolicyDocument: doc})
	must(t, a.PutGroupPolicy, iam.PutGroupPolicyInput{GroupName: "readers", PolicyName: "p", PolicyDocument: doc})
	for kind, got := range map[string]string{
		"user":  must(t, a.GetUserPolicy, iam.GetUserPolicyInput{UserName: "alice", PolicyName: "p"}).PolicyDocument,
		"role":  must(t, a.GetRolePolicy, iam.GetRolePolicyInput{RoleName: "worker", PolicyName: "p"}).PolicyDocument,
		"group": must(t, a.GetGroupPolicy, iam.GetGroupPolicyInput{GroupName: "readers", PolicyName: "p"}).PolicyDocument,
	} {
		if plain, err := url.PathUnescape(got); err != nil || plain != doc || strings.ContainsAny(got, `{"+ `) {
			t.Errorf("%s: got %q, want the document URL-encoded", kind, got)
		}
	}
	if got := must(t, a.ListUserPolicies, iam.ListUserPoliciesInput{UserName: "alice"}).PolicyNames; !slices.Equal(got, []string{"p"}) {
		t.Errorf("got %v", got)
	}
	refused(t, a.PutUserPolicy, iam.PutUserPolicyInput{UserName: "alice", PolicyName: "q", PolicyDocument: "{}"}, "MalformedPolicyDocument")
	refused(t, a.PutUserPolicy, iam.PutUserPolicyInput{UserName: "bob", PolicyName: "q", PolicyDocument: doc}, "NoSuchEntity")
	refused(t, a.PutUserPolicy, iam.PutUserPolicyInput{UserName: "alice", PolicyName: "q", PolicyDocument: document("Allow", "s3:*", "arn:aws:s3:::"+strings.Repeat("a", 2048))}, "LimitExceeded")
	refused(t, a.GetUserPolicy, iam.GetUserPolicyInput{UserName: "alice", PolicyName: "q"}, "NoSuchEntity")
	refused(t, a.DeleteRolePolicy, iam.DeleteRolePolicyInput{RoleName: "worker", PolicyName: "q"}, "NoSuchEntity")
	must(t, a.DeleteRolePolicy, iam.DeleteRolePolicyInput{RoleName: "worker", PolicyName: "p"})
	must(t, a.DeleteGroupPolicy, iam.DeleteGroupPolicyInput{GroupName: "readers", PolicyName: "p"})
	if got := must(t, a.ListRolePolicies, iam.ListRolePoliciesInput{RoleName: "worker"}).PolicyNames; len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestManagedPolicies(t *testing.T) {
	a := fresh(t)
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice"})
	must(t, a.CreateRole, iam.CreateRoleInput{RoleName: "worker", AssumeRolePolicyDocument: trust(`"*"`)})
	must(t, a.CreateGroup, iam.CreateGroupInput{GroupName: "readers"})
	p := must(t, a.CreatePolicy, iam.CreatePolicyInput{PolicyName: "p", Path: "/x/", PolicyDocument: document("Allow", "sns:Publish", "*"), Description: "d"}).Policy
	if p.Arn != arnOf("policy/x/p") || p.DefaultVersionId != "v1" || !p.IsAttachable || p.AttachmentCount != 0 || !strings.HasPrefix(p.PolicyId, "ANPA") {
		t.Errorf("got %+v", p)
	}
	refused(t, a.CreatePolicy, iam.CreatePolicyInput{PolicyName: "P", PolicyDocument: document("Allow", "*", "*")}, "EntityAlreadyExists")
	refused(t, a.CreatePolicy, iam.CreatePolicyInput{PolicyName: "q", PolicyDocument: "no"}, "MalformedPolicyDocument")
	refused(t, a.CreatePolicy, iam.CreatePolicyInput{PolicyName: "q", PolicyDocument: document("Allow", "s3:*", "arn:aws:s3:::"+strings.Repeat("a", 6144))}, "LimitExceeded")

	key := newKey(t, a, "alice")
	may := func(action string, want bool) {
		t.Helper()
		if err := a.Authorize(as(t, a, key), action, "arn:aws:sns:us-east-1:000000000000:t", nil); (err == nil) != want {
			t.Errorf("%s: got %v, want allowed %v", action, err, want)
		}
	}
	may("sns:Publish", false)
	must(t, a.AttachUserPolicy, iam.AttachUserPolicyInput{UserName: "alice", PolicyArn: p.Arn})
	must(t, a.AttachUserPolicy, iam.AttachUserPolicyInput{UserName: "alice", PolicyArn: p.Arn}) // again is nothing
	must(t, a.AttachRolePolicy, iam.AttachRolePolicyInput{RoleName: "worker", PolicyArn: p.Arn})
	must(t, a.AttachGroupPolicy, iam.AttachGroupPolicyInput{GroupName: "readers", PolicyArn: p.Arn})
	may("sns:Publish", true)
	if got := must(t, a.GetPolicy, iam.GetPolicyInput{PolicyArn: p.Arn}).Policy.AttachmentCount; got != 3 {
		t.Errorf("attached %d times, want 3", got)
	}
	who := must(t, a.ListEntitiesForPolicy, iam.ListEntitiesForPolicyInput{PolicyArn: p.Arn})
	if len(who.PolicyUsers) != 1 || who.PolicyUsers[0].UserName != "alice" || len(who.PolicyRoles) != 1 || len(who.PolicyGroups) != 1 {
		t.Errorf("got %+v", who)
	}
	if got := must(t, a.ListEntitiesForPolicy, iam.ListEntitiesForPolicyInput{PolicyArn: p.Arn, EntityFilter: "Role"}); len(got.PolicyUsers)+len(got.PolicyGroups) != 0 || len(got.PolicyRoles) != 1 {
		t.Errorf("roles only: got %+v", got)
	}

	second := must(t, a.CreatePolicyVersion, iam.CreatePolicyVersionInput{PolicyArn: p.Arn, PolicyDocument: document("Allow", "sns:Subscribe", "*")}).PolicyVersion
	if second.VersionId != "v2" || second.IsDefaultVersion {
		t.Errorf("got %+v", second)
	}
	may("sns:Publish", true)
	must(t, a.SetDefaultPolicyVersion, iam.SetDefaultPolicyVersionInput{PolicyArn: p.Arn, VersionId: "v2"})
	may("sns:Publish", false)
	may("sns:Subscribe", true)
	for range 3 {
		must(t, a.CreatePolicyVersion, iam.CreatePolicyVersionInput{PolicyArn: p.Arn, PolicyDocument: document("Allow", "sns:*", "*"), SetAsDefault: true})
	}
	may("sns:Publish", true)
	refused(t, a.CreatePolicyVersion, iam.CreatePolicyVersionInput{PolicyArn: p.Arn, PolicyDocument: document("Allow", "*", "*")}, "LimitExceeded")
	refused(t, a.DeletePolicyVersion, iam.DeletePolicyVersionInput{PolicyArn: p.Arn, VersionId: "v5"}, "DeleteConflict")
	must(t, a.DeletePolicyVersion, iam.DeletePolicyVersionInput{PolicyArn: p.Arn, VersionId: "v1"})
	refused(t, a.GetPolicyVersion, iam.GetPolicyVersionInput{PolicyArn: p.Arn, VersionId: "v1"}, "NoSuchEntity")
	made := must(t, a.CreatePolicyVersion, iam.CreatePolicyVersionInput{PolicyArn: p.Arn, PolicyDocument: document("Allow", "*", "*")}).PolicyVersion
	if made.VersionId != "v6" {
		t.Errorf("a version's number is used again: %s", made.VersionId)
	}
	var ids []string
	for _, v := range must(t, a.ListPolicyVersions, iam.ListPolicyVersionsInput{PolicyArn: p.Arn}).Versions {
		ids = append(ids, fmt.Sprint(v.VersionId, v.IsDefaultVersion))
	}
	if want := []string{"v6false", "v5true", "v4false", "v3false", "v2false"}; !slices.Equal(ids, want) {
		t.Errorf("got %v, want %v", ids, want)
	}
	if got, err := url.PathUnescape(must(t, a.GetPolicyVersion, iam.GetPolicyVersionInput{PolicyArn: p.Arn, VersionId: "v2"}).PolicyVersion.Document); err != nil || got != document("Allow", "sns:Subscribe", "*") {
		t.Errorf("got %s, %v", got, err)
	}

	refused(t, a.DeletePolicy, iam.DeletePolicyInput{PolicyArn: p.Arn}, "DeleteConflict")
	must(t, a.DetachUserPolicy, iam.DetachUserPolicyInput{UserName: "alice", PolicyArn: p.Arn})
	must(t, a.DetachRolePolicy, iam.DetachRolePolicyInput{RoleName: "worker", PolicyArn: p.Arn})
	must(t, a.DetachGroupPolicy, iam.DetachGroupPolicyInput{GroupName: "readers", PolicyArn: p.Arn})
	refused(t, a.DetachUserPolicy, iam.DetachUserPolicyInput{UserName: "alice", PolicyArn: p.Arn}, "NoSuchEntity")
	may("sns:Publish", false)
	refused(t, a.DeletePolicy, iam.DeletePolicyInput{PolicyArn: p.Arn}, "DeleteConflict") // its versions
	for _, id := range []string{"v2", "v3", "v4", "v6"} {
		must(t, a.DeletePolicyVersion, iam.DeletePolicyVersionInput{PolicyArn: p.Arn, VersionId: id})
	}
	must(t, a.DeletePolicy, iam.DeletePolicyInput{PolicyArn: p.Arn})
	refused(t, a.GetPolicy, iam.GetPolicyInput{PolicyArn: p.Arn}, "NoSuchEntity")
	refused(t, a.AttachUserPolicy, iam.AttachUserPolicyInput{UserName: "alice", PolicyArn: p.Arn}, "NoSuchEntity")
}

func TestAWSsManagedPolicies(t *testing.T) {
	a := fresh(t)
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice"})
	key := newKey(t, a, "alice")
	for _, tt := range []struct {
		policy, action string
		want           bool
	}{
		{"AdministratorAccess", "iam:CreateUser", true},
		{"ReadOnlyAccess", "s3:GetObject", true},
		{"ReadOnlyAccess", "s3:PutObject", false},
		{"ReadOnlyAccess", "ssm:GetParameter", false},
		{"AmazonS3ReadOnlyAccess", "s3:ListBucket", true},
		{"AmazonS3ReadOnlyAccess", "sns:ListTopics", false},
		{"service-role/AWSLambdaBasicExecutionRole", "logs:PutLogEvents", true},
		{"service-role/AWSLambdaBasicExecutionRole", "ec2:CreateNetworkInterface", false},
		{"service-role/AWSLambdaVPCAccessExecutionRole", "ec2:CreateNetworkInterface", true},
	} {
		policy := "arn:aws:iam::aws:policy/" + tt.policy
		must(t, a.AttachUserPolicy, iam.AttachUserPolicyInput{UserName: "alice", PolicyArn: policy})
		if err := a.Authorize(as(t, a, key), tt.action, "*", nil); (err == nil) != tt.want {
			t.Errorf("%s, %s: got %v, want allowed %v", tt.policy, tt.action, err, tt.want)
		}
		must(t, a.DetachUserPolicy, iam.DetachUserPolicyInput{UserName: "alice", PolicyArn: policy})
	}
	const admin = "arn:aws:iam::aws:policy/AdministratorAccess"
	refused(t, a.DeletePolicy, iam.DeletePolicyInput{PolicyArn: admin}, "AccessDeniedException")
	refused(t, a.SetDefaultPolicyVersion, iam.SetDefaultPolicyVersionInput{PolicyArn: admin, VersionId: "v1"}, "AccessDeniedException")
	must(t, a.CreatePolicy, iam.CreatePolicyInput{PolicyName: "own", PolicyDocument: document("Allow", "*", "*")})
	count := map[string]int{}
	for _, scope := range []string{"AWS", "Local", "All"} {
		count[scope] = len(must(t, a.ListPolicies, iam.ListPoliciesInput{Scope: scope}).Policies)
	}
	if count["Local"] != 1 || count["AWS"] < 10 || count["All"] != count["AWS"]+1 {
		t.Errorf("got %v", count)
	}
	refused(t, a.ListPolicies, iam.ListPoliciesInput{Scope: "Mine"}, "ValidationError")
}

func TestGroups(t *testing.T) {
	a := fresh(t)
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice"})
	key := newKey(t, a, "alice")
	g := must(t, a.CreateGroup, iam.CreateGroupInput{GroupName: "readers"}).Group
	must(t, a.AttachGroupPolicy, iam.AttachGroupPolicyInput{GroupName: "readers", PolicyArn: "arn:aws:iam::aws:policy/ReadOnlyAccess"})
	refused(t, a.AddUserToGroup, iam.AddUserToGroupInput{UserName: "alice", GroupName: "writers"}, "NoSuchEntity")
	refused(t, a.AddUserToGroup, iam.AddUserToGroupInput{UserName: "bob", GroupName: "readers"}, "NoSuchEntity")
	must(t, a.AddUserToGroup, iam.AddUserToGroupInput{UserName: "alice", GroupName: "Readers"})
	if err := a.Authorize(as(t, a, key), "s3:GetObject", "*", nil); err != nil {
		t.Error(err)
	}
	if got := must(t, a.GetGroup, iam.GetGroupInput{GroupName: "readers"}); got.Group != g || len(got.Users) != 1 {
		t.Errorf("got %+v", got)
	}
	if got := must(t, a.ListGroupsForUser, iam.ListGroupsForUserInput{UserName: "alice"}).Groups; len(got) != 1 || got[0] != g {
		t.Errorf("got %+v", got)
	}
	refused(t, a.DeleteGroup, iam.DeleteGroupInput{GroupName: "readers"}, "DeleteConflict")
	must(t, a.RemoveUserFromGroup, iam.RemoveUserFromGroupInput{UserName: "alice", GroupName: "readers"})
	if err := a.Authorize(as(t, a, key), "s3:GetObject", "*", nil); err == nil {
		t.Error("still allowed after leaving the group")
	}
	refused(t, a.DeleteGroup, iam.DeleteGroupInput{GroupName: "readers"}, "DeleteConflict") // its policy
	must(t, a.DetachGroupPolicy, iam.DetachGroupPolicyInput{GroupName: "readers", PolicyArn: "arn:aws:iam::aws:policy/ReadOnlyAccess"})
	must(t, a.DeleteGroup, iam.DeleteGroupInput{GroupName: "readers"})
	if got := must(t, a.ListGroups, iam.ListGroupsInput{}).Groups; len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestRolesAndTags(t *testing.T) {
	a := fresh(t)
	r := must(t, a.CreateRole, iam.CreateRoleInput{
		RoleName: "worker", AssumeRolePolicyDocument: trust(`{"Service":"lambda.amazonaws.com"}`), Description: "d", Tags: []iam.Tag{{Key: "a", Value: "1"}},
	}).Role
	if r.Arn != arnOf("role/worker") || r.MaxSessionDuration != 3600 || !strings.HasPrefix(r.RoleId, "AROA") || strings.Contains(r.AssumeRolePolicyDocument, "{") {
		t.Errorf("got %+v", r)
	}
	refused(t, a.CreateRole, iam.CreateRoleInput{RoleName: "x", AssumeRolePolicyDocument: document("Allow", "s3:*", "*")}, "MalformedPolicyDocument")
	refused(t, a.CreateRole, iam.CreateRoleInput{RoleName: "x", AssumeRolePolicyDocument: trust(`"*"`), MaxSessionDuration: new(60)}, "ValidationError")
	must(t, a.UpdateRole, iam.UpdateRoleInput{RoleName: "worker", MaxSessionDuration: new(7200)})
	must(t, a.UpdateAssumeRolePolicy, iam.UpdateAssumeRolePolicyInput{RoleName: "worker", PolicyDocument: trust(`"*"`)})
	must(t, a.TagRole, iam.TagRoleInput{RoleName: "worker", Tags: []iam.Tag{{Key: "A", Value: "2"}, {Key: "b", Value: "3"}}})
	must(t, a.UntagRole, iam.UntagRoleInput{RoleName: "worker", TagKeys: []string{"B"}})
	got := must(t, a.GetRole, iam.GetRoleInput{RoleName: "worker"}).Role
	if got.MaxSessionDuration != 7200 || got.Description != "d" || !cmp.Equal(got.Tags, []iam.Tag{{Key: "A", Value: "2"}}) {
		t.Errorf("got %+v", got)
	}
	var many []iam.Tag
	for i := range 50 {
		many = append(many, iam.Tag{Key: fmt.Sprint(i)})
	}
	refused(t, a.TagRole, iam.TagRoleInput{RoleName: "worker", Tags: many}, "LimitExceeded")
	if got := must(t, a.UpdateRoleDescription, iam.UpdateRoleDescriptionInput{RoleName: "worker", Description: "e"}).Role.Description; got != "e" {
		t.Errorf("got %q", got)
	}
	must(t, a.DeleteRole, iam.DeleteRoleInput{RoleName: "worker"})
	refused(t, a.GetRole, iam.GetRoleInput{RoleName: "worker"}, "NoSuchEntity")
	refused(t, a.TagRole, iam.TagRoleInput{RoleName: "worker"}, "NoSuchEntity")
}
