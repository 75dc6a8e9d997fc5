package api

import (
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/wafv2"
)

// Firewall is WAFv2: web ACLs and the sets that their rules refer to.
func Firewall(f *wafv2.Firewalls) *Service {
	one := func(kind string, ref wafv2.Ref) []Need {
		if ref.ARN != "" {
			return on(ref.ARN)
		}
		return on(arn.Firewall(f.Region, ref.Scope, kind, ref.Name, ref.Id))
	}
	named := func(kind string) func(wafv2.Ref) []Need { return func(in wafv2.Ref) []Need { return one(kind, in) } }
	fresh := func(kind, scope, name string) []Need { return on(arn.Firewall(f.Region, scope, kind, name, "*")) }
	acl, set, patterns := "webacl", "ipset", "regexpatternset"
	return &Service{Scope: "wafv2", Prefix: "AWSWAF_20190729.", Operations: map[string]Operation{
		"CreateWebACL": op(f.CreateWebACL, func(in wafv2.CreateWebACLInput) []Need { return fresh(acl, in.Scope, in.Name) }),
		"GetWebACL":    op(f.GetWebACL, named(acl)),
		"UpdateWebACL": op(f.UpdateWebACL, func(in wafv2.UpdateWebACLInput) []Need { return one(acl, in.Ref) }),
		"DeleteWebACL": op(f.DeleteWebACL, named(acl)),
		"ListWebACLs":  op(f.ListWebACLs, nil),

		"CreateIPSet": op(f.CreateIPSet, func(in wafv2.CreateIPSetInput) []Need { return fresh(set, in.Scope, in.Name) }),
		"GetIPSet":    op(f.GetIPSet, named(set)),
		"UpdateIPSet": op(f.UpdateIPSet, func(in wafv2.UpdateIPSetInput) []Need { return one(set, in.Ref) }),
		"DeleteIPSet": op(f.DeleteIPSet, named(set)),
		"ListIPSets":  op(f.ListIPSets, nil),

		"CreateRegexPatternSet": op(f.CreateRegexPatternSet, func(in wafv2.CreatePatternSetInput) []Need { return fresh(patterns, in.Scope, in.Name) }),
		"GetRegexPatternSet":    op(f.GetRegexPatternSet, named(patterns)),
		"UpdateRegexPatternSet": op(f.UpdateRegexPatternSet, func(in wafv2.UpdatePatternSetInput) []Need { return one(patterns, in.Ref) }),
		"DeleteRegexPatternSet": op(f.DeleteRegexPatternSet, named(patterns)),
		"ListRegexPatternSets":  op(f.ListRegexPatternSets, nil),

		"CheckCapacity": op(f.CheckCapacity, nil),
		"GetSampledRequests": op(f.GetSampledRequests, func(in wafv2.GetSampledRequestsInput) []Need {
			if in.WebAclArn == waf.Default {
				return on("*")
			}
			return on(in.WebAclArn)
		}),
	}}
}
