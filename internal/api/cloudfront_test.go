package api_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/testkit"
)

// stored stands for what the edge has stored.
type stored struct {
	gone    []string
	failing error
}

func (s *stored) Invalidate(_ context.Context, distribution string, paths []string) error {
	if s.failing == nil {
		s.gone = append(s.gone, fmt.Sprint(distribution, paths))
	}
	return s.failing
}

// translated takes of a configuration what a distribution cannot be without.
func translated(id string, config map[string]any) (edge.Distribution, error) {
	origins, _ := config["Origins"].([]any)
	if len(origins) != 1 {
		return edge.Distribution{}, errors.New("Origins: one is needed")
	}
	origin := origins[0].(map[string]any)
	d := edge.Distribution{
		ID: id, Domain: "d.cloudfront.localhost", Disabled: config["Enabled"] != "true",
		Behaviours: []edge.Behaviour{{Path: "*", Origin: origin["Id"].(string)}},
	}
	for _, alias := range config["Aliases"].([]any) {
		d.Aliases = append(d.Aliases, alias.(string))
	}
	return d, nil
}

func (h *house) cloudfront(c iam.Credentials) *cloudfront.Client {
	return cloudfront.New(cloudfront.Options{
		Region: arn.Region, BaseEndpoint: &h.url, HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1, Credentials: provider(c),
	})
}

func wanted(reference string) *types.DistributionConfig {
	return &types.DistributionConfig{
		CallerReference: &reference, Comment: aws.String("pages & more"), Enabled: aws.Bool(true),
		Aliases: &types.Aliases{Quantity: aws.Int32(1), Items: []string{"files.example.com"}},
		Origins: &types.Origins{Quantity: aws.Int32(1), Items: []types.Origin{{
			Id: aws.String("api"), DomainName: aws.String("origin.example.com"),
			CustomHeaders: &types.CustomHeaders{Quantity: aws.Int32(1), Items: []types.OriginCustomHeader{{HeaderName: aws.String("X-A"), HeaderValue: aws.String("1")}}},
			CustomOriginConfig: &types.CustomOriginConfig{
				HTTPPort: aws.Int32(80), HTTPSPort: aws.Int32(443), OriginProtocolPolicy: types.OriginProtocolPolicyHttpsOnly,
				OriginSslProtocols: &types.OriginSslProtocols{Quantity: aws.Int32(1), Items: []types.SslProtocol{types.SslProtocolTLSv12}},
			},
		}}},
		OriginGroups: &types.OriginGroups{Quantity: aws.Int32(1), Items: []types.OriginGroup{{
			Id:               aws.String("both"),
			FailoverCriteria: &types.OriginGroupFailoverCriteria{StatusCodes: &types.StatusCodes{Quantity: aws.Int32(1), Items: []int32{503}}},
			Members:          &types.OriginGroupMembers{Quantity: aws.Int32(1), Items: []types.OriginGroupMember{{OriginId: aws.String("api")}}},
		}}},
		DefaultCacheBehavior: &types.DefaultCacheBehavior{
			TargetOriginId: aws.String("api"), ViewerProtocolPolicy: types.ViewerProtocolPolicyRedirectToHttps, Compress: aws.Bool(true),
			AllowedMethods: &types.AllowedMethods{
				Quantity: aws.Int32(2), Items: []types.Method{types.MethodGet, types.MethodHead},
				CachedMethods: &types.CachedMethods{Quantity: aws.Int32(1), Items: []types.Method{types.MethodGet}},
			},
			TrustedKeyGroups: &types.TrustedKeyGroups{Enabled: aws.Bool(true), Quantity: aws.Int32(1), Items: []string{"group"}},
			//lint:ignore SA1019 templates and clients have it still
			ForwardedValues: &types.ForwardedValues{
				QueryString: aws.Bool(true),
				Cookies:     &types.CookiePreference{Forward: types.ItemSelectionWhitelist, WhitelistedNames: &types.CookieNames{Quantity: aws.Int32(1), Items: []string{"session"}}},
			},
			//lint:ignore SA1019 likewise
			MinTTL: aws.Int64(5),
		},
		Restrictions:      &types.Restrictions{GeoRestriction: &types.GeoRestriction{RestrictionType: types.GeoRestrictionTypeBlacklist, Quantity: aws.Int32(1), Items: []string{"XX"}}},
		ViewerCertificate: &types.ViewerCertificate{ACMCertificateArn: aws.String("arn:aws:acm:us-east-1:000000000000:certificate/1"), SSLSupportMethod: types.SSLSupportMethodSniOnly},
	}
}

