package cloudfront

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/edge/cache"
)

// put keeps a thing of a stack under its id.
func put[T any](m *map[string]T, id string, thing T) {
	if *m == nil {
		*m = map[string]T{}
	}
	(*m)[id] = thing
}

// AddCache reads an AWS::CloudFront::CachePolicy.
func (p *Policies) AddCache(id string, props map[string]any) (f Findings) {
	var in struct{ CachePolicyConfig cachePolicy }
	f.decode("", props, &in)
	c, at := in.CachePolicyConfig, "CachePolicyConfig"
	f.need(at+".Name", c.Name)
	out := cache.Policy{
		MinTTL: f.seconds(at+".MinTTL", c.MinTTL, 0), DefaultTTL: f.seconds(at+".DefaultTTL", c.DefaultTTL, 24*time.Hour), MaxTTL: f.seconds(at+".MaxTTL", c.MaxTTL, year),
	}
	f.ordered(at, &out, c.DefaultTTL != nil, c.MaxTTL != nil)
	key, inside := c.ParametersInCacheKeyAndForwardedToOrigin, at+".ParametersInCacheKeyAndForwardedToOrigin"
	out.Cookies = f.cookies(inside, key.CookiesConfig)
	out.Query = f.queryStrings(inside, key.QueryStringsConfig)
	out.Headers = f.headers(inside, key.HeadersConfig, cache.None, cache.Only)
	if key.EnableAcceptEncodingBrotli {
		out.Encodings = append(out.Encodings, "br")
	}
	if key.EnableAcceptEncodingGzip {
		out.Encodings = append(out.Encodings, "gzip")
	}
	put(&p.Caches, id, out)
	return f
}

// seconds is a number of seconds; otherwise is what it is unless said.
func (f *Findings) seconds(path string, n *int64, otherwise time.Duration) time.Duration {
	if n == nil {
		return otherwise
	}
	if *n < 0 || *n > int64(100*year/time.Second) {
		f.fail(path, "it must be a number of seconds, not %d", *n)
		return otherwise
	}
	return time.Duration(*n) * time.Second
}

// ordered has times that are not said follow those that are, as CloudFront does, and
// refuses the wrong order.
func (f *Findings) ordered(path string, p *cache.Policy, normal, most bool) {
	if !normal {
		p.DefaultTTL = max(p.DefaultTTL, p.MinTTL)
		if most {
			p.DefaultTTL = min(p.DefaultTTL, p.MaxTTL)
		}
	}
	if !most {
		p.MaxTTL = max(p.MaxTTL, p.DefaultTTL)
	}
	if p.MinTTL > p.DefaultTTL || p.DefaultTTL > p.MaxTTL {
		f.fail(path+".MinTTL", "MinTTL is at most DefaultTTL, and that at most MaxTTL; they are %d, %d and %d", p.MinTTL/time.Second, p.DefaultTTL/time.Second, p.MaxTTL/time.Second)
	}
}

func (f *Findings) cookies(path string, c cookies) cache.Selection {
	return f.selection(path+".CookiesConfig.CookieBehavior", c.CookieBehavior, c.Cookies, cache.None, cache.Only, cache.Except, cache.All)
}

func (f *Findings) queryStrings(path string, q queryStrings) cache.Selection {
	return f.selection(path+".QueryStringsConfig.QueryStringBehavior", q.QueryStringBehavior, q.QueryStrings, cache.None, cache.Only, cache.Except, cache.All)
}

func (f *Findings) headers(path string, h headers, modes ...string) cache.Selection {
	return f.selection(path+".HeadersConfig.HeaderBehavior", h.HeaderBehavior, h.Headers, modes...)
}

func (f *Findings) selection(path, mode string, list []string, modes ...string) cache.Selection {
	switch {
	case !slices.Contains(modes, mode):
		f.fail(path, "%q is none of %s", mode, strings.Join(modes, ", "))
	case (mode == cache.Only || mode == cache.Except) && len(list) == 0:
		f.fail(path, "%s wants a list of names", mode)
	case mode == cache.None:
		return cache.Selection{}
	}
	return cache.Selection{Mode: mode, Names: list}
}

