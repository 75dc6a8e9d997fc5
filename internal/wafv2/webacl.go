package wafv2

import (
	"context"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/wire"
)

// Body is what a web ACL is beside its name.
type Body struct {
	DefaultAction        waf.Action
	Description          string
	Rules                []waf.Rule
	VisibilityConfig     waf.Visibility
	CustomResponseBodies map[string]waf.CustomResponseBody
	TokenDomains         []string
}

func (b *Body) into(a *waf.WebACL) {
	a.DefaultAction, a.Description, a.Rules, a.VisibilityConfig = b.DefaultAction, b.Description, b.Rules, b.VisibilityConfig
	a.CustomResponseBodies, a.TokenDomains = b.CustomResponseBodies, b.TokenDomains
}

// CreateWebACLInput makes a web ACL.
type CreateWebACLInput struct {
	Name, Scope string
	Tags        []Tag
	Body
}

// CreateWebACL makes a web ACL.
func (f *Firewalls) CreateWebACL(ctx context.Context, in CreateWebACLInput) (SummaryOutput, error) {
	a := waf.WebACL{Name: in.Name}
	in.into(&a)
	return webACLs.create(ctx, f, in.Scope, a)
}

// WebACL is a web ACL with what is worked out of it.
type WebACL struct {
	waf.WebACL
	Capacity       int64
	LabelNamespace string
}

// GetWebACLOutput is a web ACL and its lock token.
type GetWebACLOutput struct {
	WebACL    WebACL
	LockToken string
}

// GetWebACL returns a web ACL.
func (f *Firewalls) GetWebACL(_ context.Context, in Ref) (GetWebACLOutput, error) {
	_, found, err := webACLs.find(f, in)
	if err != nil {
		return GetWebACLOutput{}, err
	}
	out := WebACL{WebACL: webACLs.shown(*found), LabelNamespace: "awswaf:" + arn.Account + ":webacl:" + found.Name + ":"}
	out.Capacity = capacity(found.Rules)
	return GetWebACLOutput{out, token(*found)}, nil
}

func capacity(rules []waf.Rule) (n int64) {
	for i := range rules {
		n += waf.Capacity(&rules[i].Statement)
	}
	return n
}

// UpdateWebACLInput makes a web ACL another.
type UpdateWebACLInput struct {
	Ref
	Body
}

// UpdateWebACL makes a web ACL another.
func (f *Firewalls) UpdateWebACL(ctx context.Context, in UpdateWebACLInput) (NextOutput, error) {
	return webACLs.update(ctx, f, in.Ref, in.into)
}

// DeleteWebACL removes a web ACL that no distribution has.
func (f *Firewalls) DeleteWebACL(ctx context.Context, in Ref) (Empty, error) {
	return webACLs.remove(ctx, f, in)
}

// ListWebACLsOutput is a page of web ACLs.
type ListWebACLsOutput struct {
	WebACLs    []Summary
	NextMarker string `json:",omitempty"`
}

// ListWebACLs lists the web ACLs of a scope.
func (f *Firewalls) ListWebACLs(_ context.Context, in ListInput) (out ListWebACLsOutput, err error) {
	out.WebACLs, out.NextMarker, err = webACLs.list(f, in)
	return out, err
}

// CheckCapacityInput asks how many capacity units rules take.
type CheckCapacityInput struct {
	Scope string
	Rules []waf.Rule
}

// CheckCapacityOutput is how many.
type CheckCapacityOutput struct{ Capacity int64 }

// CheckCapacity counts the capacity units of rules.
func (f *Firewalls) CheckCapacity(_ context.Context, in CheckCapacityInput) (CheckCapacityOutput, error) {
	return CheckCapacityOutput{capacity(in.Rules)}, checkScope(in.Scope)
}

// TimeWindow is a time.
type TimeWindow struct{ StartTime, EndTime wire.Time }

// GetSampledRequestsInput asks for requests that a rule has matched.
type GetSampledRequestsInput struct {
	WebAclArn      string
	RuleMetricName string
	Scope          string
	TimeWindow     TimeWindow
	MaxItems       int
}

// SampledHeader is a header.
type SampledHeader struct{ Name, Value string }

// HTTPRequest is a request as samples have it.
type HTTPRequest struct {
	ClientIP    string
	Method      string
	URI         string
	HTTPVersion string
	Headers     []SampledHeader
}

// SampledRequest is a request that a rule has matched.
type SampledRequest struct {
	Request                 HTTPRequest
	Timestamp               wire.Time
	Action                  string
	Weight                  int64
	RuleNameWithinRuleGroup string      `json:",omitempty"`
	Labels                  []waf.Label `json:",omitempty"`
	ResponseCodeSent        int         `json:",omitempty"`
}

// GetSampledRequestsOutput is the last of them.
type GetSampledRequestsOutput struct {
	SampledRequests []SampledRequest
	PopulationSize  int64
	TimeWindow      TimeWindow
}

// GetSampledRequests returns requests that a rule has matched within a time. Each
// stands for itself.
func (f *Firewalls) GetSampledRequests(_ context.Context, in GetSampledRequestsInput) (GetSampledRequestsOutput, error) {
	out := GetSampledRequestsOutput{TimeWindow: in.TimeWindow, SampledRequests: []SampledRequest{}}
	if in.MaxItems < 1 || in.MaxItems > 500 || !in.TimeWindow.StartTime.Before(in.TimeWindow.EndTime.Time) {
		return out, fault.Coded(fault.Invalid, "WAFInvalidParameterException", "MaxItems is from 1 to 500, and TimeWindow begins before it ends")
	}
	samples, err := f.Sampler.Samples(in.WebAclArn, in.RuleMetricName, in.TimeWindow.StartTime.Time)
	if err != nil {
		return out, err
	}
	for _, s := range samples {
		if s.At.After(in.TimeWindow.EndTime.Add(time.Second)) {
			continue
		}
		out.PopulationSize++
		if len(out.SampledRequests) < in.MaxItems {
			out.SampledRequests = append(out.SampledRequests, shownSample(s))
		}
	}
	return out, nil
}

func shownSample(s waf.Sample) SampledRequest {
	out := SampledRequest{Timestamp: wire.At(s.At), Action: s.Action, Weight: 1, ResponseCodeSent: s.Status}
	out.Request = HTTPRequest{ClientIP: s.Client, Method: s.Method, URI: s.URI, HTTPVersion: s.Proto, Headers: []SampledHeader{}}
	for name, values := range s.Header {
		for _, value := range values {
			out.Request.Headers = append(out.Request.Headers, SampledHeader{name, value})
		}
	}
	for _, l := range s.Labels {
		out.Labels = append(out.Labels, waf.Label{Name: l})
	}
	if parts := strings.SplitN(s.Rule, "/", 3); len(parts) == 3 {
		out.RuleNameWithinRuleGroup = parts[2]
	}
	return out
}
