package cloudfront

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/cache"
)

// managed is a policy of Amazon's own, which every account has.
type managed[T any] struct {
	id, name string
	policy   T
}

const year = 365 * 24 * time.Hour

var (
	all        = cache.Selection{Mode: cache.All}
	compressed = []string{"br", "gzip"}
)

func only(names ...string) cache.Selection { return cache.Selection{Mode: cache.Only, Names: names} }

// managedCaches are Amazon's cache policies.
var managedCaches = []managed[cache.Policy]{
	{"658327ea-f89d-4fab-a63d-7e88639e58f6", "CachingOptimized", cache.Policy{MinTTL: time.Second, DefaultTTL: 24 * time.Hour, MaxTTL: year, Encodings: compressed}},
	{"b2884449-e4de-46a7-ac36-70bc7f1ddd6d", "CachingOptimizedForUncompressedObjects", cache.Policy{MinTTL: time.Second, DefaultTTL: 24 * time.Hour, MaxTTL: year}},
	{"4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "CachingDisabled", cache.Policy{}},
	{"08627262-05a9-4f76-9ded-b50ca2e3a84f", "Elemental-MediaPackage", cache.Policy{
		DefaultTTL: 24 * time.Hour, MaxTTL: year, Query: only("aws.manifestfilter", "end", "m", "start"), Headers: only("Origin"), Encodings: []string{"gzip"},
	}},
	{"2e54312d-136d-493c-8eb9-b001f22f67d2", "Amplify", cache.Policy{
		MinTTL: 2 * time.Second, DefaultTTL: 2 * time.Second, MaxTTL: 10 * time.Minute, Query: all, Cookies: all,
		Headers: only("Authorization", "CloudFront-Viewer-Country", "Host"), Encodings: compressed,
	}},
	{"83da9c7e-98b4-4e11-a168-04f0df8e2c65", "UseOriginCacheControlHeaders", originHeaders(cache.Selection{})},
	{"4cc15a8a-d715-48a4-82b8-cc0b614638fe", "UseOriginCacheControlHeaders-QueryStrings", originHeaders(all)},
}

func originHeaders(query cache.Selection) cache.Policy {
	return cache.Policy{
		MaxTTL: year, Query: query, Cookies: all, Encodings: compressed,
		Headers: only("Host", "Origin", "X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override"),
	}
}

// managedForwards are Amazon's origin request policies. Headers that CloudFront
// itself would add are none of a request's.
var managedForwards = []managed[edge.Forward]{
	{"216adef6-5c7f-47e4-b989-5492eafa07d3", "AllViewer", edge.Forward{Query: all, Headers: all, Cookies: all}},
	{"33f36d7e-f396-46d9-90e0-52428a34d9dc", "AllViewerAndCloudFrontHeaders-2022-06", edge.Forward{Query: all, Headers: all, Cookies: all}},
	{"b689b0a8-53d0-40ab-baf2-68738e2966ac", "AllViewerExceptHostHeader", edge.Forward{Query: all, Headers: cache.Selection{Mode: cache.Except, Names: []string{"Host"}}, Cookies: all}},
	{"59781a5b-3903-41f3-afcb-af62929ccde1", "CORS-CustomOrigin", edge.Forward{Headers: only("Origin")}},
	{"88a5eaf4-2fd4-4709-b370-b4c650ea3fcf", "CORS-S3Origin", edge.Forward{Headers: only("Access-Control-Request-Headers", "Access-Control-Request-Method", "Origin")}},
	{"775133bc-15f2-49f9-abea-afb2e0bf67d2", "Elemental-MediaTailor-PersonalizedManifests", edge.Forward{
		Query: all, Headers: only("Access-Control-Request-Headers", "Access-Control-Request-Method", "Origin", "User-Agent", "X-Forwarded-For"),
	}},
	{"bf0718e1-ba1e-49d1-88b1-f726733018ae", "HostHeaderOnly", edge.Forward{Headers: only("Host")}},
	{"acba4595-bd28-49b8-b9fe-13317c0390fa", "UserAgentRefererHeaders", edge.Forward{Headers: only("Referer", "User-Agent")}},
}

// managedResponds are Amazon's response headers policies.
var managedResponds = []managed[edge.Respond]{
	{"60669652-455b-4ae9-85a4-c4c02393f86c", "SimpleCORS", edge.Respond{CORS: simpleCORS()}},
	{"5cc3b908-e619-4b99-88e5-2cf7f45965bd", "CORS-With-Preflight", edge.Respond{CORS: preflightCORS()}},
	{"67f7725c-6f97-4210-82d7-5512b31e9d03", "SecurityHeadersPolicy", edge.Respond{Headers: securityHeaders()}},
	{"e61eb60c-9c35-4d20-a928-2b84e02af89c", "CORS-and-SecurityHeadersPolicy", edge.Respond{CORS: simpleCORS(), Headers: securityHeaders()}},
	{"eaab4381-ed33-4a86-88ca-d9558dc6cd63", "CORS-with-preflight-and-SecurityHeadersPolicy", edge.Respond{CORS: preflightCORS(), Headers: securityHeaders()}},
}

func simpleCORS() *edge.CORS {
	return &edge.CORS{Origins: []string{"*"}, Methods: []string{"GET", "HEAD"}, Headers: []string{"*"}}
}

func preflightCORS() *edge.CORS {
	return &edge.CORS{
		Origins: []string{"*"}, Methods: []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"},
		Headers: []string{"*"}, Expose: []string{"*"},
	}
}

func securityHeaders() []edge.Header {
	return []edge.Header{
		{Name: "Referrer-Policy", Value: "strict-origin-when-cross-origin"},
		{Name: "Strict-Transport-Security", Value: "max-age=31536000"},
		{Name: "X-Content-Type-Options", Value: "nosniff", Override: true},
		{Name: "X-Frame-Options", Value: "SAMEORIGIN"},
		{Name: "X-XSS-Protection", Value: "1; mode=block"},
	}
}

// Policies are those that behaviours name, and the keys of private content: those
// of a stack, by id, and Amazon's own, which are always there.
type Policies struct {
	Caches   map[string]cache.Policy
	Forwards map[string]edge.Forward
	Responds map[string]edge.Respond
	Keys     map[string]edge.PublicKey
	Groups   map[string][]string // ids of keys
	// Certificates are ARNs of those that the platform gets.
	Certificates map[string]bool
}

// Cache finds a cache policy by its id, or one of Amazon's by its name.
func (p *Policies) Cache(id string) (cache.Policy, bool) { return find(managedCaches, p.Caches, id) }

// Forward finds an origin request policy likewise.
func (p *Policies) Forward(id string) (edge.Forward, bool) {
	return find(managedForwards, p.Forwards, id)
}

// Respond finds a response headers policy likewise.
func (p *Policies) Respond(id string) (edge.Respond, bool) {
	return find(managedResponds, p.Responds, id)
}

// Signers finds the key, or the keys of the group, with an id.
func (p *Policies) Signers(id string) ([]edge.PublicKey, bool) {
	if k, ok := p.Keys[id]; ok {
		return []edge.PublicKey{k}, true
	}
	var list []edge.PublicKey
	for _, key := range p.Groups[id] {
		list = append(list, p.Keys[key])
	}
	return list, len(list) > 0
}

func find[T any](ours []managed[T], theirs map[string]T, id string) (T, bool) {
	for _, m := range ours {
		if id == m.id || strings.TrimPrefix(id, "Managed-") == m.name {
			return m.policy, true
		}
	}
	policy, ok := theirs[id]
	return policy, ok
}

// names are what there is to choose from: Amazon's policies of a kind.
func names[T any](ours []managed[T]) string {
	list := map[string]bool{}
	for _, m := range ours {
		list[m.name] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(list)), ", ")
}

// CacheNames, ForwardNames and RespondNames are Amazon's policies, for messages.
var (
	CacheNames   = names(managedCaches)
	ForwardNames = names(managedForwards)
	RespondNames = names(managedResponds)
)

// AddCertificate says that the platform gets the certificate with an ARN.
func (p *Policies) AddCertificate(at string) { put(&p.Certificates, at, true) }
