package cloudformation

import (
	"maps"
	"slices"
	"strings"
)

// kinds are the types of resources that are deployed.
var kinds = map[string]kind{
	"AWS::ApiGateway::Account":              restAccount,
	"AWS::ApiGateway::ApiKey":               restKey,
	"AWS::ApiGateway::Authorizer":           restAuthorizer,
	"AWS::ApiGateway::Deployment":           restDeployment,
	"AWS::ApiGateway::DocumentationPart":    restDocumentation,
	"AWS::ApiGateway::DocumentationVersion": restDocumentation,
	"AWS::ApiGateway::GatewayResponse":      restResponse,
	"AWS::ApiGateway::Method":               restMethod,
	"AWS::ApiGateway::Model":                restModel,
	"AWS::ApiGateway::RequestValidator":     restValidator,
	"AWS::ApiGateway::Resource":             restResource,
	"AWS::ApiGateway::RestApi":              restAPI,
	"AWS::ApiGateway::Stage":                restStage,
	"AWS::ApiGateway::UsagePlan":            restUsagePlan,
	"AWS::ApiGateway::UsagePlanKey":         restUsagePlanKey,

	"AWS::ApiGatewayV2::Api":         httpAPI,
	"AWS::ApiGatewayV2::Authorizer":  httpAuthorizer,
	"AWS::ApiGatewayV2::Deployment":  httpDeployment,
	"AWS::ApiGatewayV2::Integration": httpIntegration,
	"AWS::ApiGatewayV2::Route":       httpRoute,
	"AWS::ApiGatewayV2::Stage":       httpStage,

	"AWS::CertificateManager::Certificate": certificate,

	"AWS::CloudFront::CachePolicy":                    cachePolicy,
	"AWS::CloudFront::CloudFrontOriginAccessIdentity": originAccessIdentity,
	"AWS::CloudFront::Distribution":                   distribution,
	"AWS::CloudFront::KeyGroup":                       keyGroup,
	"AWS::CloudFront::OriginAccessControl":            originAccessControl,
	"AWS::CloudFront::OriginRequestPolicy":            originRequestPolicy,
	"AWS::CloudFront::PublicKey":                      publicKey,
	"AWS::CloudFront::RealtimeLogConfig":              realtimeLogConfig,
	"AWS::CloudFront::ResponseHeadersPolicy":          responseHeadersPolicy,

	"AWS::CloudFormation::WaitConditionHandle": nothing,
	"AWS::CloudWatch::Alarm":                   cloudwatchAlarm,
	"AWS::CodeDeploy::Application":             codeDeployApplication,
	"AWS::CodeDeploy::DeploymentGroup":         codeDeployGroup,

	"AWS::EC2::EIP":                         networkPart,
	"AWS::EC2::InternetGateway":             networkPart,
	"AWS::EC2::NatGateway":                  networkPart,
	"AWS::EC2::NetworkInterface":            networkPart,
	"AWS::EC2::Route":                       networkPart,
	"AWS::EC2::RouteTable":                  networkPart,
	"AWS::EC2::SecurityGroup":               networkPart,
	"AWS::EC2::SecurityGroupEgress":         networkPart,
	"AWS::EC2::SecurityGroupIngress":        networkPart,
	"AWS::EC2::Subnet":                      networkPart,
	"AWS::EC2::SubnetRouteTableAssociation": networkPart,
	"AWS::EC2::VPC":                         networkPart,
	"AWS::EC2::VPCCidrBlock":                networkPart,
	"AWS::EC2::VPCEndpoint":                 networkPart,
	"AWS::EC2::VPCGatewayAttachment":        networkPart,
	"AWS::EC2::VPCPeeringConnection":        networkPart,
	"AWS::Route53::HostedZone":              networkPart,
	"AWS::Route53::RecordSet":               networkPart,
	"AWS::Route53::RecordSetGroup":          networkPart,

	"AWS::Events::EventBus":       eventsBus,
	"AWS::Events::EventBusPolicy": eventsBusPolicy,
	"AWS::Events::Rule":           eventsRule,
	"AWS::IAM::InstanceProfile":   iamInstanceProfile,
	"AWS::IAM::ManagedPolicy":     iamManagedPolicy,
	"AWS::IAM::Policy":            iamPolicy,
	"AWS::IAM::Role":              iamRole,
	"AWS::IAM::RolePolicy":        iamPolicy,

	"AWS::Lambda::Alias":                  lambdaAlias,
	"AWS::Lambda::EventInvokeConfig":      lambdaEventInvokeConfig,
	"AWS::Lambda::EventSourceMapping":     lambdaMapping,
	"AWS::Lambda::Function":               lambdaFunction,
	"AWS::Lambda::LayerVersion":           lambdaLayer,
	"AWS::Lambda::LayerVersionPermission": lambdaLayerPermission,
	"AWS::Lambda::Permission":             lambdaPermission,
	"AWS::Lambda::Url":                    lambdaURL,
	"AWS::Lambda::Version":                lambdaVersion,

	logGroupType:                    logGroup,
	"AWS::Logs::LogStream":          logStream,
	"AWS::Logs::MetricFilter":       metricFilter,
	"AWS::S3::Bucket":               s3Bucket,
	"AWS::S3::BucketPolicy":         s3BucketPolicy,
	"AWS::SNS::Subscription":        snsSubscription,
	"AWS::SNS::Topic":               snsTopic,
	"AWS::SNS::TopicInlinePolicy":   snsTopicPolicy,
	"AWS::SNS::TopicPolicy":         snsTopicPolicy,
	"AWS::SQS::Queue":               sqsQueue,
	"AWS::SQS::QueueInlinePolicy":   sqsQueuePolicy,
	"AWS::SQS::QueuePolicy":         sqsQueuePolicy,
	"AWS::Scheduler::Schedule":      schedulerSchedule,
	"AWS::Scheduler::ScheduleGroup": schedulerGroup,

	"AWS::WAFv2::IPSet":                ipSet,
	"AWS::WAFv2::LoggingConfiguration": wafLogging,
	"AWS::WAFv2::RegexPatternSet":      patternSet,
	"AWS::WAFv2::WebACL":               webACL,
	"AWS::WAFv2::WebACLAssociation":    webACLAssociation,

	"Custom::ApiGatewayAccountRole": customAccountRole,
	"Custom::EventBridge":           customEventBridge,
	"Custom::S3":                    customS3,
}