func TestDistributionsByAWSsClient(t *testing.T) {
	h := newHouse(t)
	c, ctx := h.cloudfront(h.keys.Admin()), t.Context()
	config := wanted("once")
	made, err := c.CreateDistribution(ctx, &cloudfront.CreateDistributionInput{DistributionConfig: config})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateDistribution(ctx, &cloudfront.CreateDistributionInput{DistributionConfig: config}); code(err) != "DistributionAlreadyExists" {
		t.Errorf("the same again: %v", err)
	}
	id := made.Distribution.Id
	got, err := c.GetDistributionConfig(ctx, &cloudfront.GetDistributionConfigInput{Id: id})
	if err != nil || *got.ETag != *made.ETag {
		t.Fatalf("get: %+v, %v", got, err)
	}
	if diff := cmp.Diff(config, got.DistributionConfig, ignoreSerde()); diff != "" {
		t.Errorf("the configuration (-want +got):\n%s", diff)
	}
	if _, err := c.DeleteDistribution(ctx, &cloudfront.DeleteDistributionInput{Id: id, IfMatch: got.ETag}); code(err) != "DistributionNotDisabled" {
		t.Errorf("delete one that is enabled: %v", err)
	}
	config.Enabled = aws.Bool(false)
	if _, err := c.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: id, IfMatch: aws.String("E1"), DistributionConfig: config}); code(err) != "PreconditionFailed" {
		t.Errorf("update another than is there: %v", err)
	}
	updated, err := c.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: id, IfMatch: got.ETag, DistributionConfig: config})
	if err != nil || *updated.ETag == *got.ETag || *updated.Distribution.DistributionConfig.Enabled {
		t.Fatalf("update: %+v, %v", updated, err)
	}
	list, err := c.ListDistributions(ctx, &cloudfront.ListDistributionsInput{})
	if err != nil || len(list.DistributionList.Items) != 1 || *list.DistributionList.Items[0].Id != *id || list.DistributionList.Items[0].Aliases.Items[0] != "files.example.com" {
		t.Fatalf("list: %+v, %v", list, err)
	}
	if _, err := c.DeleteDistribution(ctx, &cloudfront.DeleteDistributionInput{Id: id, IfMatch: updated.ETag}); err != nil {
		t.Fatalf("delete: %v", err)
	}
	if _, err := c.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: id}); code(err) != "NoSuchDistribution" {
		t.Errorf("get what is gone: %v", err)
	}
	config.Origins.Items = append(config.Origins.Items, config.Origins.Items...)
	config.Origins.Quantity = aws.Int32(2)
	if _, err := c.CreateDistribution(ctx, &cloudfront.CreateDistributionInput{DistributionConfig: config}); code(err) != "InvalidArgument" {
		t.Errorf("one that the edge does not take: %v", err)
	}
}

