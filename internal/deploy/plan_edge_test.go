package deploy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