// AddForward reads an AWS::CloudFront::OriginRequestPolicy.
func (p *Policies) AddForward(id string, props map[string]any) (f Findings) {
	const viewer, more = "allViewer", "allViewerAndWhitelistCloudFront"
	var in struct{ OriginRequestPolicyConfig originRequestPolicy }
	f.decode("", props, &in)
	c, at := in.OriginRequestPolicyConfig, "OriginRequestPolicyConfig"
	f.need(at+".Name", c.Name)
	out := edge.Forward{Cookies: f.cookies(at, c.CookiesConfig), Query: f.queryStrings(at, c.QueryStringsConfig)}
	out.Headers = f.headers(at, c.HeadersConfig, cache.None, cache.Only, viewer, more, cache.Except)
	if out.Headers.Mode == more {
		f.idle(at+".HeadersConfig.Headers", "of what CloudFront adds itself, nothing is known here but what every request has")
	}
	if out.Headers.Mode == viewer || out.Headers.Mode == more {
		out.Headers = all
	}
	put(&p.Forwards, id, out)
	return f
}

// AddRespond reads an AWS::CloudFront::ResponseHeadersPolicy.
func (p *Policies) AddRespond(id string, props map[string]any) (f Findings) {
	var in struct{ ResponseHeadersPolicyConfig responseHeadersPolicy }
	f.decode("", props, &in)
	c, at := in.ResponseHeadersPolicyConfig, "ResponseHeadersPolicyConfig"
	f.need(at+".Name", c.Name)
	out := edge.Respond{Headers: f.security(at+".SecurityHeadersConfig", c.SecurityHeadersConfig)}
	for i, h := range c.CustomHeadersConfig.Items {
		f.need(fmt.Sprintf("%s.CustomHeadersConfig.Items[%d].Header", at, i), h.Header)
		out.Headers = append(out.Headers, edge.Header{Name: h.Header, Value: h.Value, Override: h.Override})
	}
	for _, h := range c.RemoveHeadersConfig.Items {
		out.Remove = append(out.Remove, h.Header)
	}
	if cors := c.CorsConfig; cors != nil {
		out.CORS = f.cors(at+".CorsConfig", cors)
	}
	if t := c.ServerTimingHeadersConfig; t.Enabled && t.SamplingRate != nil {
		if out.Timing = *t.SamplingRate; out.Timing < 0 || out.Timing > 100 {
			f.fail(at+".ServerTimingHeadersConfig.SamplingRate", "it must be from 0 to 100, not %v", out.Timing)
		}
	}
	put(&p.Responds, id, out)
	return f
}

func (f *Findings) cors(at string, c *corsConfig) *edge.CORS {
	out := &edge.CORS{
		Origins: c.AccessControlAllowOrigins.Items, Methods: c.AccessControlAllowMethods.Items, Headers: c.AccessControlAllowHeaders.Items,
		Expose: c.AccessControlExposeHeaders.Items, Credentials: c.AccessControlAllowCredentials, Override: c.OriginOverride,
		MaxAge: f.seconds(at+".AccessControlMaxAgeSec", c.AccessControlMaxAgeSec, 0),
	}
	if slices.Contains(out.Methods, "ALL") {
		out.Methods = []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
	}
	if len(out.Origins) == 0 || len(out.Methods) == 0 {
		f.fail(at, "AccessControlAllowOrigins and AccessControlAllowMethods are required")
	}
	if out.Credentials && slices.Contains(out.Origins, "*") {
		f.fail(at+".AccessControlAllowCredentials", "it does not go with the origin *: browsers refuse it; name the origins")
	}
	return out
}

// security are the headers of SecurityHeadersConfig.
func (f *Findings) security(at string, c securityConfig) (list []edge.Header) {
	add := func(name, value string, override bool) {
		list = append(list, edge.Header{Name: name, Value: value, Override: override})
	}
	if h := c.ContentSecurityPolicy; h != nil && f.need(at+".ContentSecurityPolicy.ContentSecurityPolicy", h.ContentSecurityPolicy) {
		add("Content-Security-Policy", h.ContentSecurityPolicy, h.Override)
	}
	if h := c.ReferrerPolicy; h != nil && f.need(at+".ReferrerPolicy.ReferrerPolicy", h.ReferrerPolicy) {
		add("Referrer-Policy", h.ReferrerPolicy, h.Override)
	}
	if h := c.StrictTransportSecurity; h != nil {
		value := fmt.Sprintf("max-age=%d", h.AccessControlMaxAgeSec)
		if h.IncludeSubdomains {
			value += "; includeSubDomains"
		}
		if h.Preload {
			value += "; preload"
		}
		add("Strict-Transport-Security", value, h.Override)
	}
	if h := c.ContentTypeOptions; h != nil {
		add("X-Content-Type-Options", "nosniff", h.Override)
	}
	if h := c.FrameOptions; h != nil {
		if h.FrameOption != "DENY" && h.FrameOption != "SAMEORIGIN" {
			f.fail(at+".FrameOptions.FrameOption", "%q is neither DENY nor SAMEORIGIN", h.FrameOption)
		}
		add("X-Frame-Options", h.FrameOption, h.Override)
	}
	if h := c.XSSProtection; h != nil {
		value := "0"
		if h.Protection {
			value = "1"
			if h.ModeBlock {
				value += "; mode=block"
			} else if h.ReportUri != "" {
				value += "; report=" + h.ReportUri
			}
		}
		add("X-XSS-Protection", value, h.Override)
	}
	return list
}

