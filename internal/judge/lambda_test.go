package judge

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func lambdaCalls(s *sdk) {
	c := lambda.NewFromConfig(s.config)
	call(s, "invoke", c.Invoke, &lambda.InvokeInput{FunctionName: &s.world.function, Payload: []byte(`{"a":1}`)}, answers(`{"a":1}`))
	fails(s, "invoke nobody", "ResourceNotFoundException", c.Invoke, &lambda.InvokeInput{FunctionName: aws.String("nobody")})
	fails(s, "too large a payload", "RequestTooLargeException", c.Invoke, &lambda.InvokeInput{FunctionName: &s.world.function, Payload: fmt.Appendf(nil, "%q", strings.Repeat("x", 6<<20))})
	lambdaLife(s, c)
}

// answers checks what a function answered.
func answers(want string) func(*lambda.InvokeOutput) error {
	return func(out *lambda.InvokeOutput) error { return same(string(out.Payload), want) }
}

func lambdaLife(s *sdk, c *lambda.Client) {
	role := call(s, "a role", iam.NewFromConfig(s.config).CreateRole, &iam.CreateRoleInput{RoleName: aws.String("go-lambda"), AssumeRolePolicyDocument: aws.String(lambdaMay)}, nil).Role
	name := aws.String("go-made")
	create := &lambda.CreateFunctionInput{FunctionName: name, Role: role.Arn, Runtime: types.RuntimeNodejs20x, Handler: aws.String("index.handler"), Code: &types.FunctionCode{ZipFile: code("one")}}
	made := call(s, "create", c.CreateFunction, create, nil)
	fails(s, "create twice", "ResourceConflictException", c.CreateFunction, create)
	call(s, "it answers", c.Invoke, &lambda.InvokeInput{FunctionName: name}, answers(`"one"`))
	call(s, "publish", c.PublishVersion, &lambda.PublishVersionInput{FunctionName: name, CodeSha256: made.CodeSha256}, func(out *lambda.PublishVersionOutput) error { return same(*out.Version, "1") })
	fails(s, "publish other code", "InvalidParameterValueException", c.PublishVersion, &lambda.PublishVersionInput{FunctionName: name, CodeSha256: aws.String("AAAA")})
	call(s, "other code, dry", c.UpdateFunctionCode, &lambda.UpdateFunctionCodeInput{FunctionName: name, ZipFile: code("two"), DryRun: true}, nil)
	call(s, "it still answers", c.Invoke, &lambda.InvokeInput{FunctionName: name}, answers(`"one"`))
	call(s, "other code", c.UpdateFunctionCode, &lambda.UpdateFunctionCodeInput{FunctionName: name, ZipFile: code("two")}, nil)
	call(s, "it answers another", c.Invoke, &lambda.InvokeInput{FunctionName: name}, answers(`"two"`))
	fails(s, "of another revision", "PreconditionFailedException", c.UpdateFunctionConfiguration, &lambda.UpdateFunctionConfigurationInput{FunctionName: name, RevisionId: made.RevisionId, Timeout: aws.Int32(5)})
	call(s, "configure", c.UpdateFunctionConfiguration, &lambda.UpdateFunctionConfigurationInput{FunctionName: name, Environment: &types.Environment{Variables: map[string]string{"A": "1"}}},
		func(out *lambda.UpdateFunctionConfigurationOutput) error {
			return same(out.Environment.Variables, map[string]string{"A": "1"})
		})
	call(s, "versions", c.ListVersionsByFunction, &lambda.ListVersionsByFunctionInput{FunctionName: name}, func(out *lambda.ListVersionsByFunctionOutput) error { return same(len(out.Versions), 2) })
	call(s, "alias", c.CreateAlias, &lambda.CreateAliasInput{FunctionName: name, Name: aws.String("live"), FunctionVersion: aws.String("1")}, nil)
	call(s, "by alias", c.Invoke, &lambda.InvokeInput{FunctionName: name, Qualifier: aws.String("live")}, answers(`"one"`))
	lambdaPermissions(s, c, name)
	call(s, "delete", c.DeleteFunction, &lambda.DeleteFunctionInput{FunctionName: name}, nil)
	fails(s, "invoke what is gone", "ResourceNotFoundException", c.Invoke, &lambda.InvokeInput{FunctionName: name})
}

// lambdaPermissions has a user without a policy invoke a function: denied, then
// allowed by the function's own.
func lambdaPermissions(s *sdk, c *lambda.Client, name *string) {
	users := iam.NewFromConfig(s.config)
	user := call(s, "a user", users.CreateUser, &iam.CreateUserInput{UserName: aws.String("go-caller")}, nil).User
	keys := call(s, "the user's keys", users.CreateAccessKey, &iam.CreateAccessKeyInput{UserName: user.UserName}, nil).AccessKey
	theirs := lambda.NewFromConfig(s.as(keys.AccessKeyId, keys.SecretAccessKey, nil))
	fails(s, "invoke without permission", "AccessDeniedException", theirs.Invoke, &lambda.InvokeInput{FunctionName: name})
	permission := &lambda.AddPermissionInput{FunctionName: name, StatementId: aws.String("caller"), Action: aws.String("lambda:InvokeFunction"), Principal: user.Arn}
	call(s, "permit", c.AddPermission, permission, nil)
	fails(s, "permit twice", "ResourceConflictException", c.AddPermission, permission)
	call(s, "invoke with permission", theirs.Invoke, &lambda.InvokeInput{FunctionName: name}, answers(`"two"`))
	fails(s, "delete with that permission", "AccessDeniedException", theirs.DeleteFunction, &lambda.DeleteFunctionInput{FunctionName: name})
	call(s, "take it back", c.RemovePermission, &lambda.RemovePermissionInput{FunctionName: name, StatementId: aws.String("caller")}, nil)
	fails(s, "invoke after that", "AccessDeniedException", theirs.Invoke, &lambda.InvokeInput{FunctionName: name})
	fails(s, "no policy any more", "ResourceNotFoundException", c.GetPolicy, &lambda.GetPolicyInput{FunctionName: name})
}
