package deploy_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/cache"
)

const restService = `service: shop
provider: {name: aws, runtime: nodejs22.x, apiGateway: {stage: v1}}
plugins: [serverless-api-cloudfront]
functions:
  f: {handler: a.b, events: [http: GET /]}
`

// TestWhatThePluginOfCloudFrontDoes has a row for each setting of custom.apiCloudFront.
func TestWhatThePluginOfCloudFrontDoes(t *testing.T) {
	every := cache.Selection{Mode: cache.All}
	some := func(names ...string) cache.Selection { return cache.Selection{Mode: cache.Only, Names: names} }
	// plain is what comes of an empty configuration
	plain := func() edge.Distribution {
		id := arn.DistributionID("shop-dev", "ApiDistribution")
		return edge.Distribution{
			Stack: "shop-dev", ID: id, Domain: arn.DistributionDomain(id), Comment: "Serverless Managed dev-shop",
			Origins: []edge.Origin{{ID: "ApiGateway", API: arn.APIID("shop-dev", "REST"), Path: "/v1"}},
			Behaviours: []edge.Behaviour{{
				Path: "*", Origin: "ApiGateway", Viewer: edge.RedirectToHTTPS,
				Cache:   &cache.Policy{MaxTTL: 365 * 24 * time.Hour, Query: every, Cookies: every},
				Forward: &edge.Forward{Query: every, Headers: every, Cookies: every},
			}},
		}
	}
	for _, c := range []struct {
		name, config string
		change       func(d *edge.Distribution, b *edge.Behaviour)
	}{
		{"nothing at all", "", nil},
		{"an empty configuration", "custom: {apiCloudFront: }", nil},
		{"a domain", "custom: {apiCloudFront: {domain: api.example.com}}", func(d *edge.Distribution, _ *edge.Behaviour) { d.Aliases = []string{"api.example.com"} }},
		{"domains", "custom: {apiCloudFront: {domain: [a.example.com, b.example.com]}}", func(d *edge.Distribution, _ *edge.Behaviour) {
			d.Aliases = []string{"a.example.com", "b.example.com"}
		}},
		{"a certificate", "custom: {apiCloudFront: {certificate: arn:aws:acm:us-east-1:000000000000:certificate/1}}", func(d *edge.Distribution, _ *edge.Behaviour) {
			d.Certificate = &edge.Certificate{ID: "arn:aws:acm:us-east-1:000000000000:certificate/1"}
		}},
		{"a protocol", "custom: {apiCloudFront: {certificate: mine, minimumProtocolVersion: TLSv1.2_2018}}", func(d *edge.Distribution, _ *edge.Behaviour) {
			d.Certificate = &edge.Certificate{ID: "mine", Minimum: "TLSv1.2_2018"}
		}},
		{"a web ACL", "custom: {apiCloudFront: {waf: default}}", func(d *edge.Distribution, _ *edge.Behaviour) { d.WebACL = edge.DefaultWebACL }},
		{"another's web ACL", "custom: {apiCloudFront: {waf: arn:aws:wafv2:us-east-1:000000000000:global/webacl/a/1}}", func(d *edge.Distribution, _ *edge.Behaviour) {
			d.WebACL = "arn:aws:wafv2:us-east-1:000000000000:global/webacl/a/1"
		}},
		{"compression", "custom: {apiCloudFront: {compress: true}}", func(_ *edge.Distribution, b *edge.Behaviour) { b.Cache.Encodings = []string{"gzip"} }},
		{"what is not true", "custom: {apiCloudFront: {compress: 'true'}}", nil},
		{"a log", "custom: {apiCloudFront: {logging: {bucket: shop-logs.s3.amazonaws.com, prefix: api/}}}", func(d *edge.Distribution, _ *edge.Behaviour) {
			d.Log = &edge.LogTo{Bucket: "shop-logs", Prefix: "api/"}
		}},
		{"a log without a prefix", "custom: {apiCloudFront: {logging: {bucket: shop-logs}}}", func(d *edge.Distribution, _ *edge.Behaviour) { d.Log = &edge.LogTo{Bucket: "shop-logs"} }},
		{"no cookies", "custom: {apiCloudFront: {cookies: none}}", func(_ *edge.Distribution, b *edge.Behaviour) {
			b.Cache.Cookies, b.Forward.Cookies = cache.Selection{}, cache.Selection{}
		}},
		{"some cookies", "custom: {apiCloudFront: {cookies: [session]}}", func(_ *edge.Distribution, b *edge.Behaviour) {
			b.Cache.Cookies, b.Forward.Cookies = some("session"), some("session")
		}},
		{"no headers", "custom: {apiCloudFront: {headers: none}}", nil},
		{"some headers", "custom: {apiCloudFront: {headers: [accept, X-Id]}}", func(_ *edge.Distribution, b *edge.Behaviour) { b.Cache.Headers = some("Accept", "X-Id") }},
		{"all headers", "custom: {apiCloudFront: {headers: all}}", func(_ *edge.Distribution, b *edge.Behaviour) { b.Cache.MaxTTL = 0 }},
		{"anything else of headers", "custom: {apiCloudFront: {headers: several}}", func(_ *edge.Distribution, b *edge.Behaviour) { b.Cache.MaxTTL = 0 }},
		{"all of the query", "custom: {apiCloudFront: {querystring: all}}", nil},
		{"some of the query", "custom: {apiCloudFront: {querystring: [page]}}", func(_ *edge.Distribution, b *edge.Behaviour) { b.Cache.Query = some("page") }},
		{"anything else of the query", "custom: {apiCloudFront: {querystring: several}}", func(_ *edge.Distribution, b *edge.Behaviour) {
			b.Cache.Query, b.Forward.Query = cache.Selection{}, cache.Selection{}
		}},
		{"a price", "custom: {apiCloudFront: {priceClass: PriceClass_100}}", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := planned(t, loaded(t, restService+c.config+"\n"))
			want := plain()
			if c.change != nil {
				c.change(&want, &want.Behaviours[0])
			}
			if len(r.Distributions) != 1 {
				t.Fatalf("got %d distributions", len(r.Distributions))
			}
			got := r.Distributions[0]
			if got.Declared["HttpVersion"] != "http2" {
				t.Errorf("it was made of %v", got.Declared)
			}
			got.Declared = nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestThePluginOfCloudFrontShowsItsDomain(t *testing.T) {
	r := planned(t, loaded(t, restService+`resources:
  Outputs:
    Url: {Value: !Sub "https://${ApiDistribution.DomainName}"}
`))
	shown := map[string]string{}
	for _, o := range r.Outputs {
		shown[o.Key] = o.Value
	}
	if domain := r.Distributions[0].Domain; shown["ApiDistribution"] != domain || shown["Url"] != "https://"+domain {
		t.Errorf("got %v, want %s", shown, domain)
	}
}

func TestReadersOfAccessRecords(t *testing.T) {
	svc := loaded(t, `service: abuse
provider: {name: aws, runtime: nodejs22.x}
functions:
  f:
    handler: a.b
    provisionedConcurrency: 1
    events: [stream: {type: kinesis, arn: "arn:aws:kinesis:us-east-1:000000000000:stream/edge-access", batchSize: 500, batchWindow: 2}]
`)
	r := planned(t, svc)
	if len(r.AccessReaders) != 1 {
		t.Fatalf("got %+v", r.AccessReaders)
	}
	got := r.AccessReaders[0]
	if got.Function != "arn:aws:lambda:us-east-1:000000000000:function:abuse-dev-f:provisioned" || got.Batch != 500 || got.Window != 2*time.Second || len(got.ID) != 36 || got.Stack != "abuse-dev" {
		t.Errorf("got %+v", got)
	}
	d, _ := guardedDeployer(t)
	if _, err := d.Deploy(t.Context(), &deploy.Revision{Stack: "abuse-dev", Service: "abuse", Stage: "dev", Region: "us-east-1", AccessReaders: r.AccessReaders}); err != nil {
		t.Error(err)
	}
}
