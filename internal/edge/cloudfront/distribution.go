package cloudfront

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/cache"
)

// Distribution reads an AWS::CloudFront::Distribution of a stack, after all that it
// refers to. It has the web ACL that it names, and without one none. Hosts that are
// Amazon's, of APIs, function URLs and buckets, are this platform's.
func (p *Policies) Distribution(stack, id string, props map[string]any) (edge.Distribution, Findings) {
	t := &translation{policies: p}
	var in struct {
		DistributionConfig *config
		Tags               any
	}
	t.decode("", props, &in)
	out := edge.Distribution{Stack: stack, ID: id, Domain: arn.DistributionDomain(id)}
	if in.DistributionConfig == nil {
		t.fail("DistributionConfig", "it is required")
		return out, t.Findings
	}
	out.Declared, _ = props["DistributionConfig"].(map[string]any)
	t.general(&out, in.DistributionConfig)
	t.origins(&out, in.DistributionConfig)
	t.behaviours(&out, in.DistributionConfig)
	if len(t.Wrong) == 0 {
		t.said(inConfig, edge.Check([]edge.Distribution{out}))
	}
	return out, t.Findings
}

// translation is a distribution that is being read.
type translation struct {
	policies *Policies
	Findings
}

const inConfig = "DistributionConfig"

func (t *translation) general(out *edge.Distribution, c *config) {
	for _, a := range append(c.Aliases, c.CNAMEs...) {
		out.Aliases = append(out.Aliases, strings.ToLower(a))
	}
	out.Comment, out.Root = c.Comment, strings.TrimPrefix(c.DefaultRootObject, "/")
	if c.Enabled == nil {
		t.fail(inConfig+".Enabled", "it is required")
	} else {
		out.Disabled = !*c.Enabled
	}
	switch version := strings.ToLower(c.HttpVersion); version {
	case "http3", "http2and3":
		out.HTTP3 = true
	case "", "http1.1", "http2":
	default:
		t.fail(inConfig+".HttpVersion", "%q is none of http1.1, http2, http2and3, http3", c.HttpVersion)
	}
	if l := c.Logging; l != nil && (l.Enabled == nil || *l.Enabled) && t.need(inConfig+".Logging.Bucket", l.Bucket) {
		out.Log = &edge.LogTo{Bucket: l.Bucket, Prefix: l.Prefix, Cookies: l.IncludeCookies}
		if bucket, _, ok := bucketOf(l.Bucket); ok {
			out.Log.Bucket = bucket
		}
	}
	for i, e := range c.CustomErrorResponses {
		t.errorPage(out, e, fmt.Sprintf("%s.CustomErrorResponses[%d]", inConfig, i))
	}
	t.webACL(out, c.WebACLId)
	t.certificate(out, c.ViewerCertificate)
	if g := c.Restrictions.GeoRestriction; g.RestrictionType != "" && g.RestrictionType != "none" {
		t.fail(inConfig+".Restrictions.GeoRestriction", "it is not supported here: which country an address is in is not known here; name networks in an AWS::WAFv2::IPSet of a web ACL")
	}
	t.refuse(inConfig+".CustomOrigin", c.CustomOrigin, "write Origins and DefaultCacheBehavior")
	t.refuse(inConfig+".S3Origin", c.S3Origin, "write Origins and DefaultCacheBehavior")
	t.refuse(inConfig+".Staging", c.Staging, "there are no distributions to try out; deploy another stage")
	t.refuse(inConfig+".ContinuousDeploymentPolicyId", c.ContinuousDeploymentPolicyId, "traffic is shifted between versions of functions, by their aliases")
	t.refuse(inConfig+".TenantConfig", c.TenantConfig, "a distribution has no tenants; declare one for each")
	t.refuse(inConfig+".ViewerMtlsConfig", c.ViewerMtlsConfig, "clients would not be asked for a certificate")
	t.refuse(inConfig+".ConnectionFunctionAssociation", c.ConnectionFunctionAssociation, "functions are not run at the edge")
}

func (t *translation) errorPage(out *edge.Distribution, e errorResponse, at string) {
	page := edge.ErrorPage{Status: e.ErrorCode, Path: e.ResponsePagePath, As: e.ResponseCode, TTL: t.seconds(at+".ErrorCachingMinTTL", e.ErrorCachingMinTTL, 10*time.Second)}
	if page.Status < 400 || page.Status > 599 {
		t.fail(at+".ErrorCode", "it must be from 400 to 599, not %d", page.Status)
	}
	if (page.Path == "") != (page.As == 0) {
		t.fail(at+".ResponsePagePath", "ResponsePagePath and ResponseCode go together")
	} else if page.Path != "" && !strings.HasPrefix(page.Path, "/") {
		t.fail(at+".ResponsePagePath", "%q must begin with /", page.Path)
	}
	out.Errors = append(out.Errors, page)
}

