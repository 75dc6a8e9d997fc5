package deploy

import (
	"slices"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge/cache"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/spec"
)

// apiCloudFront adds the distribution that the plugin serverless-api-cloudfront would
// make. It is read from the configuration that the plugin would write, but for one
// thing: requests reach the API whole. With headers: none, which is the plugin's own
// choice, CloudFront would keep Authorization from it.
func (f *front) apiCloudFront(r *Revision) {
	c := f.svc.CloudFront
	i := slices.IndexFunc(r.APIs, func(a gateway.API) bool { return a.Kind == gateway.REST })
	if c == nil || i < 0 {
		return
	}
	id := arn.DistributionID(r.Stack, spec.APIDistribution)
	d, found := f.policies.Distribution(r.Stack, id, map[string]any{"DistributionConfig": pluginConfig(c, r.APIs[i], r.Region)})
	for _, w := range found.Wrong {
		f.fail(c.Pos, "custom.apiCloudFront: %s", w)
	}
	for n := range d.Behaviours {
		d.Behaviours[n].Forward.Headers = cache.Selection{Mode: cache.All}
	}
	if c.WebACL.Name != "" {
		d.WebACL = f.webACL(r, c.WebACL)
	}
	r.Distributions, f.places[id] = append(r.Distributions, d), c.Pos
}

// pluginConfig is what the plugin writes into the template.
func pluginConfig(c *spec.APICloudFront, api gateway.API, region string) map[string]any {
	const origin = "ApiGateway"
	config := map[string]any{
		"Enabled": true, "HttpVersion": "http2", "Comment": "Serverless Managed " + api.Name, "PriceClass": c.PriceClass,
		"Origins": []any{map[string]any{
			"Id": origin, "DomainName": api.ID + ".execute-api." + region + ".amazonaws.com", "OriginPath": "/" + api.Stage,
			"CustomOriginConfig": map[string]any{"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only", "OriginSSLProtocols": list("TLSv1", "TLSv1.1", "TLSv1.2")},
		}},
		"DefaultCacheBehavior": map[string]any{
			"TargetOriginId": origin, "ViewerProtocolPolicy": "redirect-to-https", "Compress": c.Compress, "MinTTL": "0", "DefaultTTL": "0",
			"AllowedMethods": list("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"), "CachedMethods": list("HEAD", "GET"),
			"ForwardedValues": forwardedValues(c),
		},
	}
	if len(c.Domain) > 0 {
		config["Aliases"] = list(c.Domain...)
	}
	if c.Certificate != "" {
		certificate := map[string]any{"AcmCertificateArn": c.Certificate, "SslSupportMethod": "sni-only"}
		if c.Minimum != "" {
			certificate["MinimumProtocolVersion"] = c.Minimum
		}
		config["ViewerCertificate"] = certificate
	}
	if c.Log != nil {
		config["Logging"] = map[string]any{"Bucket": c.Log.Bucket, "Prefix": c.Log.Prefix, "IncludeCookies": "false"}
	}
	return config
}

func forwardedValues(c *spec.APICloudFront) map[string]any {
	cookies := map[string]any{"Forward": c.Cookies.Mode}
	if c.Cookies.Mode == cache.Only {
		cookies["WhitelistedNames"] = list(c.Cookies.Names...)
	}
	values := map[string]any{"Cookies": cookies, "QueryString": c.Query.Mode != cache.None, "Headers": list(c.Headers.Names...)}
	if c.Headers.Mode == cache.All {
		values["Headers"] = list("*")
	}
	if c.Query.Mode == cache.Only {
		values["QueryStringCacheKeys"] = list(c.Query.Names...)
	}
	return values
}

func list(words ...string) []any {
	out := make([]any, len(words))
	for i, w := range words {
		out[i] = w
	}
	return out
}
