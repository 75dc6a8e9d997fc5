package judge

import (
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

const (
	readsLogs  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:Describe*","Resource":"*"}]}`
	lambdaMay  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	accountMay = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}`
)

func iamCalls(s *sdk) {
	c := iam.NewFromConfig(s.config)
	defer ownUser(s, c)
	role := aws.String("go-role")
	call(s, "create role", c.CreateRole, &iam.CreateRoleInput{RoleName: role, Path: aws.String("/jobs/"), AssumeRolePolicyDocument: aws.String(lambdaMay), MaxSessionDuration: aws.Int32(7200)},
		func(out *iam.CreateRoleOutput) error {
			return same(*out.Role.Arn, "arn:aws:iam::000000000000:role/jobs/go-role")
		})
	fails(s, "create role twice", "EntityAlreadyExists", c.CreateRole, &iam.CreateRoleInput{RoleName: role, AssumeRolePolicyDocument: aws.String(lambdaMay)})
	fails(s, "trust nobody", "MalformedPolicyDocument", c.CreateRole, &iam.CreateRoleInput{RoleName: aws.String("go-x"), AssumeRolePolicyDocument: aws.String(readsLogs)})
	call(s, "get role", c.GetRole, &iam.GetRoleInput{RoleName: role}, func(out *iam.GetRoleOutput) error {
		trust, err := url.QueryUnescape(*out.Role.AssumeRolePolicyDocument)
		if err != nil {
			return err
		}
		return same([]any{trust, *out.Role.MaxSessionDuration, *out.Role.Path}, []any{lambdaMay, int32(7200), "/jobs/"})
	})
	call(s, "put role policy", c.PutRolePolicy, &iam.PutRolePolicyInput{RoleName: role, PolicyName: aws.String("logs"), PolicyDocument: aws.String(readsLogs)}, nil)
	call(s, "list role policies", c.ListRolePolicies, &iam.ListRolePoliciesInput{RoleName: role}, func(out *iam.ListRolePoliciesOutput) error { return same(out.PolicyNames, []string{"logs"}) })
	fails(s, "delete a role that has policies", "DeleteConflict", c.DeleteRole, &iam.DeleteRoleInput{RoleName: role})
	policy := call(s, "create policy", c.CreatePolicy, &iam.CreatePolicyInput{PolicyName: aws.String("go-policy"), PolicyDocument: aws.String(readsLogs)}, nil).Policy
	call(s, "attach role policy", c.AttachRolePolicy, &iam.AttachRolePolicyInput{RoleName: role, PolicyArn: policy.Arn}, nil)
	call(s, "who has the policy", c.ListEntitiesForPolicy, &iam.ListEntitiesForPolicyInput{PolicyArn: policy.Arn}, func(out *iam.ListEntitiesForPolicyOutput) error {
		return same([]any{len(out.PolicyRoles), *out.PolicyRoles[0].RoleName}, []any{1, "go-role"})
	})
	for range 4 { // the most is five
		if _, err := c.CreatePolicyVersion(s.Context(), &iam.CreatePolicyVersionInput{PolicyArn: policy.Arn, PolicyDocument: aws.String(readsLogs)}); err != nil {
			s.Fatal(err)
		}
	}
	fails(s, "a sixth version", "LimitExceeded", c.CreatePolicyVersion, &iam.CreatePolicyVersionInput{PolicyArn: policy.Arn, PolicyDocument: aws.String(readsLogs)})
	fails(s, "delete the default version", "DeleteConflict", c.DeletePolicyVersion, &iam.DeletePolicyVersionInput{PolicyArn: policy.Arn, VersionId: aws.String("v1")})
	fails(s, "attach nothing", "NoSuchEntity", c.AttachRolePolicy, &iam.AttachRolePolicyInput{RoleName: role, PolicyArn: aws.String("arn:aws:iam::000000000000:policy/none")})
	call(s, "AWS's own policies", c.ListPolicies, &iam.ListPoliciesInput{Scope: types.PolicyScopeTypeAws}, func(out *iam.ListPoliciesOutput) error {
		found := false
		for _, p := range out.Policies {
			found = found || strings.HasSuffix(*p.Arn, "/AdministratorAccess")
		}
		return same(found, true)
	})
	call(s, "simulate a custom policy", c.SimulateCustomPolicy, &iam.SimulateCustomPolicyInput{PolicyInputList: []string{readsLogs}, ActionNames: []string{"logs:DescribeLogGroups", "logs:PutLogEvents"}},
		func(out *iam.SimulateCustomPolicyOutput) error {
			got := []types.PolicyEvaluationDecisionType{}
			for _, r := range out.EvaluationResults {
				got = append(got, r.EvalDecision)
			}
			return same(got, []types.PolicyEvaluationDecisionType{types.PolicyEvaluationDecisionTypeAllowed, types.PolicyEvaluationDecisionTypeImplicitDeny})
		})
	call(s, "groups", c.CreateGroup, &iam.CreateGroupInput{GroupName: aws.String("go-group")}, nil)
	fails(s, "nobody into a group", "NoSuchEntity", c.AddUserToGroup, &iam.AddUserToGroupInput{GroupName: aws.String("go-group"), UserName: aws.String("go-nobody")})
	call(s, "a user", c.CreateUser, &iam.CreateUserInput{UserName: aws.String("go-user")}, nil)
	for range 2 {
		if _, err := c.CreateAccessKey(s.Context(), &iam.CreateAccessKeyInput{UserName: aws.String("go-user")}); err != nil {
			s.Fatal(err)
		}
	}
	fails(s, "a third access key", "LimitExceeded", c.CreateAccessKey, &iam.CreateAccessKeyInput{UserName: aws.String("go-user")})
	call(s, "detach", c.DetachRolePolicy, &iam.DetachRolePolicyInput{RoleName: role, PolicyArn: policy.Arn}, nil)
	call(s, "delete role policy", c.DeleteRolePolicy, &iam.DeleteRolePolicyInput{RoleName: role, PolicyName: aws.String("logs")}, nil)
	call(s, "delete role", c.DeleteRole, &iam.DeleteRoleInput{RoleName: role}, nil)
	fails(s, "get what is gone", "NoSuchEntity", c.GetRole, &iam.GetRoleInput{RoleName: role})
}

// ownUser has a user look at themselves: without a name the caller is meant.
func ownUser(s *sdk, c *iam.Client) {
	name := aws.String("go-self")
	call(s, "create user", c.CreateUser, &iam.CreateUserInput{UserName: name, Path: aws.String("/staff/")}, nil)
	call(s, "let a user see itself", c.PutUserPolicy, &iam.PutUserPolicyInput{
		UserName: name, PolicyName: aws.String("self"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:GetUser","Resource":"arn:aws:iam::000000000000:user/staff/${aws:username}"}]}`),
	}, nil)
	key := call(s, "create access key", c.CreateAccessKey, &iam.CreateAccessKeyInput{UserName: name}, nil).AccessKey
	config := s.config
	config.Credentials = credentials.NewStaticCredentialsProvider(*key.AccessKeyId, *key.SecretAccessKey, "")
	self := iam.NewFromConfig(config)
	call(s, "get the user who asks", self.GetUser, &iam.GetUserInput{}, func(out *iam.GetUserOutput) error { return same(*out.User.UserName, "go-self") })
	fails(s, "get another user", "AccessDenied", self.GetUser, &iam.GetUserInput{UserName: aws.String("go-other")})
}
