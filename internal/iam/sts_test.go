package iam_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

func credentials(c iam.SessionCredentials) iam.Credentials {
	return iam.Credentials{AccessKeyID: c.AccessKeyId, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
}

func TestAssumeRole(t *testing.T) {
	a := fresh(t)
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice"})
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "bob"})
	role := must(t, a.CreateRole, iam.CreateRoleInput{RoleName: "worker", Path: "/x/", AssumeRolePolicyDocument: trust(`{"AWS":"` + arnOf("user/alice") + `"}`), MaxSessionDuration: new(7200), Tags: []iam.Tag{{Key: "team", Value: "red"}}}).Role
	must(t, a.PutRolePolicy, iam.PutRolePolicyInput{RoleName: "worker", PolicyName: "p", PolicyDocument: document("Allow", "*", "*")})
	alice, bob := as(t, a, newKey(t, a, "alice")), as(t, a, newKey(t, a, "bob"))
	in := iam.AssumeRoleInput{RoleArn: role.Arn, RoleSessionName: "job"}
	out, err := a.AssumeRole(alice, in)
	if err != nil {
		t.Fatal(err)
	}
	if want := "arn:aws:sts::" + arn.Account + ":assumed-role/worker/job"; out.AssumedRoleUser.Arn != want || out.AssumedRoleUser.AssumedRoleId != role.RoleId+":job" {
		t.Errorf("got %+v, want %s", out.AssumedRoleUser, want)
	}
	if lasts := time.Until(out.Credentials.Expiration.Time); lasts > time.Hour || lasts < time.Hour-time.Minute {
		t.Errorf("it lasts %v, want an hour", lasts)
	}
	session := as(t, a, credentials(out.Credentials))
	identity, err := a.GetCallerIdentity(session, iam.GetCallerIdentityInput{})
	if err != nil || identity.Arn != out.AssumedRoleUser.Arn || identity.Account != arn.Account || identity.UserId != out.AssumedRoleUser.AssumedRoleId {
		t.Errorf("got %+v, %v", identity, err)
	}

	fail := func(ctx context.Context, what string, code string, change func(*iam.AssumeRoleInput)) {
		t.Helper()
		in := in
		change(&in)
		if _, err := a.AssumeRole(ctx, in); fault.CodeOf(err) != code {
			t.Errorf("%s: got %v (%s), want %s", what, err, fault.CodeOf(err), code)
		}
	}
	fail(bob, "somebody who is not trusted", "AccessDeniedException", func(*iam.AssumeRoleInput) {})
	fail(alice, "no such role", "AccessDeniedException", func(in *iam.AssumeRoleInput) { in.RoleArn += "x" })
	fail(alice, "too short", "ValidationError", func(in *iam.AssumeRoleInput) { in.DurationSeconds = new(899) })
	fail(alice, "longer than any", "ValidationError", func(in *iam.AssumeRoleInput) { in.DurationSeconds = new(43201) })
	fail(alice, "longer than the role's", "ValidationError", func(in *iam.AssumeRoleInput) { in.DurationSeconds = new(7201) })
	fail(alice, "no session name", "ValidationError", func(in *iam.AssumeRoleInput) { in.RoleSessionName = "" })
	fail(alice, "a slash in the session's name", "ValidationError", func(in *iam.AssumeRoleInput) { in.RoleSessionName = "a/b" })
	fail(alice, "a malformed policy", "MalformedPolicyDocument", func(in *iam.AssumeRoleInput) { in.Policy = "{" })
	fail(alice, "a long policy", "PackedPolicyTooLarge", func(in *iam.AssumeRoleInput) {
		in.Policy = document("Allow", "s3:*", "arn:aws:s3:::"+strings.Repeat("a", 2048))
	})
	fail(alice, "an unknown policy", "MalformedPolicyDocument", func(in *iam.AssumeRoleInput) { in.PolicyArns = []iam.PolicyDescriptorType{{Arn: "arn:x"}} })
	fail(t.Context(), "nobody", "MissingAuthenticationToken", func(*iam.AssumeRoleInput) {})

	// A session may assume on, for an hour at most.
	must(t, a.UpdateAssumeRolePolicy, iam.UpdateAssumeRolePolicyInput{RoleName: "worker", PolicyDocument: trust(`{"AWS":["` + arn.Account + `"]}`)})
	fail(session, "a chained session of two hours", "ValidationError", func(in *iam.AssumeRoleInput) { in.DurationSeconds = new(7200) })
	if _, err := a.AssumeRole(session, in); err != nil {
		t.Errorf("a chained session: %v", err)
	}
	fail(bob, "the account is trusted, but bob has no permission", "AccessDeniedException", func(*iam.AssumeRoleInput) {})

	must(t, a.DeleteRolePolicy, iam.DeleteRolePolicyInput{RoleName: "worker", PolicyName: "p"})
	if err := a.Authorize(session, "s3:GetObject", "*", nil); err == nil {
		t.Error("what a role may no more, its session may")
	}
	must(t, a.DeleteRole, iam.DeleteRoleInput{RoleName: "worker"})
	must(t, a.CreateRole, iam.CreateRoleInput{RoleName: "worker", Path: "/x/", AssumeRolePolicyDocument: trust(`"*"`)})
	if r, body := signed(t, credentials(out.Credentials), "sns", time.Now()); verifyCode(a, r, body) != "InvalidClientTokenId" {
		t.Error("a session outlives its role, in another of the same name")
	}
}

