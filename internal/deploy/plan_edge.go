package deploy

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/cache"
	"github.com/dropstack/dropstack/internal/edge/cloudfront"
	"github.com/dropstack/dropstack/internal/spec"
)

// front turns what a service says of distributions and firewalls into what the edge
// has, and gathers what is wrong with it.
type front struct {
	svc      *spec.Service
	policies cloudfront.Policies
	places   map[string]spec.Pos // of distributions, by id
	wrong    []spec.Problem
	idle     []spec.Problem // what has no effect
}

func (f *front) fail(pos spec.Pos, format string, args ...any) {
	f.wrong = append(f.wrong, spec.Problem{Pos: pos, Message: fmt.Sprintf(format, args...)})
}

// addEdge adds the service's distributions and web ACLs.
func (r *Revision) addEdge(svc *spec.Service) *front {
	f := &front{svc: svc, places: map[string]spec.Pos{}}
	f.resources(r)
	f.apiCloudFront(r)
	for _, d := range svc.Distributions {
		out := f.distribution(r, d)
		r.Distributions, f.places[out.ID] = append(r.Distributions, out), d.Pos
	}
	return f
}

// edge asks what distributions and web ACLs mean.
func (c *checker) edge() {
	r := &Revision{Stack: c.svc.Stack(), Service: c.svc.Name, Stage: c.svc.Stage, Region: c.svc.Region}
	for _, fn := range c.svc.Functions {
		for n, e := range fn.Events {
			if e.HTTP != nil || e.HTTPAPI != nil {
				r.addEvent(c.svc, fn, n, e) // what may have a web ACL, or be an origin
			}
		}
	}
	f := r.addEdge(c.svc)
	c.svc.Warnings = append(c.svc.Warnings, f.idle...)
	if c.problems = append(c.problems, f.wrong...); len(f.wrong) > 0 {
		return // the rest would be a consequence
	}
	for i, d := range r.Distributions {
		if err := edge.Check(r.Distributions[i : i+1]); err != nil {
			c.report(f.places[d.ID], "%v", err)
		}
	}
	if err := edge.Check(r.Distributions); err != nil && len(c.problems) == 0 {
		c.report(f.places[r.Distributions[len(r.Distributions)-1].ID], "%v", err)
	}
}

func (f *front) distribution(r *Revision, d spec.Distribution) edge.Distribution {
	id := r.Stack + "-" + d.Name
	out := edge.Distribution{
		Stack: r.Stack, ID: id, Domain: arn.DistributionDomain(id), Aliases: d.Aliases, Default: d.Default, Disabled: d.Disabled,
		Comment: d.Comment, Root: d.Root, HTTP3: d.HTTP3, WebACL: f.webACL(r, d.WebACL),
	}
	for _, o := range d.Origins {
		out.Origins = append(out.Origins, f.origin(o))
	}
	for _, g := range d.Groups {
		out.Groups = append(out.Groups, edge.OriginGroup{ID: g.ID, Members: g.Members, Statuses: g.Statuses})
	}
	for _, b := range d.Behaviours {
		out.Behaviours = append(out.Behaviours, f.behaviour(b))
	}
	for _, e := range d.Errors {
		out.Errors = append(out.Errors, edge.ErrorPage(e))
	}
	if d.Log != nil {
		out.Log = new(edge.LogTo(*d.Log))
	}
	if d.Certificate != nil {
		out.Certificate = new(edge.Certificate(*d.Certificate))
	}
	return out
}

// webACL is the ARN of the web ACL that is named: by a word, by the name of one of
// the service, or by what Ref and Fn::GetAtt give.
func (f *front) webACL(r *Revision, w spec.Named) string {
	switch name := w.Name; {
	case name == "" || name == edge.DefaultWebACL:
		return edge.DefaultWebACL
	case name == "none":
		return ""
	case strings.HasPrefix(name, "arn:"):
		if a, err := arn.Parse(name); err != nil || a.Service != "wafv2" || !strings.Contains(a.Resource, "/webacl/") {
			f.fail(w.Pos, "webACL: %s is not the ARN of a web ACL", name)
		}
		return name
	default:
		for _, acl := range r.WebACLs {
			if bare, _, _ := strings.Cut(name, "|"); acl.Name == bare {
				return acl.ARN
			}
		}
		f.fail(w.Pos, "webACL: %q is none of this service's web ACLs; another stack's is named by its ARN, and there are default and none", name)
		return ""
	}
}