func (t *translation) webACL(out *edge.Distribution, id string) {
	const at = inConfig + ".WebACLId"
	a, err := arn.Parse(id)
	switch {
	case id == "":
	case err != nil:
		t.fail(at, "%q is the id of a web ACL of AWS WAF Classic, which is not offered: name an AWS::WAFv2::WebACL by its ARN", id)
	case a.Service != "wafv2" || !strings.Contains(a.Resource, "/webacl/"):
		t.fail(at, "%s is not the ARN of a web ACL", id)
	default:
		out.WebACL = id
	}
}

func (t *translation) certificate(out *edge.Distribution, c *viewerCertificate) {
	if c == nil || c.CloudFrontDefaultCertificate {
		return
	}
	out.Certificate = &edge.Certificate{ID: c.AcmCertificateArn, Minimum: c.MinimumProtocolVersion}
	if out.Certificate.ID == "" {
		out.Certificate.ID = c.IamCertificateId
	}
	if t.policies.Certificates[out.Certificate.ID] {
		out.Certificate.ID = "" // the platform gets one
	}
	if strings.EqualFold(c.SslSupportMethod, "vip") {
		t.idle(inConfig+".ViewerCertificate.SslSupportMethod", "certificates are chosen by the name that clients ask for")
	}
}

func (t *translation) behaviours(out *edge.Distribution, c *config) {
	for i, b := range c.CacheBehaviors {
		at := fmt.Sprintf("%s.CacheBehaviors[%d]", inConfig, i)
		t.need(at+".PathPattern", b.PathPattern)
		out.Behaviours = append(out.Behaviours, t.behaviour(b, at))
	}
	if c.DefaultCacheBehavior == nil {
		t.fail(inConfig+".DefaultCacheBehavior", "it is required")
		return
	}
	last := *c.DefaultCacheBehavior
	if last.PathPattern != "" && last.PathPattern != "*" {
		t.fail(inConfig+".DefaultCacheBehavior.PathPattern", "it is for all that the others leave; remove it")
	}
	last.PathPattern = "*"
	out.Behaviours = append(out.Behaviours, t.behaviour(last, inConfig+".DefaultCacheBehavior"))
	for i, b := range out.Behaviours {
		is := func(id string) bool { return id == b.Origin }
		if b.Origin == "" || slices.ContainsFunc(out.Origins, func(o edge.Origin) bool { return is(o.ID) }) || slices.ContainsFunc(out.Groups, func(g edge.OriginGroup) bool { return is(g.ID) }) {
			continue
		}
		at := inConfig + ".DefaultCacheBehavior"
		if i < len(c.CacheBehaviors) {
			at = fmt.Sprintf("%s.CacheBehaviors[%d]", inConfig, i)
		}
		t.fail(at+".TargetOriginId", "there is no origin %q under Origins or OriginGroups", b.Origin)
	}
}

