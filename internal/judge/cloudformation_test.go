package judge

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// bucketOnly is what the Serverless Framework begins with.
const bucketOnly = `{"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}},
	"Outputs": {"BucketName": {"Value": {"Ref": "Bucket"}, "Export": {"Name": "go-bucket"}}}}`

// withFunction is a function, what makes a custom resource, and what uses that.
const withFunction = `
Parameters:
  Greeting: {Type: String, AllowedPattern: "[a-z]+", Default: hello}
Resources:
  Bucket: {Type: "AWS::S3::Bucket"}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]}
  Maker:
    Type: AWS::Lambda::Function
    Properties:
      Handler: index.handler
      Runtime: nodejs20.x
      Role: !GetAtt Role.Arn
      Code:
        ZipFile: |
          exports.handler = async (event) => {
            const said = event.ResourceProperties.Greeting;
            const answer = {
              Status: said === 'fail' ? 'FAILED' : 'SUCCESS', Reason: 'asked to', PhysicalResourceId: 'made-of-' + event.LogicalResourceId,
              StackId: event.StackId, RequestId: event.RequestId, LogicalResourceId: event.LogicalResourceId, Data: { Said: said + ', ' + event.RequestType },
            };
            const r = await fetch(event.ResponseURL, { method: 'PUT', body: JSON.stringify(answer) });
            if (!r.ok) throw new Error('answer: ' + r.status);
          };
  Made:
    Type: Custom::Greeting
    Properties: {ServiceToken: !GetAtt Maker.Arn, Greeting: !Ref Greeting}
  Speaker:
    Type: AWS::Lambda::Function
    Properties:
      Handler: index.handler
      Runtime: nodejs20.x
      Role: !GetAtt Role.Arn
      Environment: {Variables: {SAID: !GetAtt Made.Said}}
      Code: {ZipFile: "exports.handler = async () => process.env.SAID;"}
Outputs:
  BucketName: {Value: !Ref Bucket, Export: {Name: go-bucket}}
  Speaker: {Value: !Ref Speaker}
  Made: {Value: !Ref Made}
`

