package deploy

import (
	"slices"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/cloudfront"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/spec"
)

// edgeOrder are the types of resources of the edge, each after those that it refers
// to.
var edgeOrder = []struct {
	typ  string
	read func(*front, *Revision, spec.EdgeResource) cloudfront.Findings
}{
	{"AWS::CertificateManager::Certificate", func(f *front, _ *Revision, e spec.EdgeResource) cloudfront.Findings {
		f.policies.AddCertificate(e.ARN)
		return cloudfront.Findings{}
	}},
	{"AWS::CloudFront::CachePolicy", func(f *front, _ *Revision, e spec.EdgeResource) cloudfront.Findings {
		return f.policies.AddCache(e.ID, e.Properties.Value)
	}},
	{"AWS::CloudFront::OriginRequestPolicy", func(f *front, _ *Revision, e spec.EdgeResource) cloudfront.Findings {
		return f.policies.AddForward(e.ID, e.Properties.Value)
	}},
	{"AWS::CloudFront::ResponseHeadersPolicy", func(f *front, _ *Revision, e spec.EdgeResource) cloudfront.Findings {
		return f.policies.AddRespond(e.ID, e.Properties.Value)
	}},
	{"AWS::CloudFront::PublicKey", func(f *front, _ *Revision, e spec.EdgeResource) cloudfront.Findings {
		return f.policies.AddKey(e.ID, e.Properties.Value)
	}},
	{"AWS::CloudFront::KeyGroup", func(f *front, _ *Revision, e spec.EdgeResource) cloudfront.Findings {
		return f.policies.AddGroup(e.ID, e.Properties.Value)
	}},
	{"AWS::CloudFront::CloudFrontOriginAccessIdentity", access},
	{"AWS::CloudFront::OriginAccessControl", access},
	{"AWS::CloudFront::RealtimeLogConfig", func(_ *front, _ *Revision, e spec.EdgeResource) cloudfront.Findings {
		return cloudfront.CheckRealtimeLog(e.Properties.Value)
	}},
	{"AWS::WAFv2::IPSet", func(_ *front, r *Revision, e spec.EdgeResource) cloudfront.Findings {
		set, found := cloudfront.IPSet(protected(r, e), e.Properties.Value)
		r.IPSets = append(r.IPSets, set)
		return found
	}},
	{"AWS::WAFv2::RegexPatternSet", func(_ *front, r *Revision, e spec.EdgeResource) cloudfront.Findings {
		set, found := cloudfront.PatternSet(protected(r, e), e.Properties.Value)
		r.PatternSets = append(r.PatternSets, set)
		return found
	}},
	{"AWS::WAFv2::WebACL", func(_ *front, r *Revision, e spec.EdgeResource) cloudfront.Findings {
		acl, found := cloudfront.WebACL(protected(r, e), e.Properties.Value)
		r.WebACLs = append(r.WebACLs, acl)
		return found
	}},
	{"AWS::CloudFront::Distribution", func(f *front, r *Revision, e spec.EdgeResource) cloudfront.Findings {
		d, found := f.policies.Distribution(r.Stack, e.ID, e.Properties.Value)
		r.Distributions = append(r.Distributions, d)
		f.places[d.ID] = e.Pos
		return found
	}},
	{"AWS::WAFv2::WebACLAssociation", (*front).associate},
}

func access(_ *front, _ *Revision, e spec.EdgeResource) cloudfront.Findings {
	return cloudfront.CheckAccess(e.Properties.Value)
}

func protected(r *Revision, e spec.EdgeResource) cloudfront.Protected {
	return cloudfront.Protected{Stack: r.Stack, Name: e.Name, ID: e.ID, ARN: e.ARN}
}

// resources adds the service's resources of CloudFront and AWS WAF.
func (f *front) resources(r *Revision) {
	for _, kind := range edgeOrder {
		for _, e := range f.svc.Edge {
			if e.Type != kind.typ {
				continue
			}
			found := kind.read(f, r, e)
			for _, w := range found.Wrong {
				f.fail(placeOf(e, w.Path), "resource %s: %s", e.LogicalID, w)
			}
			for _, w := range found.Idle {
				f.idle = append(f.idle, spec.Problem{Pos: placeOf(e, w.Path), Message: "resource " + e.LogicalID + ": " + w.Path + " has no effect: " + w.Message})
			}
		}
	}
}

func placeOf(e spec.EdgeResource, path string) spec.Pos {
	if pos, ok := e.Properties.At(path); ok {
		return pos
	}
	return e.Pos
}

// associate gives a distribution of the service, or its API, a web ACL.
func (f *front) associate(r *Revision, e spec.EdgeResource) cloudfront.Findings {
	a, found := cloudfront.Associate(e.Properties.Value)
	if len(found.Wrong) > 0 {
		return found
	}
	refuse := func(why string) cloudfront.Findings {
		return cloudfront.Findings{Wrong: []cloudfront.Finding{{Path: "ResourceArn", Message: why}}}
	}
	if a.Distribution != "" {
		i := slices.IndexFunc(r.Distributions, func(d edge.Distribution) bool { return d.ID == a.Distribution })
		switch {
		case i < 0:
			return refuse(a.Distribution + " is no distribution of this service's resources")
		case r.Distributions[i].WebACL != "" && r.Distributions[i].WebACL != a.WebACL:
			return refuse("the distribution has the web ACL " + r.Distributions[i].WebACL + " already")
		}
		r.Distributions[i].WebACL = a.WebACL
		return found
	}
	i := slices.IndexFunc(r.APIs, func(api gateway.API) bool { return api.ID == a.API })
	switch {
	case i < 0:
		return refuse(a.API + " is no API of this service")
	case r.APIs[i].Stage != a.Stage:
		return refuse("the API has the stage " + r.APIs[i].Stage + " and no " + a.Stage)
	case r.APIs[i].WebACL != "" && r.APIs[i].WebACL != a.WebACL:
		return refuse("the API has the web ACL " + r.APIs[i].WebACL + " already")
	}
	r.APIs[i].WebACL = a.WebACL
	return found
}