// methodSets are the methods that CloudFront lets a behaviour have.
var methodSets = [][]string{
	{"GET", "HEAD"}, {"GET", "HEAD", "OPTIONS"}, {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"},
}

func (t *translation) behaviour(b behaviour, at string) edge.Behaviour {
	out := edge.Behaviour{Path: b.PathPattern, Origin: b.TargetOriginId, Viewer: b.ViewerProtocolPolicy}
	t.need(at+".TargetOriginId", b.TargetOriginId)
	switch b.ViewerProtocolPolicy {
	case edge.AllowAll, edge.RedirectToHTTPS, edge.OnlyHTTPS:
	default:
		t.fail(at+".ViewerProtocolPolicy", "%q is none of allow-all, redirect-to-https, https-only", b.ViewerProtocolPolicy)
	}
	allowed := slices.Sorted(slices.Values(b.AllowedMethods))
	switch i := slices.IndexFunc(methodSets, func(set []string) bool { return slices.Equal(set, allowed) }); {
	case len(allowed) == 0:
		out.Allowed = methodSets[0]
	case i < 0:
		t.fail(at+".AllowedMethods", "%s must be GET and HEAD, GET, HEAD and OPTIONS, or all seven", strings.Join(b.AllowedMethods, ", "))
	case i < 2:
		out.Allowed = methodSets[i]
	}
	if slices.Contains(b.CachedMethods, "OPTIONS") {
		out.Cached = []string{"OPTIONS"}
	}
	t.caching(&out, b, at)
	if id := b.ResponseHeadersPolicyId; id != "" {
		policy, ok := t.policies.Respond(id)
		if !ok {
			t.fail(at+".ResponseHeadersPolicyId", "%q is no AWS::CloudFront::ResponseHeadersPolicy of this stack, and none of Amazon's", id)
		}
		out.Respond = &policy
	}
	for i, id := range b.TrustedKeyGroups {
		keys, ok := t.policies.Signers(id)
		if !ok {
			t.fail(fmt.Sprintf("%s.TrustedKeyGroups[%d]", at, i), "%q is no AWS::CloudFront::KeyGroup of this stack", id)
		}
		out.Signers = append(out.Signers, keys...)
	}
	t.refuse(at+".TrustedSigners", b.TrustedSigners, "keys are not accounts': write an AWS::CloudFront::KeyGroup and name it under TrustedKeyGroups")
	t.refuse(at+".LambdaFunctionAssociations", b.LambdaFunctionAssociations, "functions are not run at the edge; let the function of the origin do it, or a response headers policy")
	t.refuse(at+".FunctionAssociations", b.FunctionAssociations, "functions are not run at the edge; let the function of the origin do it, or a response headers policy")
	t.refuse(at+".FieldLevelEncryptionId", b.FieldLevelEncryptionId, "fields would reach the origin as they are")
	t.refuse(at+".SmoothStreaming", b.SmoothStreaming, "the format is not served; store what players ask for")
	return out
}

// caching reads a behaviour's policies, or the values that were written in their
// place before there were any.
func (t *translation) caching(out *edge.Behaviour, b behaviour, at string) {
	switch {
	case b.CachePolicyId != "" && b.ForwardedValues != nil:
		t.fail(at+".ForwardedValues", "it does not go with a CachePolicyId; leave one of them out")
	case b.CachePolicyId != "":
		policy, ok := t.policies.Cache(b.CachePolicyId)
		if !ok {
			t.fail(at+".CachePolicyId", "%q is no AWS::CloudFront::CachePolicy of this stack, and none of Amazon's", b.CachePolicyId)
		}
		if !b.Compress {
			policy.Encodings = nil
		}
		out.Cache = &policy
		if b.MinTTL != nil || b.DefaultTTL != nil || b.MaxTTL != nil {
			t.idle(at+".DefaultTTL", "the cache policy says for how long responses are stored")
		}
	case b.ForwardedValues != nil:
		t.forwarded(out, b, at)
	default:
		t.fail(at+".CachePolicyId", "it is required, or ForwardedValues; for nothing to be stored it is CachingDisabled, 4135ea2d-6df8-44a3-9df3-4b5a84be39ad")
	}
	if id := b.OriginRequestPolicyId; id != "" && b.ForwardedValues == nil {
		policy, ok := t.policies.Forward(id)
		if !ok {
			t.fail(at+".OriginRequestPolicyId", "%q is no AWS::CloudFront::OriginRequestPolicy of this stack, and none of Amazon's", id)
		}
		out.Forward = &policy
	} else if id != "" {
		t.fail(at+".OriginRequestPolicyId", "it goes with a CachePolicyId only")
	}
}

// dropped are headers that CloudFront keeps to itself unless ForwardedValues names
// them. It would drop Authorization too, of GET and HEAD requests; here it reaches
// the origin, and what it answers is stored for nobody else.
var dropped = []string{"Accept", "Accept-Charset", "Accept-Language", "Host", "Referer", "User-Agent", "X-Http-Method-Override", "X-Real-Ip"}

func (t *translation) forwarded(out *edge.Behaviour, b behaviour, at string) {
	v, inside := b.ForwardedValues, at+".ForwardedValues"
	policy := cache.Policy{
		MinTTL: t.seconds(at+".MinTTL", b.MinTTL, 0), DefaultTTL: t.seconds(at+".DefaultTTL", b.DefaultTTL, 24*time.Hour), MaxTTL: t.seconds(at+".MaxTTL", b.MaxTTL, year),
	}
	t.ordered(at, &policy, b.DefaultTTL != nil, b.MaxTTL != nil)
	if b.Compress {
		policy.Encodings = []string{"gzip"}
	}
	mode := v.Cookies.Forward
	if mode == "" {
		mode = cache.None
	}
	policy.Cookies = t.selection(inside+".Cookies.Forward", mode, v.Cookies.WhitelistedNames, cache.None, cache.Only, cache.All)
	forward := edge.Forward{Cookies: policy.Cookies}
	switch {
	case v.QueryString == nil:
		t.fail(inside+".QueryString", "it is required")
	case !*v.QueryString && len(v.QueryStringCacheKeys) > 0:
		t.fail(inside+".QueryStringCacheKeys", "it goes with QueryString: true only")
	case !*v.QueryString:
	case len(v.QueryStringCacheKeys) > 0:
		policy.Query, forward.Query = only(v.QueryStringCacheKeys...), all
	default:
		policy.Query, forward.Query = all, all
	}
	listed := canonical(v.Headers)
	if slices.Contains(listed, "*") {
		policy = cache.Policy{Query: policy.Query, Cookies: policy.Cookies} // all differ, so nothing can be stored
		forward.Headers = all
	} else {
		if len(listed) > 0 {
			policy.Headers = only(listed...)
		}
		rest := slices.DeleteFunc(slices.Clone(dropped), func(name string) bool { return slices.Contains(listed, name) })
		forward.Headers = cache.Selection{Mode: cache.Except, Names: rest}
	}
	out.Cache, out.Forward = &policy, &forward
}

// bucketHost is where Amazon has a bucket: by itself, in a region, or as a website.
var bucketHost = regexp.MustCompile(`^([a-z0-9][a-z0-9.-]*?)\.s3(-website)?(?:[.-][a-z0-9-]+)*\.(?:amazonaws\.com|localhost)$`)

// bucketOf is the bucket that a host name is of.
func bucketOf(host string) (bucket string, website, ok bool) {
	m := bucketHost.FindStringSubmatch(strings.ToLower(host))
	if m == nil {
		return "", false, false
	}
	return m[1], m[2] != "", true
}