func cloudformationCalls(s *sdk) {
	c := cloudformation.NewFromConfig(s.config)
	stack, set := aws.String("go-stack"), aws.String("go-set")
	capabilities := []types.Capability{types.CapabilityCapabilityIam}
	fails(s, "describe nothing", "ValidationError", c.DescribeStacks, &cloudformation.DescribeStacksInput{StackName: stack})
	call(s, "delete nothing", c.DeleteStack, &cloudformation.DeleteStackInput{StackName: stack}, nil)
	call(s, "validate", c.ValidateTemplate, &cloudformation.ValidateTemplateInput{TemplateBody: aws.String(withFunction)}, func(out *cloudformation.ValidateTemplateOutput) error {
		return same([]any{len(out.Parameters), *out.Parameters[0].DefaultValue, out.Capabilities}, []any{1, "hello", capabilities})
	})
	fails(s, "validate what is none", "ValidationError", c.ValidateTemplate, &cloudformation.ValidateTemplateInput{TemplateBody: aws.String("Resources: [")})

	call(s, "change set of a new stack", c.CreateChangeSet, &cloudformation.CreateChangeSetInput{
		StackName: stack, ChangeSetName: set, ChangeSetType: types.ChangeSetTypeCreate, TemplateBody: aws.String(bucketOnly), Tags: []types.Tag{{Key: aws.String("STAGE"), Value: aws.String("dev")}},
	}, nil)
	described := call(s, "describe the change set", c.DescribeChangeSet, &cloudformation.DescribeChangeSetInput{StackName: stack, ChangeSetName: set}, func(out *cloudformation.DescribeChangeSetOutput) error {
		return same([]any{out.Status, out.ExecutionStatus, len(out.Changes), out.Changes[0].ResourceChange.Action}, []any{types.ChangeSetStatusCreateComplete, types.ExecutionStatusAvailable, 1, types.ChangeActionAdd})
	})
	call(s, "list change sets", c.ListChangeSets, &cloudformation.ListChangeSetsInput{StackName: stack}, func(out *cloudformation.ListChangeSetsOutput) error { return same(len(out.Summaries), 1) })
	call(s, "execute", c.ExecuteChangeSet, &cloudformation.ExecuteChangeSetInput{StackName: stack, ChangeSetName: set}, nil)
	s.stack(c, "created", types.StackStatusCreateComplete)
	call(s, "events", c.DescribeStackEvents, &cloudformation.DescribeStackEventsInput{StackName: described.StackId}, func(out *cloudformation.DescribeStackEventsOutput) error {
		last, first := out.StackEvents[0], out.StackEvents[len(out.StackEvents)-1]
		return same([]any{*last.LogicalResourceId, last.ResourceStatus, *first.ResourceType, first.ResourceStatus}, []any{
			*stack, types.ResourceStatusCreateComplete, "AWS::CloudFormation::Stack", types.ResourceStatus("REVIEW_IN_PROGRESS"),
		})
	})
	bucket := call(s, "the bucket", c.DescribeStackResource, &cloudformation.DescribeStackResourceInput{StackName: stack, LogicalResourceId: aws.String("Bucket")}, nil).StackResourceDetail.PhysicalResourceId
	fails(s, "no such resource", "ValidationError", c.DescribeStackResource, &cloudformation.DescribeStackResourceInput{StackName: stack, LogicalResourceId: aws.String("None")})
	fails(s, "create it again", "AlreadyExistsException", c.CreateStack, &cloudformation.CreateStackInput{StackName: stack, TemplateBody: aws.String(bucketOnly)})
	call(s, "delete the change set", c.DeleteChangeSet, &cloudformation.DeleteChangeSetInput{StackName: stack, ChangeSetName: set}, nil)
	call(s, "delete it again", c.DeleteChangeSet, &cloudformation.DeleteChangeSetInput{StackName: stack, ChangeSetName: set}, nil)

	const key = "at/2026-11-23T04:51:01.242Z/template"
	if _, err := s3.NewFromConfig(s.config, func(o *s3.Options) { o.UsePathStyle = true }).PutObject(s.Context(), &s3.PutObjectInput{Bucket: bucket, Key: aws.String(key), Body: strings.NewReader(withFunction)}); err != nil {
		s.Fatal(err)
	}
	url := aws.String("https://s3.amazonaws.com/" + *bucket + "/" + key)
	fails(s, "without the capability", "InsufficientCapabilitiesException", c.UpdateStack, &cloudformation.UpdateStackInput{StackName: stack, TemplateURL: url})
	fails(s, "a parameter that is wrong", "ValidationError", c.UpdateStack, &cloudformation.UpdateStackInput{
		StackName: stack, TemplateURL: url, Capabilities: capabilities, Parameters: []types.Parameter{{ParameterKey: aws.String("Greeting"), ParameterValue: aws.String("HELLO")}},
	})
	call(s, "change set of a template in the bucket", c.CreateChangeSet, &cloudformation.CreateChangeSetInput{StackName: stack, ChangeSetName: set, TemplateURL: url, Capabilities: capabilities}, nil)
	call(s, "execute it", c.ExecuteChangeSet, &cloudformation.ExecuteChangeSetInput{StackName: stack, ChangeSetName: set}, nil)
	s.stack(c, "updated", types.StackStatusUpdateComplete)
	speaker := call(s, "describe", c.DescribeStacks, &cloudformation.DescribeStacksInput{StackName: stack}, func(out *cloudformation.DescribeStacksOutput) error {
		return same([]any{len(out.Stacks[0].Outputs), *out.Stacks[0].Outputs[1].OutputValue, len(out.Stacks[0].Tags)}, []any{3, "made-of-Made", 1})
	}).Stacks[0].Outputs[2].OutputValue
	said := func(want string) {
		out, err := lambda.NewFromConfig(s.config).Invoke(s.Context(), &lambda.InvokeInput{FunctionName: speaker})
		if err != nil || string(out.Payload) != want {
			s.Errorf("the function says %s, %v; want %s", out.Payload, err, want)
		}
	}
	said(`"hello, Create"`)
	call(s, "list resources", c.ListStackResources, &cloudformation.ListStackResourcesInput{StackName: stack}, func(out *cloudformation.ListStackResourcesOutput) error {
		return same(len(out.StackResourceSummaries), 5)
	})
	call(s, "resources of a physical one", c.DescribeStackResources, &cloudformation.DescribeStackResourcesInput{PhysicalResourceId: speaker}, func(out *cloudformation.DescribeStackResourcesOutput) error {
		return same(len(out.StackResources), 5)
	})
	fails(s, "nothing to update", "ValidationError", c.UpdateStack, &cloudformation.UpdateStackInput{StackName: stack, UsePreviousTemplate: aws.Bool(true), Capabilities: capabilities})
	say := func(greeting string) *cloudformation.UpdateStackInput {
		return &cloudformation.UpdateStackInput{
			StackName: stack, UsePreviousTemplate: aws.Bool(true), Capabilities: capabilities,
			Parameters: []types.Parameter{{ParameterKey: aws.String("Greeting"), ParameterValue: &greeting}},
		}
	}
	call(s, "update the parameter", c.UpdateStack, say("hi"), nil)
	s.stack(c, "updated again", types.StackStatusUpdateComplete)
	said(`"hi, Update"`)
	call(s, "update to what fails", c.UpdateStack, say("fail"), nil)
	s.stack(c, "rolled back", types.StackStatusUpdateRollbackComplete)
	said(`"hi, Update"`)

	call(s, "exports", c.ListExports, &cloudformation.ListExportsInput{}, func(out *cloudformation.ListExportsOutput) error {
		i := slices.IndexFunc(out.Exports, func(e types.Export) bool { return *e.Name == "go-bucket" })
		return same([]any{*out.Exports[i].Value, *out.Exports[i].ExportingStackId}, []any{*bucket, *described.StackId})
	})
	importer := aws.String("go-importer")
	call(s, "import it", c.CreateStack, &cloudformation.CreateStackInput{StackName: importer, TemplateBody: aws.String(
		`Resources: {Topic: {Type: "AWS::SNS::Topic", Properties: {DisplayName: !ImportValue go-bucket}}}`,
	)}, nil)
	if err := cloudformation.NewStackCreateCompleteWaiter(c, func(o *cloudformation.StackCreateCompleteWaiterOptions) { o.MinDelay = 50 * time.Millisecond }).Wait(
		s.Context(), &cloudformation.DescribeStacksInput{StackName: importer}, time.Minute); err != nil {
		s.Fatal(err)
	}
	call(s, "imports", c.ListImports, &cloudformation.ListImportsInput{ExportName: aws.String("go-bucket")}, func(out *cloudformation.ListImportsOutput) error {
		return same(out.Imports, []string{*importer})
	})
	fails(s, "delete what is imported", "ValidationError", c.DeleteStack, &cloudformation.DeleteStackInput{StackName: stack})
	call(s, "delete the importer", c.DeleteStack, &cloudformation.DeleteStackInput{StackName: importer}, nil)
	s.gone(c, importer)

	call(s, "the template", c.GetTemplate, &cloudformation.GetTemplateInput{StackName: stack}, func(out *cloudformation.GetTemplateOutput) error { return same(*out.TemplateBody, withFunction) })
	call(s, "what is in it", c.GetTemplateSummary, &cloudformation.GetTemplateSummaryInput{StackName: stack}, func(out *cloudformation.GetTemplateSummaryOutput) error {
		return same(len(out.ResourceTypes), 4)
	})
	call(s, "protect", c.UpdateTerminationProtection, &cloudformation.UpdateTerminationProtectionInput{StackName: stack, EnableTerminationProtection: aws.Bool(true)}, nil)
	fails(s, "delete what is protected", "ValidationError", c.DeleteStack, &cloudformation.DeleteStackInput{StackName: stack})
	call(s, "protect no more", c.UpdateTerminationProtection, &cloudformation.UpdateTerminationProtectionInput{StackName: stack, EnableTerminationProtection: aws.Bool(false)}, nil)
	call(s, "list stacks", c.ListStacks, &cloudformation.ListStacksInput{StackStatusFilter: []types.StackStatus{types.StackStatusDeleteComplete}}, func(out *cloudformation.ListStacksOutput) error {
		return same([]any{len(out.StackSummaries), *out.StackSummaries[0].StackName}, []any{1, *importer})
	})
	call(s, "delete with an object in the bucket", c.DeleteStack, &cloudformation.DeleteStackInput{StackName: stack}, nil)
	s.stack(c, "not deleted", types.StackStatusDeleteFailed)
	if _, err := s3.NewFromConfig(s.config, func(o *s3.Options) { o.UsePathStyle = true }).DeleteObject(s.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String(key)}); err != nil {
		s.Fatal(err)
	}
	call(s, "delete", c.DeleteStack, &cloudformation.DeleteStackInput{StackName: stack}, nil)
	s.gone(c, stack)

	call(s, "a stack of the deploy command", c.DescribeStacks, &cloudformation.DescribeStacksInput{StackName: aws.String("judge-dev")}, nil)
	fails(s, "a template in its place", "ValidationError", c.CreateChangeSet, &cloudformation.CreateChangeSetInput{
		StackName: aws.String("judge-dev"), ChangeSetName: set, ChangeSetType: types.ChangeSetTypeCreate, TemplateBody: aws.String(bucketOnly),
	})
}

