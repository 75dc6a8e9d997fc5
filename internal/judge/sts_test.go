package judge

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func stsCalls(s *sdk) {
	c, roles := sts.NewFromConfig(s.config), iam.NewFromConfig(s.config)
	call(s, "who am I", c.GetCallerIdentity, &sts.GetCallerIdentityInput{}, func(out *sts.GetCallerIdentityOutput) error {
		return same(*out.Arn, "arn:aws:iam::000000000000:root")
	})
	role := call(s, "a role", roles.CreateRole, &iam.CreateRoleInput{RoleName: aws.String("go-sts"), AssumeRolePolicyDocument: aws.String(accountMay)}, nil).Role
	call(s, "its policy", roles.PutRolePolicy, &iam.PutRolePolicyInput{RoleName: role.RoleName, PolicyName: aws.String("logs"), PolicyDocument: aws.String(readsLogs)}, nil)
	assume := &sts.AssumeRoleInput{RoleArn: role.Arn, RoleSessionName: aws.String("night"), DurationSeconds: aws.Int32(900)}
	keys := call(s, "assume it", c.AssumeRole, assume, func(out *sts.AssumeRoleOutput) error {
		if left := time.Until(*out.Credentials.Expiration); left < 10*time.Minute || left > 16*time.Minute {
			return fmt.Errorf("it expires in %v, want 15 minutes", left)
		}
		return same(*out.AssumedRoleUser.Arn, "arn:aws:sts::000000000000:assumed-role/go-sts/night")
	}).Credentials
	session := s.as(keys.AccessKeyId, keys.SecretAccessKey, keys.SessionToken)
	logs := cloudwatchlogs.NewFromConfig(session)
	call(s, "what the role may", logs.DescribeLogGroups, &cloudwatchlogs.DescribeLogGroupsInput{}, nil)
	fails(s, "what it may not", "AccessDeniedException", logs.CreateLogGroup, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("/go/sts")})
	fails(s, "too short a session", "ValidationError", c.AssumeRole, &sts.AssumeRoleInput{RoleArn: role.Arn, RoleSessionName: aws.String("night"), DurationSeconds: aws.Int32(60)})
	fails(s, "longer than the role allows", "ValidationError", c.AssumeRole, &sts.AssumeRoleInput{RoleArn: role.Arn, RoleSessionName: aws.String("night"), DurationSeconds: aws.Int32(4000)})
	fails(s, "a role that is none", "AccessDenied", c.AssumeRole, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::000000000000:role/go-none"), RoleSessionName: aws.String("night")})
	fails(s, "a session does not get a session token", "AccessDenied", sts.NewFromConfig(session).GetSessionToken, &sts.GetSessionTokenInput{})
	fails(s, "an unknown key", "InvalidClientTokenId", sts.NewFromConfig(s.as(aws.String("AKIAUNKNOWN000000000"), aws.String("x"), nil)).GetCallerIdentity, &sts.GetCallerIdentityInput{})
	fails(s, "a wrong secret", "SignatureDoesNotMatch", sts.NewFromConfig(s.as(keys.AccessKeyId, aws.String("x"), keys.SessionToken)).GetCallerIdentity, &sts.GetCallerIdentityInput{})
	call(s, "the role goes", roles.DeleteRolePolicy, &iam.DeleteRolePolicyInput{RoleName: role.RoleName, PolicyName: aws.String("logs")}, nil)
	fails(s, "its sessions may nothing", "AccessDeniedException", logs.DescribeLogGroups, &cloudwatchlogs.DescribeLogGroupsInput{})
}
