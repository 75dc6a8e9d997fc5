package cloudformation

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/fault"
)

const (
	edgeOrigins  = `"Enabled": true, "Origins": [{"Id": "o", "DomainName": "o.example", "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"}}]`
	edgeBehavior = `"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"`
	edgeDefault  = `"DefaultCacheBehavior": {` + edgeBehavior + `}`
)

func TestWhatTheEdgeDoesNotTake(t *testing.T) {
	one := func(typ, properties string) string {
		return `{"Resources": {"X": {"Type": "AWS::` + typ + `", "Properties": {` + properties + `}}}}`
	}
	dist := func(config string) string {
		return one("CloudFront::Distribution", `"DistributionConfig": {`+config+`}`)
	}
	with := func(more string) string { return dist(edgeOrigins + ", " + edgeDefault + ", " + more) }
	behaves := func(more string) string {
		return dist(edgeOrigins + `, "DefaultCacheBehavior": {` + edgeBehavior + ", " + more + `}`)
	}
	legacy := func(more string) string {
		return dist(edgeOrigins + `, "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all", ` + more + `}`)
	}
	from := func(origin string) string {
		return dist(`"Enabled": true, "Origins": [{"Id": "o", ` + origin + `}], ` + edgeDefault)
	}
	acl := func(rules string) string {
		return one("WAFv2::WebACL", `"Name": "a", "Scope": "REGIONAL", "DefaultAction": {"Allow": {}}, "VisibilityConfig": {"SampledRequestsEnabled": true, "CloudWatchMetricsEnabled": true, "MetricName": "a"}, "Rules": [`+rules+`]`)
	}
	rule := func(statement, action string) string {
		return acl(`{"Name": "r", "Priority": 0, "Statement": ` + statement + `, ` + action + `}`)
	}
	for _, c := range []struct{ name, text, want string }{
		{"no configuration", one("CloudFront::Distribution", ``), "DistributionConfig: it is required"},
		{"a property that is none", with(`"Alias": "x"`), "DistributionConfig.Alias: Encountered unsupported property; remove it"},
		{"neither on nor off", dist(`"Origins": [{"Id": "o", "DomainName": "o.example"}], ` + edgeDefault), "DistributionConfig.Enabled: it is required"},
		{"no origin", dist(`"Enabled": true, ` + edgeDefault), "DistributionConfig.Origins: it is required"},
		{"an origin that is not there", dist(edgeOrigins + `, "DefaultCacheBehavior": {"TargetOriginId": "p", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"}`), `DistributionConfig.DefaultCacheBehavior.TargetOriginId: there is no origin "p"`},
		{"an origin without a host", from(`"OriginPath": "/x"`), "DistributionConfig.Origins[0].DomainName: it is required"},
		{"a path of an origin", from(`"DomainName": "a.example", "OriginPath": "x/"`), `DistributionConfig.Origins[0].OriginPath: "x/" must begin with /`},
		{"how an origin is asked", from(`"DomainName": "a.example", "CustomOriginConfig": {"OriginProtocolPolicy": "https"}`), `OriginProtocolPolicy: "https" is none of http-only, https-only, match-viewer`},
		{"attempts", from(`"DomainName": "a.example", "ConnectionAttempts": 4`), "ConnectionAttempts: it must be a whole number from 1 to 3, not 4"},
		{"an origin in a network", from(`"DomainName": "a.example", "VpcOriginConfig": {"VpcOriginId": "v"}`), "VpcOriginConfig: it is not supported here: it leads nowhere here"},
		{"a group of one", with(`"OriginGroups": {"Quantity": 1, "Items": [{"Id": "g", "FailoverCriteria": {"StatusCodes": {"Quantity": 1, "Items": [500]}}, "Members": {"Quantity": 1, "Items": [{"OriginId": "o"}]}}]}`), "OriginGroups.Items[0].Members: it must have two origins, not 1"},
		{"no default", dist(edgeOrigins), "DistributionConfig.DefaultCacheBehavior: it is required"},
		{"a behaviour without a path", with(`"CacheBehaviors": [{` + edgeBehavior + `}]`), "DistributionConfig.CacheBehaviors[0].PathPattern: it is required"},
		{"some methods", behaves(`"AllowedMethods": ["GET", "POST"]`), "AllowedMethods: GET, POST must be GET and HEAD"},
		{"viewers", legacy(`"CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "ViewerProtocolPolicy": "https"`), `ViewerProtocolPolicy: "https" is none of`},
		{"no policy", legacy(`"Compress": true`), "CachePolicyId: it is required, or ForwardedValues"},
		{"a policy that nobody has", legacy(`"CachePolicyId": "x"`), `CachePolicyId: "x" is no AWS::CloudFront::CachePolicy of this stack`},
		{"both ways", behaves(`"ForwardedValues": {"QueryString": true}`), "ForwardedValues: it does not go with a CachePolicyId"},
		{"times in the wrong order", legacy(`"MinTTL": 10, "DefaultTTL": 5, "ForwardedValues": {"QueryString": true}`), "MinTTL: MinTTL is at most DefaultTTL"},
		{"keys of a query that is not forwarded", legacy(`"ForwardedValues": {"QueryString": false, "QueryStringCacheKeys": ["a"]}`), "QueryStringCacheKeys: it goes with QueryString: true only"},
		{"cookies", legacy(`"ForwardedValues": {"QueryString": false, "Cookies": {"Forward": "some"}}`), `Cookies.Forward: "some" is none of none, whitelist, all`},
		{"functions at the edge", behaves(`"LambdaFunctionAssociations": [{"EventType": "viewer-request"}]`), "LambdaFunctionAssociations: it is not supported here: functions are not run at the edge"},
		{"small functions at the edge", behaves(`"FunctionAssociations": [{"EventType": "viewer-request"}]`), "FunctionAssociations: it is not supported here: functions are not run at the edge"},
		{"keys of an account", behaves(`"TrustedSigners": ["self"]`), "TrustedSigners: it is not supported here: keys are not accounts'"},
		{"a group of keys that is not there", behaves(`"TrustedKeyGroups": ["x"]`), `TrustedKeyGroups[0]: "x" is no AWS::CloudFront::KeyGroup of this stack`},
		{"countries", with(`"Restrictions": {"GeoRestriction": {"RestrictionType": "blacklist", "Locations": ["AQ"]}}`), "which country an address is in is not known here"},
		{"a classic web ACL", with(`"WebACLId": "473e64fd-f30b-4765-81a0-62ad96dd167a"`), "is the id of a web ACL of AWS WAF Classic"},
		{"a bucket in place of a web ACL", with(`"WebACLId": "arn:aws:s3:::b"`), "WebACLId: arn:aws:s3:::b is not the ARN of a web ACL"},
		{"a page without a status", with(`"CustomErrorResponses": [{"ErrorCode": 404, "ResponsePagePath": "/x"}]`), "ResponsePagePath and ResponseCode go together"},
		{"a version", with(`"HttpVersion": "http9"`), `HttpVersion: "http9" is none of`},
		{"tenants", with(`"TenantConfig": {"ParameterDefinitions": [1]}`), "TenantConfig: it is not supported here"},

		{"what is no policy", one("CloudFront::CachePolicy", `"CachePolicyConfig": {"Name": "a", "MinTTL": 1, "ParametersInCacheKeyAndForwardedToOrigin": {"CookiesConfig": {"CookieBehavior": "none"}, "HeadersConfig": {"HeaderBehavior": "all"}, "QueryStringsConfig": {"QueryStringBehavior": "whitelist"}}}`), `HeadersConfig.HeaderBehavior: "all" is none of none, whitelist`},
		{"credentials for everybody", one("CloudFront::ResponseHeadersPolicy", `"ResponseHeadersPolicyConfig": {"Name": "a", "CorsConfig": {"AccessControlAllowCredentials": true, "AccessControlAllowHeaders": {"Items": ["*"]}, "AccessControlAllowMethods": {"Items": ["GET"]}, "AccessControlAllowOrigins": {"Items": ["*"]}, "OriginOverride": true}}`), "it does not go with the origin *"},
		{"a key that is none", one("CloudFront::PublicKey", `"PublicKeyConfig": {"Name": "a", "CallerReference": "1", "EncodedKey": "x"}`), "PublicKeyConfig.EncodedKey: it must be a public key as PEM"},
		{"a stream of one's own", one("CloudFront::RealtimeLogConfig", `"Name": "a", "SamplingRate": 1, "Fields": ["c-ip"], "EndPoints": [{"StreamType": "Kinesis", "KinesisStreamConfig": {"RoleArn": "r", "StreamArn": "arn:aws:kinesis:us-east-1:000000000000:stream/mine"}}]`), "is not a stream here: records go to"},

		{"a scope", one("WAFv2::IPSet", `"Scope": "HERE", "IPAddressVersion": "IPV4", "Addresses": []`), `Scope: "HERE" is neither CLOUDFRONT nor REGIONAL`},
		{"everybody", one("WAFv2::IPSet", `"Scope": "REGIONAL", "IPAddressVersion": "IPV4", "Addresses": ["0.0.0.0/0"]`), `address "0.0.0.0/0" is everybody`},
		{"the other version", one("WAFv2::IPSet", `"Scope": "REGIONAL", "IPAddressVersion": "IPV6", "Addresses": ["192.0.2.0/24"]`), `address "192.0.2.0/24" is not of version IPV6`},
		{"an expression", one("WAFv2::RegexPatternSet", `"Scope": "REGIONAL", "RegularExpressionList": ["("]`), "error parsing regexp"},
		{"no action", rule(`{"LabelMatchStatement": {"Scope": "LABEL", "Key": "a"}}`, `"OverrideAction": {"None": {}}`), "Rules[0]: rule \"r\": it takes Action"},
		{"the action of a group", rule(`{"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": "x"}}`, `"Action": {"Block": {}}`), "Rules[0]: rule \"r\": a rule group takes OverrideAction"},
		{"two statements", rule(`{"LabelMatchStatement": {"Scope": "LABEL", "Key": "a"}, "NotStatement": {"Statement": {"LabelMatchStatement": {"Scope": "LABEL", "Key": "a"}}}}`, `"Action": {"Block": {}}`), "Rules[0].Statement: it must have one of AndStatement"},
		{"a puzzle", rule(`{"LabelMatchStatement": {"Scope": "LABEL", "Key": "a"}}`, `"Action": {"Captcha": {}}`), "Rules[0].Action.Captcha: it is not supported here: no puzzles are shown; use Block or Count"},
		{"a group of one's own", rule(`{"RuleGroupReferenceStatement": {"Arn": "x"}}`, `"OverrideAction": {"None": {}}`), "write the rules of the group into the web ACL"},
		{"a misspelt statement", rule(`{"GeoStatement": {}}`, `"Action": {"Block": {}}`), "Rules[0].Statement.GeoStatement: Encountered unsupported property"},
		{"a priority twice", acl(`{"Name": "a", "Priority": 1, "Statement": {"LabelMatchStatement": {"Scope": "LABEL", "Key": "a"}}, "Action": {"Block": {}}}, {"Name": "b", "Priority": 1, "Statement": {"LabelMatchStatement": {"Scope": "LABEL", "Key": "a"}}, "Action": {"Block": {}}}`), "priority 1 is that of rule \"a\" too"},
		{"a body that is not there", rule(`{"LabelMatchStatement": {"Scope": "LABEL", "Key": "a"}}`, `"Action": {"Block": {"CustomResponse": {"ResponseCode": 429, "CustomResponseBodyKey": "x"}}}`), `CustomResponseBodies has no "x"`},
		{"what is not base64", rule(`{"ByteMatchStatement": {"SearchStringBase64": "!", "FieldToMatch": {"UriPath": {}}, "PositionalConstraint": "EXACTLY", "TextTransformations": []}}`, `"Action": {"Block": {}}`), "SearchStringBase64: it is not base64"},
		{"a load balancer", one("WAFv2::WebACLAssociation", `"ResourceArn": "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/a/1", "WebACLArn": "arn:aws:wafv2:us-east-1:000000000000:regional/webacl/a/1"`), "nothing else has a web ACL here"},
		{"an API that is not there", one("WAFv2::WebACLAssociation", `"ResourceArn": "arn:aws:apigateway:us-east-1::/restapis/abc/stages/dev", "WebACLArn": "arn:aws:wafv2:us-east-1:000000000000:regional/webacl/a/1"`), "ResourceArn: abc is no API of this template"},
		{"a classic condition", one("WAF::IPSet", ``), "it is of AWS WAF Classic"},
		{"a regional one", one("WAFRegional::WebACL", ``), "it is of AWS WAF Classic"},
		{"a group of rules", one("WAFv2::RuleGroup", ``), "write its rules into the AWS::WAFv2::WebACL"},
		{"certificates to take away", one("CertificateManager::Certificate", `"DomainName": "a.example", "CertificateExport": "ENABLED"`), "the private key stays with the platform"},
		{"what only some readers can", one("Lambda::EventSourceMapping", `"FunctionName": "f", "EventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/edge-access", "FilterCriteria": {"Filters": [{"Pattern": "{}"}]}`), "FilterCriteria: it is not supported here: records are given to functions as they come"},
		{"another stream", one("Lambda::EventSourceMapping", `"FunctionName": "f", "EventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/mine"`), "is not a queue"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := run(t, &ground{}, parse(t, c.text), nil)
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

func TestReadersOfAccessRecords(t *testing.T) {
	p := planned(t, &ground{}, `{"Resources": {"F": `+fn("")+`,
		"M": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"FunctionName": {"Ref": "F"}, "EventSourceArn": {"Fn::Sub": "arn:aws:kinesis:${AWS::Region}:${AWS::AccountId}:stream/edge-access"},
			"BatchSize": "500", "MaximumBatchingWindowInSeconds": 2, "StartingPosition": "LATEST", "Enabled": false}}}}`)
	id := p.made["M"].Physical
	want := []accesslog.Reader{{Stack: "shop-dev", ID: id, Function: "arn:aws:lambda:us-east-1:000000000000:function:f", Batch: 500, Window: 2e9, Disabled: true}}
	if diff := cmp.Diff(want, p.revision.AccessReaders); diff != "" || len(id) != 36 {
		t.Errorf("%s -want +got:\n%s", id, diff)
	}
	if len(p.revision.Mappings) > 0 {
		t.Error("it polls a queue too")
	}
}

func TestWebACLsOfWhatThereIs(t *testing.T) {
	const acl = `"Acl": {"Type": "AWS::WAFv2::WebACL", "Properties": {"Scope": "REGIONAL", "DefaultAction": {"Block": {}}, "VisibilityConfig": {"SampledRequestsEnabled": true, "CloudWatchMetricsEnabled": true, "MetricName": "a"}}}`
	p := planned(t, &ground{}, rest(`, `+acl+`,
		"Guard": {"Type": "AWS::WAFv2::WebACLAssociation", "DependsOn": "Deployed", "Properties": {"WebACLArn": {"Fn::GetAtt": ["Acl", "Arn"]}, "ResourceArn": {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}::/restapis/${Api}/stages/dev"}}},
		"Front": {"Type": "AWS::CloudFront::Distribution", "Properties": {"DistributionConfig": {`+edgeOrigins+", "+edgeDefault+`}}},
		"Too": {"Type": "AWS::WAFv2::WebACLAssociation", "Properties": {"WebACLArn": {"Fn::GetAtt": ["Acl", "Arn"]}, "ResourceArn": {"Fn::GetAtt": ["Front", "Arn"]}}}`))
	at := p.made["Acl"].Attributes["Arn"]
	if parts := strings.Split(p.made["Acl"].Physical, "|"); len(parts) != 3 || parts[2] != "REGIONAL" || !strings.HasPrefix(parts[0], "shop-dev-Acl-") || !strings.Contains(at, parts[0]+"/"+parts[1]) {
		t.Errorf("the web ACL is %q, %s", p.made["Acl"].Physical, at)
	}
	if got := p.revision.Distributions[0].WebACL; got != at {
		t.Errorf("the distribution has the web ACL %q", got)
	}
	if got := p.revision.APIs[0].WebACL; got != at {
		t.Errorf("the API has the web ACL %q", got)
	}
}