// stack is the stack of a service at this one's stage; "" is this one's.
func (f *front) stack(service string) string {
	if service == "" {
		return f.svc.Stack()
	}
	return service + "-" + f.svc.Stage
}

func (f *front) origin(o spec.Origin) edge.Origin {
	out := edge.Origin{
		ID: o.ID, API: o.API, Bucket: o.Bucket, Domain: o.Domain, Path: o.Path, Protocol: o.Protocol, HTTPPort: o.HTTPPort, HTTPSPort: o.HTTPSPort,
		Headers: headers(o.Headers), Attempts: o.Attempts, ConnectTimeout: o.ConnectTimeout, Timeout: o.Timeout, KeepAlive: o.KeepAlive,
	}
	if cmp.Or(o.API, o.Bucket, o.Domain) == "" {
		out.Stack = f.stack(o.Service)
	}
	return out
}

func headers(list []spec.Header) (out []edge.Header) {
	for _, h := range list {
		out = append(out, edge.Header(h))
	}
	return out
}

func (f *front) behaviour(b spec.Behaviour) edge.Behaviour {
	out := edge.Behaviour{
		Path: b.Path, Methods: b.Methods, Origin: cmp.Or(b.Origin, f.stack(b.Service)), Viewer: b.Viewer, Cached: b.Cached, MaxBody: b.MaxBody,
		Cache: f.cache(b.Cache), Forward: f.forward(b), Respond: f.respond(b.Respond),
	}
	if b.Upload != nil {
		out.Upload = new(edge.Upload(*b.Upload))
	}
	if b.Firewall != nil {
		out.Firewall = new(edge.Firewall(*b.Firewall))
	}
	for _, s := range b.Signers {
		if s.PEM != "" {
			out.Signers = append(out.Signers, edge.PublicKey{ID: s.ID, PEM: s.PEM})
			continue
		}
		keys, ok := f.policies.Signers(s.ID)
		if !ok {
			f.fail(s.Pos, "signers: %q is none of this service's keys and groups of keys", s.ID)
		}
		out.Signers = append(out.Signers, keys...)
	}
	return out
}

// cache is a behaviour's policy. cache: true lets origins say what may be stored:
// nothing that they are silent about, and all of a request reaches them.
func (f *front) cache(c *spec.Cache) *cache.Policy {
	switch {
	case c == nil:
		return nil
	case c.Origin:
		return &cache.Policy{MaxTTL: c.MaxTTL, Query: cache.Selection{Mode: cache.All}, Encodings: []string{"br", "gzip", "zstd"}}
	case c.Name != "":
		policy, ok := f.policies.Cache(c.Name)
		if !ok {
			f.fail(c.Pos, "cache: %q is none of this service's cache policies, and none of %s", c.Name, cloudfront.CacheNames)
		}
		return &policy
	}
	return &cache.Policy{
		MinTTL: c.MinTTL, DefaultTTL: c.DefaultTTL, MaxTTL: c.MaxTTL, Encodings: c.Encodings,
		Query: cache.Selection(c.Query), Headers: cache.Selection(c.Headers), Cookies: cache.Selection(c.Cookies),
	}
}

func (f *front) forward(b spec.Behaviour) *edge.Forward {
	switch c := b.Forward; {
	case c == nil && b.Cache != nil && b.Cache.Origin:
		all := cache.Selection{Mode: cache.All}
		return &edge.Forward{Query: all, Headers: all, Cookies: all}
	case c == nil:
		return nil
	case c.Name != "":
		policy, ok := f.policies.Forward(c.Name)
		if !ok {
			f.fail(c.Pos, "forward: %q is none of this service's origin request policies, and none of all, %s", c.Name, cloudfront.ForwardNames)
		}
		return &policy
	default:
		return &edge.Forward{Query: cache.Selection(c.Query), Headers: cache.Selection(c.Headers), Cookies: cache.Selection(c.Cookies)}
	}
}

func (f *front) respond(c *spec.Respond) *edge.Respond {
	switch {
	case c == nil:
		return nil
	case c.Name != "":
		policy, ok := f.policies.Respond(c.Name)
		if !ok {
			f.fail(c.Pos, "respond: %q is none of this service's response headers policies, and none of %s", c.Name, cloudfront.RespondNames)
		}
		return &policy
	}
	out := &edge.Respond{Headers: headers(c.Headers), Remove: c.Remove, Timing: c.Timing}
	if c.CORS != nil {
		out.CORS = new(edge.CORS(*c.CORS))
	}
	return out
}
