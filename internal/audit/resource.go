package audit

import (
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

// kinds are the types of resources, by their ARN's service and the beginning of
// its resource.
var kinds = []struct{ service, prefix, kind string }{
	{"ssm", "parameter/", "AWS::SSM::Parameter"},
	{"kms", "key/", "AWS::KMS::Key"},
	{"kms", "alias/", "AWS::KMS::Alias"},
	{"iam", "user/", "AWS::IAM::User"},
	{"iam", "role/", "AWS::IAM::Role"},
	{"iam", "policy/", "AWS::IAM::ManagedPolicy"},
	{"iam", "group/", "AWS::IAM::Group"},
	{"lambda", "function:", "AWS::Lambda::Function"},
	{"lambda", "layer:", "AWS::Lambda::LayerVersion"},
	{"logs", "log-group:", "AWS::Logs::LogGroup"},
	{"events", "rule/", "AWS::Events::Rule"},
	{"cloudwatch", "alarm:", "AWS::CloudWatch::Alarm"},
	{"sns", "", "AWS::SNS::Topic"},
}

// kindOf is the type of the resource that an ARN names, "" when it names none of
// a known type.
func kindOf(name string) string {
	a, err := arn.Parse(name)
	if err != nil {
		return ""
	}
	if a.Service == "s3" {
		if strings.Contains(a.Resource, "/") {
			return "AWS::S3::Object"
		}
		return "AWS::S3::Bucket"
	}
	for _, k := range kinds {
		if k.service == a.Service && strings.HasPrefix(a.Resource, k.prefix) {
			return k.kind
		}
	}
	return ""
}
