package deploy_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/spec"
)

// nodeService writes a service with a function and a layer; layer is the content
// of the layer's file.
func nodeService(t *testing.T, layer string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.js": "exports.b = 1\n", "layers/base/x": layer,
		"serverless.yml": `service: svc
provider: {name: aws, runtime: nodejs20.x, logs: {lambda: {logFormat: JSON, applicationLogLevel: WARN}}}
layers:
  base: {path: layers/base}
functions:
  f:
    handler: a.b
    layers: [!Ref BaseLambdaLayer]
    provisionedConcurrency: 2
    reservedConcurrency: 5
    maximumEventAge: 60
    maximumRetryAttempts: 0
    destinations: {onSuccess: g, onFailure: f}
    events:
      - http: GET /rest
      - httpApi: GET /http
      - sns: t
      - s3: files
      - schedule: rate(1 day)
  g: {handler: a.b, warm: 3, versionFunction: false, logs: {logFormat: Text}, events: [{httpApi: GET /g}]}
`,
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPlanOfANodeService(t *testing.T) {
	dir := nodeService(t, "x")
	p, err := deploy.Prepare(t.Context(), dir, deploy.PackageOptions{OutDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	r := p.Revision
	const arn = "arn:aws:lambda:us-east-1:000000000000:function:svc-dev-"
	want := []function.Function{
		{
			Stack: "svc-dev", Name: "svc-dev-f", ARN: arn + "f", Version: "$LATEST", Runtime: "nodejs20.x", Handler: "a.b",
			MemoryMB: 1024, Timeout: 6, Concurrency: new(5), LogFormat: "JSON", LogLevel: "WARN", Publish: true, Provisioned: 2,
			MaxEventAge: 60, MaxRetries: new(0), OnSuccess: arn + "g", OnFailure: arn + "f:provisioned",
		},
		{
			Stack: "svc-dev", Name: "svc-dev-g", ARN: arn + "g", Version: "$LATEST", Runtime: "nodejs20.x", Handler: "a.b",
			MemoryMB: 1024, Timeout: 6, LogFormat: "Text", Warm: 3,
		},
	}
	for i := range r.Functions {
		f := &r.Functions[i]
		if p.Artifacts[f.Artifact] == "" {
			t.Errorf("no artifact for %s", f.Name)
		}
		f.Artifact = ""
	}
	if layers := r.Functions[0].Layers; len(layers) != 1 || p.Artifacts[layers[0]] == "" {
		t.Errorf("layers %q of %q", layers, p.Artifacts)
	}
	if got := r.Functions[0].LayerARNs; !slices.Equal(got, []string{"arn:aws:lambda:us-east-1:000000000000:layer:base:1"}) {
		t.Errorf("layers are named %q", got)
	}
	r.Functions[0].Layers, r.Functions[0].LayerARNs = nil, nil
	for i := range r.Functions {
		if r.Functions[i].Role != "arn:aws:iam::000000000000:role/svc-dev-us-east-1-lambdaRole" {
			t.Errorf("%s runs as %q", r.Functions[i].Name, r.Functions[i].Role)
		}
		r.Functions[i].Role = ""
	}
	if diff := cmp.Diff(want, r.Functions); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var targets []string
	for _, api := range r.APIs {
		for _, route := range api.Routes {
			targets = append(targets, route.Path+" "+route.Function)
		}
	}
	targets = append(targets, r.Subscriptions[0].Function, r.Notifications[0].Function, r.Schedules[0].Function)
	const alias = "svc-dev-f:provisioned"
	if diff := cmp.Diff([]string{"/rest " + alias, "/http " + alias, "/g svc-dev-g", alias, alias, alias}, targets); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestFunctionsTooLargeWithTheirLayers(t *testing.T) {
	dir := nodeService(t, "x")
	// Holes, so that it is quick: only their sizes count.
	for name, mb := range map[string]int64{"big": 100, "layers/base/big": 151} {
		f, err := os.Create(filepath.Join(dir, name))
		if err == nil {
			err = errors.Join(f.Truncate(mb<<20), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := deploy.Prepare(t.Context(), dir, deploy.PackageOptions{OutDir: t.TempDir()})
	want := "serverless.yml:6: function f has 251.0 MB unpacked (its own 100.0 MB, layer base 151.0 MB); the limit is 250.0 MB: leave files out with package.patterns"
	if fault.KindOf(err) != fault.Invalid || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

func TestURLsAndStreams(t *testing.T) {
	dir := t.TempDir()
	text := `service: svc
provider: {name: aws, runtime: nodejs20.x}
functions:
  f:
    handler: a.b
    url: {authorizer: aws_iam, invokeMode: RESPONSE_STREAM}
    events:
      - http: {method: get, path: /, response: {transferMode: STREAM}}
  g:
    handler: a.b
    url: true
`
	if err := os.WriteFile(filepath.Join(dir, "serverless.yml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	svc, err := deploy.Load(t.Context(), dir, spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := deploy.Plan(svc, map[string]string{"f": "1", "g": "1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	type api struct {
		Kind, Auth, Function string
		Stream               bool
	}
	var got []api
	for _, a := range r.APIs {
		got = append(got, api{a.Kind, a.Auth, a.Routes[0].Function, a.Routes[0].Stream})
	}
	want := []api{
		{gateway.REST, "", "svc-dev-f", true},
		{gateway.URL, gateway.AuthIAM, "svc-dev-f", true},
		{gateway.URL, gateway.AuthNone, "svc-dev-g", false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
