package spec

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

// EdgeResource is a resource of CloudFront or of AWS WAF. What its properties mean
// is said by deploy.Check.
type EdgeResource struct {
	Pos        Pos
	LogicalID  string
	Type       string
	ID         string // what Ref gives, and of AWS WAF the id within it
	Name       string // of AWS WAF
	ARN        string
	Properties Tree
}

// Tree is a value in which variables and CloudFormation's functions are worked out,
// and where its parts stand.
type Tree struct {
	Value  map[string]any
	places map[string]Pos
}

// At is the place of the part with a path such as DistributionConfig.Origins[0].Id,
// or of what it would stand in.
func (t Tree) At(path string) (Pos, bool) {
	for path != "" {
		if pos, ok := t.places[path]; ok {
			return pos, true
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return Pos{}, false
}

// tree reads a value below path; what AWS::NoValue leaves out is not there.
func (r *reader) tree(t Tree, n *node, path string) any {
	n = r.vars.resolve(n)
	t.places[path] = n.pos
	if !r.spend(n) {
		return nil
	}
	switch {
	case isIntrinsic(n):
		return r.value(n, path)
	case n.kind == list:
		out := []any{}
		for i, item := range n.items {
			if v := r.tree(t, item, fmt.Sprintf("%s[%d]", path, i)); v != nil {
				out = append(out, v)
			}
		}
		return out
	case n.kind == object:
		out := map[string]any{}
		for _, f := range n.fields {
			at := strings.TrimPrefix(path+"."+f.key, ".")
			if v := r.tree(t, f.value, at); v != nil {
				out[f.key] = v
			}
			t.places[at] = f.pos
		}
		return out
	case n.kind == null || n.kind == broken:
		return nil
	}
	return n.text
}

// edgeIDs are what Ref gives for types of CloudFront: a letter that an id begins
// with, or "": it is a UUID.
var edgeIDs = map[string]string{
	"AWS::CloudFront::CachePolicy":                    "",
	"AWS::CloudFront::CloudFrontOriginAccessIdentity": "E",
	"AWS::CloudFront::KeyGroup":                       "",
	"AWS::CloudFront::OriginAccessControl":            "E",
	"AWS::CloudFront::OriginRequestPolicy":            "",
	"AWS::CloudFront::PublicKey":                      "K",
	"AWS::CloudFront::ResponseHeadersPolicy":          "",
}

// firewallKinds are how ARNs call types of AWS WAF.
var firewallKinds = map[string]string{
	"AWS::WAFv2::IPSet": "ipset", "AWS::WAFv2::RegexPatternSet": "regexpatternset", "AWS::WAFv2::WebACL": "webacl",
}

// edgeHarm are types without which requests would be let through that should not.
var edgeHarm = map[string]string{
	"AWS::WAFv2::RuleGroup": "write its rules into the AWS::WAFv2::WebACL",
	"AWS::WAF":              "it is of AWS WAF Classic; write an AWS::WAFv2::WebACL, whose statements say the same",
	"AWS::WAFRegional":      "it is of AWS WAF Classic; write an AWS::WAFv2::WebACL, whose statements say the same",
}

// nameEdge makes a resource of the edge known to Ref and Fn::GetAtt; false when its
// type is none. What it refers to is read when everything has a name.
func (r *reader) nameEdge(typ string, f field, n *node) bool {
	service := typ[:max(0, strings.LastIndex(typ, "::"))]
	if harm := cmp.Or(edgeHarm[typ], edgeHarm[service]); harm != "" {
		r.fail(f.pos, "resource %s of type %s is not supported: %s", f.key, typ, harm)
		return true
	}
	e := EdgeResource{Pos: f.pos, LogicalID: f.key, Type: typ}
	stack := r.svc.Stack()
	letter, policy := edgeIDs[typ]
	kind, guard := firewallKinds[typ]
	atts := map[string]string{}
	switch {
	case typ == "AWS::CloudFront::Distribution":
		e.ID = arn.DistributionID(stack, f.key)
		e.ARN = arn.Distribution(e.ID)
		atts["DomainName"] = arn.DistributionDomain(e.ID)
	case policy && letter == "":
		e.ID = arn.UUID(stack, typ, f.key)
	case policy:
		e.ID = letter + strings.ToUpper(arn.ID(13, stack, typ, f.key))
		atts["S3CanonicalUserId"] = strings.ReplaceAll(arn.UUID(e.ID, "user")+arn.UUID(e.ID, "of S3"), "-", "")
	case typ == "AWS::CertificateManager::Certificate":
		e.ARN = arn.ARN{Partition: "aws", Service: "acm", Region: r.svc.Region, Account: arn.Account, Resource: "certificate/" + arn.UUID(stack, typ, f.key)}.String()
	case typ == "AWS::CloudFront::RealtimeLogConfig":
		e.Name = r.property(f, n, "Name")
		e.ARN = arn.ARN{Partition: "aws", Service: "cloudfront", Account: arn.Account, Resource: "realtime-log-config/" + e.Name}.String()
	case guard:
		scope := r.property(f, n, "Scope")
		e.ID, e.Name = arn.UUID(stack, typ, f.key), cmp.Or(r.property(f, n, "Name"), stack+"-"+f.key)
		e.ARN = arn.Firewall(r.svc.Region, scope, kind, e.Name, e.ID)
		atts["LabelNamespace"] = "awswaf:" + arn.Account + ":webacl:" + e.Name + ":"
		r.names[f.key] = resource{e.Name, e.Name + "|" + e.ID + "|" + scope, atts}
	case typ == "AWS::WAFv2::WebACLAssociation":
	default:
		return false
	}
	atts["Id"], atts["Arn"] = e.ID, e.ARN
	if !guard {
		r.names[f.key] = resource{e.Name, cmp.Or(e.ID, e.ARN), atts}
	}
	i := len(r.svc.Edge)
	r.svc.Edge = append(r.svc.Edge, e)
	r.later = append(r.later, func() { r.edgeResource(&r.svc.Edge[i], n) })
	return true
}

// property looks ahead at a property that others are named after.
func (r *reader) property(f field, n *node, name string) string {
	props := r.vars.resolve(n.get("Properties"))
	if props == nil || props.kind != object || props.get(name) == nil {
		return ""
	}
	return r.value(props.get(name), "resource "+f.key+"."+name)
}

func (r *reader) edgeResource(e *EdgeResource, n *node) {
	e.Properties = Tree{Value: map[string]any{}, places: map[string]Pos{}}
	r.around(n, "resource "+e.LogicalID, func(v *node) {
		if r.is(v, object, "resource "+e.LogicalID+".Properties") {
			e.Properties.Value, _ = r.tree(e.Properties, v, "").(map[string]any)
		}
	})
}