// TestPoliciesForDistributions: to make one is an action on a distribution, as AWS has it.
func TestPoliciesForDistributions(t *testing.T) {
	h := newHouse(t)
	makes := iam.DeclaredRole{Name: "makes", Inline: map[string]string{
		"make": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"cloudfront:CreateDistribution","Resource":"arn:aws:cloudfront::000000000000:distribution/*"}}`,
	}}
	if err := h.keys.Replace("m-dev", iam.Declaration{Roles: []iam.DeclaredRole{makes}, Functions: map[string]string{caller + "3": arn.Role("/", "makes")}}); err != nil {
		t.Fatal(err)
	}
	may, err := h.keys.Instance(caller+"3", "", "i-1")
	if err != nil {
		t.Fatal(err)
	}
	for who, c := range map[string]struct {
		by   iam.Credentials
		want string
	}{"who may": {may, ""}, "who may not": {h.function, "AccessDenied"}} {
		if _, err := h.cloudfront(c.by).CreateDistribution(t.Context(), &cloudfront.CreateDistributionInput{DistributionConfig: wanted(who)}); (err == nil) != (c.want == "") || err != nil && code(err) != c.want {
			t.Errorf("%s: %v", who, err)
		}
	}
}

func ignoreSerde() cmp.Option {
	return cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".noSmithyDocumentSerde" }, cmp.Ignore())
}

func TestADistributionOfAStackIsChangedThere(t *testing.T) {
	h := newHouse(t)
	c, ctx := h.cloudfront(h.keys.Admin()), t.Context()
	h.add(t, edge.Distribution{
		Stack: deploy.APIStack, ID: "site", Aliases: []string{"www.example.com"}, Origins: []edge.Origin{{ID: "files", Bucket: "pages"}},
		Behaviours: []edge.Behaviour{{Path: "/api/*", Origin: "s-dev"}, {Path: "*", Origin: "files", Methods: []string{"GET", "HEAD"}}},
	})
	got, err := c.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: aws.String("site")})
	if err != nil {
		t.Fatal(err)
	}
	config := got.Distribution.DistributionConfig
	if *config.DefaultCacheBehavior.TargetOriginId != "files" || *config.CacheBehaviors.Items[0].PathPattern != "/api/*" || len(config.Origins.Items) != 2 || *config.Origins.Items[0].DomainName != "pages.s3.amazonaws.com" {
		t.Errorf("got %+v", config)
	}
}

// add makes a distribution without the API.
func (h *house) add(t *testing.T, d edge.Distribution) {
	t.Helper()
	if _, err := h.deployer.Edit(t.Context(), deploy.APIStack, func(r *deploy.Revision) error {
		r.Distributions = append(r.Distributions, d)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestInvalidationsByAWSsClient(t *testing.T) {
	h := newHouse(t)
	c, ctx, id := h.cloudfront(h.keys.Admin()), t.Context(), aws.String("site")
	ask := func(reference string, paths ...string) (*cloudfront.CreateInvalidationOutput, error) {
		return c.CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{DistributionId: id, InvalidationBatch: &types.InvalidationBatch{
			CallerReference: &reference, Paths: &types.Paths{Quantity: aws.Int32(int32(len(paths))), Items: paths},
		}})
	}
	if _, err := ask("a", "/*"); code(err) != "NoSuchDistribution" {
		t.Errorf("of a distribution that is not there: %v", err)
	}
	h.add(t, edge.Distribution{Stack: deploy.APIStack, ID: "site", Aliases: []string{"www.example.com"}, Behaviours: []edge.Behaviour{{Path: "*", Origin: "s-dev"}}})
	out, err := ask("a", "/x", "/images/*")
	if err != nil || *out.Invalidation.Status != "Completed" || out.Location == nil {
		t.Fatalf("got %+v, %v", out, err)
	}
	if again, err := ask("a", "/x", "/images/*"); err != nil || *again.Invalidation.Id != *out.Invalidation.Id || len(h.stored.gone) != 1 {
		t.Errorf("the same again: %+v, %v; carried out %v", again, err, h.stored.gone)
	}
	if _, err := ask("a", "/y"); code(err) != "InvalidationBatchAlreadyExists" {
		t.Errorf("other paths under the same reference: %v", err)
	}
	for _, path := range []string{"x", "/a*b", "/a b"} {
		if _, err := ask(path, path); code(err) != "InvalidArgument" {
			t.Errorf("%q: %v", path, err)
		}
	}
	if _, err := ask("b", "/y?v=1"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"site[/x /images/*]", "site[/y?v=1]"}; !slices.Equal(h.stored.gone, want) {
		t.Errorf("invalidated %v, want %v", h.stored.gone, want)
	}
	got, err := c.GetInvalidation(ctx, &cloudfront.GetInvalidationInput{DistributionId: id, Id: out.Invalidation.Id})
	if err != nil || !slices.Equal(got.Invalidation.InvalidationBatch.Paths.Items, []string{"/x", "/images/*"}) {
		t.Errorf("get: %+v, %v", got, err)
	}
	page, err := c.ListInvalidations(ctx, &cloudfront.ListInvalidationsInput{DistributionId: id, MaxItems: aws.Int32(1)})
	if err != nil || len(page.InvalidationList.Items) != 1 || !*page.InvalidationList.IsTruncated {
		t.Fatalf("list: %+v, %v", page, err)
	}
	rest, err := c.ListInvalidations(ctx, &cloudfront.ListInvalidationsInput{DistributionId: id, Marker: page.InvalidationList.NextMarker})
	if err != nil || len(rest.InvalidationList.Items) != 1 || *rest.InvalidationList.Items[0].Id != *out.Invalidation.Id {
		t.Errorf("the rest: %+v, %v", rest, err)
	}
	h.stored.failing = errors.New("the disk is full")
	if _, err := ask("c", "/z"); err == nil {
		t.Error("an invalidation that did not happen was acknowledged")
	}
	h.stored.failing = nil
	if _, err := ask("c", "/z"); err != nil || len(h.stored.gone) != 3 {
		t.Errorf("once more: %v, %v", err, h.stored.gone)
	}
	function := h.cloudfront(h.function)
	if _, err := function.CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{DistributionId: id, InvalidationBatch: &types.InvalidationBatch{
		CallerReference: aws.String("d"), Paths: &types.Paths{Quantity: aws.Int32(1), Items: []string{"/*"}},
	}}); code(err) != "AccessDenied" {
		t.Errorf("by a function that may not: %v", err)
	}
}
