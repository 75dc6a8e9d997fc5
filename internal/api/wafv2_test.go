package api_test

import (
	"errors"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	"github.com/aws/aws-sdk-go-v2/service/wafv2/types"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/testkit"
)

func TestWebACLsByAWSsClient(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	c := wafv2.New(wafv2.Options{
		Region: arn.Region, BaseEndpoint: &h.url, HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1, Credentials: provider(h.keys.Admin()),
	})
	scope := types.ScopeCloudfront
	set, err := c.CreateIPSet(ctx, &wafv2.CreateIPSetInput{Name: aws.String("office"), Scope: scope, IPAddressVersion: types.IPAddressVersionIpv4, Addresses: []string{"192.0.2.0/24"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateRegexPatternSet(ctx, &wafv2.CreateRegexPatternSetInput{Name: aws.String("look-ahead"), Scope: scope, RegularExpressionList: []types.Regex{{RegexString: aws.String("a(?=b)")}}}); err == nil {
		t.Error("a pattern that cannot be was taken")
	}
	visible := func(name string) *types.VisibilityConfig {
		return &types.VisibilityConfig{MetricName: &name, SampledRequestsEnabled: true}
	}
	rules := []types.Rule{
		{
			Name: aws.String("office"), Priority: 0, Action: &types.RuleAction{Allow: &types.AllowAction{}}, VisibilityConfig: visible("office"),
			Statement: &types.Statement{IPSetReferenceStatement: &types.IPSetReferenceStatement{ARN: set.Summary.ARN}},
		},
		{
			Name: aws.String("admin"), Priority: 1, Action: &types.RuleAction{Block: &types.BlockAction{}}, VisibilityConfig: visible("adminMetric"),
			Statement: &types.Statement{ByteMatchStatement: &types.ByteMatchStatement{
				SearchString: []byte("/admin"), FieldToMatch: &types.FieldToMatch{UriPath: &types.UriPath{}}, PositionalConstraint: types.PositionalConstraintStartsWith,
				TextTransformations: []types.TextTransformation{{Priority: 0, Type: types.TextTransformationTypeLowercase}},
			}},
		},
	}
	create := &wafv2.CreateWebACLInput{
		Name: aws.String("front"), Scope: scope, DefaultAction: &types.DefaultAction{Allow: &types.AllowAction{}}, Rules: rules, VisibilityConfig: visible("front"),
	}
	acl, err := c.CreateWebACL(ctx, create)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateWebACL(ctx, create); !is[*types.WAFDuplicateItemException](err) {
		t.Errorf("created twice: %v", err)
	}
	blocks := func(client string) bool {
		return h.firewall.Decide(ctx, &waf.Request{ACL: *acl.Summary.ARN, HTTP: httptest.NewRequest("GET", "/Admin", nil), Client: netip.MustParseAddr(client)}).Block
	}
	if blocks("192.0.2.7") || !blocks("198.51.100.7") {
		t.Error("the web ACL does not hold")
	}

	samples, err := c.GetSampledRequests(ctx, &wafv2.GetSampledRequestsInput{
		WebAclArn: acl.Summary.ARN, RuleMetricName: aws.String("adminMetric"), Scope: scope, MaxItems: aws.Int64(10),
		TimeWindow: &types.TimeWindow{StartTime: aws.Time(time.Now().Add(-time.Hour)), EndTime: aws.Time(time.Now())},
	})
	if err != nil || len(samples.SampledRequests) != 1 || *samples.SampledRequests[0].Request.URI != "/Admin" || *samples.SampledRequests[0].Action != "BLOCK" {
		t.Errorf("samples %+v, %v", samples, err)
	}

	got, err := c.GetWebACL(ctx, &wafv2.GetWebACLInput{Name: create.Name, Scope: scope, Id: acl.Summary.Id})
	if err != nil || len(got.WebACL.Rules) != 2 || got.WebACL.Capacity != 13 || string(got.WebACL.Rules[1].Statement.ByteMatchStatement.SearchString) != "/admin" {
		t.Fatalf("got %+v, %v", got, err)
	}
	if capacity, err := c.CheckCapacity(ctx, &wafv2.CheckCapacityInput{Scope: scope, Rules: rules}); err != nil || capacity.Capacity != 13 {
		t.Errorf("capacity %+v, %v; want 13", capacity, err)
	}
	if _, err := c.DeleteIPSet(ctx, &wafv2.DeleteIPSetInput{Name: aws.String("office"), Scope: scope, Id: set.Summary.Id, LockToken: set.Summary.LockToken}); !is[*types.WAFAssociatedItemException](err) {
		t.Errorf("a set that a rule has was deleted: %v", err)
	}

	update := &wafv2.UpdateIPSetInput{Name: aws.String("office"), Scope: scope, Id: set.Summary.Id, LockToken: set.Summary.LockToken, Addresses: []string{"198.51.100.0/24"}}
	next, err := c.UpdateIPSet(ctx, update)
	if err != nil {
		t.Fatal(err)
	}
	if !blocks("192.0.2.7") || blocks("198.51.100.7") {
		t.Error("the set has its old addresses")
	}
	if _, err := c.UpdateIPSet(ctx, update); !is[*types.WAFOptimisticLockException](err) {
		t.Errorf("updated by an old lock token: %v", err)
	}
	if list, err := c.ListIPSets(ctx, &wafv2.ListIPSetsInput{Scope: scope}); err != nil || len(list.IPSets) != 1 || *list.IPSets[0].LockToken != *next.NextLockToken {
		t.Errorf("sets %+v, %v", list, err)
	}
	if list, err := c.ListWebACLs(ctx, &wafv2.ListWebACLsInput{Scope: types.ScopeRegional}); err != nil || len(list.WebACLs) != 0 {
		t.Errorf("of another scope: %+v, %v", list, err)
	}

	if _, err := c.UpdateWebACL(ctx, &wafv2.UpdateWebACLInput{
		Name: create.Name, Scope: scope, Id: acl.Summary.Id, LockToken: acl.Summary.LockToken, DefaultAction: &types.DefaultAction{Block: &types.BlockAction{}}, VisibilityConfig: visible("front"),
	}); err != nil {
		t.Fatal(err)
	}
	if !blocks("198.51.100.7") {
		t.Error("the web ACL is as it was")
	}
	got, err = c.GetWebACL(ctx, &wafv2.GetWebACLInput{ARN: acl.Summary.ARN})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteWebACL(ctx, &wafv2.DeleteWebACLInput{Name: create.Name, Scope: scope, Id: acl.Summary.Id, LockToken: got.LockToken}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetWebACL(ctx, &wafv2.GetWebACLInput{Name: create.Name, Scope: scope, Id: acl.Summary.Id}); !is[*types.WAFNonexistentItemException](err) {
		t.Errorf("it is there still: %v", err)
	}
	if _, err := c.DeleteIPSet(ctx, &wafv2.DeleteIPSetInput{Name: aws.String("office"), Scope: scope, Id: set.Summary.Id, LockToken: next.NextLockToken}); err != nil {
		t.Error(err)
	}
}

// is says whether err is one of AWS's by its type.
func is[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}