func TestSessionsAreNarrowed(t *testing.T) {
	a := fresh(t)
	role := must(t, a.CreateRole, iam.CreateRoleInput{RoleName: "worker", AssumeRolePolicyDocument: trust(`{"AWS":"` + arn.Account + `"}`), Tags: []iam.Tag{{Key: "team", Value: "red"}, {Key: "env", Value: "dev"}}}).Role
	must(t, a.PutRolePolicy, iam.PutRolePolicyInput{RoleName: "worker", PolicyName: "p", PolicyDocument: `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["s3:*","sns:*","ssm:*"],"Resource":"*"},
		{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"blue","aws:PrincipalTag/env":"dev"}}}]}`})
	managed := must(t, a.CreatePolicy, iam.CreatePolicyInput{PolicyName: "m", PolicyDocument: document("Allow", "sns:Publish", "*")}).Policy
	admin := as(t, a, a.Admin())
	out, err := a.AssumeRole(admin, iam.AssumeRoleInput{
		RoleArn: role.Arn, RoleSessionName: "job", Policy: document("Allow", "s3:GetObject", "*"),
		PolicyArns: []iam.PolicyDescriptorType{{Arn: managed.Arn}},
	})
	if err != nil {
		t.Fatal(err)
	}
	narrow := as(t, a, credentials(out.Credentials))
	for action, want := range map[string]bool{"s3:GetObject": true, "sns:Publish": true, "s3:PutObject": false, "ssm:GetParameter": false, "iam:CreateUser": false} {
		err := a.Authorize(narrow, action, "*", nil)
		if (err == nil) != want {
			t.Errorf("%s: got %v, want allowed %v", action, err, want)
		}
		if action == "s3:PutObject" && !strings.Contains(err.Error(), "because no session policy allows the s3:PutObject action") {
			t.Errorf("%s: %v", action, err)
		}
	}
	must(t, a.DeletePolicy, iam.DeletePolicyInput{PolicyArn: managed.Arn})
	if err := a.Authorize(as(t, a, credentials(out.Credentials)), "sns:Publish", "*", nil); err == nil {
		t.Error("a policy that is gone still allows")
	}
	out, err = a.AssumeRole(admin, iam.AssumeRoleInput{RoleArn: role.Arn, RoleSessionName: "job", Tags: []iam.Tag{{Key: "team", Value: "blue"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Authorize(as(t, a, credentials(out.Credentials)), "kms:Decrypt", "*", nil); err != nil {
		t.Errorf("a session's tags are put over its role's: %v", err)
	}
	must(t, a.UpdateAssumeRolePolicy, iam.UpdateAssumeRolePolicyInput{RoleName: "worker", PolicyDocument: strings.Replace(trust(`{"AWS":"`+arn.Account+`"}`), `,"sts:TagSession"`, "", 1)})
	if _, err := a.AssumeRole(admin, iam.AssumeRoleInput{RoleArn: role.Arn, RoleSessionName: "job", Tags: []iam.Tag{{Key: "team", Value: "blue"}}}); err == nil || !strings.Contains(err.Error(), "sts:TagSession") {
		t.Errorf("tags without sts:TagSession: got %v", err)
	}
	must(t, a.UpdateAssumeRolePolicy, iam.UpdateAssumeRolePolicyInput{RoleName: "worker", PolicyDocument: strings.Replace(trust(`{"AWS":"`+arn.Account+`"}`), `"Action"`, `"Condition":{"StringEquals":{"sts:ExternalId":"x"}},"Action"`, 1)})
	for id, want := range map[string]bool{"": false, "y": false, "x": true} {
		if _, err := a.AssumeRole(admin, iam.AssumeRoleInput{RoleArn: role.Arn, RoleSessionName: "job", ExternalId: id}); (err == nil) != want {
			t.Errorf("external id %q: got %v", id, err)
		}
	}
}

func TestGetSessionToken(t *testing.T) {
	a := fresh(t)
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice"})
	must(t, a.PutUserPolicy, iam.PutUserPolicyInput{UserName: "alice", PolicyName: "p", PolicyDocument: document("Allow", "s3:*", "*")})
	alice := as(t, a, newKey(t, a, "alice"))
	out, err := a.GetSessionToken(alice, iam.GetSessionTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	session := as(t, a, credentials(out.Credentials))
	if err := a.Authorize(session, "s3:GetObject", "*", nil); err != nil {
		t.Error(err)
	}
	who, _ := iam.Caller(session)
	if who.ARN != arnOf("user/alice") || who.Type != iam.TypeUser || who.Issued.IsZero() {
		t.Errorf("got %+v", who)
	}
	if _, err := a.GetSessionToken(session, iam.GetSessionTokenInput{}); fault.KindOf(err) != fault.Denied {
		t.Errorf("a session of a session: got %v", err)
	}
	if _, err := a.GetSessionToken(alice, iam.GetSessionTokenInput{DurationSeconds: new(60)}); fault.CodeOf(err) != "ValidationError" {
		t.Errorf("a minute: got %v", err)
	}
	root, err := a.GetSessionToken(as(t, a, a.Admin()), iam.GetSessionTokenInput{DurationSeconds: new(43200)})
	if err != nil || time.Until(root.Credentials.Expiration.Time) > time.Hour {
		t.Errorf("root: got %v, %v; want at most an hour", root.Credentials.Expiration, err)
	}
	if who, _ := iam.Caller(as(t, a, credentials(root.Credentials))); !who.Root() {
		t.Errorf("got %+v", who)
	}
	for id, want := range map[string]string{out.Credentials.AccessKeyId: "", a.Admin().AccessKeyID: "", "AKIA": "ValidationError", "XXXXAAAAAAAAAAAAAAAA": "ValidationError"} {
		if got, err := a.GetAccessKeyInfo(t.Context(), iam.GetAccessKeyInfoInput{AccessKeyId: id}); fault.CodeOf(err) != want || want == "" && got.Account != arn.Account {
			t.Errorf("%s: got %+v, %v", id, got, err)
		}
	}
}
