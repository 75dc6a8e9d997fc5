package spec

import (
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

// APIDistribution is what the plugin serverless-api-cloudfront calls the distribution
// that it makes, and the output with its domain.
const APIDistribution = "ApiDistribution"

// APICloudFront is custom.apiCloudFront: the distribution that the plugin would put in
// front of the REST API.
type APICloudFront struct {
	Pos         Pos
	Domain      []string // aliases
	Certificate string   // ARN
	Minimum     string   // protocol
	WebACL      Named    // "": none
	Compress    bool
	Log         *LogTo
	Cookies     Selection // none, all or some
	Headers     Selection // likewise; all: nothing can be stored
	Query       Selection // likewise; some: all are forwarded, and those tell responses apart
	PriceClass  string
}

// nameAPICloudFront makes the plugin's distribution known to others, when the service
// has the plugin or its settings.
func (r *reader) nameAPICloudFront(plugins, custom *node) {
	pos, there := r.hasPlugin(plugins, "serverless-api-cloudfront")
	if custom = r.vars.resolve(custom); custom != nil && custom.kind == object {
		for _, f := range custom.fields {
			if f.key == "apiCloudFront" {
				pos, there = f.pos, true
			}
		}
	}
	if !there {
		return
	}
	id := arn.DistributionID(r.svc.Stack(), APIDistribution)
	r.names[APIDistribution] = resource{id, id, map[string]string{"DomainName": arn.DistributionDomain(id), "Id": id, "Arn": arn.Distribution(id)}}
	r.svc.CloudFront = &APICloudFront{Pos: pos, Cookies: Selection{Mode: "all"}, Headers: Selection{Mode: "none"}, Query: Selection{Mode: "all"}, PriceClass: "PriceClass_All"}
}

func (r *reader) hasPlugin(n *node, name string) (Pos, bool) {
	if n != nil && n.kind == object {
		n = n.get("modules")
	}
	if n = r.vars.resolve(n); n == nil || n.kind != list {
		return Pos{}, false
	}
	for _, item := range n.items {
		if item = r.vars.resolve(item); item.kind == text && item.text == name {
			return item.pos, true
		}
	}
	return Pos{}, false
}

// apiCloudFront reads the plugin's settings as version 0.9.5 does; none are fine.
func (r *reader) apiCloudFront(custom *node) {
	c := r.svc.CloudFront
	if c == nil {
		return
	}
	const what = "custom.apiCloudFront"
	if custom = r.vars.resolve(custom); custom != nil {
		if n := r.vars.resolve(custom.get("apiCloudFront")); n != nil && n.kind != null {
			r.readAPICloudFront(c, n, what)
		}
	}
	if c.Headers.Mode == "none" {
		r.warn(c.Pos, "%s: requests reach the API whole, with Authorization, User-Agent and all other headers; CloudFront would keep them to itself with headers: none", what)
	}
	if !slices.ContainsFunc(slices.Collect(r.events()), func(e Event) bool { return e.HTTP != nil }) {
		r.fail(c.Pos, "%s needs a REST API: add an http event to a function; what is in front of an HTTP API is said by custom.dropstack.distributions", what)
	}
}

func (r *reader) readAPICloudFront(c *APICloudFront, n *node, what string) {
	var minimum *node
	some := func(into *Selection, key string, read func(*node) Selection) func(*node) {
		return func(v *node) {
			if v.kind == list {
				*into = Selection{"whitelist", r.strings(v, what+"."+key)}
			} else {
				*into = read(v)
			}
		}
	}
	r.object(n, what, keys{
		"domain": func(v *node) {
			for _, d := range r.strings(v, what+".domain") {
				if d = strings.ToLower(d); !hostName.MatchString(d) {
					r.fail(v.pos, "%s.domain %q is not a host name without scheme, port and path", what, d)
				}
				c.Domain = append(c.Domain, d)
			}
		},
		"certificate":            func(v *node) { c.Certificate = r.value(v, what+".certificate") },
		"minimumProtocolVersion": func(v *node) { c.Minimum, minimum = r.str(v, what+".minimumProtocolVersion"), v },
		"waf":                    func(v *node) { c.WebACL = Named{v.pos, r.value(v, what+".waf")} },
		"compress":               func(v *node) { c.Compress = v.kind == boolean && v.text == "true" }, // nothing else counts
		"logging":                func(v *node) { c.Log = r.apiLog(v, what+".logging") },
		"cookies": some(&c.Cookies, "cookies", func(v *node) Selection {
			return Selection{Mode: r.choice(v, what+".cookies", "all", "none")}
		}),
		"headers": some(&c.Headers, "headers", func(v *node) Selection { // whatever it is but none means all
			if r.str(v, what+".headers") == "none" {
				return Selection{Mode: "none"}
			}
			return Selection{Mode: "all"}
		}),
		"querystring": some(&c.Query, "querystring", func(v *node) Selection { // whatever it is but all means none
			if r.str(v, what+".querystring") == "all" {
				return Selection{Mode: "all"}
			}
			return Selection{Mode: "none"}
		}),
		"priceClass": func(v *node) { c.PriceClass = r.str(v, what+".priceClass") },
	}, effects{})
	if minimum != nil && c.Certificate == "" {
		r.fail(minimum.pos, "%s.minimumProtocolVersion goes with a certificate only: without one the plugin ends with a TypeError; add certificate, or leave it out", what)
	}
}

func (r *reader) apiLog(n *node, what string) *LogTo {
	to := &LogTo{}
	r.object(n, what, keys{
		"bucket": func(v *node) {
			to.Bucket, _, _ = strings.Cut(r.value(v, what+".bucket"), ".s3.") // its domain name, or its name
			r.useBucket(to.Bucket, v.pos)
		},
		"prefix": func(v *node) { to.Prefix = r.value(v, what+".prefix") },
	}, effects{})
	if to.Bucket == "" {
		if n.kind == object && n.get("bucket") == nil {
			r.fail(n.pos, "%s.bucket is missing: where do the records go?", what)
		}
		return nil
	}
	return to
}
