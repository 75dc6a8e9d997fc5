package cloudformation

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/queue"
	"github.com/dropstack/dropstack/internal/topic"
)

func TestBuckets(t *testing.T) {
	p := planned(t, &ground{}, `{"Resources": {"F": `+fn("")+`,
		"Drops": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "drops", "PublicAccessBlockConfiguration": {"BlockPublicAcls": true},
			"NotificationConfiguration": {"LambdaConfigurations": [
				{"Event": "s3:ObjectCreated:*", "Function": {"Fn::GetAtt": ["F", "Arn"]}, "Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".jpg"}]}}},
				{"Event": "s3:ObjectRemoved:Delete", "Function": {"Fn::GetAtt": ["F", "Arn"]}}]},
			"CorsConfiguration": {"CorsRules": [{"AllowedMethods": ["PUT"], "AllowedOrigins": ["*"], "MaxAge": "60"}]}}},
		"Unnamed": {"Type": "AWS::S3::Bucket"},
		"Policy": {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": {"Ref": "Drops"}, "PolicyDocument": {"Statement": [
			{"Effect": "Deny", "Action": "s3:*", "Principal": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": false}}},
			{"Effect": "Allow", "Action": "s3:GetObject", "Principal": "*", "Resource": {"Fn::Join": ["", [{"Fn::GetAtt": ["Drops", "Arn"]}, "/*"]]}}]}}}
	}}`)
	unnamed := p.made["Unnamed"].Physical
	if want := "shop-dev-unnamed-"; !strings.HasPrefix(unnamed, want) || unnamed != strings.ToLower(unnamed) || len(unnamed) != len(want)+12 {
		t.Errorf("the bucket without a name is called %q", unnamed)
	}
	if diff := cmp.Diff([]string{"drops", unnamed}, p.revision.Buckets); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	want := []bucket.Settings{{
		Bucket: "drops", CORS: []bucket.CORSRule{{Methods: []string{"PUT"}, Origins: []string{"*"}, MaxAge: new(60)}},
		Policy: `{"Statement":[{"Action":"s3:GetObject","Effect":"Allow","Principal":"*","Resource":"arn:aws:s3:::drops/*"}]}`,
	}}
	if diff := cmp.Diff(want, p.revision.BucketSettings); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	told := []bucket.Notification{
		{Stack: "shop-dev", ID: "drops-1", Bucket: "drops", Event: "s3:ObjectCreated:*", Prefix: "in/", Suffix: ".jpg", Function: "f"},
		{Stack: "shop-dev", ID: "drops-2", Bucket: "drops", Event: "s3:ObjectRemoved:Delete", Function: "f"},
	}
	if diff := cmp.Diff(told, p.revision.Notifications); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTheFrameworksOwnResources(t *testing.T) {
	p := planned(t, &ground{stacks: map[string]*deploy.Revision{}}, `{"Resources": {"F": `+fn("")+`,
		"S3": {"Type": "Custom::S3", "Properties": {"ServiceToken": {"Fn::GetAtt": ["F", "Arn"]}, "FunctionName": "f", "FunctionQualifier": "live", "BucketName": "old",
			"BucketConfigs": [{"Event": "s3:ObjectCreated:*", "Rules": [{"Prefix": "a/"}, {"Suffix": ".png"}]}]}},
		"Role": {"Type": "Custom::ApiGatewayAccountRole", "Properties": {"ServiceToken": "x", "RoleArn": "y"}},
		"Rule": {"Type": "Custom::EventBridge", "Properties": {"ServiceToken": "x", "FunctionName": "f", "EventBridgeConfig": {"RuleName": "r", "EventBus": "shop", "Pattern": {"source": ["a"]}, "InputPath": "$.detail"}}}
	}}`)
	told := []bucket.Notification{{Stack: "shop-dev", ID: "shop-dev-S3-1", Bucket: "old", Event: "s3:ObjectCreated:*", Prefix: "a/", Suffix: ".png", Function: "f:live"}}
	if diff := cmp.Diff(told, p.revision.Notifications); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(p.revision.Buses) != 1 || len(p.revision.Rules) != 1 || p.revision.Rules[0].Bus != "shop" || p.revision.Rules[0].Targets[0].Input.Path != "$.detail" {
		t.Errorf("buses %v, rules %v", p.revision.Buses, p.revision.Rules)
	}
}

func TestLogGroups(t *testing.T) {
	p := planned(t, &ground{}, `{"Resources": {
		"A": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/aws/lambda/f", "RetentionInDays": "14", "Tags": [{"Key": "a", "Value": "b"}]}},
		"B": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/x"}}}}`)
	want := []logs.Declared{{Name: "/aws/lambda/f", Retention: 14, Tags: map[string]string{"a": "b"}}, {Name: "/x"}}
	if diff := cmp.Diff(want, p.revision.LogGroups); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, want := p.made["A"].Attributes["Arn"], "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f:*"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRoles(t *testing.T) {
	const trust = `{"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}`
	const allow = `{"Statement": [{"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}]}`
	p := planned(t, &ground{}, `{"Resources": {
		"R": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r", "Path": "/a/", "AssumeRolePolicyDocument": `+trust+`, "Policies": [{"PolicyName": "one", "PolicyDocument": `+allow+`}],
			"ManagedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole", {"Ref": "M"}], "Tags": [{"Key": "a", "Value": "b"}]}},
		"M": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"ManagedPolicyName": "m", "PolicyDocument": `+allow+`}},
		"P": {"Type": "AWS::IAM::Policy", "Properties": {"PolicyName": "two", "PolicyDocument": `+allow+`, "Roles": [{"Ref": "R"}]}}}}`)
	const compact = `{"Statement":[{"Action":"sns:Publish","Effect":"Allow","Resource":"*"}]}`
	want := []iam.DeclaredRole{{
		Name: "r", Path: "/a/", Trust: `{"Statement":[{"Action":"sts:AssumeRole","Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"}}]}`,
		Inline: map[string]string{"one": compact, "two": compact, "m": compact}, Attached: []string{"arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"},
		Tags: []iam.Tag{{Key: "a", Value: "b"}},
	}}
	if diff := cmp.Diff(want, p.revision.Roles); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := p.made["R"].Attributes["Arn"]; got != "arn:aws:iam::000000000000:role/a/r" {
		t.Errorf("got %s", got)
	}
}

func TestTopics(t *testing.T) {
	p := planned(t, &ground{}, `{"Resources": {"F": `+fn("")+`,
		"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}},
		"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "t", "DisplayName": "T", "Tags": [{"Key": "a", "Value": "b"}], "Subscription": [{"Protocol": "lambda", "Endpoint": {"Fn::GetAtt": ["F", "Arn"]}}]}},
		"S": {"Type": "AWS::SNS::Subscription", "Properties": {"TopicArn": "arn:aws:sns:us-east-1:000000000000:elsewhere", "Protocol": "sqs", "Endpoint": {"Fn::GetAtt": ["Q", "Arn"]}, "RawMessageDelivery": "true",
			"FilterPolicy": {"kind": ["image"]}}},
		"P": {"Type": "AWS::SNS::TopicPolicy", "Properties": {"Topics": [{"Ref": "T"}], "PolicyDocument": {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": "*"}]}}}
	}}`)
	at := func(name string) string { return arn.Topic(arn.Region, name) }
	want := []topic.Topic{
		{Stack: "shop-dev", Name: "elsewhere", ARN: at("elsewhere"), Named: true},
		{Stack: "shop-dev", Name: "t", ARN: at("t"), DisplayName: "T", Tags: map[string]string{"a": "b"}, Policy: `{"Statement":[{"Action":"sns:Publish","Effect":"Allow","Principal":"*","Resource":"*"}]}`},
	}
	got := p.revision.Topics
	if got[0].Name == "t" {
		got[0], got[1] = got[1], got[0]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, s := range p.revision.Subscriptions {
		switch s.Topic {
		case at("t"):
			if diff := cmp.Diff(topic.Subscription{Stack: "shop-dev", ARN: topic.SubscriptionARN(at("t"), "f"), Topic: at("t"), Function: "f"}, s); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		default:
			if s.Protocol != "sqs" || !s.Raw || s.Filter != `{"kind":["image"]}` || s.Endpoint != "arn:aws:sqs:us-east-1:000000000000:q" {
				t.Errorf("got %+v", s)
			}
		}
	}
}

func TestQueues(t *testing.T) {
	g := &ground{}
	p := planned(t, g, `{"Resources": {
		"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q", "VisibilityTimeout": "60", "DelaySeconds": 0, "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["D", "Arn"]}, "maxReceiveCount": "3"}}},
		"D": {"Type": "AWS::SQS::Queue"},
		"O": {"Type": "AWS::SQS::Queue", "Properties": {"FifoQueue": true, "ContentBasedDeduplication": true}},
		"P": {"Type": "AWS::SQS::QueuePolicy", "Properties": {"Queues": [{"Ref": "Q"}], "PolicyDocument": {"Statement": [{"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
			"Resource": {"Fn::GetAtt": ["Q", "Arn"]}, "Condition": {"ArnEquals": {}}}]}}}}}`)
	dead, ordered := lastPart(p.made["D"].Physical), lastPart(p.made["O"].Physical)
	if !strings.HasSuffix(ordered, ".fifo") || !strings.HasPrefix(dead, "shop-dev-D-") {
		t.Errorf("names %q and %q", dead, ordered)
	}
	at := func(name string) string { return "arn:aws:sqs:us-east-1:000000000000:" + name }
	want := queue.Queue{
		Stack: "shop-dev", Name: "q", ARN: at("q"), Visibility: new(60), Delay: new(0), DeadLetter: at(dead), MaxReceive: 3,
		Policy: `{"Statement":[{"Action":"sqs:SendMessage","Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Resource":"` + at("q") + `"}]}`,
	}
	for _, q := range p.revision.Queues {
		if q.Name != "q" {
			continue
		}
		if diff := cmp.Diff(want, q); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if _, err := policy.Parse(policy.Resource, q.Policy); err != nil {
			t.Error(err)
		}
	}
	if got, want := p.made["Q"].Physical, "https://sqs.us-east-1.amazonaws.com/000000000000/q"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWhatIsNamedByATextComesFirst(t *testing.T) {
	p := planned(t, &ground{}, `{"Resources": {
		"ABucketPolicy": {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": "drops", "PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Principal": "*", "Resource": "*"}]}}},
		"APermission": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": "f", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}},
		"APolicy": {"Type": "AWS::IAM::Policy", "Properties": {"PolicyName": "p", "Roles": ["r"], "PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}}},
		"AQueuePolicy": {"Type": "AWS::SQS::QueuePolicy", "Properties": {"Queues": ["https://sqs.us-east-1.amazonaws.com/000000000000/q"], "PolicyDocument": {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}]}}},
		"ATopicPolicy": {"Type": "AWS::SNS::TopicPolicy", "Properties": {"Topics": ["arn:aws:sns:us-east-1:000000000000:t"], "PolicyDocument": {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sns:*", "Resource": "*"}]}}},
		"ZBucket": {"Type": "AWS::S3::Bucket", "DependsOn": "APermission", "Properties": {"BucketName": "drops", "NotificationConfiguration": {"LambdaConfigurations": [{"Event": "s3:ObjectCreated:*", "Function": {"Fn::GetAtt": ["ZF", "Arn"]}}]}}},
		"ZF": `+fn("")+`,
		"ZQueue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}},
		"ZRole": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r", "AssumeRolePolicyDocument": {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}},
		"ZTopic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "t"}}
	}}`)
	r := p.revision
	if len(r.BucketSettings) != 1 || len(r.Functions[0].Policies) != 1 || r.Roles[0].Inline["p"] == "" || r.Queues[0].Policy == "" || r.Topics[0].Policy == "" {
		t.Errorf("a policy has found nobody: %+v", r)
	}
}
