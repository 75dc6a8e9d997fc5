package iam_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/iam/policy"
)

func parse(t testing.TB, kind policy.Kind, text string) policy.Document {
	t.Helper()
	d, err := policy.Parse(kind, text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestRefusalsSayWhy(t *testing.T) {
	a := fresh(t)
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice"})
	must(t, a.PutUserPolicy, iam.PutUserPolicyInput{UserName: "alice", PolicyName: "p", PolicyDocument: document("Deny", "s3:DeleteObject", "*")})
	alice := as(t, a, newKey(t, a, "alice"))
	const object, key = "arn:aws:s3:::b/k", "arn:aws:kms:us-east-1:000000000000:key/k"
	denies := parse(t, policy.Resource, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}]}`)
	bobs := parse(t, policy.Resource, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+arnOf("user/bob")+`"},"Action":"kms:*","Resource":"*"}]}`)
	user := "User: " + arnOf("user/alice") + " is not authorized to perform: "
	for want, err := range map[string]error{
		user + "s3:GetObject on resource: arn:aws:s3:::b/k because no identity-based policy allows the s3:GetObject action":                                                                     a.Authorize(alice, "s3:GetObject", object, nil),
		user + "s3:DeleteObject on resource: arn:aws:s3:::b/k with an explicit deny in an identity-based policy":                                                                                a.Authorize(alice, "s3:DeleteObject", object, nil),
		user + "s3:PutObject on resource: arn:aws:s3:::b/k with an explicit deny in a resource-based policy":                                                                                    a.AuthorizeWith(alice, "s3:PutObject", object, nil, denies),
		user + "kms:Decrypt on resource: " + key + " because no resource-based policy allows the kms:Decrypt action":                                                                            a.AuthorizeWith(alice, "kms:Decrypt", key, nil, bobs),
		"Nobody is authenticated, so nobody is authorized to perform: s3:GetObject on resource: arn:aws:s3:::b/k":                                                                               a.Authorize(t.Context(), "s3:GetObject", object, nil),
		"User: events.amazonaws.com is not authorized to perform: lambda:InvokeFunction on resource: " + function + " because no identity-based policy allows the lambda:InvokeFunction action": a.Authorize(iam.With(t.Context(), iam.Principal{Type: iam.TypeService, Name: "events.amazonaws.com"}, iam.Request{}), "lambda:InvokeFunction", function, nil),
	} {
		if err == nil || err.Error() != want || fault.KindOf(err) != fault.Denied || fault.CodeOf(err) != "AccessDeniedException" {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	if err := a.Authorize(as(t, a, a.Admin()), "anything:AtAll", "*", nil); err != nil {
		t.Errorf("root: %v", err)
	}
	d := a.Decide(alice, "s3:DeleteObject", object, nil)
	if d.Outcome != policy.ExplicitDeny || d.By == nil || d.By.Source.ID != "p" || d.By.Source.Type != "user" {
		t.Errorf("the decision does not name its policy: %+v", d)
	}
	why := a.Explain(alice, "s3:GetObject", object, nil)
	if len(why) != 1 || why[0].Matches || !strings.Contains(why[0].Why, "no Action matches s3:GetObject") {
		t.Errorf("got %+v", why)
	}
}

// TestConditionKeys gives each condition key that is known of a caller and a
// request a condition that only its value meets.
func TestConditionKeys(t *testing.T) {
	a := fresh(t)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	request := iam.Request{
		SourceIP: "203.0.113.7", UserAgent: "aws-cli/2", Referer: "https://a.example/", Region: "eu-west-1", SecureTransport: true, Time: at,
		ViaService: "ssm.us-east-1.amazonaws.com", SourceARN: "arn:aws:s3:::drops", SourceAccount: arn.Account,
	}
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice", Tags: []iam.Tag{{Key: "Team", Value: "red"}}})
	key := newKey(t, a, "alice")
	who, _ := iam.Caller(as(t, a, key))
	ctx := iam.With(t.Context(), who, request)
	given := map[string][]string{
		"ssm:Overwrite": {"true"}, "aws:ResourceTag/Env": {"dev"}, "aws:TagKeys": {"a", "b"},
		"aws:SourceIp": {"10.0.0.1"}, "aws:username": {"eve"}, // which nobody may say
	}
	for _, condition := range []string{
		`"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`,
		`"StringEquals":{"aws:UserAgent":"aws-cli/2"}`,
		`"StringLike":{"aws:Referer":"https://a.example/*"}`,
		`"StringEquals":{"aws:RequestedRegion":"eu-west-1"}`,
		`"Bool":{"aws:SecureTransport":"true"}`,
		`"DateEquals":{"aws:CurrentTime":"2026-03-01T12:00:00Z"}`,
		`"NumericEquals":{"aws:EpochTime":"1772366400"}`,
		`"Bool":{"aws:ViaAWSService":"true"}`,
		`"StringEquals":{"kms:ViaService":"ssm.us-east-1.amazonaws.com"}`,
		`"StringEquals":{"kms:CallerAccount":"000000000000"}`,
		`"ArnEquals":{"aws:SourceArn":"arn:aws:s3:::drops"}`,
		`"StringEquals":{"aws:SourceAccount":"000000000000"}`,
		`"StringEquals":{"aws:PrincipalAccount":"000000000000"}`,
		`"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::000000000000:user/alice"}`,
		`"StringEquals":{"aws:PrincipalType":"User"}`,
		`"StringEquals":{"aws:userid":"` + who.UserID + `"}`,
		`"StringEquals":{"aws:username":"alice"}`,
		`"StringEquals":{"aws:PrincipalTag/team":"red"}`,
		`"Bool":{"aws:PrincipalIsAWSService":"false"}`,
		`"Null":{"aws:TokenIssueTime":"true"}`,
		`"StringEquals":{"aws:ResourceAccount":"000000000000"}`,
		`"StringEquals":{"ssm:overwrite":"true"}`,
		`"StringEquals":{"aws:ResourceTag/env":"dev"}`,
		`"StringEquals":{"ssm:resourceTag/Env":"dev"}`,
		`"ForAllValues:StringEquals":{"aws:TagKeys":["a","b","c"]}`,
	} {
		doc := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{` + condition + `}}]}`
		must(t, a.PutUserPolicy, iam.PutUserPolicyInput{UserName: "alice", PolicyName: "p", PolicyDocument: doc})
		if err := a.Authorize(ctx, "ssm:PutParameter", "*", given); err != nil {
			t.Errorf("%s: %v", condition, err)
		}
		if err := a.Authorize(iam.With(t.Context(), iam.Principal{Type: iam.TypeUser, Name: "alice", UserID: who.UserID + "x"}, iam.Request{}), "ssm:PutParameter", "*", given); err == nil {
			t.Errorf("%s: a user with another id is let in", condition)
		}
	}
}

func TestFunctions(t *testing.T) {
	a := fresh(t)
	own := deployed(t, a, "s-dev", function)
	ctx := as(t, a, own)
	log := "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f:log-stream:s"
	for action, want := range map[string]bool{"logs:PutLogEvents": true, "logs:CreateLogStream": true, "sns:Publish": false, "logs:DeleteLogGroup": false} {
		if err := a.Authorize(ctx, action, log, nil); (err == nil) != want {
			t.Errorf("%s: got %v, want allowed %v", action, err, want)
		}
	}
	if err := a.Authorize(ctx, "logs:PutLogEvents", strings.Replace(log, "/f:", "/g:", 1), nil); err == nil {
		t.Error("a function may write another's log")
	}

	role := iam.DeclaredRole{Name: "s-dev-role", Inline: map[string]string{"p": document("Allow", "sns:Publish", "*")}, Attached: []string{"arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"}}
	declare := iam.Declaration{Roles: []iam.DeclaredRole{role}, Functions: map[string]string{function: arnOf("role/s-dev-role")}}
	if err := a.Replace("s-dev", declare); err != nil {
		t.Fatal(err)
	}
	r, body := signed(t, own, "sns", time.Now())
	if got := verifyCode(a, r, body); got != "InvalidClientTokenId" {
		t.Errorf("an instance whose role is gone: got %q", got)
	}
	c, err := a.Instance(function, "", "i-2")
	if err != nil {
		t.Fatal(err)
	}
	ctx = as(t, a, c)
	who, _ := iam.Caller(ctx)
	if who.ARN != "arn:aws:sts::"+arn.Account+":assumed-role/s-dev-role/f" || who.RoleARN != arnOf("role/s-dev-role") || who.FunctionARN != function {
		t.Errorf("got %+v", who)
	}
	for action, want := range map[string]bool{"sns:Publish": true, "logs:PutLogEvents": true, "s3:GetObject": false} {
		if err := a.Authorize(ctx, action, "*", nil); (err == nil) != want {
			t.Errorf("%s: got %v, want allowed %v", action, err, want)
		}
	}
	other, err := a.Instance(function, "", "i-3")
	if err != nil || other.AccessKeyID == c.AccessKeyID || other.SecretAccessKey == c.SecretAccessKey {
		t.Errorf("two instances share a key (%v)", err)
	}

	refused(t, a.CreateRole, iam.CreateRoleInput{RoleName: "S-dev-role", AssumeRolePolicyDocument: trust(`"*"`)}, "EntityAlreadyExists")
	refused(t, a.PutRolePolicy, iam.PutRolePolicyInput{RoleName: "s-dev-role", PolicyName: "x", PolicyDocument: document("Allow", "*", "*")}, "UnmodifiableEntity")
	refused(t, a.DeleteRole, iam.DeleteRoleInput{RoleName: "s-dev-role"}, "UnmodifiableEntity")
	if err := a.Replace("other-dev", declare); fault.CodeOf(err) != "EntityAlreadyExists" {
		t.Errorf("two stacks declare one role: got %v", err)
	}
	role.Inline = map[string]string{"p": "{}"}
	if err := a.Replace("s-dev", iam.Declaration{Roles: []iam.DeclaredRole{role}}); fault.CodeOf(err) != "MalformedPolicyDocument" {
		t.Errorf("a malformed policy: got %v", err)
	}
	if err := a.Authorize(ctx, "sns:Publish", "*", nil); err != nil {
		t.Errorf("a declaration that failed has changed something: %v", err)
	}
	var names []string
	for _, r := range must(t, a.ListRoles, iam.ListRolesInput{}).Roles {
		names = append(names, r.RoleName)
	}
	if !slices.Equal(names, []string{"s-dev-role"}) {
		t.Errorf("got roles %v", names)
	}
	if err := a.Trusts(t.Context(), arnOf("role/s-dev-role"), "lambda.amazonaws.com"); err != nil {
		t.Error(err)
	}
	if err := a.Trusts(t.Context(), arnOf("role/s-dev-role"), "events.amazonaws.com"); err == nil {
		t.Error("a declared role trusts Lambda only")
	}
	if err := a.Replace("s-dev", iam.Declaration{}); err != nil {
		t.Fatal(err)
	}
	if r, body := signed(t, c, "sns", time.Now()); verifyCode(a, r, body) != "InvalidClientTokenId" {
		t.Error("a removed function's credentials are still good")
	}
	if _, err := a.Instance(function, "", "i-4"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("an instance of a removed function: got %v", err)
	}
}

func BenchmarkAuthorize(b *testing.B) {
	a := open(b, b.TempDir(), nil)
	role := iam.DeclaredRole{Name: "r", Inline: map[string]string{"p": document("Allow", "sns:Publish", "arn:aws:sns:*:*:drop-*")}}
	if err := a.Replace("s", iam.Declaration{Roles: []iam.DeclaredRole{role}, Functions: map[string]string{function: arnOf("role/r")}}); err != nil {
		b.Fatal(err)
	}
	c, err := a.Instance(function, "", "i")
	if err != nil {
		b.Fatal(err)
	}
	ctx := as(b, a, c)
	b.ReportAllocs()
	for b.Loop() {
		if err := a.Authorize(ctx, "sns:Publish", "arn:aws:sns:us-east-1:000000000000:drop-created", nil); err != nil {
			b.Fatal(err)
		}
	}
}