// refusals say what to do in place of types that are not deployed. A name that ends
// in :: is of all types of a service, the longest that fits is meant.
var refusals = map[string]string{
	"Alexa::":                                "no skill would be told of it; remove it",
	"AWS::ApiGateway::BasePathMapping":       "host names are the edge's: name them under custom.dropstack.distributions of a serverless.yml",
	"AWS::ApiGateway::ClientCertificate":     "clients would not be asked for one",
	"AWS::ApiGateway::DomainName":            "host names are the edge's: name them under custom.dropstack.distributions of a serverless.yml",
	"AWS::ApiGateway::VpcLink":               "it leads nowhere here: let a function in the network ask",
	"AWS::ApiGatewayV2::ApiMapping":          "host names are the edge's: name them under custom.dropstack.distributions of a serverless.yml",
	"AWS::ApiGatewayV2::DomainName":          "host names are the edge's: name them under custom.dropstack.distributions of a serverless.yml",
	"AWS::ApiGatewayV2::VpcLink":             "it leads nowhere here: let a function in the network ask",
	"AWS::CertificateManager::":              "certificates are the edge's: name its hosts under custom.dropstack.distributions of a serverless.yml",
	"AWS::CloudFormation::CustomResourceV2":  "use AWS::CloudFormation::CustomResource",
	"AWS::CloudFormation::Macro":             "templates are not transformed; expand it first",
	"AWS::CloudFormation::Stack":             "nested stacks are not deployed; deploy each template as a stack of its own and pass values by exports and Fn::ImportValue",
	"AWS::CloudFormation::WaitCondition":     "nobody would signal it; remove it",
	"AWS::CloudFront::":                      "the edge has nothing of the kind; declare an AWS::CloudFront::Distribution and its policies",
	"AWS::CloudFront::Function":              "functions are not run at the edge; let the function of the origin do it, or an AWS::CloudFront::ResponseHeadersPolicy",
	"AWS::CloudFront::KeyValueStore":         "functions are not run at the edge, and nothing would read it",
	"AWS::CloudFront::StreamingDistribution": "players of RTMP are gone; write an AWS::CloudFront::Distribution",
	"AWS::CloudWatch::CompositeAlarm":        "alarms are not made of others here; write a rule over what they watch, under custom.dropstack.alerts of a serverless.yml",
	"AWS::CloudWatch::Dashboard":             "the console has charts of everything that is measured; remove it, or leave it out by a Condition",
	"AWS::Cognito::":                         "there are no user pools; let an authorizer of the API decide, by a function or by the tokens of another issuer (JWT)",
	"AWS::DynamoDB::":                        "there is no DynamoDB; keep the data in a database that functions reach by URL, or in an SQLite file under fileSystemConfig, and name it to functions in their environment",
	"AWS::EC2::Instance":                     "there are no virtual machines; a host outside is an AWS::EC2::NetworkInterface with dropstack:attach in its Metadata",
	"AWS::ECR::":                             "there are no images; deploy zips",
	"AWS::ECS::":                             "there are no containers; make it a function, or run it beside the platform",
	"AWS::EFS::":                             "file systems are made by naming them: FileSystemConfigs of a function, with any ARN that ends in a name",
	"AWS::ElastiCache::":                     "there is no cache to deploy; run one and name its URL to functions in their environment",
	"AWS::ElasticLoadBalancingV2::":          "functions are reached by an API or a function URL",
	"AWS::Events::Archive":                   "events are not kept once they are delivered",
	"AWS::IAM::AccessKey":                    "users are not a stack's; make them with IAM's API",
	"AWS::IAM::Group":                        "users are not a stack's; make them with IAM's API",
	"AWS::IAM::User":                         "users are not a stack's; make them with IAM's API",
	"AWS::IoT::":                             "no device would be heard; publish to an AWS::SNS::Topic",
	"AWS::KMS::":                             "keys outlive stacks: make it once with dropstack key create or KMS's API, and name its ARN or alias",
	"AWS::Kinesis::":                         "there are no streams; use an AWS::SQS::Queue or an AWS::SNS::Topic",
	"AWS::Lambda::CodeSigningConfig":         "code would run whoever signed it",
	"AWS::Logs::SubscriptionFilter":          "functions are not told of log records yet",
	"AWS::RDS::":                             "there are no databases to deploy; run one and name its URL to functions in their environment",
	"AWS::SSM::":                             "parameters outlive stacks: put it with dropstack param put or SSM's API, and refer to it by ${ssm:NAME} or {{resolve:ssm:NAME}}",
	"AWS::SecretsManager::":                  "secrets are parameters here: put it with dropstack param put --type SecureString",
	"AWS::Serverless::":                      "templates are not transformed; expand it first, with sam package or a serverless.yml",
	"AWS::StepFunctions::":                   "no state machine would run; call one function from another, or by messages",
	"AWS::WAF::":                             "it is of AWS WAF Classic, which is not offered: write an AWS::WAFv2::WebACL, whose statements say the same",
	"AWS::WAFRegional::":                     "it is of AWS WAF Classic, which is not offered: write an AWS::WAFv2::WebACL, whose statements say the same",
	"AWS::WAFv2::RuleGroup":                  "write its rules into the AWS::WAFv2::WebACL",
	"AWS::EC2::NetworkAcl":                   "it would refuse nothing; use security groups",
	"AWS::EC2::NetworkAclEntry":              "it would refuse nothing; use security groups",
	"AWS::EC2::SubnetNetworkAclAssociation":  "it would refuse nothing; use security groups",
	"AWS::EC2::TransitGateway":               "nothing would be joined; use a peering",
	"Custom::CognitoUserPool":                "there are no user pools; let an authorizer of the API decide",
}

// advice is what to do in place of a type that is not deployed.
func advice(typ string) string {
	if text := refusals[typ]; text != "" {
		return text
	}
	for prefix := typ; ; {
		i := strings.LastIndex(strings.TrimSuffix(prefix, "::"), "::")
		if i < 0 {
			break
		}
		if prefix = prefix[:i+2]; refusals[prefix] != "" {
			return refusals[prefix]
		}
	}
	return "it is none of " + strings.Join(services(), ", ") + "; remove it, or leave it out by a Condition"
}

// services are those of which some type is deployed.
func services() []string {
	seen := map[string]bool{}
	for typ := range kinds {
		if parts := strings.Split(typ, "::"); len(parts) == 3 {
			seen[parts[0]+"::"+parts[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
