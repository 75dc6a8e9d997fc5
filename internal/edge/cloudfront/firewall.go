package cloudfront

import (
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge/waf"
)

// Protected is what names a thing of AWS WAF: Name, ID and ARN are found by the
// caller, who knows what it was called before.
type Protected struct{ Stack, Name, ID, ARN string }

func (f *Findings) scoped(scope string) {
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
	f.scoped(in.Scope)
	out := waf.WebACL{
		Stack: of.Stack, Name: of.Name, ID: of.ID, ARN: of.ARN, Description: in.Description, Rules: in.Rules,
		VisibilityConfig: in.VisibilityConfig, CustomResponseBodies: in.CustomResponseBodies, TokenDomains: in.TokenDomains,
	}
	if in.DefaultAction == nil {
		f.fail("DefaultAction", "it is required")
	} else {
		out.DefaultAction = *in.DefaultAction
	}
	if len(f.Wrong) == 0 {
		f.judged(out)
	}
	slices.SortStableFunc(out.Rules, func(a, b waf.Rule) int { return a.Priority - b.Priority })
	return out, f
}

// judged asks the firewall what it makes of a web ACL: first without rules and then of
// one rule after the other, so that what is wrong has its place.
func (f *Findings) judged(acl waf.WebACL) {
	rules := acl.Rules
	ask := func(path string, rules []waf.Rule) {
		if len(f.Wrong) == 0 || path != "" {
			acl.Rules = rules
			f.said(path, waf.Check([]waf.WebACL{acl}, nil, nil))
		}
	}
	if ask("", nil); len(f.Wrong) > 0 {
		return
	}
	for i := range rules {
		ask(fmt.Sprintf("Rules[%d]", i), rules[i:i+1])
	}
	ask("", rules)
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
	f.scoped(in.Scope)
	out := waf.IPSet{
		Stack: of.Stack, Name: of.Name, ID: of.ID, ARN: of.ARN, Description: in.Description,
		IPAddressVersion: in.IPAddressVersion, Addresses: in.Addresses,
	}
	if len(f.Wrong) == 0 {
		f.said("", waf.Check(nil, []waf.IPSet{out}, nil))
	}
	return out, f
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
	f.scoped(in.Scope)
	out := waf.RegexPatternSet{Stack: of.Stack, Name: of.Name, ID: of.ID, ARN: of.ARN, Description: in.Description}
	for _, text := range in.RegularExpressionList {
		out.RegularExpressionList = append(out.RegularExpressionList, waf.Pattern{RegexString: text})
	}
	if len(f.Wrong) == 0 {
		f.said("", waf.Check(nil, nil, []waf.RegexPatternSet{out}))
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
