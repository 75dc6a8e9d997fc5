package cloudfront_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/cloudfront"
	"github.com/dropstack/dropstack/internal/fault"
)

// called is a configuration as a call of CloudFront's API brings it: with what is not
// said as empty texts and lists.
func called() map[string]any {
	return map[string]any{
		"CallerReference": "1", "Enabled": "true", "Comment": "", "DefaultRootObject": "", "PriceClass": "PriceClass_All", "WebACLId": "", "HttpVersion": "http2",
		"IPV6Enabled": "true", "Staging": "false", "ContinuousDeploymentPolicyId": "", "Aliases": []any{}, "CacheBehaviors": []any{},
		"Origins": []any{map[string]any{
			"Id": "o", "DomainName": "o.example", "OriginPath": "", "OriginCustomHeaders": []any{}, "ConnectionAttempts": "3", "ConnectionTimeout": "10",
			"OriginAccessControlId": "", "OriginShield": map[string]any{"Enabled": "false"},
			"CustomOriginConfig": map[string]any{
				"HTTPPort": "80", "HTTPSPort": "443", "OriginProtocolPolicy": "https-only", "OriginReadTimeout": "30", "OriginKeepaliveTimeout": "5", "OriginSSLProtocols": []any{"TLSv1.2"},
			},
		}},
		"OriginGroups": map[string]any{"Quantity": "0"},
		"DefaultCacheBehavior": map[string]any{
			"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all", "AllowedMethods": []any{"HEAD", "GET"}, "CachedMethods": []any{"HEAD", "GET"}, "Compress": "true",
			"CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6", "SmoothStreaming": "false", "FieldLevelEncryptionId": "", "GrpcConfig": map[string]any{"Enabled": "false"},
			"TrustedSigners": []any{}, "TrustedKeyGroups": []any{}, "LambdaFunctionAssociations": []any{}, "FunctionAssociations": []any{},
		},
		"CustomErrorResponses": []any{map[string]any{"ErrorCode": "404", "ResponsePagePath": "", "ResponseCode": "", "ErrorCachingMinTTL": "60"}},
		"Logging":              map[string]any{"Enabled": "false", "IncludeCookies": "false", "Bucket": "", "Prefix": ""},
		"ViewerCertificate":    map[string]any{"CloudFrontDefaultCertificate": "true", "MinimumProtocolVersion": "TLSv1", "CertificateSource": "cloudfront"},
		"Restrictions":         map[string]any{"GeoRestriction": map[string]any{"RestrictionType": "none", "Locations": []any{}}},
	}
}

