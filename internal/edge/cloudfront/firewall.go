package cloudfront

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/waf"
)

// Protected is what names a thing of AWS WAF: Name, ID and ARN are found by the
// caller, who knows what it was called before.
type Protected struct{ Stack, Name, ID, ARN string }

var wafName = regexp.MustCompile(`^[\w-]{1,128}$`)

// scoped checks the name and the scope of a thing of AWS WAF.
func (f *Findings) scoped(name, scope string) {
	if !wafName.MatchString(name) {
		f.fail("Name", "%q must be 1 to 128 letters, digits, - and _", name)
	}
	if scope != "CLOUDFRONT" && scope != "REGIONAL" {
		f.fail("Scope", "%q is neither CLOUDFRONT nor REGIONAL", scope)
	}
}

// WebACL reads an AWS::WAFv2::WebACL.
func WebACL(of Protected, props map[string]any) (waf.WebACL, Findings) {
	var f Findings
	var in struct {
		Name, Scope, Description string
		DefaultAction            *waf.Action
		Rules                    []waf.Rule
		VisibilityConfig         waf.Visibility
		CustomResponseBodies     map[string]waf.CustomResponseBody
		TokenDomains             []string
		Tags                     any
	}
	tree, _ := f.searched("", props).(map[string]any)
	f.decode("", tree, &in)
	f.scoped(of.Name, in.Scope)
	out := waf.WebACL{
		Stack: of.Stack, Name: of.Name, ID: of.ID, ARN: of.ARN, Description: in.Description, Rules: in.Rules,
		VisibilityConfig: in.VisibilityConfig, CustomResponseBodies: in.CustomResponseBodies, TokenDomains: in.TokenDomains,
	}
	switch a := in.DefaultAction; {
	case a == nil:
		f.fail("DefaultAction", "it is required")
	case a.Allow == nil && a.Block == nil:
		f.fail("DefaultAction", "it is Allow or Block")
	default:
		out.DefaultAction = *a
	}
	priorities, names := map[int]string{}, map[string]bool{}
	for i, r := range out.Rules {
		at := fmt.Sprintf("Rules[%d]", i)
		if other, taken := priorities[r.Priority]; taken {
			f.fail(at+".Priority", "rule %s has the priority %d too", other, r.Priority)
		}
		if names[r.Name] {
			f.fail(at+".Name", "there are two rules %q", r.Name)
		}
		priorities[r.Priority], names[r.Name] = r.Name, true
		f.rule(at, r, out.CustomResponseBodies)
	}
	slices.SortStableFunc(out.Rules, func(a, b waf.Rule) int { return a.Priority - b.Priority })
	return out, f
}

func (f *Findings) rule(at string, r waf.Rule, bodies map[string]waf.CustomResponseBody) {
	f.need(at+".Name", r.Name)
	group := r.Statement.ManagedRuleGroupStatement != nil
	switch {
	case group && (r.OverrideAction == nil || r.Action != nil):
		f.fail(at+".OverrideAction", "a rule of a group has an OverrideAction, None or Count, and no Action")
	case group && r.OverrideAction.None == nil && r.OverrideAction.Count == nil:
		f.fail(at+".OverrideAction", "it is None or Count")
	case !group && (r.Action == nil || r.OverrideAction != nil):
		f.fail(at+".Action", "a rule has an Action, Allow, Block or Count, and no OverrideAction")
	case !group && r.Action.None != nil:
		f.fail(at+".Action", "it is Allow, Block or Count")
	}
	if a := r.Action; a != nil && a.Block != nil && a.Block.CustomResponse != nil {
		if key := a.Block.CustomResponse.CustomResponseBodyKey; key != "" && bodies[key].Content == "" {
			f.fail(at+".Action.Block.CustomResponse.CustomResponseBodyKey", "there is no %q under CustomResponseBodies", key)
		}
	}
}

// searched copies a tree in which what a ByteMatchStatement looks for is written
// as bytes: a template has it as text or in base64.
func (f *Findings) searched(path string, v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = f.searched(fmt.Sprintf("%s[%d]", path, i), item)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if text, ok := v[name].(string); ok && name == "SearchStringBase64" {
				raw, err := base64.StdEncoding.DecodeString(text)
				if err != nil {
					f.fail(join(path, name), "it is not base64")
				}
				out["SearchString"] = string(raw)
				continue
			}
			out[name] = f.searched(join(path, name), v[name])
		}
		return out
	}
	return v
}

