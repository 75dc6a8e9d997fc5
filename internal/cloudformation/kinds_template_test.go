package cloudformation

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/dropstack/dropstack/internal/schedule"
)

// framework is the template that the Serverless Framework made of a service with
// most of its features, without the table that there cannot be here.
func framework(t *testing.T) (*Template, *ground) {
	t.Helper()
	doc, err := os.ReadFile("testdata/framework.json")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("123456789012", arn.Account, `"arm64"`, `"`+map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]+`"`).Replace(string(doc))
	tpl := parse(t, text)
	delete(tpl.Resources, "UploadsTable")
	delete(tpl.Resources, "WorkerEventSourceMappingDynamodbUploadsTable")
	for _, r := range tpl.Resources {
		without(r.Properties, "UploadsTable", "arn:aws:dynamodb:us-east-1:"+arn.Account+":table/uploads-dev")
	}
	g := &ground{
		stacks: map[string]*deploy.Revision{deploy.APIStack: {Layers: []deploy.Layer{{
			Name: "ext", Version: 1, ARN: "arn:aws:lambda:us-east-1:" + arn.Account + ":layer:ext:1", Artifact: sum("ext"),
		}}}},
		shas: map[string]string{"thumb.zip": unbase64(t, "gQLLqk9757RROYrZ4eMRQShA2GNXtvvfw64T43GThyY=")},
	}
	for _, name := range []string{"api", "auth", "v2", "onUpload", "cron", "worker"} {
		g.shas[name+".zip"] = unbase64(t, "2GMc0N4YIkAyImcuTWmIYvMacBBQJxpow/N2UCtNLAY=")
	}
	return tpl, g
}

func unbase64(t *testing.T, s string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}

// without puts a text in the place of what refers to a resource.
func without(v any, id, text string) {
	refers := func(v any) bool {
		m, _ := v.(map[string]any)
		att, _ := m["Fn::GetAtt"].([]any)
		return m["Ref"] == id || len(att) > 0 && att[0] == id
	}
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			if refers(v[name]) {
				v[name] = text
			}
			without(v[name], id, text)
		}
	case []any:
		for i := range v {
			if refers(v[i]) {
				v[i] = text
			}
			without(v[i], id, text)
		}
	}
}

func TestTheTemplateOfTheFrameworkBecomesARevision(t *testing.T) {
	tpl, g := framework(t)
	p, err := run(t, g, tpl, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := p.revision
	got := map[string]int{
		"functions": len(r.Functions), "roles": len(r.Roles), "APIs": len(r.APIs), "topics": len(r.Topics), "subscriptions": len(r.Subscriptions),
		"schedules": len(r.Schedules), "rules": len(r.Rules), "buckets": len(r.Buckets), "notifications": len(r.Notifications), "queues": len(r.Queues),
		"mappings": len(r.Mappings), "aliases": len(r.Aliases), "layers": len(r.Layers), "log groups": len(r.LogGroups), "keys": len(r.APIKeys), "plans": len(r.UsagePlans),
	}
	want := map[string]int{
		"functions": 8, "roles": 2, "APIs": 3, "topics": 4, "subscriptions": 4, "schedules": 6, "rules": 1, "buckets": 3, "notifications": 3, "queues": 1,
		"mappings": 1, "aliases": 1, "layers": 1, "log groups": 9, "keys": 1, "plans": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := gateway.Check(r.APIs); err != nil {
		t.Errorf("APIs: %v", err)
	}
	if err := bucket.Check(r.Notifications); err != nil {
		t.Errorf("notifications: %v", err)
	}
	for _, f := range r.Functions {
		if err := function.Check(f); err != nil {
			t.Errorf("function %s: %v", f.Name, err)
		}
		for qualifier, text := range f.Policies {
			if _, err := policy.Parse(policy.Resource, text); err != nil {
				t.Errorf("policy of %s %s: %v", f.Name, qualifier, err)
			}
		}
	}
	for _, s := range r.Schedules {
		if _, err := schedule.Parse(s.Expression); err != nil {
			t.Errorf("schedule %s: %v", s.Name, err)
		}
	}
	if len(r.BucketSettings) != 0 {
		t.Errorf("the policy that insists on TLS would lock everybody out: %v", r.BucketSettings)
	}
}

func TestTheRESTAPIOfTheFramework(t *testing.T) {
	tpl, g := framework(t)
	p, err := run(t, g, tpl, nil)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(p.revision.APIs, func(a gateway.API) bool { return a.Kind == gateway.REST })
	got := p.revision.APIs[i]
	slices.SortFunc(got.Routes, func(a, b gateway.Route) int { return strings.Compare(a.Key(), b.Key()) })
	headers := []string{"Content-Type", "X-Amz-Date", "Authorization", "X-Api-Key", "X-Amz-Security-Token", "X-Amz-User-Agent", "X-Amzn-Trace-Id"}
	want := gateway.API{
		Stack: "shop-dev", ID: arn.APIID("shop-dev", gateway.REST), Kind: gateway.REST, Name: "droplr-api-dev", Stage: "dev",
		BinaryTypes: []string{"*/*"}, Compress: new(1024), Tags: map[string]string{"team": "backend"},
		Authorizers: []gateway.Authorizer{{Name: "auth", Kind: "TOKEN", Function: "droplr-api-dev-auth", Identity: []string{"method.request.header.Authorization"}, TTL: 60}},
		Routes: []gateway.Route{
			{Method: "ANY", Path: "/", Function: "droplr-api-dev-api"},
			{Method: "ANY", Path: "/{proxy+}", Function: "droplr-api-dev-api", CORS: &gateway.CORS{
				Origins: []string{"*"}, Headers: headers, Methods: []string{"OPTIONS", "DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"},
			}},
			{
				Method: "GET", Path: "/drops/{id}", Function: "droplr-api-dev-api", KeyRequired: true, Validation: &gateway.Validation{Parameters: []string{"path.id"}},
				CORS: &gateway.CORS{Origins: []string{"https://app.example.test"}, Headers: []string{"Content-Type", "X-Api-Key"}, Methods: []string{"OPTIONS", "GET"}, AllowCredentials: true, MaxAgeSeconds: 600},
			},
			{Method: "POST", Path: "/asyncjob", Function: "droplr-api-dev-api", Integration: gateway.IntegrationAsync},
			{Method: "POST", Path: "/secure", Function: "droplr-api-dev-api", Authorizer: "auth"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
