package cloudformation

import (
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
)

func TestWhatIsWrongIsNamedWithWhatToDo(t *testing.T) {
	one := func(typ, properties string) string {
		return `{"Resources": {"X": {"Type": "` + typ + `", "Properties": {` + properties + `}}}}`
	}
	with := func(typ, properties string) string {
		return `{"Resources": {"F": ` + fn("") + `, "X": {"Type": "` + typ + `", "Properties": {` + properties + `}}}}`
	}
	api := func(more string) string { return rest(`, "X": ` + method(`"HttpMethod": "GET", `+more)) }
	for _, c := range []struct{ name, text, want string }{
		{"a property that there is none of", one("AWS::SNS::Topic", `"Topicname": "t"`), "Topicname: Encountered unsupported property; remove it"},
		{"one within another", one("AWS::S3::Bucket", `"VersioningConfiguration": {"Staus": "x"}`), "VersioningConfiguration.Staus: Encountered unsupported property; remove it"},
		{"all of them are told", one("AWS::Logs::LogGroup", `"LogGroupName": "a b", "RetentionInDays": 8`), "LogGroupName: \"a b\" must be 1 to 512 letters, digits and . - _ / #\nX (AWS::Logs::LogGroup): RetentionInDays: 8 is none of"},
		{"no number", `{"Resources": {"X": ` + fn(`, "Timeout": "soon"`) + `}}`, "Timeout: it must be a whole number from 1 to 900, not soon"},
		{"no flag", with("AWS::Lambda::EventSourceMapping", `"FunctionName": {"Ref": "F"}, "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:q", "Enabled": "perhaps"`), "Enabled: it must be true or false, not perhaps"},
		{"no list", `{"Resources": {"X": ` + fn(`, "Layers": {}`) + `}}`, "Layers: it must be a list of strings"},

		{"an image", one("AWS::Lambda::Function", `"PackageType": "Image", "Code": {"ImageUri": "x", "S3Bucket": "b", "S3Key": "k"}, "Handler": "h", "Runtime": "nodejs22.x"`), "PackageType: there are no images: build a zip and name it in Code"},
		{"code that is not there", `{"Resources": {"X": ` + strings.Replace(fn(""), "1/f.zip", "missing.zip", 1) + `}}`, "Code.S3Key: missing.zip in bucket b: The specified key does not exist."},
		{"no code", one("AWS::Lambda::Function", `"Handler": "h", "Runtime": "nodejs22.x"`), "Code.S3Bucket: it is required"},
		{"a runtime", `{"Resources": {"X": ` + strings.Replace(fn(""), "nodejs22.x", "python3.12", 1) + `}}`, `runtime "python3.12" is not supported`},
		{"a layer that is not there", `{"Resources": {"X": ` + fn(`, "Layers": ["arn:aws:lambda:us-east-1:1:layer:a:1"]`) + `}}`, "Layers: there is no layer arn:aws:lambda:us-east-1:1:layer:a:1 here; publish it, or declare an AWS::Lambda::LayerVersion"},
		{"half a network", `{"Resources": {"X": ` + fn(`, "VpcConfig": {"SubnetIds": ["s"]}`) + `}}`, "VpcConfig: it needs both SubnetIds and SecurityGroupIds"},
		{"too much environment", `{"Resources": {"X": ` + fn(`, "Environment": {"Variables": {"A": "`+strings.Repeat("x", 5000)+`"}}`) + `}}`, "Environment.Variables: they have 5001 bytes; the limit is 4096"},
		{"code that has changed meanwhile", with("AWS::Lambda::Version", `"FunctionName": {"Ref": "F"}, "CodeSha256": "x"`), "deploy again"},
		{"instances for another alias", with("AWS::Lambda::Alias", `"FunctionName": {"Ref": "F"}, "FunctionVersion": "1", "Name": "live", "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 1}`), `ProvisionedConcurrencyConfig: instances are kept for the alias "provisioned" alone`},
		{"a function of another account", with("AWS::Lambda::Permission", `"FunctionName": "arn:aws:lambda:us-east-1:1:function:f", "Action": "lambda:InvokeFunction", "Principal": "*"`), "FunctionName: the function arn:aws:lambda:us-east-1:1:function:f is in another account"},
		{"a function of another stack", with("AWS::Lambda::Permission", `"FunctionName": "other", "Action": "lambda:InvokeFunction", "Principal": "*"`), `FunctionName: "other" is no function of this template`},
		{"a stream", with("AWS::Lambda::EventSourceMapping", `"FunctionName": {"Ref": "F"}, "EventSourceArn": "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/s"`), "streams and brokers are not offered here"},

		{"a bucket of another stack", one("AWS::S3::Bucket", `"BucketName": "taken"`), "BucketName: taken already exists in stack other"},
		{"versions of objects", one("AWS::S3::Bucket", `"VersioningConfiguration": {"Status": "Enabled"}`), "VersioningConfiguration: it is not supported here: an object that is overwritten or deleted would be gone"},
		{"events for a queue", one("AWS::S3::Bucket", `"NotificationConfiguration": {"QueueConfigurations": [{}]}`), "NotificationConfiguration.QueueConfigurations: it is not supported here: a bucket's events go to functions here"},
		{"an event that there is none of", with("AWS::S3::Bucket", `"NotificationConfiguration": {"LambdaConfigurations": [{"Event": "s3:Other", "Function": {"Fn::GetAtt": ["F", "Arn"]}}]}`), `LambdaConfigurations[0].Event: "s3:Other" is none of`},
		{"a policy of another bucket", one("AWS::S3::BucketPolicy", `"Bucket": "b", "PolicyDocument": {"Statement": [{"Effect": "Deny", "Action": "s3:*", "Principal": "*", "Resource": "*"}]}`), "Bucket: b is none of this template's buckets"},
		{"no policy", one("AWS::IAM::Role", `"AssumeRolePolicyDocument": {"Statement": [{"Effect": "Perhaps"}]}`), "AssumeRolePolicyDocument: "},
		{"a managed policy that is not known", one("AWS::IAM::Role", `"AssumeRolePolicyDocument": {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}, "ManagedPolicyArns": ["arn:aws:iam::aws:policy/Nothing"]`), "ManagedPolicyArns: arn:aws:iam::aws:policy/Nothing is not known here; write its statements"},
		{"a policy of users", one("AWS::IAM::ManagedPolicy", `"Users": ["u"], "PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}`), "Users: it is not supported here: users are not a stack's"},
		{"a FIFO topic", one("AWS::SNS::Topic", `"TopicName": "t", "FifoTopic": true`), "FifoTopic: FifoTopic Reason: FIFO topics are not offered here"},
		{"a topic of another account", one("AWS::SNS::Subscription", `"TopicArn": "arn:aws:sns:us-east-1:1:t", "Protocol": "https", "Endpoint": "https://a.example"`), "TopicArn: arn:aws:sns:us-east-1:1:t is in another account"},
		{"a queue's name", one("AWS::SQS::Queue", `"QueueName": "q", "FifoQueue": true`), "QueueName: "},

		{"an expression", with("AWS::Events::Rule", `"ScheduleExpression": "rate(1 hours)", "Targets": [{"Id": "a", "Arn": {"Fn::GetAtt": ["F", "Arn"]}}]`), "ScheduleExpression: "},
		{"neither time nor pattern", one("AWS::Events::Rule", ``), "EventPattern: a rule needs an EventPattern or a ScheduleExpression"},
		{"a target of a schedule that is none", one("AWS::Events::Rule", `"ScheduleExpression": "rate(1 hour)", "Targets": [{"Id": "a", "Arn": "arn:aws:ecs:us-east-1:000000000000:cluster/c"}]`), "Targets[0].Arn: arn:aws:ecs:us-east-1:000000000000:cluster/c is no function, topic, queue or bus"},
		{"two inputs", with("AWS::Events::Rule", `"ScheduleExpression": "rate(1 hour)", "Targets": [{"Id": "a", "Arn": {"Fn::GetAtt": ["F", "Arn"]}, "Input": "{}", "InputPath": "$"}]`), "Targets[0].Input: there can be one of Input, InputPath and InputTransformer"},
		{"a time zone", with("AWS::Scheduler::Schedule", `"ScheduleExpression": "rate(1 hour)", "ScheduleExpressionTimezone": "Mars", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {"Arn": {"Fn::GetAtt": ["F", "Arn"]}, "RoleArn": "r"}`), `ScheduleExpressionTimezone: "Mars" is no time zone`},

		{"an OpenAPI document", one("AWS::ApiGateway::RestApi", `"Name": "a", "Body": {"openapi": "3"}`), "Body: it is not supported here: write its resources and methods"},
		{"a policy of an API", one("AWS::ApiGateway::RestApi", `"Name": "a", "Policy": {"Statement": []}`), "Policy: it is not supported here: requests would reach functions unchecked"},
		{"user pools", api(`"AuthorizationType": "COGNITO_USER_POOLS", ` + proxy), "AuthorizationType: COGNITO_USER_POOLS is not supported here: there are no user pools"},
		{"a template of the author's", api(`"Integration": {"Type": "AWS", ` + uri + `, "RequestTemplates": {"application/json": "{}"}}`), "Integration.RequestTemplates.application/json: templates other than the Serverless Framework's are not run"},
		{"an answer of the author's", api(`"Integration": {"Type": "AWS", ` + uri + `, "RequestTemplates": ` + frameworkTemplatesOf(t) + `, "IntegrationResponses": [{"StatusCode": "200", "ResponseTemplates": {"text/html": "x"}}]}`), "ResponseTemplates: the template of text/html is not run"},
		{"another service", api(`"Integration": {"Type": "AWS", "Uri": "arn:aws:apigateway:us-east-1:sqs:path/1/q", "RequestTemplates": ` + frameworkTemplatesOf(t) + `}`), "other services are called from a function"},
		{"a private link", api(`"Integration": {"Type": "HTTP_PROXY", "Uri": "http://a", "ConnectionType": "VPC_LINK"}`), "Integration.ConnectionType: VPC_LINK leads nowhere here"},
		{"an authorizer that is not there", api(`"AuthorizationType": "CUSTOM", "AuthorizerId": "x", ` + proxy), `AuthorizerId: "x" is no authorizer of the API in this template`},
		{"a second stage", rest(`, "X": {"Type": "AWS::ApiGateway::Stage", "DependsOn": "Deployed", "Properties": {"RestApiId": {"Ref": "Api"}, "StageName": "prod"}}`), "StageName: the API has the stage dev already"},
		{"a WebSocket API", one("AWS::ApiGatewayV2::Api", `"Name": "a", "ProtocolType": "WEBSOCKET"`), `ProtocolType: "WEBSOCKET" is not supported here`},

		{"a network", one("AWS::EC2::Subnet", `"VpcId": "v"`), "has no CidrBlock"},
		{"a table", one("AWS::DynamoDB::Table", ``), "AWS::DynamoDB::Table is not deployed here: there is no DynamoDB; keep the data in a database"},
		{"a function at the edge", one("AWS::CloudFront::Function", ``), "functions are not run at the edge"},
		{"an alarm of nothing", one("AWS::CloudWatch::Alarm", `"EvaluationPeriods": "1"`), "An alarm needs a MetricName and a Namespace, or Metrics."},
		{"an alarm with a property that there is none of", one("AWS::CloudWatch::Alarm", `"Treshold": 1`), `unknown field "Treshold"`},
		{"an alarm of alarms", one("AWS::CloudWatch::CompositeAlarm", ``), "alarms are not made of others here"},
		{"a nested stack", one("AWS::CloudFormation::Stack", ``), "deploy each template as a stack of its own"},
		{"a type that nobody knows", one("AWS::Ground::Station", ``), "it is none of AWS::ApiGateway, "},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &ground{objects: map[string]string{"b/1/f.zip": "f", "b/k": "k"}, stacks: map[string]*deploy.Revision{"other": {Buckets: []string{"taken"}}}}
			_, err := run(t, g, parse(t, c.text), nil)
			switch {
			case err == nil:
				t.Fatal("accepted")
			case !strings.Contains(err.Error(), c.want):
				t.Errorf("got %q, want %q in it", err, c.want)
			case fault.KindOf(err) != fault.Invalid:
				t.Errorf("kind is %v", fault.KindOf(err))
			}
		})
	}
}

func TestWhatHasNoEffectIsSaid(t *testing.T) {
	p := planned(t, &ground{}, `{"Resources": {
		"F": `+fn(`, "TracingConfig": {"Mode": "Active"}, "RuntimeManagementConfig": {"UpdateRuntimeOn": "Auto"}`)+`,
		"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "drops", "LifecycleConfiguration": {"Rules": [{"Id": "x"}]},
			"BucketEncryption": {"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}}}}}`)
	var got []string
	for _, w := range p.warnings {
		got = append(got, w.ID+" "+w.Message)
	}
	want := []string{
		"F RuntimeManagementConfig has no effect: a function runs on the runtime that is installed",
		"F TracingConfig.Mode has no effect: every function is traced",
		"B BucketEncryption.ServerSideEncryptionConfiguration[0].ServerSideEncryptionByDefault.SSEAlgorithm aws:kms has no effect: objects lie on the platform's disk as they are; encrypt the disk",
		"B LifecycleConfiguration has no effect: objects are kept until they are deleted",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