// IPSet reads an AWS::WAFv2::IPSet.
func IPSet(of Protected, props map[string]any) (waf.IPSet, Findings) {
	var f Findings
	var in struct {
		Name, Scope, Description string
		IPAddressVersion         string
		Addresses                []string
		Tags                     any
	}
	f.decode("", props, &in)
	f.scoped(of.Name, in.Scope)
	if in.IPAddressVersion != "IPV4" && in.IPAddressVersion != "IPV6" {
		f.fail("IPAddressVersion", "%q is neither IPV4 nor IPV6", in.IPAddressVersion)
	}
	if len(in.Addresses) > 10_000 {
		f.fail("Addresses", "it has %d; the limit is 10000", len(in.Addresses))
	}
	for i, a := range in.Addresses {
		switch p, err := netip.ParsePrefix(a); {
		case err != nil:
			f.fail(fmt.Sprintf("Addresses[%d]", i), "%q is no range of addresses such as 192.0.2.0/24", a)
		case p.Bits() == 0:
			f.fail(fmt.Sprintf("Addresses[%d]", i), "%s is everybody; AWS WAF does not take it", a)
		case p.Addr().Is4() != (in.IPAddressVersion == "IPV4"):
			f.fail(fmt.Sprintf("Addresses[%d]", i), "%s is not of %s", a, in.IPAddressVersion)
		}
	}
	return waf.IPSet{
		Stack: of.Stack, Name: of.Name, ID: of.ID, ARN: of.ARN, Description: in.Description,
		IPAddressVersion: in.IPAddressVersion, Addresses: in.Addresses,
	}, f
}

// PatternSet reads an AWS::WAFv2::RegexPatternSet.
func PatternSet(of Protected, props map[string]any) (waf.RegexPatternSet, Findings) {
	var f Findings
	var in struct {
		Name, Scope, Description string
		RegularExpressionList    []string
		Tags                     any
	}
	f.decode("", props, &in)
	f.scoped(of.Name, in.Scope)
	out := waf.RegexPatternSet{Stack: of.Stack, Name: of.Name, ID: of.ID, ARN: of.ARN, Description: in.Description}
	if len(in.RegularExpressionList) == 0 || len(in.RegularExpressionList) > 10 {
		f.fail("RegularExpressionList", "it has %d expressions; there are 1 to 10", len(in.RegularExpressionList))
	}
	for i, text := range in.RegularExpressionList {
		if _, err := regexp.Compile(text); err != nil {
			f.fail(fmt.Sprintf("RegularExpressionList[%d]", i), "%v", err)
		}
		out.RegularExpressionList = append(out.RegularExpressionList, waf.Pattern{RegexString: text})
	}
	return out, f
}

// Association is an AWS::WAFv2::WebACLAssociation: what has a web ACL.
type Association struct {
	WebACL       string // ARN
	Distribution string // id; or
	API, Stage   string
}

var apiStage = regexp.MustCompile(`^/(?:restapis|apis)/([a-z0-9]+)/stages/([^/]+)$`)

// Associate reads an AWS::WAFv2::WebACLAssociation.
func Associate(props map[string]any) (Association, Findings) {
	var f Findings
	var in struct{ ResourceArn, WebACLArn string }
	f.decode("", props, &in)
	f.need("ResourceArn", in.ResourceArn)
	f.need("WebACLArn", in.WebACLArn)
	out := Association{WebACL: in.WebACLArn}
	if a, err := arn.Parse(in.WebACLArn); in.WebACLArn != "" && (err != nil || a.Service != "wafv2" || !strings.Contains(a.Resource, "/webacl/")) {
		f.fail("WebACLArn", "%s is not the ARN of a web ACL", in.WebACLArn)
	}
	a, err := arn.Parse(in.ResourceArn)
	if err != nil {
		a = arn.ARN{}
	}
	stage := apiStage.FindStringSubmatch(a.Resource)
	id, ofEdge := strings.CutPrefix(a.Resource, "distribution/")
	switch {
	case in.ResourceArn == "":
	case a.Service == "apigateway" && stage != nil:
		out.API, out.Stage = stage[1], stage[2]
	case a.Service == "cloudfront" && ofEdge:
		out.Distribution = id
	default:
		f.fail("ResourceArn", "%s is neither a stage of an API (arn:aws:apigateway:REGION::/restapis/ID/stages/STAGE) nor a distribution: nothing else has a web ACL here", in.ResourceArn)
	}
	return out, f
}

// Guard is the distribution that gives an API a web ACL: it has the API's own host
// and changes nothing else.
func Guard(stack, id, api, host, webACL string) edge.Distribution {
	return edge.Distribution{
		Stack: stack, ID: id, Domain: arn.DistributionDomain(id), Aliases: []string{host}, WebACL: webACL, Comment: "the web ACL of API " + api,
		Origins: []edge.Origin{{ID: api, API: api}}, Behaviours: []edge.Behaviour{{Path: "*", Origin: api}},
	}
}