// stack waits until a change of the stack is done, and says how it must have ended.
func (s *sdk) stack(c *cloudformation.Client, name string, want types.StackStatus) {
	s.Helper()
	var got types.Stack
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(20 * time.Millisecond) { // as every client does
		out, err := c.DescribeStacks(s.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("go-stack")})
		if err != nil {
			s.judge(name, false, err)
			return
		}
		if got = out.Stacks[0]; !strings.HasSuffix(string(got.StackStatus), "_IN_PROGRESS") {
			break
		}
	}
	var err error
	if got.StackStatus != want {
		err = fmt.Errorf("the stack is in %s: %s; want %s\n%s", got.StackStatus, aws.ToString(got.StackStatusReason), want, s.told(c))
	}
	s.judge(name, false, err)
}

// told is what the events of the stack say.
func (s *sdk) told(c *cloudformation.Client) string {
	out, err := c.DescribeStackEvents(s.Context(), &cloudformation.DescribeStackEventsInput{StackName: aws.String("go-stack")})
	if err != nil {
		return err.Error()
	}
	var lines []string
	for _, e := range out.StackEvents {
		lines = append(lines, fmt.Sprint(*e.LogicalResourceId, " ", e.ResourceStatus, " ", aws.ToString(e.ResourceStatusReason)))
	}
	return strings.Join(lines, "\n")
}

// gone waits until a stack is deleted.
func (s *sdk) gone(c *cloudformation.Client, name *string) {
	s.Helper()
	w := cloudformation.NewStackDeleteCompleteWaiter(c, func(o *cloudformation.StackDeleteCompleteWaiterOptions) { o.MinDelay = 20 * time.Millisecond })
	s.judge("deleted "+*name, false, w.Wait(s.Context(), &cloudformation.DescribeStacksInput{StackName: name}, time.Minute))
}
