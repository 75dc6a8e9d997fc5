package iam

import (
	"encoding/json"
	"time"
)

// awsManaged are those of AWS's managed policies that people name, by ARN. They
// allow actions on every resource.
var awsManaged = func() map[string]*managed {
	m := map[string]*managed{}
	for _, p := range []struct {
		path, name, description string
		actions                 []string
	}{
		{"/", "AdministratorAccess", "Full access to everything.", []string{"*"}},
		{"/", "ReadOnlyAccess", "Read access to everything but the values of secrets.", readOnly},
		{"/", "IAMFullAccess", "Full access to IAM.", []string{"iam:*"}},
		{"/", "IAMReadOnlyAccess", "Read access to IAM.", []string{"iam:Generate*", "iam:Get*", "iam:List*", "iam:Simulate*"}},
		{"/", "AmazonS3FullAccess", "Full access to all buckets.", []string{"s3:*"}},
		{"/", "AmazonS3ReadOnlyAccess", "Read access to all buckets.", []string{"s3:Describe*", "s3:Get*", "s3:List*"}},
		{"/", "AmazonSNSFullAccess", "Full access to all topics.", []string{"sns:*"}},
		{"/", "AmazonSNSReadOnlyAccess", "Read access to all topics.", []string{"sns:Get*", "sns:List*"}},
		{"/", "AmazonSSMFullAccess", "Full access to parameters.", []string{"ssm:*"}},
		{"/", "AmazonSSMReadOnlyAccess", "Read access to parameters.", []string{"ssm:Describe*", "ssm:Get*", "ssm:List*"}},
		{"/", "AmazonEventBridgeFullAccess", "Full access to rules.", []string{"events:*"}},
		{"/", "AmazonEventBridgeReadOnlyAccess", "Read access to rules.", []string{"events:Describe*", "events:List*", "events:TestEventPattern"}},
		{"/", "AWSLambda_FullAccess", "Full access to functions.", []string{"lambda:*", "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents"}},
		{"/", "AWSLambda_ReadOnlyAccess", "Read access to functions.", []string{"lambda:Get*", "lambda:List*", "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents"}},
		{"/", "CloudWatchFullAccess", "Full access to metrics and logs.", []string{"cloudwatch:*", "logs:*"}},
		{"/", "CloudWatchReadOnlyAccess", "Read access to metrics and logs.", []string{"cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*", "logs:Describe*", "logs:FilterLogEvents", "logs:Get*", "logs:List*", "logs:StartLiveTail", "logs:StartQuery", "logs:StopQuery", "logs:TestMetricFilter"}},
		{"/", "CloudWatchLogsFullAccess", "Full access to logs.", []string{"logs:*"}},
		{"/", "CloudWatchLogsReadOnlyAccess", "Read access to logs.", []string{"logs:Describe*", "logs:FilterLogEvents", "logs:Get*", "logs:List*", "logs:StartLiveTail", "logs:StartQuery", "logs:StopQuery", "logs:TestMetricFilter"}},
		{"/service-role/", "AWSLambdaBasicExecutionRole", "Write access to logs.", logWriting},
		{"/service-role/", "AWSLambdaVPCAccessExecutionRole", "Write access to logs, and network interfaces of functions in a network.", append(logWriting[:3:3], "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses")},
		{"/service-role/", "AWSLambdaRole", "May invoke functions.", []string{"lambda:InvokeFunction"}},
	} {
		policy := &managed{
			Name: p.name, Path: p.path, ID: fixedID("ANPA", p.name), Description: p.description, aws: true, Default: "v1",
			Created: time.Unix(0, 0).UTC(), Updated: time.Unix(0, 0).UTC(), Last: 1,
		}
		policy.Versions = []version{{ID: "v1", Document: allowEverywhere(p.actions), Created: policy.Created}}
		if err := policy.compile(); err != nil {
			panic(err) // the table is wrong
		}
		m[policy.arn()] = policy
	}
	return m
}()

var (
	logWriting = []string{"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
	readOnly   = []string{
		"apigateway:GET", "cloudformation:Describe*", "cloudformation:Get*", "cloudformation:List*", "cloudfront:Get*", "cloudfront:List*",
		"cloudtrail:Describe*", "cloudtrail:Get*", "cloudtrail:List*", "cloudtrail:LookupEvents", "cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*",
		"ec2:Describe*", "events:Describe*", "events:List*", "events:TestEventPattern", "iam:Generate*", "iam:Get*", "iam:List*", "iam:Simulate*",
		"kms:Describe*", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:List*", "lambda:Get*", "lambda:List*",
		"logs:Describe*", "logs:FilterLogEvents", "logs:Get*", "logs:List*", "route53:Get*", "route53:List*", "s3:Get*", "s3:List*",
		"sns:Get*", "sns:List*", "ssm:Describe*", "ssm:List*", "sts:GetCallerIdentity", "tag:Get*", "wafv2:Get*", "wafv2:List*",
	}
)

func allowEverywhere(actions []string) string {
	doc, err := json.MarshalIndent(map[string]any{
		"Version":   "2012-10-17",
		"Statement": []any{map[string]any{"Effect": "Allow", "Action": actions, "Resource": "*"}},
	}, "", "  ")
	if err != nil {
		panic(err) // there is nothing in it that JSON has no words for
	}
	return string(doc)
}

// KnownPolicy tells whether a managed policy of AWS's own is one of those here.
func KnownPolicy(arn string) bool { return awsManaged[arn] != nil }