// AddKey reads an AWS::CloudFront::PublicKey.
func (p *Policies) AddKey(id string, props map[string]any) (f Findings) {
	var in struct{ PublicKeyConfig publicKey }
	f.decode("", props, &in)
	c := in.PublicKeyConfig
	f.need("PublicKeyConfig.Name", c.Name)
	if f.need("PublicKeyConfig.EncodedKey", c.EncodedKey) {
		if err := checkKey(c.EncodedKey); err != nil {
			f.fail("PublicKeyConfig.EncodedKey", "%v", err)
		}
	}
	put(&p.Keys, id, edge.PublicKey{ID: id, PEM: c.EncodedKey})
	return f
}

// checkKey says why a text is no key that signatures can be checked with.
func checkKey(text string) error {
	const want = "it must be a public key as PEM, of RSA with 2048 bits or of ECDSA on P-256, as openssl rsa -pubout writes it"
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return fmt.Errorf("%s", want)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("%s: %w", want, err)
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() == 2048 {
			return nil
		}
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() {
			return nil
		}
	}
	return fmt.Errorf("%s", want)
}

// AddGroup reads an AWS::CloudFront::KeyGroup, after its keys.
func (p *Policies) AddGroup(id string, props map[string]any) (f Findings) {
	var in struct{ KeyGroupConfig keyGroup }
	f.decode("", props, &in)
	c := in.KeyGroupConfig
	f.need("KeyGroupConfig.Name", c.Name)
	if len(c.Items) == 0 {
		f.fail("KeyGroupConfig.Items", "it is required")
	}
	for i, key := range c.Items {
		if _, ok := p.Keys[key]; !ok {
			f.fail(fmt.Sprintf("KeyGroupConfig.Items[%d]", i), "%q is no AWS::CloudFront::PublicKey of this stack; name one by Ref", key)
		}
	}
	put(&p.Groups, id, c.Items)
	return f
}

// CheckAccess reads what says that a distribution may read a bucket, which the edge
// may in any case: an AWS::CloudFront::CloudFrontOriginAccessIdentity or an
// AWS::CloudFront::OriginAccessControl.
func CheckAccess(props map[string]any) (f Findings) {
	var in struct {
		CloudFrontOriginAccessIdentityConfig struct{ Comment string }
		OriginAccessControlConfig            struct{ Name, Description, OriginAccessControlOriginType, SigningBehavior, SigningProtocol string }
	}
	f.decode("", props, &in)
	if kind := in.OriginAccessControlConfig.OriginAccessControlOriginType; kind != "" && kind != "s3" && kind != "lambda" {
		f.fail("OriginAccessControlConfig.OriginAccessControlOriginType", "%q is not supported here: it is of buckets (s3) and of function URLs (lambda)", kind)
	}
	return f
}

// CheckRealtimeLog reads an AWS::CloudFront::RealtimeLogConfig. There is one stream
// of all records, which is written to in any case.
func CheckRealtimeLog(props map[string]any) (f Findings) {
	var in realtimeLog
	f.decode("", props, &in)
	f.need("Name", in.Name)
	if len(in.EndPoints) == 0 {
		f.fail("EndPoints", "it is required")
	}
	for i, e := range in.EndPoints {
		if at := e.KinesisStreamConfig.StreamArn; !strings.HasSuffix(at, ":stream/"+accesslog.Stream) {
			f.fail(fmt.Sprintf("EndPoints[%d].KinesisStreamConfig.StreamArn", i), "%q is not a stream here: records go to arn:aws:kinesis:REGION:ACCOUNT:stream/%s, which functions read", at, accesslog.Stream)
		}
	}
	if len(in.Fields) > 0 {
		f.idle("Fields", "records have all fields")
	}
	if in.SamplingRate != 0 && in.SamplingRate != 100 {
		f.idle("SamplingRate", "records are of all requests")
	}
	return f
}

// canonical are headers by their canonical names.
func canonical(list []string) (out []string) {
	for _, name := range list {
		out = append(out, http.CanonicalHeaderKey(name))
	}
	return out
}