func TestConfigurationsOfCalls(t *testing.T) {
	got, found := new(cloudfront.Policies).Distribution("api", "E1", map[string]any{"DistributionConfig": called()})
	if len(found.Wrong)+len(found.Idle) > 0 {
		t.Fatal(found)
	}
	got.Declared = nil
	want := edge.Distribution{
		Stack: "api", ID: "E1", Domain: got.Domain,
		Origins: []edge.Origin{{
			ID: "o", Domain: "o.example", Protocol: edge.HTTPSOnly, HTTPPort: 80, HTTPSPort: 443, Attempts: 3,
			ConnectTimeout: 10 * time.Second, Timeout: 30 * time.Second, KeepAlive: 5 * time.Second,
		}},
		Errors:     []edge.ErrorPage{{Status: 404, TTL: time.Minute}},
		Behaviours: []edge.Behaviour{{Path: "*", Allowed: []string{"GET", "HEAD"}, Origin: "o", Viewer: edge.AllowAll, Cache: got.Behaviours[0].Cache}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if p := got.Behaviours[0].Cache; p == nil || p.DefaultTTL != 24*time.Hour || !cmp.Equal(p.Encodings, []string{"br", "gzip"}) {
		t.Errorf("cached by %+v", p)
	}
}

func TestWhatIsWrongHasThePathAndTheCallersCode(t *testing.T) {
	config := called()
	config["DefaultRoot"] = "index.html"
	config["Origins"].([]any)[0].(map[string]any)["ConnectionAttempts"] = "many"
	_, found := new(cloudfront.Policies).Distribution("api", "E1", map[string]any{"DistributionConfig": config})
	want := []cloudfront.Finding{
		{Path: "DistributionConfig.DefaultRoot", Message: "Encountered unsupported property; remove it"},
		{Path: "DistributionConfig.Origins[0].ConnectionAttempts", Message: "it must be a whole number, not many"},
	}
	if diff := cmp.Diff(want, found.Wrong); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	err := found.Err("InvalidArgument")
	if fault.CodeOf(err) != "InvalidArgument" || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "DistributionConfig.DefaultRoot: ") {
		t.Errorf("got %v, of code %q", err, fault.CodeOf(err))
	}
	if err := (&cloudfront.Findings{}).Err("x"); err != nil {
		t.Errorf("nothing is wrong: %v", err)
	}
}

func TestWhatTheEdgeRefusesIsToldOfTheConfiguration(t *testing.T) {
	config := called()
	config["Aliases"] = []any{"not a host"}
	_, found := new(cloudfront.Policies).Distribution("api", "E1", map[string]any{"DistributionConfig": config})
	want := []cloudfront.Finding{{Path: "DistributionConfig", Message: `alias "not a host" is not a host name in lower case, without port`}}
	if diff := cmp.Diff(want, found.Wrong); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAmazonsPoliciesAreFoundByIdAndName(t *testing.T) {
	p := new(cloudfront.Policies)
	id := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	for kind, find := range map[string]struct {
		names string
		ids   []string
		find  func(string) bool
	}{
		"cache": {cloudfront.CacheNames, []string{
			"2e54312d-136d-493c-8eb9-b001f22f67d2", "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "658327ea-f89d-4fab-a63d-7e88639e58f6", "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
			"08627262-05a9-4f76-9ded-b50ca2e3a84f", "83da9c7e-98b4-4e11-a168-04f0df8e2c65", "4cc15a8a-d715-48a4-82b8-cc0b614638fe",
		}, func(id string) bool { _, ok := p.Cache(id); return ok }},
		"forward": {cloudfront.ForwardNames, []string{
			"216adef6-5c7f-47e4-b989-5492eafa07d3", "33f36d7e-f396-46d9-90e0-52428a34d9dc", "b689b0a8-53d0-40ab-baf2-68738e2966ac", "59781a5b-3903-41f3-afcb-af62929ccde1",
			"88a5eaf4-2fd4-4709-b370-b4c650ea3fcf", "775133bc-15f2-49f9-abea-afb2e0bf67d2", "bf0718e1-ba1e-49d1-88b1-f726733018ae", "acba4595-bd28-49b8-b9fe-13317c0390fa",
		}, func(id string) bool { _, ok := p.Forward(id); return ok }},
		"respond": {cloudfront.RespondNames, []string{
			"60669652-455b-4ae9-85a4-c4c02393f86c", "5cc3b908-e619-4b99-88e5-2cf7f45965bd", "67f7725c-6f97-4210-82d7-5512b31e9d03", "e61eb60c-9c35-4d20-a928-2b84e02af89c",
			"eaab4381-ed33-4a86-88ca-d9558dc6cd63",
		}, func(id string) bool { _, ok := p.Respond(id); return ok }},
	} {
		names := strings.Split(find.names, ", ")
		if len(names) != len(find.ids) {
			t.Errorf("%s: %d policies, want %d", kind, len(names), len(find.ids))
		}
		for _, name := range append(names, find.ids...) {
			if !find.find(name) || !id.MatchString(name) && !find.find("Managed-"+name) {
				t.Errorf("%s: %s is not found", kind, name)
			}
		}
		if find.find("x") || find.find("") {
			t.Errorf("%s: what is not there is found", kind)
		}
	}
}
