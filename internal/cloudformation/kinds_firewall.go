package cloudformation

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/cloudfront"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/wire"
)

// protected names a thing of AWS WAF, whose physical id is NAME|ID|SCOPE.
func (p *plan) protected(r Resource, kind string) (cloudfront.Protected, Identity) {
	scope, _ := wire.Plain(r.Properties["Scope"])
	name, _ := wire.Plain(r.Properties["Name"])
	was := strings.Split(r.Physical, "|")
	if len(was) == 3 {
		name = cmp.Or(name, was[0])
	}
	if name == "" {
		fresh := r
		fresh.Physical = ""
		name = p.name(fresh, "", 128)
	}
	id := arn.UUID(p.stack, r.Type, r.ID)
	if len(was) == 3 && was[0] == name && was[2] == scope {
		id = was[1]
	}
	at := arn.Firewall(p.region, scope, kind, name, id)
	return cloudfront.Protected{Stack: p.stack, Name: name, ID: id, ARN: at}, Identity{
		Physical: name + "|" + id + "|" + scope, Attributes: map[string]string{"Arn": at, "Id": id},
	}
}

// webACL is AWS::WAFv2::WebACL.
func webACL(_ context.Context, p *plan, r Resource) (Identity, error) {
	of, identity := p.protected(r, "webacl")
	acl, f := cloudfront.WebACL(of, r.Properties)
	if err := p.found(r, f); err != nil {
		return Identity{}, err
	}
	p.revision.WebACLs = append(p.revision.WebACLs, acl)
	identity.Attributes["LabelNamespace"] = "awswaf:" + arn.Account + ":webacl:" + of.Name + ":"
	return identity, nil
}

// ipSet is AWS::WAFv2::IPSet.
func ipSet(_ context.Context, p *plan, r Resource) (Identity, error) {
	of, identity := p.protected(r, "ipset")
	set, f := cloudfront.IPSet(of, r.Properties)
	if err := p.found(r, f); err != nil {
		return Identity{}, err
	}
	p.revision.IPSets = append(p.revision.IPSets, set)
	return identity, nil
}

// patternSet is AWS::WAFv2::RegexPatternSet.
func patternSet(_ context.Context, p *plan, r Resource) (Identity, error) {
	of, identity := p.protected(r, "regexpatternset")
	set, f := cloudfront.PatternSet(of, r.Properties)
	if err := p.found(r, f); err != nil {
		return Identity{}, err
	}
	p.revision.PatternSets = append(p.revision.PatternSets, set)
	return identity, nil
}

// wafLogging is AWS::WAFv2::LoggingConfiguration: the rule that has ended a request
// is in the access log.
func wafLogging(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("LogDestinationConfigs", "ResourceArn")
	in.known("LoggingFilter", "RedactedFields", "ManagedByFirewallManager", "LogScope", "LogType")
	in.without = append(in.without, "it has no effect: the access log has the rule that ended a request, and its labels")
	return Identity{Physical: in.text("ResourceArn")}, in.done(p)
}

// webACLAssociation is AWS::WAFv2::WebACLAssociation.
func webACLAssociation(_ context.Context, p *plan, r Resource) (Identity, error) {
	a, f := cloudfront.Associate(r.Properties)
	if err := p.found(r, f); err != nil {
		return Identity{}, err
	}
	refuse := func(format string, args ...any) (Identity, error) {
		return Identity{}, fault.Coded(fault.Invalid, "ValidationError", "ResourceArn: "+format, args...)
	}
	at, _ := wire.Plain(r.Properties["ResourceArn"])
	identity := Identity{Physical: a.WebACL + "|" + at}
	if a.Distribution != "" {
		i := slices.IndexFunc(p.revision.Distributions, func(d edge.Distribution) bool { return d.ID == a.Distribution })
		if i < 0 {
			return refuse("%s is no distribution of this template", a.Distribution)
		}
		d := &p.revision.Distributions[i]
		if d.WebACL != "" && d.WebACL != a.WebACL {
			return refuse("distribution %s has the web ACL %s already", d.ID, d.WebACL)
		}
		d.WebACL = a.WebACL
		return identity, nil
	}
	i := slices.IndexFunc(p.revision.APIs, func(api gateway.API) bool { return api.ID == a.API })
	if i < 0 {
		return refuse("%s is no API of this template", a.API)
	}
	switch api := &p.revision.APIs[i]; {
	case api.Stage != a.Stage:
		return refuse("API %s has the stage %s and no %s", api.ID, api.Stage, a.Stage)
	case api.WebACL != "" && api.WebACL != a.WebACL:
		return refuse("API %s has the web ACL %s already", api.ID, api.WebACL)
	default:
		api.WebACL = a.WebACL
	}
	return identity, nil
}
