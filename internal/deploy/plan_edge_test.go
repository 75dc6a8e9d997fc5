package deploy_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/cache"
	"github.com/dropstack/dropstack/internal/spec"
)

// said is what deploy.Check says of a service, LINE: MESSAGE.
func said(svc *spec.Service) (list []string) {
	for _, p := range deploy.Check(svc) {
		list = append(list, strings.TrimPrefix(p.String(), svc.File+":"))
	}
	return list
}

const frontService = `service: web
provider: {name: aws, runtime: nodejs22.x}
functions:
  f: {handler: a.b, events: [httpApi: "*"]}
`

func TestDistributionsOfAService(t *testing.T) {
	svc := loaded(t, frontService+`custom:
  dropstack:
    distributions:
      - name: front
        aliases: [www.example.com]
        origins:
          - {id: site, url: "http://127.0.0.1:8080/x"}
          - {id: shop, service: shop, headers: {X-Secret: s}}
          - {id: us, path: /in}
        behaviours:
          - {path: /static/*, origin: site, cache: CachingOptimized, forward: CORS-S3Origin, respond: Managed-SimpleCORS}
          - {path: /lists/*, origin: shop, cache: {defaultTTL: 5m, query: [page]}}
          - {path: /old, service: old}
          - {path: "*", cache: true}
        errors: [{status: 404, path: /404.html}]
        log: web-logs
      - {name: bare, default: true, webACL: none, behaviours: [{path: "*"}]}
`)
	all := cache.Selection{Mode: cache.All}
	want := []edge.Distribution{
		{
			Stack: "web-dev", ID: "web-dev-front", Domain: "web-dev-front.cloudfront.localhost", Aliases: []string{"www.example.com"}, WebACL: edge.DefaultWebACL,
			Origins: []edge.Origin{
				{ID: "site", Domain: "127.0.0.1", Path: "/x", Protocol: edge.HTTPOnly, HTTPPort: 8080},
				{ID: "shop", Stack: "shop-dev", Headers: []edge.Header{{Name: "X-Secret", Value: "s"}}},
				{ID: "us", Stack: "web-dev", Path: "/in"},
			},
			Behaviours: []edge.Behaviour{
				{
					Path: "/static/*", Origin: "site",
					Cache:   &cache.Policy{MinTTL: time.Second, DefaultTTL: 24 * time.Hour, MaxTTL: 365 * 24 * time.Hour, Encodings: []string{"br", "gzip"}},
					Forward: &edge.Forward{Headers: cache.Selection{Mode: cache.Only, Names: []string{"Access-Control-Request-Headers", "Access-Control-Request-Method", "Origin"}}},
					Respond: &edge.Respond{CORS: &edge.CORS{Origins: []string{"*"}, Methods: []string{"GET", "HEAD"}, Headers: []string{"*"}}},
				},
				{Path: "/lists/*", Origin: "shop", Cache: &cache.Policy{DefaultTTL: 5 * time.Minute, MaxTTL: 365 * 24 * time.Hour, Query: cache.Selection{Mode: cache.Only, Names: []string{"page"}}}},
				{Path: "/old", Origin: "old-dev"},
				{
					Path: "*", Origin: "web-dev", Cache: &cache.Policy{MaxTTL: 365 * 24 * time.Hour, Query: all, Encodings: []string{"br", "gzip", "zstd"}},
					Forward: &edge.Forward{Query: all, Headers: all, Cookies: all},
				},
			},
			Errors: []edge.ErrorPage{{Status: 404, Path: "/404.html", TTL: 10 * time.Second}},
			Log:    &edge.LogTo{Bucket: "web-logs"},
		},
		{Stack: "web-dev", ID: "web-dev-bare", Domain: "web-dev-bare.cloudfront.localhost", Default: true, Behaviours: []edge.Behaviour{{Path: "*", Origin: "web-dev"}}},
	}
	if diff := cmp.Diff(want, planned(t, svc).Distributions); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDistributionsAreCheckedWithLines(t *testing.T) {
	svc := loaded(t, frontService+`custom:
  dropstack:
    distributions:
      - name: front
        webACL: none-such
        behaviours:
          - {path: /a, cache: CacheEverything}
          - {path: /b, cache: true, forward: Everything}
          - {path: /c, respond: Nicely}
          - {path: /d, signers: [K1]}
      - {name: other, webACL: "arn:aws:s3:::bucket", behaviours: [{path: "*"}]}
`)
	want := []string{
		`9: webACL: "none-such" is none of this service's web ACLs; another stack's is named by its ARN, and there are default and none`,
		`11: cache: "CacheEverything" is none of this service's cache policies, and none of Amplify, CachingDisabled, CachingOptimized, CachingOptimizedForUncompressedObjects, Elemental-MediaPackage, UseOriginCacheControlHeaders, UseOriginCacheControlHeaders-QueryStrings`,
		`12: forward: "Everything" is none of this service's origin request policies, and none of all, AllViewer, AllViewerAndCloudFrontHeaders-2022-06, AllViewerExceptHostHeader, CORS-CustomOrigin, CORS-S3Origin, Elemental-MediaTailor-PersonalizedManifests, HostHeaderOnly, UserAgentRefererHeaders`,
		`13: respond: "Nicely" is none of this service's response headers policies, and none of CORS-With-Preflight, CORS-and-SecurityHeadersPolicy, CORS-with-preflight-and-SecurityHeadersPolicy, SecurityHeadersPolicy, SimpleCORS`,
		`14: signers: "K1" is none of this service's keys and groups of keys`,
		`15: webACL: arn:aws:s3:::bucket is not the ARN of a web ACL`,
	}
	if diff := cmp.Diff(want, said(svc)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestResourcesOfTheEdgeAreThoseOfTemplates has services with the resources of
// templates come to what the templates come to.
func TestResourcesOfTheEdgeAreThoseOfTemplates(t *testing.T) {
	stories, err := filepath.Glob("../edge/cloudfront/testdata/*.txtar")
	if err != nil || len(stories) < 6 {
		t.Fatalf("%d templates, %v", len(stories), err)
	}
	for _, path := range stories {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text := "service: shop\nprovider: {name: aws, runtime: nodejs22.x}\nresources:\n"
			for line := range strings.Lines(string(a.Files[0].Data)) {
				text += "  " + line
			}
			// a template's own function has a URL of another name than a service's
			text = strings.ReplaceAll(text, `!Select [2, !Split ["/", !GetAtt Url.FunctionUrl]]`, "avfkqxx6npz761g77ftkqmv74286pkn8.lambda-url.us-east-1.on.aws")
			r := planned(t, loaded(t, text))
			for i := range r.Distributions {
				r.Distributions[i].Declared = nil
			}
			got, err := json.MarshalIndent(&deploy.Revision{Distributions: r.Distributions, WebACLs: r.WebACLs, IPSets: r.IPSets, PatternSets: r.PatternSets}, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			var is, want map[string]any
			doc, _, _ := strings.Cut(string(a.Files[1].Data), "\nwarning ")
			if err := errors.Join(json.Unmarshal(got, &is), json.Unmarshal([]byte(doc), &want)); err != nil {
				t.Fatal(err)
			}
			for _, part := range []string{"distributions", "webACLs", "ipSets", "regexPatternSets"} {
				if diff := cmp.Diff(want[part], is[part]); diff != "" {
					t.Errorf("%s -want +got:\n%s", part, diff)
				}
			}
		})
	}
}

func TestResourcesOfTheEdgeAreCheckedWithLines(t *testing.T) {
	svc := loaded(t, frontService+`custom:
  dropstack:
    distributions:
      - {name: own, webACL: shield, behaviours: [{path: "*", cache: !Ref Short, forward: !Ref Nothing0, signers: [!Ref Signers]}]}
resources:
  Resources:
    Nothing0: {Type: AWS::CloudFront::OriginRequestPolicy, Properties: {OriginRequestPolicyConfig: {Name: a, CookiesConfig: {CookieBehavior: none}, HeadersConfig: {HeaderBehavior: none}, QueryStringsConfig: {QueryStringBehavior: none}}}}
    Short:
      Type: AWS::CloudFront::CachePolicy
      Properties:
        CachePolicyConfig:
          MinTTL: soon
    Signers: {Type: AWS::CloudFront::KeyGroup, Properties: {KeyGroupConfig: {Name: s, Items: [K1]}}}
    Shield:
      Type: AWS::WAFv2::WebACL
      Properties:
        Name: shield
        Scope: REGIONAL
        DefaultAction: {Allow: {}}
        VisibilityConfig: {SampledRequestsEnabled: true, CloudWatchMetricsEnabled: true, MetricName: a}
        Rules:
          - Name: one
            Priority: 1
            Action: {Block: {}}
            Statement:
              GeoMatchStatement: {CountryCodes: [AQ]}
              Label: {}
    Front:
      Type: AWS::CloudFront::Distribution
      Properties:
        DistributionConfig:
          Enabled: true
          PriceClas: PriceClass_All
          Origins:
            - Id: api
              DomainName: !Sub "${HttpApi}.execute-api.${AWS::Region}.amazonaws.com"
          DefaultCacheBehavior:
            TargetOriginId: api
            ViewerProtocolPolicy: allow-all
            CachePolicyId: !Ref Short
            LambdaFunctionAssociations:
              - {EventType: viewer-request, LambdaFunctionARN: x}
    Guard: {Type: AWS::WAFv2::WebACLAssociation, Properties: {WebACLArn: !GetAtt Shield.Arn, ResourceArn: !Sub "arn:aws:apigateway:${AWS::Region}::/restapis/abc/stages/dev"}}
`)
	want := []string{
		"15: resource Short: CachePolicyConfig.Name: it is required",
		`15: resource Short: CachePolicyConfig.ParametersInCacheKeyAndForwardedToOrigin.CookiesConfig.CookieBehavior: "" is none of none, whitelist, allExcept, all`,
		`15: resource Short: CachePolicyConfig.ParametersInCacheKeyAndForwardedToOrigin.HeadersConfig.HeaderBehavior: "" is none of none, whitelist`,
		`15: resource Short: CachePolicyConfig.ParametersInCacheKeyAndForwardedToOrigin.QueryStringsConfig.QueryStringBehavior: "" is none of none, whitelist, allExcept, all`,
		"16: resource Short: CachePolicyConfig.MinTTL: it must be a whole number, not soon",
		`17: resource Signers: KeyGroupConfig.Items[0]: "K1" is no AWS::CloudFront::PublicKey of this stack; name one by Ref`,
		"31: resource Shield: Rules[0].Statement.Label: Encountered unsupported property; remove it",
		"37: resource Front: DistributionConfig.PriceClas: Encountered unsupported property; remove it",
		"45: resource Front: DistributionConfig.DefaultCacheBehavior.LambdaFunctionAssociations: it is not supported here: functions are not run at the edge; let the function of the origin do it, or a response headers policy",
		"47: resource Guard: ResourceArn: abc is no API of this service",
	}
	got := said(svc)
	slices.Sort(got) // lines of two digits
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
